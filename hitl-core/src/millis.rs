//! Durations as whole milliseconds, which is their form in JSON: for `#[serde(with = "hitl_core::millis")]`.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer, Serializer};

/// Returns the whole milliseconds of a duration, or `u64::MAX`.
pub fn of(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// Serializes a duration as its whole milliseconds.
pub fn serialize<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(of(*length))
}

/// Deserializes a duration from its milliseconds.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

/// The same for a duration that may be missing: for `#[serde(with = "hitl_core::millis::option")]`.
pub mod option {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    /// Serializes a duration as its whole milliseconds, and `None` as null.
    pub fn serialize<S: Serializer>(length: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        length.map(super::of).serialize(serializer)
    }

    /// Deserializes a duration from its milliseconds, and `None` from null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
    }
}
