//! Panic containment for user code that runs outside nodes: reducers, serializers, validators, `match` guards, schemas.
//!
//! [`catch_panic`] catches a panic in such code and turns it into an error of the call, which names the code. This
//! requires `panic = "unwind"`, Cargo's default: under `panic = "abort"` the process ends instead.
//!
//! A destructor that panics while another panic unwinds cannot be contained: Rust aborts the process before any code can
//! run. The journal keeps what was appended, another process resumes the thread, and an effect that had begun is in doubt.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::FutureExt as _;

use crate::{Error, ThreadId, text};

/// User code that panicked, or that failed where it should not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {place} {problem}")]
pub(crate) struct UserCodeError {
    /// A description of the code, such as ``reducer of `total` ``.
    pub(crate) place: String,
    /// The failure: `panicked: …` or `failed: …`.
    pub(crate) problem: String,
}

impl UserCodeError {
    fn panicked(place: String, panic: Box<dyn Any + Send>) -> Self {
        Self { place, problem: format!("panicked: {}", panic_message(panic)) }
    }

    /// Converts it to the error of a call about `thread`.
    pub(crate) fn into_error(self, thread: &ThreadId) -> Error {
        Error::UserCodeFailed { thread: thread.clone(), place: self.place, problem: self.problem }
    }
}

/// Calls user code, and turns a panic in it into an error that names the code.
pub(crate) fn catch_panic<T>(
    place: impl FnOnce() -> String,
    code: impl FnOnce() -> T,
) -> Result<T, UserCodeError> {
    // Unwind safety: the callers drop the values that a panic may have left half-written.
    catch_unwind(AssertUnwindSafe(code)).map_err(|panic| UserCodeError::panicked(place(), panic))
}

/// Runs the work of one thread. A panic that no inner guard caught, such as one in the `Drop` of a value, becomes an
/// error of this call and does not affect other threads.
pub(crate) async fn contain_panics<T>(
    thread: &ThreadId,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(panicked_outside(thread, panic)))
}

/// Runs synchronous work as [`contain_panics`] does.
pub(crate) fn contain_panics_sync<T>(
    thread: &ThreadId,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked_outside(thread, panic)))
}

fn panicked_outside(thread: &ThreadId, panic: Box<dyn Any + Send>) -> Error {
    UserCodeError::panicked("code around the nodes".to_owned(), panic).into_error(thread)
}

/// Returns the message of a panic. Its payload is a user's value, whose `Drop` may panic, too: that panic is caught,
/// and its own payload is leaked.
pub fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let message = text::payload_message(&*panic).to_owned();
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
    message
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_location() {
        let broken = catch_panic(|| "reducer of `total`".to_owned(), || panic!("boom")).unwrap_err();
        assert_eq!(broken.to_string(), "the reducer of `total` panicked: boom");
        assert_eq!(catch_panic(String::new, || 7), Ok(7));
    }

    #[test]
    fn a_panic_payload_that_panics_on_drop_is_contained() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("twice");
            }
        }
        let broken = catch_panic(|| "code".to_owned(), || std::panic::panic_any(Bomb)).unwrap_err();
        assert_eq!(broken.problem, "panicked: no message");
    }

    #[tokio::test]
    async fn a_panic_after_an_await_is_contained() {
        let thread = ThreadId::new("t").unwrap();
        let work = async {
            tokio::task::yield_now().await;
            panic!("late")
        };
        let error = contain_panics::<()>(&thread, work).await.unwrap_err();
        assert_eq!((error.code(), error.thread()), ("user_code_failed", Some(&thread)));
        let error = contain_panics_sync::<()>(&thread, || panic!("now")).unwrap_err();
        assert!(error.to_string().contains("now"), "{error}");
    }
}
