//! Clocks, for deadlines and leases.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A source of the current time, for deadlines and leases.
///
/// The clocks of all agents on one store should agree: an agent whose clock is ahead takes a valid lease for expired.
///
/// ```
/// use hitl::{Clock, SystemClock};
///
/// /// A clock that is behind, to see how yesterday's reviews look.
/// struct Late {
///     by_ms: u64,
/// }
///
/// impl Clock for Late {
///     fn now_ms(&self) -> u64 {
///         SystemClock.now_ms().saturating_sub(self.by_ms)
///     }
/// }
/// assert!(Late { by_ms: 60_000 }.now_ms() < SystemClock.now_ms());
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time, in milliseconds since the epoch.
    fn now_ms(&self) -> u64;
}

/// The clock of the operating system.
///
/// ```
/// use hitl::{Clock, SystemClock};
///
/// assert!(SystemClock.now_ms() > 1_700_000_000_000);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that a test sets. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use hitl::{Clock, ManualClock};
///
/// let clock = ManualClock::at_ms(1_000);
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now_ms(), 3_000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Creates a clock that shows the given time, in milliseconds since the epoch.
    pub fn at_ms(ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(ms)))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
