//! Old entries under new code. What was written under an older version of the state is brought up to this program's as
//! it is read; the journal stays as it is, and still verifies.

use std::{borrow::Cow, fmt::Display, sync::Arc};

use serde_json::{Value, value::RawValue};

use super::{Arrival, Each, Fold, FoldError, Lane, To, Values, Voided, at::Visit, entry::Renamed};
use crate::{
    guard::guarded,
    state::{FieldError, Fields, State},
};

/// Fields and their values as JSON that can be changed: what the function behind `#[state(migrate = …)]` is given.
///
/// ```
/// use hitl::journal::Map;
///
/// let mut fields = Map::new();
/// fields.insert("draft".into(), "Dear Ada".into());
/// // A field that is called otherwise from now on.
/// if let Some(draft) = fields.remove("draft") {
///     fields.insert("letter".into(), draft);
/// }
/// assert_eq!(fields["letter"], "Dear Ada");
/// ```
pub type Map = serde_json::Map<String, Value>;

/// Calls a user's migration on the fields that one write brought, JSON in and JSON out. What it does not touch stays as
/// it was written, to the last digit. A panic is an error like any other: what a store holds is nobody's promise.
pub fn migrated<E: Display>(
    migrate: fn(u32, &mut Map) -> Result<(), E>,
    from: u32,
    fields: &str,
) -> Result<String, String> {
    let wrong = |e: serde_json::Error| e.to_string();
    let written: Values = serde_json::from_str(fields).map_err(wrong)?;
    let mut before = Map::new();
    for (field, json) in &written {
        before.insert(field.clone(), serde_json::from_str(json.get()).map_err(wrong)?);
    }
    let mut after = before.clone();
    // The error's own words are the user's code too.
    let code = || migrate(from, &mut after).map_err(|error| error.to_string());
    guarded(String::new, code).map_err(|broken| format!("it {}", broken.problem))??;
    let mut values = Values::new();
    for (field, value) in after {
        let json = match written.get(&field) {
            Some(json) if before.get(&field) == Some(&value) => json.clone(),
            _ => serde_json::value::to_raw_value(&value).map_err(wrong)?,
        };
        values.insert(field, json);
    }
    serde_json::to_string(&values).map_err(wrong)
}

/// What one write of a version brought, as this program's version of the state has it.
pub(crate) fn updated<S: State>(from: u32, wrote: &Values) -> Result<Cow<'_, Values>, FoldError> {
    if from >= S::SPEC.version || wrote.is_empty() {
        return Ok(Cow::Borrowed(wrote));
    }
    let damaged = |e: serde_json::Error| FoldError::Damaged(e.to_string());
    let json = serde_json::to_string(wrote).map_err(damaged)?;
    let json = S::migrate(from, &json).map_err(|problem| FoldError::Unmigrated { from, problem })?;
    Ok(Cow::Owned(serde_json::from_str(&json).map_err(damaged)?))
}

impl<S: State> Fold<S> {
    /// What one write brought, as this program's version of the state has it.
    pub(super) fn updated<'a>(&self, wrote: &'a Values) -> Result<Cow<'a, Values>, FoldError> {
        updated::<S>(self.version, wrote)
    }

    /// The same for the writes of a branch that are still to be merged, one by one.
    pub(super) fn updated_arrivals(&self, wrote: Vec<Arrival>) -> Result<Vec<Arrival>, FoldError> {
        if !self.is_older() {
            return Ok(wrote);
        }
        let mut out = Vec::new();
        for write in wrote.chunk_by(|a, b| a.place != 0 && (a.place, a.replaces) == (b.place, b.replaces)) {
            let Some(Arrival { place, replaces, .. }) = write.first() else { continue };
            let fields = write.iter().map(|arrival| (arrival.field.clone(), arrival.json.clone())).collect();
            for (field, json) in self.updated(&fields)?.into_owned() {
                out.push(Arrival { field, json, replaces: *replaces, place: *place });
            }
        }
        Ok(out)
    }

    /// A `for` by the names that this program's version of the state has for its fields.
    pub(super) fn updated_each<'a>(
        &self,
        each: &'a Each,
        around: &Lane<S::Fields>,
    ) -> Result<Cow<'a, Each>, FoldError> {
        if !self.is_older() {
            return Ok(Cow::Borrowed(each));
        }
        let mut new = each.clone();
        for list in new.into.iter_mut().chain([&mut new.list]) {
            *list = self.new_name(list, RawValue::from_string("[]".to_owned()))?;
        }
        let items = around.before.get(&each.list).map(|list| list_of(&each.list, list.get())).transpose()?;
        if let Some(first) = items.into_iter().flatten().next() {
            new.item = self.new_name(&each.item, Ok(first))?;
        }
        Ok(Cow::Owned(new))
    }

    /// What each item of a `for` brings, and how an older version wrote it, if one did.
    pub(super) fn items_of(
        &self,
        each: &Each,
        new: &Each,
        around: &Lane<S::Fields>,
    ) -> Result<Vec<(Values, Values)>, FoldError> {
        // Of a list that a reducer made only the whole is known, and that has been brought up already.
        let is_reduced = S::SPEC.field(&new.list).is_some_and(|field| field.reduced);
        if let Some(list) = around.before.get(&each.list).filter(|_| self.is_older() && !is_reduced) {
            let write = |item| {
                let wrote = Values::from([(each.item.clone(), item)]);
                Ok((self.updated(&wrote)?.into_owned(), wrote))
            };
            return list_of(&each.list, list.get())?.into_iter().map(write).collect();
        }
        let list = around.fields.read(&new.list)?;
        let list = list.ok_or_else(|| FieldError::value(&new.list, "nothing has written it"))?;
        let write = |item| (Values::from([(new.item.clone(), item)]), Values::new());
        Ok(list_of(&new.list, &list)?.into_iter().map(write).collect())
    }

    /// What a field is called now that had this value in an older version.
    pub(super) fn new_name(
        &self,
        field: &str,
        json: Result<Box<RawValue>, serde_json::Error>,
    ) -> Result<String, FoldError> {
        let json = json.map_err(|e| FoldError::Damaged(e.to_string()))?;
        let old = Values::from([(field.to_owned(), json)]);
        let new = self.updated(&old)?;
        if new.contains_key(field) {
            return Ok(field.to_owned());
        }
        let text = |values: &Values| values.values().map(|json| json.get().to_owned()).next();
        let same = new.iter().find(|(_, json)| text(&old).as_deref() == Some(json.get()));
        Ok(same.or(new.first_key_value()).map_or(field, |(new, _)| new).to_owned())
    }

    /// Whether what is read now was written under an older version of the state.
    pub(super) fn is_older(&self) -> bool {
        self.version < S::SPEC.version
    }

    /// The thread has met new code: from here on it stands at the nodes that the new code knows.
    pub(super) fn meet(&mut self, print: &str, version: Option<u32>, renamed: &Renamed, void: &[Voided]) {
        print.clone_into(&mut self.print);
        self.version = version.unwrap_or(self.version);
        self.disarm();
        for lane in self.lanes.values_mut() {
            lane.before.clear();
            if let Some(To::Node(join)) = lane.at.join_mut()
                && let Some(new) = renamed.get(join)
            {
                new.clone_into(join);
            }
            if let Some(visit) = lane.at.visit_mut() {
                visit.rename(renamed);
            }
        }
        for Voided { lane, field } in void {
            if let Some(lane) = self.lanes.get_mut(lane) {
                Arc::make_mut(&mut lane.signatures).remove(field);
            }
        }
    }
}

/// The values of a list.
fn list_of(field: &str, json: &str) -> Result<Vec<Box<RawValue>>, FieldError> {
    serde_json::from_str(json).map_err(|e| FieldError::value(field, e))
}

impl<F> Lane<F> {
    /// Keeps what an older entry wrote as it wrote it.
    pub(super) fn keep(&mut self, wrote: &Values) {
        self.before.extend(wrote.iter().map(|(field, json)| (field.clone(), json.clone())));
    }

    /// Keeps what a branch wrote since its fork.
    pub(super) fn keep_new(&mut self, at_fork: &Values, branch: &Values) {
        let text = |values: &Values, field| values.get(field).map(|json| json.get().to_owned());
        let new = branch
            .iter()
            .filter(|(field, json)| text(at_fork, field.as_str()).as_deref() != Some(json.get()));
        self.before.extend(new.map(|(field, json)| (field.clone(), json.clone())));
    }
}

impl Visit {
    /// The node under its new name. Its idempotency key was made of the old one, which is therefore kept.
    fn rename(&mut self, renamed: &Renamed) {
        if let Some(new) = renamed.get(&self.node) {
            let old = std::mem::replace(&mut self.node, new.clone());
            self.was.get_or_insert(old);
        }
    }
}

/// The draft that a verdict was about, as its operator saw it.
pub(super) fn draft<S: State>(lane: &Lane<S::Fields>, field: &str) -> Result<Value, FoldError> {
    let parse = |json: &str| serde_json::from_str(json).map_err(|e| FieldError::value(field, e).into());
    // The last write is not all that a reducer made of them.
    let reduced = S::SPEC.field(field).is_some_and(|field| field.reduced);
    match lane.before.get(field).filter(|_| !reduced) {
        Some(json) => parse(json.get()),
        None => match lane.fields.read(field)? {
            Some(json) => parse(&json),
            None => Err(FieldError::value(field, "nothing has written it").into()),
        },
    }
}
