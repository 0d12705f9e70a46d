//! Limits on the use of one data key.

use std::time::{Duration, Instant, SystemTime};

/// Limits on the age and the use of one data key, after which a new one is generated.
///
/// A stolen data key decrypts everything that was encrypted under it, and each data key costs one call to the vault:
/// these limits balance the two. They correspond to those of the caching materials manager of the [AWS Encryption
/// SDK](https://docs.aws.amazon.com/encryption-sdk/latest/developer-guide/thresholds.html). There, the age has no
/// default, and messages and bytes default to their maximum, 2^32 and 2^63 − 1; the defaults here are lower. As there,
/// an append that alone exceeds a limit gets a data key of its own.
///
/// ```
/// use std::time::Duration;
/// use hitl::store::encrypted::Bounds;
///
/// let bounds = Bounds::default().age(Duration::from_secs(60));
/// assert_eq!(bounds.messages, 65_536);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// The maximum age of a data key in this process, for encryption and for decryption. Default: five minutes. A key
    /// that is disabled or denied in the vault stops working here after this time at the latest.
    pub age: Duration,
    /// The maximum number of entries that a data key encrypts. Default: 65,536. More than 2^32 count as 2^32.
    pub messages: u64,
    /// The maximum number of bytes that a data key encrypts, before compression. Default: 1 GiB.
    pub bytes: u64,
    /// The maximum number of data keys that are cached for decryption. Default: 1,000.
    pub cached_keys: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { age: Duration::from_secs(5 * 60), messages: 1 << 16, bytes: 1 << 30, cached_keys: 1_000 }
    }
}

impl Bounds {
    /// Sets the maximum age of a data key.
    #[must_use]
    pub fn age(self, age: Duration) -> Self {
        Self { age, ..self }
    }

    /// Sets the maximum number of entries that a data key encrypts.
    #[must_use]
    pub fn messages(self, messages: u64) -> Self {
        Self { messages, ..self }
    }

    /// Sets the maximum number of bytes that a data key encrypts.
    #[must_use]
    pub fn bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    /// Sets the maximum number of data keys that are cached for decryption.
    #[must_use]
    pub fn cached_keys(self, cached_keys: usize) -> Self {
        Self { cached_keys, ..self }
    }

    pub(super) fn allow(&self, messages: u64, bytes: u64) -> bool {
        messages <= self.messages.min(1 << 32) && bytes <= self.bytes
    }
}

/// A point in time on two clocks: the monotonic one stops while a process is suspended in a snapshot, and the system
/// clock can be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DualInstant(Instant, SystemTime);

impl DualInstant {
    pub fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    /// Returns whether this age is reached on either clock, or the system clock was set back.
    pub fn has_elapsed(self, age: Duration) -> bool {
        self.0.elapsed() >= age || self.1.elapsed().map_or(true, |elapsed| elapsed >= age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_key_expires_by_either_clock() {
        let (now, hour) = (DualInstant::now(), Duration::from_secs(3_600));
        assert!(!now.has_elapsed(hour) && now.has_elapsed(Duration::ZERO));
        let restored = DualInstant(now.0, now.1 - 2 * hour);
        assert!(restored.has_elapsed(hour), "the monotonic clock stood still");
        let set_back = DualInstant(now.0, now.1 + hour);
        assert!(set_back.has_elapsed(hour), "the age of the key is unknown");
    }

    #[test]
    fn no_data_key_exceeds_the_limits_of_the_sdk() {
        let bounds = Bounds { messages: u64::MAX, ..Bounds::default() };
        assert!(
            bounds.allow(1 << 32, 1 << 30)
                && !bounds.allow((1 << 32) + 1, 0)
                && !bounds.allow(1, (1 << 30) + 1)
        );
    }
}
