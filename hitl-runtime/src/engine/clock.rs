//! Clocks, for deadlines and leases.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use hitl_core::millis;

use crate::Timestamp;

/// A source of the current time, for deadlines and leases.
///
/// The clocks of all agents on one store should agree: an agent whose clock is ahead takes a valid lease for expired.
///
/// ```
/// use std::time::Duration;
/// use hitl::{Clock, SystemClock, Timestamp};
///
/// /// A clock that is behind, to see how yesterday's reviews look.
/// struct Late {
///     by: Duration,
/// }
///
/// impl Clock for Late {
///     fn now(&self) -> Timestamp {
///         SystemClock.now().saturating_sub(self.by)
///     }
/// }
/// assert!(Late { by: Duration::from_secs(60) }.now() < SystemClock.now());
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// The clock of the operating system.
///
/// ```
/// use hitl::{Clock, SystemClock, Timestamp};
///
/// assert!(SystemClock.now() > Timestamp::from_millis(1_700_000_000_000));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// A clock that a test sets. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use hitl::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::at(Timestamp::from_millis(1_000));
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now(), Timestamp::from_millis(3_000));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// Creates a clock that shows the given time.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(time.as_millis())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis::of(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
