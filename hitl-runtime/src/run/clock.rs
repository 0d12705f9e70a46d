//! What time it is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What time it is, for deadlines and leases.
///
/// Every agent on one store should have the same time: one that is ahead takes a lease for expired that is not.
///
/// ```
/// use hitl::{Clock, SystemClock};
///
/// /// A clock that is set back, to see how yesterday's reviews look.
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
    /// Milliseconds since the epoch.
    fn now_ms(&self) -> u64;
}

/// The machine's clock.
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

/// A clock that a test moves. Clones share the time.
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
    /// A clock that stands at a time, in milliseconds since the epoch.
    pub fn at_ms(ms: u64) -> Self {
        Self(Arc::new(AtomicU64::new(ms)))
    }

    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
