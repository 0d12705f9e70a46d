//! A point in time.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::millis;

/// A point in time, in whole milliseconds since the Unix epoch. It serializes as that number.
///
/// A length of time is a [`Duration`]. Neither converts into the other, nor a number into a point in time without
/// [`Timestamp::from_millis`].
///
/// ```
/// use std::time::Duration;
/// use hitl::Timestamp;
///
/// let opened = Timestamp::from_millis(1_763_800_000_000);
/// let deadline = opened.saturating_add(Duration::from_secs(24 * 60 * 60));
/// assert!(opened < deadline);
/// assert_eq!(deadline.saturating_since(opened), Duration::from_secs(86_400));
/// assert_eq!(serde_json::to_string(&opened)?, "1763800000000");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Timestamp(u64);

impl Timestamp {
    /// The start of the year 1970 in UTC.
    pub const UNIX_EPOCH: Self = Self(0);

    /// The latest point in time.
    pub const MAX: Self = Self(u64::MAX);

    /// Creates a point in time from the milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the point in time this much later, or [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(millis::of(length)))
    }

    /// Returns the point in time this much earlier, or [`Timestamp::UNIX_EPOCH`].
    #[must_use]
    pub fn saturating_sub(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(millis::of(length)))
    }

    /// Returns the time from an earlier point to this one; zero if the other one is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Returns the point in time as a time of the operating system; `None` if that has no such time.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use hitl::Timestamp;
    ///
    /// let time = Timestamp::from_millis(1_763_800_000_000);
    /// assert_eq!(time.to_system_time().map(Timestamp::from), Some(time));
    /// ```
    pub fn to_system_time(self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.0))
    }
}

/// A time before the Unix epoch becomes [`Timestamp::UNIX_EPOCH`].
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(millis::of(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
