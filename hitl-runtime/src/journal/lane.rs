//! A lane: the thread itself, one branch of a fork or one item of a `for`, with its own view of the state.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{At, Pending, Place, Signature, Source, Sources, Values, at::Visit};
use crate::{
    graph::StateSpec,
    state::{FieldError, Fields},
};

/// The number of a lane. They are given in the order in which lanes are made, and never twice.
pub type LaneId = u32;

/// The lane that a thread starts in.
pub(crate) const ROOT: LaneId = 0;

pub(crate) struct Lane<F> {
    /// Shared with the node that runs in the lane; nothing else reads it for longer than a call.
    pub(crate) fields: Arc<F>,
    /// Which operator signed which field, for as long as nothing has written to it since.
    pub(crate) signatures: Arc<BTreeMap<String, Signature>>,
    /// What the lane wrote, to be merged at the join. Empty in the root lane.
    pub(crate) wrote: Vec<Arrival>,
    /// What entries of an older version of the state wrote, as they wrote it. Empty once the thread has met new code.
    pub(super) before: Values,
    pub(crate) parent: Option<LaneId>,
    /// How many lanes have parted from it, and not come to their join.
    pub(super) away: usize,
    pub(crate) at: At,
    /// A draft that is to be signed here, held against its invariants; gone when something writes to its field.
    pub(crate) drafted: Option<Drafted>,
    /// Where its fields were last written.
    pub(crate) sources: Sources,
    /// An edit that has been proposed anew.
    pub(crate) pending: Option<Box<Pending>>,
}

/// A draft as its type writes it.
pub(crate) struct Drafted {
    pub(crate) field: &'static str,
    pub(crate) draft: Value,
}

/// A value that came to a field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Arrival {
    pub(crate) field: String,
    pub(crate) json: Box<RawValue>,
    /// An edit takes the place of what was there; a node's write goes through the reducer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) replaces: bool,
    /// The entry that brought it: what came together is migrated together. 0 where an older hitl did not say.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub(crate) place: Place,
}

fn is_unsaid(place: &Place) -> bool {
    *place == 0
}

impl<F: Fields> Lane<F> {
    /// Boxed, for most threads have one, and a map has room for eleven at once.
    pub(crate) fn new(fields: F, parent: Option<LaneId>, at: At) -> Box<Self> {
        Box::new(Self {
            fields: Arc::new(fields),
            signatures: Arc::default(),
            wrote: Vec::new(),
            before: Values::new(),
            parent,
            away: 0,
            at,
            drafted: None,
            sources: Sources::default(),
            pending: None,
        })
    }

    /// As [`Lane::take`], of a value that came from here.
    pub(super) fn take_from(
        &mut self,
        state: &StateSpec,
        field: &str,
        json: &RawValue,
        source: &Source,
        place: Place,
    ) -> Result<(), FieldError> {
        self.take(state, field, json, false, place)?;
        self.sources.wrote(field, source.clone());
        Ok(())
    }

    /// Puts a value into a field; an edit's `replaces` what is there. Any signature on it is gone.
    pub(crate) fn take(
        &mut self,
        state: &StateSpec,
        field: &str,
        json: &RawValue,
        replaces: bool,
        place: Place,
    ) -> Result<(), FieldError> {
        if self.signatures.contains_key(field) {
            Arc::make_mut(&mut self.signatures).remove(field);
        }
        self.drafted.take_if(|drafted| drafted.field == field);
        self.pending.take_if(|pending| pending.field == field);
        if Arc::get_mut(&mut self.fields).is_none() {
            // A node that was abandoned still holds the old view.
            self.fields = Arc::new(copy(state, &*self.fields)?);
        }
        if let Some(fields) = Arc::get_mut(&mut self.fields) {
            if replaces { fields.replace(field, json.get())? } else { fields.write(field, json.get())? }
        }
        if self.parent.is_some() {
            if replaces || !is_reduced(state, field) {
                // What came before is gone, here and so at the join.
                self.wrote.retain(|earlier| earlier.field != field);
            }
            self.wrote.push(Arrival { field: field.to_owned(), json: json.to_owned(), replaces, place });
        }
        Ok(())
    }

    /// An effect begins: whatever it may run on is spent by this visit, and by no other one.
    pub(super) fn spend(&mut self, visit: &Visit) {
        if !self.signatures.is_empty() {
            for signature in Arc::make_mut(&mut self.signatures).values_mut() {
                signature.spent.entry(visit.node.clone()).or_insert(visit.entered);
            }
        }
    }

    /// All that comes out of an item which is done: what it wrote to fields with a reducer. The rest was its own.
    pub(super) fn keep_shared(&mut self, state: &StateSpec) {
        self.wrote.retain(|arrival| is_reduced(state, &arrival.field));
        self.signatures = Arc::default();
        self.before.clear();
        self.fields = Arc::default();
    }
}

fn is_reduced(state: &StateSpec, field: &str) -> bool {
    state.fields.iter().any(|spec| spec.name == field && spec.reduced)
}

/// The fields that a review shows beside its draft, as a digest has them; `None` where it shows none. What nothing has
/// written is left out.
pub(crate) fn shown<F: Fields>(fields: &F, names: &[String]) -> Result<Option<Value>, FieldError> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut shown = serde_json::Map::new();
    for name in names {
        if let Some(json) = fields.read(name)? {
            let value = serde_json::from_str(&json).map_err(|e| FieldError::value(name, e))?;
            shown.insert(name.clone(), value);
        }
    }
    Ok(Some(Value::Object(shown)))
}

/// A second view of the same state. Through JSON, so that no field's type has to be `Clone`.
pub(crate) fn copy<F: Fields>(state: &StateSpec, fields: &F) -> Result<F, FieldError> {
    let mut copy = F::default();
    for field in state.fields {
        if let Some(json) = fields.read(field.name)? {
            copy.replace(field.name, &json)?;
        }
    }
    Ok(copy)
}
