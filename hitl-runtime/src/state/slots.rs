//! The values of a thread's fields. A value is kept as the JSON that was written, is decoded when it is first needed,
//! and stays decoded.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use serde_json::value::RawValue;

use super::{
    FieldError, describe_code,
    table::{Erased, FieldTable, StateTable, other_type},
};
use crate::{json::Values, user_code::catch_panic};

/// The values of a state's fields, each written or not. A clone shares the values.
#[derive(Clone)]
pub struct Slots {
    state: &'static StateTable,
    /// In the order of the state's fields.
    slots: Vec<Option<Arc<Slot>>>,
    /// `Some` if values that do not fit the state are kept and not rejected: the values of fields that the state does
    /// not have.
    unknown: Option<Arc<BTreeMap<String, String>>>,
}

/// A written value: its JSON, the decoded value, or both.
pub(crate) struct Slot {
    /// The JSON that was written. `None` if a reducer made the value.
    raw: Option<Box<str>>,
    decoded: Lazy<Erased>,
    /// The JSON that the decoded value encodes to.
    encoded: Lazy<Encoded>,
}

/// A part of a slot: known from the start, or computed when it is first needed.
enum Lazy<T> {
    Known(Result<T, Box<FieldError>>),
    Later(OnceLock<Result<T, Box<FieldError>>>),
}

impl<T> Lazy<T> {
    fn later() -> Self {
        Self::Later(OnceLock::new())
    }

    fn known(value: Result<T, FieldError>) -> Self {
        Self::Known(value.map_err(Box::new))
    }

    fn get(&self, compute: impl FnOnce() -> Result<T, FieldError>) -> Result<&T, FieldError> {
        let value = match self {
            Self::Known(value) => value,
            Self::Later(cell) => cell.get_or_init(|| compute().map_err(Box::new)),
        };
        value.as_ref().map_err(|error| (**error).clone())
    }

    /// Returns the value, if it is known by now.
    fn into_inner(self) -> Option<Result<T, FieldError>> {
        let value = match self {
            Self::Known(value) => Some(value),
            Self::Later(cell) => cell.into_inner(),
        };
        value.map(|value| value.map_err(|error| *error))
    }
}

/// The JSON that a decoded value encodes to.
enum Encoded {
    /// The JSON that was written.
    AsWritten,
    Other(String),
}

impl Encoded {
    fn of(value: &Erased, field: Field, written: Option<&str>) -> Result<Self, FieldError> {
        let json = (field.table.encode)(field.name, &**value)?;
        Ok(if written == Some(json.as_str()) { Self::AsWritten } else { Self::Other(json) })
    }
}

/// A value that was read back from the JSON of a write, so that the write need not decode it again.
pub(crate) struct ReadBack {
    field: Field,
    /// `None` once it is written.
    slot: Option<Arc<Slot>>,
}

impl ReadBack {
    /// Decodes a value of a field, and encodes it again.
    ///
    /// # Errors
    /// If the state does not have the field, or the value cannot be decoded or encoded.
    pub(crate) fn new(state: &'static StateTable, name: &str, json: &str) -> Result<Self, FieldError> {
        let field = Field::named(state, name).ok_or_else(|| FieldError::unknown(name))?;
        let value = field.decode(json)?;
        let encoded = Encoded::of(&value, field, Some(json))?;
        let slot = Slot {
            raw: Some(json.into()),
            decoded: Lazy::known(Ok(value)),
            encoded: Lazy::known(Ok(encoded)),
        };
        Ok(Self { field, slot: Some(Arc::new(slot)) })
    }

    /// Returns the JSON that the value encodes to.
    ///
    /// # Errors
    /// Never, because the constructor has encoded the value.
    pub(crate) fn read(&self) -> Result<&str, FieldError> {
        self.slot.as_ref().map_or(Ok(""), |slot| slot.encoded(self.field))
    }

    /// Returns whether the value is of this field.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.field.name == name
    }

    /// Returns the slot if it is of this field and was read from this JSON.
    fn into_slot(mut self, field: Field, json: &str) -> Option<Arc<Slot>> {
        let is_it = self.field.number == field.number;
        self.slot.take_if(|slot| is_it && slot.raw.as_deref() == Some(json))
    }
}

impl Drop for ReadBack {
    fn drop(&mut self) {
        // The destructor of a value is the user's code. Nothing depends on a value that was not written.
        if let Some(slot) = self.slot.take() {
            let _ = catch_panic(String::new, || drop(slot));
        }
    }
}

/// A field of a state.
#[derive(Clone, Copy)]
struct Field {
    number: usize,
    name: &'static str,
    table: &'static FieldTable,
}

impl Field {
    fn named(state: &'static StateTable, name: &str) -> Option<Self> {
        Self::numbered(state, state.number(name)?)
    }

    fn numbered(state: &'static StateTable, number: usize) -> Option<Self> {
        let (spec, table) = (state.spec.fields.get(number)?, state.fields.get(number)?);
        Some(Self { number, name: spec.name, table })
    }

    fn decode(&self, json: &str) -> Result<Erased, FieldError> {
        (self.table.decode)(self.name, json)
    }
}

impl Slot {
    fn new(json: &str) -> Self {
        Self { raw: Some(json.into()), decoded: Lazy::later(), encoded: Lazy::later() }
    }

    fn of(decoded: Result<Erased, FieldError>) -> Self {
        Self { raw: None, decoded: Lazy::known(decoded), encoded: Lazy::later() }
    }

    fn decoded(&self, field: Field) -> Result<&Erased, FieldError> {
        let raw = || self.raw.as_deref().ok_or_else(|| other_type(field.name));
        self.decoded.get(|| raw().and_then(|json| field.decode(json)))
    }

    fn encoded(&self, field: Field) -> Result<&str, FieldError> {
        let value = self.decoded(field)?;
        match self.encoded.get(|| Encoded::of(value, field, self.raw.as_deref()))? {
            Encoded::AsWritten => Ok(self.raw.as_deref().unwrap_or_default()),
            Encoded::Other(json) => Ok(json),
        }
    }

    /// Returns the decoded value.
    fn into_value(self, field: Field) -> Result<Erased, FieldError> {
        self.decoded(field)?;
        self.decoded.into_inner().unwrap_or_else(|| Err(other_type(field.name)))
    }

    /// Returns the decoded value. A value that is shared is decoded again.
    fn into_decoded(slot: Arc<Self>, field: Field) -> Result<Erased, FieldError> {
        match Arc::try_unwrap(slot) {
            Ok(slot) => slot.into_value(field),
            Err(shared) => field.decode(match &shared.raw {
                Some(json) => json,
                None => shared.encoded(field)?,
            }),
        }
    }
}

impl Slots {
    /// Returns the fields of a state, all unwritten.
    pub(crate) fn empty(state: &'static StateTable) -> Self {
        Self { state, slots: vec![None; state.spec.fields.len()], unknown: None }
    }

    /// Returns the fields of a state, all unwritten, for values that may not fit the state.
    pub(crate) fn lenient(state: &'static StateTable) -> Self {
        Self { unknown: Some(Arc::default()), ..Self::empty(state) }
    }

    /// Writes a value. A reducer combines it with the field's value; without a reducer it is decoded later.
    ///
    /// # Errors
    /// If the state does not have the field, a value is not of a reduced field's type, the reducer fails, or the
    /// destructor of the old value panics.
    pub(crate) fn write(&mut self, name: &str, json: &str) -> Result<(), FieldError> {
        self.write_read_back(name, json, None)
    }

    /// As `write`, with the value that was read back from the JSON, if it was.
    ///
    /// # Errors
    /// As `write`.
    pub(crate) fn write_read_back(
        &mut self,
        name: &str,
        json: &str,
        back: Option<ReadBack>,
    ) -> Result<(), FieldError> {
        let Some(field) = Field::named(self.state, name) else { return self.replace(name, json) };
        let back = back.and_then(|back| back.into_slot(field, json));
        let reducer = field.table.reduce;
        let old = self.slots.get_mut(field.number).filter(|_| reducer.is_some()).and_then(Option::take);
        let (Some(reduce), Some(old)) = (reducer, old) else {
            return self.put(field, back.unwrap_or_else(|| Arc::new(Slot::new(json))));
        };
        let new = || back.map_or_else(|| field.decode(json), |slot| Slot::into_decoded(slot, field));
        let old = Slot::into_decoded(old, field);
        match old.and_then(|old| reduce(old, new()?)) {
            Ok(value) => self.put(field, Arc::new(Slot::of(Ok(value)))),
            Err(error) if self.unknown.is_some() => {
                self.put(field, Arc::new(Slot { raw: Some(json.into()), ..Slot::of(Err(error)) }))
            }
            Err(error) => Err(error),
        }
    }

    /// Replaces a field's value.
    ///
    /// # Errors
    /// If the state does not have the field, or the destructor of the old value panics.
    pub(crate) fn replace(&mut self, name: &str, json: &str) -> Result<(), FieldError> {
        match (Field::named(self.state, name), &mut self.unknown) {
            (Some(field), _) => self.put(field, Arc::new(Slot::new(json))),
            (None, Some(unknown)) => {
                Arc::make_mut(unknown).insert(name.to_owned(), json.to_owned());
                Ok(())
            }
            (None, None) => Err(FieldError::unknown(name)),
        }
    }

    /// Removes a field's value.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(slot) = Field::named(self.state, name).and_then(|field| self.slots.get_mut(field.number))
        {
            *slot = None;
        } else if let Some(unknown) = self.unknown.as_mut().filter(|unknown| unknown.contains_key(name)) {
            Arc::make_mut(unknown).remove(name);
        }
    }

    fn put(&mut self, field: Field, slot: Arc<Slot>) -> Result<(), FieldError> {
        let Some(old) = self.slots.get_mut(field.number) else { return Err(FieldError::unknown(field.name)) };
        let Some(old) = old.replace(slot) else { return Ok(()) };
        catch_panic(|| describe_code("destructor", field.name), || drop(old))
            .map_err(|error| FieldError::user_code_failed("destructor", field.name, error.problem))
    }

    /// Returns the state.
    pub(crate) fn state(&self) -> &'static StateTable {
        self.state
    }

    /// Returns whether values that do not fit the state are kept.
    pub(crate) fn is_lenient(&self) -> bool {
        self.unknown.is_some()
    }

    /// Returns whether a reducer combines new values of a field with the old one.
    pub(crate) fn is_reduced(&self, name: &str) -> bool {
        self.state.is_reduced(name)
    }

    /// Returns whether a field is written.
    pub(crate) fn is_written(&self, name: &str) -> bool {
        self.slot(name).is_some() || self.unknown.as_ref().is_some_and(|unknown| unknown.contains_key(name))
    }

    fn slot(&self, name: &str) -> Option<(Field, &Arc<Slot>)> {
        let field = Field::named(self.state, name)?;
        Some((field, self.slots.get(field.number)?.as_ref()?))
    }

    /// Returns the JSON that a field's value encodes to, or `None` if the field is not written. For values that may not
    /// fit the state: the JSON that was written, if the value cannot be decoded.
    ///
    /// # Errors
    /// If the state does not have the field, or the value cannot be decoded or encoded.
    pub(crate) fn read(&self, name: &str) -> Result<Option<&str>, FieldError> {
        if let Some(json) = self.unknown.as_ref().and_then(|unknown| unknown.get(name)) {
            return Ok(Some(json));
        }
        let Some(field) = Field::named(self.state, name) else { return Err(FieldError::unknown(name)) };
        let Some(slot) = self.slots.get(field.number).and_then(Option::as_ref) else { return Ok(None) };
        match &slot.raw {
            Some(json) if self.is_lenient() && slot.decoded(field).is_err() => Ok(Some(json)),
            _ => slot.encoded(field).map(Some),
        }
    }

    /// Returns the value of a field by its number; `None` inside if it is not written.
    ///
    /// # Errors
    /// If the value cannot be decoded.
    pub fn get<T: 'static>(&self, number: usize) -> Result<&Option<T>, FieldError> {
        let slot = self.slots.get(number).and_then(Option::as_ref);
        let (Some(slot), Some(field)) = (slot, Field::numbered(self.state, number)) else { return Ok(&None) };
        let value: &(dyn Any + Send + Sync) = &**slot.decoded(field)?;
        value.downcast_ref().ok_or_else(|| other_type(field.name))
    }

    /// Takes the value of a field by its number; `None` if it is not written.
    ///
    /// # Errors
    /// If the value cannot be decoded.
    pub fn take<T: 'static>(&mut self, number: usize) -> Result<Option<T>, FieldError> {
        let slot = self.slots.get_mut(number).and_then(Option::take);
        let (Some(slot), Some(field)) = (slot, Field::numbered(self.state, number)) else { return Ok(None) };
        let value = Slot::into_decoded(slot, field)?.downcast().map_err(|_| other_type(field.name))?;
        Ok(*value)
    }

    /// Decodes the value of a field for an owner of its own; `None` if it is not written.
    ///
    /// # Errors
    /// If the value cannot be decoded.
    pub(crate) fn decode<T: 'static>(&self, name: &str) -> Result<Option<T>, FieldError> {
        self.state.number(name).map_or(Ok(None), |number| self.clone().take(number))
    }

    /// Returns the JSON of the fields that the state does not have, by name.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.unknown
            .iter()
            .flat_map(|unknown| unknown.iter())
            .map(|(name, json)| (name.as_str(), json.as_str()))
    }

    /// Decodes all values.
    ///
    /// # Errors
    /// The first value that does not fit its field.
    pub(crate) fn decode_all(&self) -> Result<(), FieldError> {
        self.errors().next().map_or(Ok(()), Err)
    }

    /// Returns the errors of the values that do not fit their fields.
    pub(crate) fn errors(&self) -> impl Iterator<Item = FieldError> {
        let slots = self.slots.iter().enumerate();
        let wrong = slots
            .filter_map(|(number, slot)| slot.as_ref()?.decoded(Field::numbered(self.state, number)?).err());
        wrong.chain(self.unknown().map(|(name, _)| FieldError::unknown(name)))
    }

    /// Decodes a value from the JSON that it encodes to.
    ///
    /// # Errors
    /// If the value cannot be encoded, or its JSON is not of the field's type.
    pub(crate) fn reads_back(&self, name: &str) -> Result<(), FieldError> {
        match self.slot(name) {
            Some((field, slot)) => field.decode(slot.encoded(field)?).map(drop),
            None => Ok(()),
        }
    }

    /// Returns the JSON of those of these fields that are written.
    ///
    /// # Errors
    /// As `read`.
    pub(crate) fn values_of(&self, names: &[String]) -> Result<Values, FieldError> {
        if names.is_empty() {
            return Ok(Values::new());
        }
        self.values(|field| names.iter().any(|name| name == field))
    }

    /// Returns the JSON of all written fields that are wanted, sorted by name, without copies.
    ///
    /// # Errors
    /// As `read`.
    pub(crate) fn raw_values(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(&'static str, &RawValue)>, FieldError> {
        let mut values = Vec::new();
        for field in self.state.spec.fields.iter().filter(|field| wanted(field.name)) {
            if let Some(json) = self.read(field.name)? {
                let json = serde_json::from_str(json).map_err(|e| FieldError::value(field.name, e))?;
                values.push((field.name, json));
            }
        }
        values.sort_unstable_by_key(|(name, _)| *name);
        Ok(values)
    }

    /// Returns the JSON of all written fields that are wanted.
    ///
    /// # Errors
    /// As `read`.
    pub(crate) fn values(&self, wanted: impl Fn(&str) -> bool) -> Result<Values, FieldError> {
        let mut values = Values::new();
        for field in self.state.spec.fields.iter().filter(|field| wanted(field.name)) {
            if let Some(json) = self.read(field.name)? {
                let json = RawValue::from_string(json.to_owned());
                values.insert(field.name.to_owned(), json.map_err(|e| FieldError::value(field.name, e))?);
            }
        }
        Ok(values)
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("state", &self.state.spec.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{
        graph::{FieldSpec, StateSpec},
        state::{reduce_erased, unmigrated},
    };

    thread_local! {
        static DECODED: Cell<usize> = const { Cell::new(0) };
    }

    /// A number that counts how often it is decoded.
    #[derive(Debug, PartialEq, serde::Serialize)]
    struct Counted(u64);

    impl<'de> serde::Deserialize<'de> for Counted {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            DECODED.set(DECODED.get() + 1);
            u64::deserialize(deserializer).map(Self)
        }
    }

    const fn field(name: &'static str, reduced: bool) -> FieldSpec {
        FieldSpec { name, ty: "", input: false, output: false, reduced, appends: reduced }
    }

    static STATE: StateTable = StateTable {
        spec: StateSpec { name: "State", version: 1, fields: &[field("count", false), field("log", true)] },
        fields: &[
            FieldTable::new::<Counted>(None, |_, _, _| Ok(())),
            FieldTable::new::<Vec<u32>>(
                Some(|old, new| reduce_erased::<Vec<u32>>("log", crate::state::append, old, new)),
                |_, _, _| Ok(()),
            ),
        ],
        migrate: unmigrated,
    };

    #[test]
    fn a_value_is_decoded_once_however_many_lanes_share_it() {
        let mut slots = Slots::empty(&STATE);
        slots.replace("count", " 7 ").unwrap();
        let before = DECODED.get();
        let lanes = [slots.clone(), slots.clone()];
        for lane in lanes.iter().chain([&slots]) {
            assert_eq!(lane.get::<Counted>(0).unwrap(), &Some(Counted(7)));
            // The JSON is that of the value, not the text that was written.
            assert_eq!(lane.read("count").unwrap(), Some("7"));
        }
        assert_eq!(DECODED.get(), before + 1);
        // A value that is replaced before it is needed is not decoded.
        slots.replace("count", "1").unwrap();
        slots.replace("count", "2").unwrap();
        assert_eq!(slots.take::<Counted>(0).unwrap(), Some(Counted(2)));
        assert_eq!(slots.take::<Counted>(0).unwrap(), None);
        assert_eq!(DECODED.get(), before + 2);
    }

    #[test]
    fn a_value_that_was_read_back_is_not_decoded_again() {
        let mut slots = Slots::empty(&STATE);
        let before = DECODED.get();
        let back = ReadBack::new(&STATE, "count", "7").unwrap();
        assert!(back.is_of("count") && back.read().unwrap() == "7");
        slots.write_read_back("count", "7", Some(back)).unwrap();
        assert_eq!(slots.get::<Counted>(0).unwrap(), &Some(Counted(7)));
        assert_eq!((slots.read("count").unwrap(), DECODED.get()), (Some("7"), before + 1));
        // A value counts only for the JSON and the field that it was read from.
        let back = ReadBack::new(&STATE, "count", "8").unwrap();
        slots.write_read_back("count", "9", Some(back)).unwrap();
        assert_eq!(slots.get::<Counted>(0).unwrap(), &Some(Counted(9)));
        let back = ReadBack::new(&STATE, "count", "10").unwrap();
        assert!(slots.write_read_back("log", "10", Some(back)).is_ok() && slots.read("log").is_err());
        // A reducer gets it, too.
        slots.replace("log", "[1]").unwrap();
        let back = ReadBack::new(&STATE, "log", "[ 2 ]").unwrap();
        assert_eq!(back.read().unwrap(), "[2]", "the JSON of the value, not the text that was written");
        slots.write_read_back("log", "[ 2 ]", Some(back)).unwrap();
        assert_eq!(slots.read("log").unwrap(), Some("[1,2]"));
        assert!(ReadBack::new(&STATE, "count", "x").is_err() && ReadBack::new(&STATE, "gone", "1").is_err());
    }

    #[test]
    fn a_reducer_leaves_the_values_of_other_lanes_as_they_are() {
        let mut slots = Slots::empty(&STATE);
        slots.write("log", "[1]").unwrap();
        slots.write("log", "[2]").unwrap();
        let mut lane = slots.clone();
        lane.write("log", "[3]").unwrap();
        slots.write("log", "[4]").unwrap();
        assert_eq!(lane.read("log").unwrap(), Some("[1,2,3]"));
        assert_eq!(slots.read("log").unwrap(), Some("[1,2,4]"));
        slots.replace("log", "[9]").unwrap();
        assert_eq!((slots.read("log").unwrap(), slots.is_written("count")), (Some("[9]"), false));
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error_or_is_kept() {
        let mut strict = Slots::empty(&STATE);
        strict.replace("count", r#""x""#).unwrap();
        assert_eq!(strict.decode_all().unwrap_err().field, "count");
        assert!(strict.get::<Counted>(0).is_err() && strict.read("count").is_err());
        assert!(strict.write("log", "[1]").is_ok() && strict.write("log", "1").is_err());
        assert_eq!(strict.replace("gone", "1").unwrap_err(), FieldError::unknown("gone"));
        // A table of another type than its field.
        strict.replace("count", "1").unwrap();
        assert!(strict.get::<String>(0).is_err());

        let mut lenient = Slots::lenient(&STATE);
        for (field, json) in [("count", r#""x""#), ("log", "[1]"), ("log", "1"), ("gone", "2")] {
            lenient.write(field, json).unwrap();
            assert_eq!(lenient.read(field).unwrap(), Some(json), "{field}");
        }
        let wrong: Vec<String> = lenient.errors().map(|error| error.field).collect();
        assert_eq!(wrong, ["count", "log", "gone"]);
        assert_eq!(lenient.unknown().collect::<Vec<_>>(), [("gone", "2")]);
        // A later value counts in place of one that does not fit.
        lenient.write("count", "3").unwrap();
        assert_eq!(lenient.errors().count(), 2);
    }
}
