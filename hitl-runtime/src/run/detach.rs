//! Work that outlives its caller.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{Error, ThreadId, guard::contained};

/// Does the work of one thread: in place, and in the background from the moment its caller drops it, because an HTTP client
/// that hangs up must not cut an effect in the middle. A panic in it is an error of this thread.
pub(crate) fn finish_for<T: Send + 'static>(
    thread: ThreadId,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Finish<Result<T, Error>> {
    finish(async move { contained(&thread, work).await })
}

/// Runs a future in place, and in the background from the moment its caller drops it.
pub(crate) fn finish<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Finish<T> {
    Finish { work: Some(Box::pin(work)), begun: false }
}

pub(crate) struct Finish<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    begun: bool,
}

impl<T: Send + 'static> Future for Finish<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        // Taken out while it runs: what has panicked is not run on.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let poll = work.as_mut().poll(cx);
        if poll.is_pending() {
            self.work = Some(work);
        }
        poll
    }
}

impl<T: Send + 'static> Drop for Finish<T> {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        // Outside a runtime, or while one shuts down, there is no background: the journal knows how far it came.
        if self.begun
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}
