//! A lenient state that records values which do not fit their types, so that all problems of a thread are reported at
//! once.

use std::{collections::BTreeMap, marker::PhantomData};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Values;
use crate::{
    graph::StateSpec,
    state::{FieldError, Fields, State},
};

/// The state `S` without errors: a value that does not fit is kept as its JSON, together with the error.
pub(crate) struct Lenient<S>(PhantomData<fn() -> S>);

/// The fields of a [`Lenient`] state.
pub(crate) struct LenientFields<S: State> {
    typed: S::Fields,
    /// The JSON of the values that do not fit, by field.
    raw: BTreeMap<String, String>,
    /// The first error of each field.
    pub(crate) wrong: BTreeMap<String, FieldError>,
    /// The first write that the migration rejected.
    pub(crate) unmigrated: Option<Unmigrated>,
}

/// The error of a migration from a version.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Unmigrated {
    pub(crate) from: u32,
    pub(crate) problem: String,
}

/// The pseudo-field that carries the error of a failed migration. It is not a valid field name.
const UNMIGRATED: &str = "";

impl<S: State> Default for LenientFields<S> {
    fn default() -> Self {
        Self { typed: S::Fields::default(), raw: BTreeMap::new(), wrong: BTreeMap::new(), unmigrated: None }
    }
}

impl<S: State> LenientFields<S> {
    /// Returns the JSON of the fields that do not fit, including those that the state does not have.
    pub(crate) fn raw(&self) -> &BTreeMap<String, String> {
        &self.raw
    }

    fn note(&mut self, field: &str, json: &str, written: Result<(), FieldError>) {
        if field == UNMIGRATED {
            self.unmigrated = self.unmigrated.take().or(serde_json::from_str(json).ok());
        } else if let Err(error) = written {
            self.wrong.entry(field.to_owned()).or_insert(error);
            self.raw.insert(field.to_owned(), json.to_owned());
        } else {
            self.raw.remove(field);
        }
    }
}

impl<S: State> Fields for LenientFields<S> {
    fn write(&mut self, field: &str, json: &str) -> Result<(), FieldError> {
        let written = self.typed.write(field, json);
        self.note(field, json, written);
        Ok(())
    }

    fn replace(&mut self, field: &str, json: &str) -> Result<(), FieldError> {
        let written = self.typed.replace(field, json);
        self.note(field, json, written);
        Ok(())
    }

    fn read(&self, field: &str) -> Result<Option<String>, FieldError> {
        match self.raw.get(field) {
            Some(json) => Ok(Some(json.clone())),
            None => self.typed.read(field),
        }
    }
}

impl<S: State> State for Lenient<S> {
    type Fields = LenientFields<S>;
    type Input = S::Input;
    type Output = S::Output;
    const SPEC: StateSpec = S::SPEC;

    fn output(fields: Self::Fields) -> Option<Self::Output> {
        S::output(fields.typed)
    }

    /// Migrates the fields. If the migration fails, keeps the fields as they are and adds the error.
    fn migrate(from: u32, fields: &str) -> Result<String, String> {
        S::migrate(from, fields).or_else(|problem| {
            let wrong = |e: serde_json::Error| e.to_string();
            let mut fields: Values = serde_json::from_str(fields).map_err(wrong)?;
            let note = Unmigrated { from, problem };
            let note: Box<RawValue> = serde_json::value::to_raw_value(&note).map_err(wrong)?;
            fields.insert(UNMIGRATED.to_owned(), note);
            serde_json::to_string(&fields).map_err(wrong)
        })
    }
}
