//! Background tasks: they are restarted when they end, and the ping reports their health.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use hitl_runtime::plumbing::panic_message;
use tokio::time::Instant;

/// A supervised task that runs for as long as the server does. Clones share its state.
#[derive(Clone, Default)]
pub(crate) struct Background {
    /// The number of consecutive runs that ended within `STABLE_AFTER`.
    failures: Arc<AtomicU32>,
    /// The time of the last failed attempt.
    failed_at: Arc<Mutex<Option<Instant>>>,
}

/// The state of a background task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It runs without errors.
    Healthy,
    /// It runs, but its last attempt failed, for example because the store did not answer.
    Failing,
    /// It ended and is being restarted.
    Restarting,
    /// It ended `DOWN_AFTER` times in a row, each time within `STABLE_AFTER`. It is still being restarted.
    Down,
}

impl Background {
    /// The run time after which a task counts as healthy again.
    const STABLE_AFTER: Duration = Duration::from_secs(60);

    /// The number of consecutive runs shorter than `STABLE_AFTER` after which a task counts as down. Restarts continue.
    const DOWN_AFTER: u32 = 5;

    /// The time for which a failed attempt is reported as `Failing`. It is longer than the interval between attempts.
    const FAILING_FOR: Duration = Duration::from_secs(150);

    const MAX_PAUSE: Duration = Duration::from_secs(60);

    /// Runs `work` forever: logs each end or panic, and restarts it after a pause that doubles from 1 s to at most 60
    /// s.
    pub(crate) async fn supervise<F: Future>(&self, name: &'static str, work: impl Fn() -> F) -> ! {
        loop {
            let run = AssertUnwindSafe(async { work().await }).catch_unwind();
            let mut run = std::pin::pin!(run);
            let end = match tokio::time::timeout(Self::STABLE_AFTER, run.as_mut()).await {
                Ok(end) => end,
                Err(_) => {
                    self.failures.store(0, Ordering::SeqCst);
                    run.await
                }
            };
            let failures = self.failures.fetch_add(1, Ordering::SeqCst) + 1;
            let pause = Duration::from_secs(1 << (failures - 1).min(6)).min(Self::MAX_PAUSE);
            match end {
                Ok(_) => tracing::error!(failures, ?pause, "{name} ended; restarting it"),
                Err(panic) => {
                    let message = panic_message(panic);
                    tracing::error!(failures, ?pause, "{name} panicked: {message}; restarting it");
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Records that an attempt failed.
    pub(crate) fn record_failure(&self) {
        *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(crate) fn health(&self) -> Health {
        let failed_at = *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        match self.failures.load(Ordering::SeqCst) {
            0 if failed_at.is_some_and(|at| at.elapsed() < Self::FAILING_FOR) => Health::Failing,
            0 => Health::Healthy,
            failures if failures < Self::DOWN_AFTER => Health::Restarting,
            _ => Health::Down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failed_attempt_is_reported_until_it_succeeds() {
        let background = Background::default();
        for _ in 0..3 {
            background.record_failure();
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(background.health(), Health::Failing);
        }
        // Two attempts without an error.
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(background.health(), Health::Healthy);
    }

    /// Time is paused and advances only by the sleeps below, so the test does not actually wait.
    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_is_restarted_and_reported() {
        let background = Background::default();
        let starts = Arc::new(AtomicU32::new(0));
        let kept = tokio::spawn({
            let (background, starts) = (background.clone(), Arc::clone(&starts));
            async move {
                let work = || async {
                    match starts.fetch_add(1, Ordering::SeqCst) {
                        0 => panic!("boom"),
                        1..6 => {}
                        _ => std::future::pending().await,
                    }
                };
                background.supervise("the sweep", work).await
            }
        });
        assert_eq!(background.health(), Health::Healthy);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!((starts.load(Ordering::SeqCst), background.health()), (1, Health::Restarting));
        tokio::time::sleep(Duration::from_secs(1 + 2 + 4 + 8)).await;
        assert_eq!((starts.load(Ordering::SeqCst), background.health()), (5, Health::Down));
        // A task that runs for `STABLE_AFTER` after a restart is healthy again.
        tokio::time::sleep(Duration::from_secs(16 + 32 + 60)).await;
        assert_eq!((starts.load(Ordering::SeqCst), background.health()), (7, Health::Healthy));
        kept.abort();
    }
}
