//! Histograms of durations in whole seconds.

use std::collections::BTreeMap;

use serde::Serialize;

/// A histogram of durations in whole seconds, rounded down. It is exact below 256 seconds, and above within 0.8 %, so
/// that it stays small. Two histograms of the same durations are equal in every order of recording.
///
/// ```
/// use hitl::metrics::Histogram;
///
/// let mut times = Histogram::default();
/// [3, 4, 4, 60].into_iter().for_each(|seconds| times.record(seconds, 1));
/// assert_eq!((times.quantile(0.5), times.quantile(0.95)), (Some(4), Some(60)));
/// assert_eq!((times.below(4), times.count()), (1, 4));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Histogram(BTreeMap<u64, u64>);

impl Histogram {
    /// The number of leading bits of a duration that are kept.
    const BITS: u32 = 8;

    /// Returns the value as which a duration is counted.
    pub(super) fn rounded(seconds: u64) -> u64 {
        let dropped = (u64::BITS - seconds.leading_zeros()).saturating_sub(Self::BITS);
        (seconds >> dropped) << dropped
    }

    /// Adds a duration, a number of times.
    pub fn record(&mut self, seconds: u64, times: u64) {
        let count = self.0.entry(Self::rounded(seconds)).or_default();
        *count = count.saturating_add(times);
    }

    pub(super) fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(seconds, times)| self.record(*seconds, *times));
    }

    /// Returns whether some duration occurs more often than in another histogram.
    pub(super) fn exceeds(&self, other: &Self) -> bool {
        self.0.iter().any(|(seconds, times)| *times > other.0.get(seconds).copied().unwrap_or(0))
    }

    /// Returns the number of durations.
    pub fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, times| sum.saturating_add(*times))
    }

    /// Returns the sum of the durations, as they are counted, in seconds.
    pub fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum: u64, (seconds, times)| sum.saturating_add(seconds.saturating_mul(*times)))
    }

    /// Returns the number of durations shorter than this number of seconds.
    pub fn below(&self, seconds: u64) -> u64 {
        self.0.range(..seconds).fold(0, |sum, (_, times)| sum.saturating_add(*times))
    }

    /// Returns the smallest duration that is not exceeded by this share of all; `None` if there are none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let rank = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut seen = 0_u64;
        self.0.iter().find_map(|(seconds, times)| {
            seen = seen.saturating_add(*times);
            (seen >= rank).then_some(*seconds)
        })
    }
}
