//! The [`Draft`] trait of the types that a person can sign, and the comparison of a draft with the one that was read
//! back.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num,
    path::PathBuf,
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::json::exact::is_same_number;

/// A type whose values a person can sign: the value that is shown, the value that the journal keeps and the value that
/// the node gets are the same, and it cannot change after it was signed.
///
/// [`#[draft]`](https://docs.rs/hitl/latest/hitl/attr.draft.html) implements it for a type of yours, each of whose
/// fields must be a `Draft` too. Do not implement it by hand: its requirements change without notice. It is implemented
/// for
///
/// - `bool`, `char`, integers, `f32`, `f64`, the `NonZero` integers and `String`;
/// - `Option`, `Vec`, `Box`, arrays, tuples, `BTreeMap` and `BTreeSet` of drafts;
/// - `serde_json::Value` and `serde_json::Map`, IP addresses, `Duration` and `PathBuf`;
/// - with the feature of that name, the types of `chrono`, `jiff`, `rust_decimal`, `url` and `uuid`.
///
/// It is not implemented for `HashMap` and `HashSet`, which have no order, nor for `Cell`, `RefCell`, `Mutex` and
/// atomics, which could change after a person has signed. For a field whose type is from another crate, write
/// `#[draft(foreign)]` on the field: you guarantee then that the type meets these requirements.
///
/// # Numbers
///
/// The digest of a draft is computed from its canonical JSON (RFC 8785), in which a number is a double. To ensure that
/// two drafts never share a digest:
///
/// - an integer beyond ±2^53, a decimal that no double represents exactly, NaN and the infinities are rejected: when a
///   node writes them, which fails the node, or when they enter in an edit, an input or a response of a model;
/// - `100.0` and `1e2` become `100`, and `-0.0` becomes `0`: that one number is shown, signed and given to the node. A
///   type that would read `100` as another value than `100.0`, such as an untagged enum, is rejected when it is
///   written.
///
/// A number that needs more precision than a double must be a string in JSON, as `Decimal` of `rust_decimal` is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be signed by a person: it is not a `Draft`",
    label = "not a `Draft`",
    note = "if the type is yours, put `#[hitl::draft]` on it, in place of the derives of `Serialize`, `Deserialize` and `JsonSchema`",
    note = "in place of `HashMap` and `HashSet` use `BTreeMap` and `BTreeSet`; a `Cell`, a `Mutex` or an atomic could change after it is signed",
    note = "if it is a field's type from another crate, `#[draft(foreign)]` on the field says that you vouch for it"
)]
pub trait Draft: Serialize + DeserializeOwned + JsonSchema {
    /// Compares the value with the one that was read back. The error is the path to the first difference.
    #[doc(hidden)]
    fn same(&self, back: &Self, comparison: &mut Comparison) -> Result<(), String>;
}

/// The state of a comparison of two drafts.
#[derive(Default, Debug)]
pub struct Comparison {
    /// `true` if the drafts have a field with `#[draft(foreign)]`.
    pub(crate) foreign: bool,
    /// The JSON names of renamed fields, if the caller collects them. Nothing is compared then.
    names: Option<Names>,
}

/// The JSON names of fields with `#[serde(rename)]`, by their path in Rust.
#[derive(Default, Debug)]
pub(crate) struct Names {
    at: Vec<String>,
    found: BTreeMap<Vec<String>, &'static str>,
}

impl Names {
    /// Collects the names for the fields of a value.
    pub(crate) fn collect<T: Draft>(value: &T) -> Self {
        let mut comparison = Comparison { names: Some(Self::default()), ..Comparison::default() };
        let _ = value.same(value, &mut comparison);
        comparison.names.unwrap_or_default()
    }

    /// Returns the JSON name of the last field of a path, if it is renamed.
    pub(crate) fn get(&self, path: &[String]) -> Option<&'static str> {
        self.found.get(path).copied()
    }
}

impl Comparison {
    /// Compares a field of two drafts.
    ///
    /// # Errors
    /// When the field differs; with the path.
    pub fn field<T: Draft>(&mut self, name: &str, value: &T, back: &T) -> Result<(), String> {
        if let Some(names) = &mut self.names {
            names.at.push(name.to_owned());
            let _ = value.same(back, self);
            if let Some(names) = &mut self.names {
                names.at.pop();
            }
            return Ok(());
        }
        value.same(back, self).map_err(|path| {
            let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
            format!("{name}{dot}{path}")
        })
    }

    /// Records that a field has another name in JSON.
    pub fn renamed(&mut self, name: &str, json: &'static str) {
        if let Some(names) = &mut self.names {
            let path = names.at.iter().cloned().chain([name.to_owned()]).collect();
            names.found.insert(path, json);
        }
    }

    /// Returns whether names are collected, so that every item must be visited with its path.
    fn is_naming(&self) -> bool {
        self.names.is_some()
    }

    /// Records that the drafts have a field with `#[draft(foreign)]`.
    pub fn foreign(&mut self) {
        self.foreign = true;
    }

    /// Reports that two values are different variants of an enum.
    ///
    /// # Errors
    /// Always.
    pub fn other_variant(&mut self) -> Result<(), String> {
        Err(String::new())
    }
}

fn equal(is_equal: bool) -> Result<(), String> {
    if is_equal { Ok(()) } else { Err(String::new()) }
}

macro_rules! impl_draft_by_eq {
    ($($ty:ty),* $(,)?) => {
        $(impl Draft for $ty {
            fn same(&self, back: &Self, _: &mut Comparison) -> Result<(), String> {
                equal(self == back)
            }
        })*
    };
}

impl_draft_by_eq! {
    (), bool, char, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64, String, Box<str>,
    num::NonZeroU8, num::NonZeroU16, num::NonZeroU32, num::NonZeroU64, num::NonZeroU128, num::NonZeroUsize,
    num::NonZeroI8, num::NonZeroI16, num::NonZeroI32, num::NonZeroI64, num::NonZeroI128, num::NonZeroIsize,
    IpAddr, Ipv4Addr, Ipv6Addr, Duration, PathBuf,
}

#[cfg(feature = "chrono")]
impl_draft_by_eq! {
    chrono::NaiveDate, chrono::NaiveTime, chrono::NaiveDateTime, chrono::DateTime<chrono::Utc>,
    chrono::DateTime<chrono::FixedOffset>,
}

#[cfg(feature = "jiff")]
impl_draft_by_eq! {
    jiff::Timestamp, jiff::Zoned, jiff::civil::Date, jiff::civil::Time, jiff::civil::DateTime, jiff::SignedDuration,
}

#[cfg(feature = "rust_decimal")]
impl_draft_by_eq!(rust_decimal::Decimal);

#[cfg(feature = "url")]
impl_draft_by_eq!(url::Url);

#[cfg(feature = "uuid")]
impl_draft_by_eq!(uuid::Uuid);

impl<T: Draft> Draft for Box<T> {
    fn same(&self, back: &Self, comparison: &mut Comparison) -> Result<(), String> {
        (**self).same(back, comparison)
    }
}

impl<T: Draft> Draft for Option<T> {
    fn same(&self, back: &Self, comparison: &mut Comparison) -> Result<(), String> {
        match (self, back) {
            (Some(value), Some(back)) => value.same(back, comparison),
            (value, back) => equal(value.is_none() && back.is_none()),
        }
    }
}

/// Compares two lists item by item.
fn items<'a, T: Draft + 'a>(
    values: impl ExactSizeIterator<Item = &'a T>,
    back: impl ExactSizeIterator<Item = &'a T>,
    comparison: &mut Comparison,
) -> Result<(), String> {
    equal(values.len() == back.len())?;
    for (i, (value, back)) in values.zip(back).enumerate() {
        // The path is needed only if the items differ or if names are collected.
        if comparison.is_naming() || value.same(back, comparison).is_err() {
            comparison.field(&format!("[{i}]"), value, back)?;
        }
    }
    Ok(())
}

impl<T: Draft> Draft for Vec<T> {
    fn same(&self, back: &Self, comparison: &mut Comparison) -> Result<(), String> {
        items(self.iter(), back.iter(), comparison)
    }
}

impl<T: Draft, const N: usize> Draft for [T; N]
where
    [T; N]: Serialize + DeserializeOwned + JsonSchema,
{
    fn same(&self, back: &Self, comparison: &mut Comparison) -> Result<(), String> {
        items(self.iter(), back.iter(), comparison)
    }
}

impl<T: Draft + Ord> Draft for BTreeSet<T> {
    fn same(&self, back: &Self, comparison: &mut Comparison) -> Result<(), String> {
        items(self.iter(), back.iter(), comparison)
    }
}

impl<K: Draft + Ord, V: Draft> Draft for BTreeMap<K, V> {
    fn same(&self, back: &Self, comparison: &mut Comparison) -> Result<(), String> {
        if !comparison.is_naming() {
            items(self.keys(), back.keys(), comparison)?;
        }
        for ((key, value), back) in self.iter().zip(back.values()) {
            if comparison.is_naming() || value.same(back, comparison).is_err() {
                let key = serde_json::to_value(key).unwrap_or_default();
                let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                comparison.field(&name, value, back)?;
            }
        }
        Ok(())
    }
}

impl Draft for Value {
    fn same(&self, back: &Self, comparison: &mut Comparison) -> Result<(), String> {
        match (self, back) {
            // Free JSON has no type that could distinguish `100.0` from `100`.
            (Self::Number(value), Self::Number(back)) => equal(is_same_number(value, back)),
            (Self::Array(values), Self::Array(back)) => values.same(back, comparison),
            (Self::Object(values), Self::Object(back)) => values.same(back, comparison),
            (value, back) => equal(value == back),
        }
    }
}

impl Draft for Map<String, Value> {
    fn same(&self, back: &Self, comparison: &mut Comparison) -> Result<(), String> {
        equal(self.len() == back.len())?;
        for (key, value) in self {
            match back.get(key) {
                Some(back) => comparison.field(key, value, back)?,
                None => return Err(key.clone()),
            }
        }
        Ok(())
    }
}

macro_rules! impl_draft_for_tuple {
    ($($name:ident $i:tt),*) => {
        impl<$($name: Draft),*> Draft for ($($name,)*) {
            fn same(&self, back: &Self, comparison: &mut Comparison) -> Result<(), String> {
                $(comparison.field(concat!("[", $i, "]"), &self.$i, &back.$i)?;)*
                Ok(())
            }
        }
    };
}

impl_draft_for_tuple!(A 0);
impl_draft_for_tuple!(A 0, B 1);
impl_draft_for_tuple!(A 0, B 1, C 2);
impl_draft_for_tuple!(A 0, B 1, C 2, D 3);
impl_draft_for_tuple!(A 0, B 1, C 2, D 3, E 4);
impl_draft_for_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
impl_draft_for_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
impl_draft_for_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// Implements `Draft` for types in the tests of this crate, where `#[draft]` does not work: its code names the crate
/// `hitl`. Two values are the same if their JSON is the same.
#[cfg(test)]
macro_rules! drafts {
    ($($ty:ty),*) => {
        $(impl crate::review::Draft for $ty {
            fn same(&self, back: &Self, _: &mut crate::review::Comparison) -> Result<(), String> {
                let json = |value: &Self| serde_json::to_string(value).map_err(|error| error.to_string());
                if json(self)? == json(back)? { Ok(()) } else { Err(String::new()) }
            }
        })*
    };
}
#[cfg(test)]
pub(crate) use drafts;
