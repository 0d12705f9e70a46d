//! Migration of old entries to new code. Values that were written under an older version of the state are migrated when
//! they are read. The journal itself is not changed, so it still verifies.

use std::{borrow::Cow, fmt::Display, sync::Arc};

use serde_json::{Value, value::RawValue};

use super::{
    BranchWrite, Each, Fold, FoldError, Lane, LaneId, Transition, Unmigrated, Values, VoidedSignature,
    entry::NodeRenames, lane_state::Activation,
};
use crate::{
    state::{FieldError, StateTable},
    user_code::catch_panic,
};

/// Field values as mutable JSON, by field name: the argument of the function in `#[state(migrate = …)]`.
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

/// Runs a user's migration on the values of one write, with JSON as input and output. Values that the migration does
/// not change keep their exact JSON text. A panic is returned as an error, because a store may hold any data.
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
    // Formatting the error runs user code, too, so it is inside the guard.
    let code = || migrate(from, &mut after).map_err(|error| error.to_string());
    catch_panic(String::new, code).map_err(|broken| format!("it {}", broken.problem))??;
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

/// Returns the values of one write, migrated from version `from` to this program's version of the state.
pub(crate) fn updated<'a>(
    state: &StateTable,
    from: u32,
    wrote: &'a Values,
) -> Result<Cow<'a, Values>, FoldError> {
    if from >= state.spec.version || wrote.is_empty() {
        return Ok(Cow::Borrowed(wrote));
    }
    let damaged = |e: serde_json::Error| FoldError::Damaged(e.to_string());
    let json = serde_json::to_string(wrote).map_err(damaged)?;
    let migrated = (state.migrate)(from, &json);
    let json = migrated.map_err(|problem| FoldError::Unmigrated(Unmigrated { from, problem }))?;
    Ok(Cow::Owned(serde_json::from_str(&json).map_err(damaged)?))
}

impl Fold {
    /// Returns the values of one write, migrated to this program's version of the state.
    pub(super) fn updated<'a>(&self, wrote: &'a Values) -> Result<Cow<'a, Values>, FoldError> {
        match updated(self.state, self.version, wrote) {
            Err(FoldError::Unmigrated(failed)) if self.unwritten.is_lenient() => {
                self.unmigrated.get_or_init(|| failed);
                Ok(Cow::Borrowed(wrote))
            }
            updated => updated,
        }
    }

    /// Migrates the writes of a branch that are not merged yet. Writes of one entry are migrated together.
    pub(super) fn updated_arrivals(&self, wrote: Vec<BranchWrite>) -> Result<Vec<BranchWrite>, FoldError> {
        if !self.is_older() {
            return Ok(wrote);
        }
        let mut out = Vec::new();
        for write in wrote.chunk_by(|a, b| a.place != 0 && (a.place, a.replaces) == (b.place, b.replaces)) {
            let Some(BranchWrite { place, replaces, .. }) = write.first() else { continue };
            let fields = write.iter().map(|arrival| (arrival.field.clone(), arrival.json.clone())).collect();
            for (field, json) in self.updated(&fields)?.into_owned() {
                out.push(BranchWrite { field, json, replaces: *replaces, place: *place });
            }
        }
        Ok(out)
    }

    /// Returns a `for` with the field names of this program's version of the state.
    pub(super) fn updated_each<'a>(&self, each: &'a Each, around: &Lane) -> Result<Cow<'a, Each>, FoldError> {
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

    /// Returns the values that each item of a `for` starts with, and the same values as an older version wrote them.
    /// `None` if the items are those of the list as it is now.
    pub(super) fn older_items_of(
        &self,
        each: &Each,
        new: &Each,
        around: &Lane,
    ) -> Result<Option<Vec<(Values, Values)>>, FoldError> {
        // For a list that a reducer made, only the merged value is known, and it has been migrated already.
        let is_reduced = self.state.is_reduced(&new.list);
        let list = around.before.get(&each.list).filter(|_| self.is_older() && !is_reduced);
        let Some(list) = list else { return Ok(None) };
        let write = |item| {
            let wrote = Values::from([(each.item.clone(), item)]);
            Ok((self.updated(&wrote)?.into_owned(), wrote))
        };
        list_of(&each.list, list.get())?.into_iter().map(write).collect::<Result<_, _>>().map(Some)
    }

    /// Returns the current name of a field that had this value in an older version.
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

    /// Returns the present name of a field of a lane that an entry names; that in the entry if it cannot be determined.
    pub(super) fn current_name(&self, lane: LaneId, field: &str) -> String {
        let before = self.lanes.get(&lane).and_then(|lane| lane.before.get(field));
        match before.filter(|_| self.is_older() && !self.unwritten.is_lenient()) {
            // The migration may need more fields than this one.
            Some(json) => self.new_name(field, Ok(json.clone())).unwrap_or_else(|_| field.to_owned()),
            None => field.to_owned(),
        }
    }

    /// Returns whether the entries that are being read were written under an older version of the state.
    pub(super) fn is_older(&self) -> bool {
        self.version < self.state.spec.version
    }

    /// Applies a migration to new code: renames nodes, ends signatures, and drops the values of the older version.
    pub(super) fn apply_migration(
        &mut self,
        print: &str,
        version: Option<u32>,
        renamed: &NodeRenames,
        void: &[VoidedSignature],
    ) {
        print.clone_into(&mut self.print);
        self.version = version.unwrap_or(self.version);
        self.disarm();
        for lane in self.lanes.values_mut() {
            lane.before.clear();
            lane.runs.rename(renamed);
            if let Some(Transition::Node(join)) = lane.at.join_mut()
                && let Some(new) = renamed.get(join)
            {
                new.clone_into(join);
            }
            if let Some(activation) = lane.at.activation_mut() {
                activation.rename(renamed);
            }
        }
        for VoidedSignature { lane, field } in void {
            if let Some(lane) = self.lanes.get_mut(*lane) {
                Arc::make_mut(&mut lane.signatures).remove(field);
            }
        }
    }
}

/// Returns the items of a JSON list.
fn list_of(field: &str, json: &str) -> Result<Vec<Box<RawValue>>, FieldError> {
    serde_json::from_str(json).map_err(|e| FieldError::value(field, e))
}

impl Lane {
    /// Keeps the values of an older entry as they were written.
    pub(super) fn keep(&mut self, wrote: &Values) {
        self.before.extend(wrote.iter().map(|(field, json)| (field.clone(), json.clone())));
    }

    /// Keeps the values that a branch wrote since its fork, as they were written.
    pub(super) fn keep_new(&mut self, at_fork: &Values, branch: &Values) {
        let text = |values: &Values, field| values.get(field).map(|json| json.get().to_owned());
        let new = branch
            .iter()
            .filter(|(field, json)| text(at_fork, field.as_str()).as_deref() != Some(json.get()));
        self.before.extend(new.map(|(field, json)| (field.clone(), json.clone())));
    }
}

impl Activation {
    /// Renames the node. Keeps its first name, from which the idempotency key is derived.
    fn rename(&mut self, renamed: &NodeRenames) {
        if let Some(new) = renamed.get(&self.node) {
            let old = std::mem::replace(&mut self.node, new.clone());
            self.was.get_or_insert(old);
        }
    }
}

/// Returns the draft that a verdict was about, as its operator saw it.
pub(super) fn draft(lane: &Lane, field: &str) -> Result<Value, FoldError> {
    let parse = |json: &str| serde_json::from_str(json).map_err(|e| FieldError::value(field, e).into());
    // For a reduced field, the last write is only a part of the value.
    let reduced = lane.fields.is_reduced(field);
    match lane.before.get(field).filter(|_| !reduced) {
        Some(json) => parse(json.get()),
        None => match lane.fields.read(field)? {
            Some(json) => parse(json),
            None => Err(FieldError::value(field, "it is not written").into()),
        },
    }
}
