//! Work beside the requests: it is started again when it ends, and the ping tells of it.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::time::Instant;

use crate::guard::said;

/// Work that is to go on for as long as the server does. Clones share what is known of it.
#[derive(Clone, Default)]
pub(crate) struct Background {
    /// How often in a row it has ended before it had run for `STEADY`.
    failures: Arc<AtomicU32>,
    /// When it last could not do its work.
    stumbled: Arc<Mutex<Option<Instant>>>,
}

/// How the work goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It runs.
    Well,
    /// It runs, and could not do its work the last time, as when the store does not answer.
    Failing,
    /// It ended, and is started again.
    Restarting,
    /// It ends each time that it is started.
    Down,
}

#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "`serve` of the command line keeps it going"))]
impl Background {
    /// Work that has run for so long counts as well.
    const STEADY: Duration = Duration::from_secs(60);

    /// Work that has ended so often in a row, each time before it was steady, counts as down. It is tried on.
    const DOWN: u32 = 5;

    /// For so long it is told that the work could not be done. It is tried more often.
    const TOLD: Duration = Duration::from_secs(150);

    const LONGEST_PAUSE: Duration = Duration::from_secs(60);

    /// Keeps work going: logs how it ended, and starts it again after a pause that grows from 1 s to 60 s.
    pub(crate) async fn keep<F: Future>(&self, name: &'static str, work: impl Fn() -> F) -> ! {
        loop {
            let run = AssertUnwindSafe(async { work().await }).catch_unwind();
            let mut run = std::pin::pin!(run);
            let end = match tokio::time::timeout(Self::STEADY, run.as_mut()).await {
                Ok(end) => end,
                Err(_) => {
                    self.failures.store(0, Ordering::SeqCst);
                    run.await
                }
            };
            let failures = self.failures.fetch_add(1, Ordering::SeqCst) + 1;
            let pause = Duration::from_secs(1 << (failures - 1).min(6)).min(Self::LONGEST_PAUSE);
            match end {
                Ok(_) => tracing::error!(failures, ?pause, "{name} ended; it is started again"),
                Err(panic) => {
                    let said = said(panic);
                    tracing::error!(failures, ?pause, "{name} panicked: {said}; it is started again");
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Notes that the work could not be done this time.
    pub(crate) fn stumbles(&self) {
        *self.stumbled.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub(crate) fn health(&self) -> Health {
        let stumbled = *self.stumbled.lock().unwrap_or_else(PoisonError::into_inner);
        match self.failures.load(Ordering::SeqCst) {
            0 if stumbled.is_some_and(|at| at.elapsed() < Self::TOLD) => Health::Failing,
            0 => Health::Well,
            failures if failures < Self::DOWN => Health::Restarting,
            _ => Health::Down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_done_is_told_until_it_can() {
        let background = Background::default();
        for _ in 0..3 {
            background.stumbles();
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(background.health(), Health::Failing);
        }
        // Two looks without an error.
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(background.health(), Health::Well);
    }

    /// Time stands still but for the timers here, so nothing waits.
    #[tokio::test(start_paused = true)]
    async fn work_that_ends_is_started_again_and_seen() {
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
                background.keep("the sweep", work).await
            }
        });
        assert_eq!(background.health(), Health::Well);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!((starts.load(Ordering::SeqCst), background.health()), (1, Health::Restarting));
        tokio::time::sleep(Duration::from_secs(1 + 2 + 4 + 8)).await;
        assert_eq!((starts.load(Ordering::SeqCst), background.health()), (5, Health::Down));
        // What comes back and stays is well again.
        tokio::time::sleep(Duration::from_secs(16 + 32 + 60)).await;
        assert_eq!((starts.load(Ordering::SeqCst), background.health()), (7, Health::Well));
        kept.abort();
    }
}
