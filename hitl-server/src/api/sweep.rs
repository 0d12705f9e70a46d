//! One sweep, and what it did.

use std::sync::Arc;

use hitl_runtime::{Error, ThreadStatus, agent::SweepEvent, plumbing::Engine};
use serde::Serialize;

/// The number of events of one sweep, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SweepCounts {
    /// The threads that were taken over, or of which a review expired, and that did not fail.
    pub moved: u64,
    /// Those that failed or are in doubt now.
    pub failed: u64,
    /// The reminders of open reviews.
    pub reminded: u64,
    /// The threads that are due, but that this program cannot process.
    pub refused: u64,
    /// `true` if the response did not wait for the end of the sweep: threads are still running, or were not reached.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

impl SweepCounts {
    fn count(&mut self, event: &SweepEvent) {
        let count = match event {
            SweepEvent::Moved { standing: ThreadStatus::Failed | ThreadStatus::InDoubt, .. } => {
                &mut self.failed
            }
            SweepEvent::Moved { .. } => &mut self.moved,
            SweepEvent::Waits { .. } => &mut self.reminded,
            SweepEvent::Refused { .. } => &mut self.refused,
            _ => return,
        };
        *count += 1;
    }
}

/// Sweeps once, counts each event as it happens, and passes it to `on_event`. If the future is dropped, the threads that
/// have begun to run go on.
pub(crate) async fn sweep(
    engine: &Arc<Engine>,
    counts: &mut SweepCounts,
    mut on_event: impl FnMut(SweepEvent),
) -> Result<(), Error> {
    let tell = |event| {
        counts.count(&event);
        on_event(event);
    };
    engine.sweep_each(|_| true, tell).await
}
