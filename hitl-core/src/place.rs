//! The place of an entry in a journal.

use std::{
    fmt,
    num::ParseIntError,
    ops::{Add, AddAssign, Sub},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// The place of an entry in a thread's journal, counted from 0. A method that takes a place also takes its number.
///
/// ```
/// use hitl::Place;
///
/// let place = Place::new(3);
/// assert_eq!((place.get(), place.to_string().as_str()), (3, "3"));
/// assert!(place > Place::START && place + 1 == 4);
/// assert_eq!(serde_json::to_string(&place)?, "3");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Place(u64);

impl Place {
    /// The place of a thread's first entry.
    pub const START: Self = Self(0);

    /// Creates a place from its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number of the place.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the place this many entries later; `None` if there is no such place.
    pub const fn checked_add(self, entries: u64) -> Option<Self> {
        match self.0.checked_add(entries) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Returns the place this many entries later, or the last one that there is.
    pub const fn saturating_add(self, entries: u64) -> Self {
        Self(self.0.saturating_add(entries))
    }

    /// Returns the place this many entries earlier, or the first one.
    pub const fn saturating_sub(self, entries: u64) -> Self {
        Self(self.0.saturating_sub(entries))
    }

    /// Returns the place this many entries earlier; `None` if there is no such place.
    pub const fn checked_sub(self, entries: u64) -> Option<Self> {
        match self.0.checked_sub(entries) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl From<u64> for Place {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<Place> for u64 {
    fn from(place: Place) -> Self {
        place.0
    }
}

impl PartialEq<u64> for Place {
    fn eq(&self, number: &u64) -> bool {
        self.0 == *number
    }
}

impl PartialOrd<u64> for Place {
    fn partial_cmp(&self, number: &u64) -> Option<std::cmp::Ordering> {
        self.0.partial_cmp(number)
    }
}

impl Add<u64> for Place {
    type Output = Self;

    fn add(self, entries: u64) -> Self {
        Self(self.0 + entries)
    }
}

impl AddAssign<u64> for Place {
    fn add_assign(&mut self, entries: u64) {
        self.0 += entries;
    }
}

impl Sub<u64> for Place {
    type Output = Self;

    fn sub(self, entries: u64) -> Self {
        Self(self.0 - entries)
    }
}

/// The number of entries from one place to another.
impl Sub for Place {
    type Output = u64;

    fn sub(self, earlier: Self) -> u64 {
        self.0 - earlier.0
    }
}

impl FromStr for Place {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
