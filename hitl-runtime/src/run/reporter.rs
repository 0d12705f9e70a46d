//! Task-local channel from a model to the node that runs it: model output for subscribers, and usage for the journal.

use std::{cell::RefCell, future::Future, pin::pin, sync::Arc};

use super::{
    Cx,
    subscription::{Subscribers, ThreadEvent},
};
use crate::journal::Usage;

tokio::task_local! {
    static NODE: Reporter;
}

/// The task-local context of a running node, so that a model can reach it through any number of calls in between. It is
/// not available in other tasks that the node spawns.
pub(super) struct Reporter {
    subscribers: Arc<Subscribers>,
    cx: Cx,
    spent: RefCell<Vec<Usage>>,
}

impl Reporter {
    pub(super) fn new(subscribers: &Arc<Subscribers>, cx: &Cx) -> Self {
        Self { subscribers: Arc::clone(subscribers), cx: cx.clone(), spent: RefCell::default() }
    }

    /// Runs a node and returns its result with the usage of its models.
    pub(super) async fn follow<T>(self, node: impl Future<Output = T>) -> (T, Vec<Usage>) {
        let mut node = pin!(NODE.scope(self, node));
        let end = node.as_mut().await;
        (end, node.take_value().map(|reporter| reporter.spent.into_inner()).unwrap_or_default())
    }
}

/// Sends a chunk of model output to the thread's subscribers. Does nothing outside of a node.
pub(crate) fn report_output(piece: &str) {
    let _ = NODE.try_with(|Reporter { subscribers, cx, .. }| {
        subscribers.publish(cx.thread(), || ThreadEvent::ModelOutput {
            node: cx.node().to_owned(),
            text: piece.to_owned(),
        });
    });
}

/// Records the usage of a model call, for the journal. Does nothing outside of a node.
pub(crate) fn report_usage(usage: Usage) {
    let _ = NODE.try_with(|reporter| reporter.spent.borrow_mut().push(usage));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{ThreadId, journal::Activation};

    fn reporter(subscribers: &Arc<Subscribers>, thread: &ThreadId) -> Reporter {
        Reporter::new(
            subscribers,
            &Cx::new(thread.clone(), "id".into(), "draft", &Activation::to("draft", 3)),
        )
    }

    fn usage(ms: u64) -> Usage {
        Usage { model: "m".into(), ms, ..Usage::default() }
    }

    #[tokio::test]
    async fn concurrent_nodes_have_separate_usage() {
        let (subscribers, thread) = (Arc::default(), ThreadId::new("t").unwrap());
        let node = |ms| {
            reporter(&subscribers, &thread).follow(async move {
                report_usage(usage(ms));
                tokio::task::yield_now().await;
                report_usage(usage(ms + 1));
                ms
            })
        };
        let (one, other) = tokio::join!(node(10), node(20));
        assert_eq!(one, (10, vec![usage(10), usage(11)]));
        assert_eq!(other, (20, vec![usage(20), usage(21)]));
        // Outside of a node both calls do nothing.
        report_output("to nobody");
        report_usage(usage(1));
    }

    #[tokio::test]
    async fn events_reach_only_subscribers_of_their_thread() {
        let subscribers: Arc<Subscribers> = Arc::default();
        let (here, there) = (ThreadId::new("here").unwrap(), ThreadId::new("there").unwrap());
        let (mut one, mut two, mut other) =
            (subscribers.subscribe(&here), subscribers.subscribe(&here), subscribers.subscribe(&there));
        reporter(&subscribers, &here).follow(async { report_output("Dear ") }).await;
        reporter(&subscribers, &there).follow(async { report_output("Hello") }).await;
        for (listener, words) in [(&mut one, "Dear "), (&mut two, "Dear "), (&mut other, "Hello")] {
            let heard = listener.next().await;
            assert!(
                matches!(&heard, ThreadEvent::ModelOutput { node, text } if node == "draft" && text == words),
                "{heard:?}"
            );
        }
        drop(one);
        assert!(subscribers.has_subscriber(&here));
        drop(two);
        assert!(!subscribers.has_subscriber(&here) && subscribers.has_subscriber(&there));
    }

    #[tokio::test]
    async fn a_slow_subscriber_gets_the_number_of_missed_events() {
        let (subscribers, thread) = (Arc::<Subscribers>::default(), ThreadId::new("t").unwrap());
        let mut slow = subscribers.subscribe(&thread);
        reporter(&subscribers, &thread)
            .follow(async { (0..1030).for_each(|n| report_output(&n.to_string())) })
            .await;
        assert!(matches!(slow.next().await, ThreadEvent::Missed { count: 6 }));
        assert!(matches!(slow.next().await, ThreadEvent::ModelOutput { text, .. } if text == "6"));
    }
}
