//! How long one data key is used, and for how much.

use std::time::{Duration, Instant, SystemTime};

/// How long one data key is used, and for how much, before a new one is asked for.
///
/// What a stolen data key opens is what was sealed under it, and what is asked of the vault is one call for each of
/// them: these numbers are the trade between the two. They are those of the caching materials manager of the [AWS
/// Encryption SDK](https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/thresholds.html), which leaves the
/// age to you, and messages and bytes at the most that it allows for, 2^32 and 2^63 − 1. Ours are tighter by default.
/// As there, an append that alone is more than a bound gets a data key of its own.
///
/// ```
/// use std::time::Duration;
/// use hitl::store::sealed::Bounds;
///
/// let bounds = Bounds { age: Duration::from_secs(60), ..Bounds::default() };
/// assert_eq!(bounds.messages, 65_536);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How old a data key may become in this process, for writing and for reading: five minutes. What is disabled or
    /// denied in the vault is so here after this time at the latest.
    pub age: Duration,
    /// How many entries it seals: 65,536. More than 2^32 count as 2^32.
    pub messages: u64,
    /// How many bytes it seals, before compression: one GiB.
    pub bytes: u64,
    /// How many data keys are remembered for reading: 1,000.
    pub remembered: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { age: Duration::from_secs(5 * 60), messages: 1 << 16, bytes: 1 << 30, remembered: 1_000 }
    }
}

impl Bounds {
    pub(super) fn allow(&self, messages: u64, bytes: u64) -> bool {
        messages <= self.messages.min(1 << 32) && bytes <= self.bytes
    }
}

/// A moment, by both clocks: the one stands still while a process is a snapshot, the other can be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Since(Instant, SystemTime);

impl Since {
    pub fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    /// Whether it is longer ago than this by either clock, or the time was set back.
    pub fn is_over(self, age: Duration) -> bool {
        self.0.elapsed() >= age || self.1.elapsed().map_or(true, |elapsed| elapsed >= age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_clock_ends_a_key() {
        let (now, hour) = (Since::now(), Duration::from_secs(3_600));
        assert!(!now.is_over(hour) && now.is_over(Duration::ZERO));
        let restored = Since(now.0, now.1 - 2 * hour);
        assert!(restored.is_over(hour), "the monotonic clock stood still");
        let set_back = Since(now.0, now.1 + hour);
        assert!(set_back.is_over(hour), "nobody knows how old it is");
    }

    #[test]
    fn no_key_seals_more_than_the_sdk_allows() {
        let bounds = Bounds { messages: u64::MAX, ..Bounds::default() };
        assert!(
            bounds.allow(1 << 32, 1 << 30)
                && !bounds.allow((1 << 32) + 1, 0)
                && !bounds.allow(1, (1 << 30) + 1)
        );
    }
}
