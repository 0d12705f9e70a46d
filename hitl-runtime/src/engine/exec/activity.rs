//! The number of threads that run in this process, for health checks and a clean shutdown.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::{Timestamp, engine::Engine};

/// The number of threads that an agent runs in this process, and the time since which it has been busy or idle.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let activity = agent.activity();
/// assert_eq!(activity.running, 0, "a thread that waits for a person runs nowhere");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activity {
    /// The number of running threads.
    pub running: usize,
    /// The time at which `running` last became 0 or ceased to be 0; [`Timestamp::UNIX_EPOCH`] if no thread has
    /// run yet.
    pub since: Timestamp,
}

impl Engine {
    /// Returns the number of threads that run in this process.
    pub fn activity(&self) -> Activity {
        let run_counters = &self.run_counters;
        Activity {
            running: run_counters.running.load(Ordering::SeqCst),
            since: Timestamp::from_millis(run_counters.since.load(Ordering::SeqCst)),
        }
    }

    /// Lets no further thread be continued in the background, because the program stops.
    pub fn stop_background(&self) {
        self.run_counters.stopping.store(true, Ordering::SeqCst);
    }

    /// Returns whether threads may still be continued in the background.
    pub(in crate::engine) fn may_continue_in_background(&self) -> bool {
        !self.run_counters.stopping.load(Ordering::SeqCst)
    }

    /// Waits until no thread runs in this process.
    pub async fn wait_idle(&self) {
        loop {
            let rests = self.run_counters.rests.notified();
            if self.activity().running == 0 {
                return;
            }
            rests.await;
        }
    }
}

/// Counters shared by an agent and its clones.
#[derive(Default)]
pub(in crate::engine) struct RunCounters {
    running: AtomicUsize,
    since: AtomicU64,
    rests: Notify,
    /// `true` once the program stops: nothing begins in the background any more.
    stopping: AtomicBool,
}

/// A guard that counts one running thread until it is dropped.
pub(in crate::engine) struct RunningGuard<'a>(&'a Engine);

impl<'a> RunningGuard<'a> {
    pub(in crate::engine) fn begin(engine: &'a Engine) -> Self {
        if engine.run_counters.running.fetch_add(1, Ordering::SeqCst) == 0 {
            engine.run_counters.since.store(engine.clock.now().as_millis(), Ordering::SeqCst);
        }
        Self(engine)
    }
}

impl Drop for RunningGuard<'_> {
    fn drop(&mut self) {
        let run_counters = &self.0.run_counters;
        if run_counters.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            run_counters.since.store(self.0.clock.now().as_millis(), Ordering::SeqCst);
            run_counters.rests.notify_waiters();
        }
    }
}
