//! Task-local channel from a model to the node that runs it: model output for subscribers, and usage for the journal.

use std::{cell::RefCell, future::Future, pin::pin, sync::Arc};

use super::{
    Cx,
    listen::{Heard, Listeners},
};
use crate::journal::Usage;

tokio::task_local! {
    static NODE: Reporter;
}

/// The task-local context of a running node, so that a model can reach it through any number of calls in between. It is
/// not available in other tasks that the node spawns.
pub(super) struct Reporter {
    listeners: Arc<Listeners>,
    cx: Cx,
    spent: RefCell<Vec<Usage>>,
}

impl Reporter {
    pub(super) fn new(listeners: &Arc<Listeners>, cx: &Cx) -> Self {
        Self { listeners: Arc::clone(listeners), cx: cx.clone(), spent: RefCell::default() }
    }

    /// Runs a node and returns its result with the usage of its models.
    pub(super) async fn follow<T>(self, node: impl Future<Output = T>) -> (T, Vec<Usage>) {
        let mut node = pin!(NODE.scope(self, node));
        let end = node.as_mut().await;
        (end, node.take_value().map(|reporter| reporter.spent.into_inner()).unwrap_or_default())
    }
}

/// Sends a chunk of model output to the thread's subscribers. Does nothing outside of a node.
pub(crate) fn said(piece: &str) {
    let _ = NODE.try_with(|Reporter { listeners, cx, .. }| {
        listeners.tell(cx.thread(), || Heard::Said { node: cx.node().to_owned(), text: piece.to_owned() });
    });
}

/// Records the usage of a model call, for the journal. Does nothing outside of a node.
pub(crate) fn spent(usage: Usage) {
    let _ = NODE.try_with(|reporter| reporter.spent.borrow_mut().push(usage));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{ThreadId, journal::Visit};

    fn reporter(listeners: &Arc<Listeners>, thread: &ThreadId) -> Reporter {
        Reporter::new(listeners, &Cx::new(thread.clone(), "id".into(), "draft", &Visit::to("draft", 3)))
    }

    fn usage(ms: u64) -> Usage {
        Usage { model: "m".into(), ms, ..Usage::default() }
    }

    #[tokio::test]
    async fn each_node_has_its_own_account_though_they_run_side_by_side() {
        let (listeners, thread) = (Arc::default(), ThreadId::new("t").unwrap());
        let node = |ms| {
            reporter(&listeners, &thread).follow(async move {
                spent(usage(ms));
                tokio::task::yield_now().await;
                spent(usage(ms + 1));
                ms
            })
        };
        let (one, other) = tokio::join!(node(10), node(20));
        assert_eq!(one, (10, vec![usage(10), usage(11)]));
        assert_eq!(other, (20, vec![usage(20), usage(21)]));
        // Outside of a node both calls do nothing.
        said("to nobody");
        spent(usage(1));
    }

    #[tokio::test]
    async fn what_is_said_is_heard_by_whoever_listens_to_that_thread_and_by_nobody_else() {
        let listeners: Arc<Listeners> = Arc::default();
        let (here, there) = (ThreadId::new("here").unwrap(), ThreadId::new("there").unwrap());
        let (mut one, mut two, mut other) =
            (listeners.seat(&here), listeners.seat(&here), listeners.seat(&there));
        reporter(&listeners, &here).follow(async { said("Dear ") }).await;
        reporter(&listeners, &there).follow(async { said("Hello") }).await;
        for (listener, words) in [(&mut one, "Dear "), (&mut two, "Dear "), (&mut other, "Hello")] {
            let heard = listener.next().await;
            assert!(
                matches!(&heard, Heard::Said { node, text } if node == "draft" && text == words),
                "{heard:?}"
            );
        }
        drop(one);
        assert!(listeners.are_there(&here));
        drop(two);
        assert!(!listeners.are_there(&here) && listeners.are_there(&there));
    }

    #[tokio::test]
    async fn who_does_not_keep_up_is_told_how_much_was_missed() {
        let (listeners, thread) = (Arc::<Listeners>::default(), ThreadId::new("t").unwrap());
        let mut slow = listeners.seat(&thread);
        reporter(&listeners, &thread).follow(async { (0..1030).for_each(|n| said(&n.to_string())) }).await;
        assert!(matches!(slow.next().await, Heard::Missed { count: 6 }));
        assert!(matches!(slow.next().await, Heard::Said { text, .. } if text == "6"));
    }
}
