//! Futures that run to completion even if their caller drops them.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use tracing::{Instrument as _, Span};

use crate::{Error, ThreadId, engine::Engine, telemetry::plain, user_code::contain_panics};

/// Runs the work on a thread of the agent to completion, in place or, once its caller drops it, in the background: an
/// HTTP client that disconnects must not interrupt an effect. A panic in the work becomes an error for this thread.
/// The span follows the work into the background.
pub(in crate::engine) fn finish_for<T: Send + 'static>(
    thread: ThreadId,
    span: Span,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> RunToCompletion<Result<T, Error>> {
    // Boxed before another future captures it, which would keep it twice and copy it each time.
    let work: BoxFuture<'static, _> = Box::pin(work);
    finish(async move { contain_panics(&thread, work).await }.instrument(span))
}

impl Engine {
    /// Returns the span of an operation on a thread.
    pub(in crate::engine) fn thread_span(&self, operation: &'static str, thread: &ThreadId) -> Span {
        tracing::info_span!(
            target: "hitl::thread",
            "thread",
            operation,
            thread = &*plain(thread.as_str()),
            graph = self.graph.spec.name,
        )
    }
}

/// Runs a future in place, and in the background once its caller drops it. A future that was never polled is just
/// dropped.
pub(in crate::engine) fn finish<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> RunToCompletion<T> {
    RunToCompletion { work: Some(Box::pin(work)), begun: false }
}

pub(in crate::engine) struct RunToCompletion<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    begun: bool,
}

impl<T: Send + 'static> Future for RunToCompletion<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        // Taken out during the poll, so that a future that has panicked is not polled again.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let poll = work.as_mut().poll(cx);
        if poll.is_pending() {
            self.work = Some(work);
        }
        poll
    }
}

impl<T: Send + 'static> Drop for RunToCompletion<T> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        // Without a runtime, or during its shutdown, the work ends here; the journal has its progress.
        if self.begun
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}
