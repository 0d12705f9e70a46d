//! Calls into user code outside nodes: reducers, serializers, validators, `match` guards, schemas.
//!
//! A panic there unwinds to [`guarded`] and becomes an error of the call, which names the place. It needs
//! `panic = "unwind"`, which is Cargo's default: under `panic = "abort"` the process ends instead.
//!
//! One thing no guard can hold: a destructor that panics while a panic unwinds already. Rust then aborts the process, before
//! any code can run. What was in the journal is there, and another process takes its threads up; an effect that had begun is
//! in doubt, and not repeated.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::FutureExt as _;

use crate::{Error, ThreadId, prose};

/// User code that panicked, or that gave an error where it had no reason to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {place} {problem}")]
pub(crate) struct Broken {
    /// The code, in words: ``reducer of `total` ``.
    pub(crate) place: String,
    /// What happened there: `panicked: …` or `failed: …`.
    pub(crate) problem: String,
}

impl Broken {
    fn panicked(place: String, panic: Box<dyn Any + Send>) -> Self {
        Self { place, problem: format!("panicked: {}", said(panic)) }
    }

    /// The error of whoever asked for the thread.
    pub(crate) fn of(self, thread: &ThreadId) -> Error {
        Error::UserCodeFailed { thread: thread.clone(), place: self.place, problem: self.problem }
    }
}

/// Calls user code. A panic in it is an error that names the place.
pub(crate) fn guarded<T>(place: impl FnOnce() -> String, code: impl FnOnce() -> T) -> Result<T, Broken> {
    // What a panic leaves half done is not looked at again: the callers drop it.
    catch_unwind(AssertUnwindSafe(code)).map_err(|panic| Broken::panicked(place(), panic))
}

/// Does the work of one thread. A panic that no narrower guard caught, such as one in the `Drop` of a value, is an error
/// of this call, and of no other thread's.
pub(crate) async fn contained<T>(
    thread: &ThreadId,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(outside(thread, panic)))
}

/// The same for work that awaits nothing.
pub(crate) fn contained_now<T>(
    thread: &ThreadId,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(outside(thread, panic)))
}

fn outside(thread: &ThreadId, panic: Box<dyn Any + Send>) -> Error {
    Broken::panicked("code around the nodes".to_owned(), panic).of(thread)
}

/// The words of a panic. Its payload is the user's too, and may panic when it is dropped.
pub(crate) fn said(panic: Box<dyn Any + Send>) -> String {
    let said = prose::panic(&*panic).to_owned();
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
    said
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_names_its_place() {
        let broken = guarded(|| "reducer of `total`".to_owned(), || panic!("boom")).unwrap_err();
        assert_eq!(broken.to_string(), "the reducer of `total` panicked: boom");
        assert_eq!(guarded(String::new, || 7), Ok(7));
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_held() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("twice");
            }
        }
        let broken = guarded(|| "code".to_owned(), || std::panic::panic_any(Bomb)).unwrap_err();
        assert_eq!(broken.problem, "panicked: no message");
    }

    #[tokio::test]
    async fn work_that_panics_after_an_await_is_contained() {
        let thread = ThreadId::new("t").unwrap();
        let work = async {
            tokio::task::yield_now().await;
            panic!("late")
        };
        let error = contained::<()>(&thread, work).await.unwrap_err();
        assert_eq!((error.code(), error.thread()), ("user_code_failed", Some(&thread)));
        let error = contained_now::<()>(&thread, || panic!("now")).unwrap_err();
        assert!(error.to_string().contains("now"), "{error}");
    }
}
