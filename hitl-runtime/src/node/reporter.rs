//! Task-local channel from a model to the node that runs it: model output for subscribers, and usage for the journal.

use std::{cell::RefCell, future::Future, pin::pin, sync::Arc};

use super::Cx;
use crate::journal::Usage;

tokio::task_local! {
    static NODE: Reporter;
}

/// A listener to the output of the models that nodes call.
pub(crate) trait ModelListener: Send + Sync {
    /// Takes a chunk of the output.
    fn model_output(&self, cx: &Cx, text: &str);
}

/// The task-local context of a running node, so that a model can reach it through any number of calls in between. It is
/// not available in other tasks that the node spawns.
pub(crate) struct Reporter {
    listener: Arc<dyn ModelListener>,
    cx: Cx,
    spent: RefCell<Vec<Usage>>,
}

impl Reporter {
    pub(crate) fn new(listener: Arc<dyn ModelListener>, cx: &Cx) -> Self {
        Self { listener, cx: cx.clone(), spent: RefCell::default() }
    }

    /// Runs a node and returns its result with the usage of its models.
    pub(crate) async fn follow<T>(self, node: impl Future<Output = T>) -> (T, Vec<Usage>) {
        let mut node = pin!(NODE.scope(self, node));
        let end = node.as_mut().await;
        (end, node.take_value().map(|reporter| reporter.spent.into_inner()).unwrap_or_default())
    }
}

/// Sends a chunk of model output to the thread's subscribers. Does nothing outside of a node.
pub(crate) fn report_output(piece: &str) {
    let _ = NODE.try_with(|Reporter { listener, cx, .. }| listener.model_output(cx, piece));
}

/// Records the usage of a model call, for the journal. Does nothing outside of a node.
pub(crate) fn report_usage(usage: Usage) {
    let _ = NODE.try_with(|reporter| reporter.spent.borrow_mut().push(usage));
}
