//! Lanes: the root lane of a thread, one branch of a fork, or one item of a `for`. Each lane has its own copy of the
//! state.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{
    LaneState, Pending, Place, Runs, Signature, Sources, Values, lane_state::Activation, lanes::Indexed,
    proposal::SourceRef,
};
use crate::state::{FieldError, ReadBack, Slots};

/// The number of a lane. Numbers ascend in the order in which lanes are created, and are never reused.
pub type LaneId = u32;

/// The lane in which a thread starts.
pub(crate) const ROOT: LaneId = 0;

pub(crate) struct Lane {
    /// The state, shared with the node that runs in the lane. Other readers hold it only during a call.
    pub(crate) fields: Arc<Slots>,
    /// The signatures by field. A write to a field removes its signature.
    pub(crate) signatures: Arc<BTreeMap<String, Signature>>,
    /// The writes of the lane, to be merged at the join. Empty in the root lane.
    pub(crate) wrote: Vec<BranchWrite>,
    /// The values that entries of an older version of the state wrote, unmigrated. Empty after the thread has been
    /// migrated.
    pub(super) before: Values,
    pub(crate) parent: Option<LaneId>,
    /// The lanes that came out of this one at its fork or `for`, in the order of their numbers.
    pub(crate) branches: Vec<LaneId>,
    /// For an item of a `for`: the number of nodes that have finished in it since a person last acted on it.
    pub(crate) steps: u64,
    /// The runs of nodes in this lane that a guard counts. A branch and an item begin without any.
    pub(crate) runs: Runs,
    /// The state under which the lane is indexed.
    pub(super) indexed: Indexed,
    /// The number of child lanes that have not reached their join.
    pub(super) away: usize,
    pub(crate) at: LaneState,
    /// A draft to be signed here whose invariants have been checked. A write to its field removes it.
    pub(crate) drafted: Option<CheckedDraft>,
    /// The places of the signatures of rules whose conditions this process has evaluated. Each is evaluated once.
    pub(crate) evaluated: Vec<Place>,
    /// The source of each field's last write.
    pub(crate) sources: Sources,
    /// An edit that is a new proposal, until a review of its field is decided.
    pub(crate) pending: Option<Box<Pending>>,
}

/// A draft as JSON, as its type serializes it.
pub(crate) struct CheckedDraft {
    pub(crate) field: &'static str,
    pub(crate) draft: Value,
}

/// A write to a field.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BranchWrite {
    pub(crate) field: String,
    pub(crate) json: Box<RawValue>,
    /// `true` for an edit, which replaces the field's value. The write of a node goes through the reducer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) replaces: bool,
    /// The place of the entry with the write: writes of one entry are migrated together. 0 if it is from an older
    /// version of hitl, which did not record it.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub(crate) place: Place,
}

/// A write to a field, as [`BranchWrite`], whose parts are borrowed.
pub(super) struct Write<'a> {
    pub(super) field: &'a str,
    pub(super) json: &'a RawValue,
    pub(super) replaces: bool,
    pub(super) place: Place,
}

fn is_unsaid(place: &Place) -> bool {
    *place == 0
}

impl Lane {
    /// Returns a boxed lane. Most threads have a single lane, and a node of a `BTreeMap` allocates room for eleven
    /// values.
    pub(crate) fn new(fields: Arc<Slots>, parent: Option<LaneId>, at: LaneState) -> Box<Self> {
        Box::new(Self {
            fields,
            signatures: Arc::default(),
            wrote: Vec::new(),
            before: Values::new(),
            parent,
            branches: Vec::new(),
            steps: 0,
            runs: Runs::default(),
            indexed: Indexed::default(),
            away: 0,
            at,
            drafted: None,
            evaluated: Vec::new(),
            sources: Sources::default(),
            pending: None,
        })
    }

    /// Writes a value to a field as [`Lane::take`] does, and records its source.
    pub(super) fn take_from(
        &mut self,
        field: &str,
        json: &RawValue,
        source: SourceRef<'_>,
        place: Place,
    ) -> Result<(), FieldError> {
        let asked = self.asked_value(field);
        self.take(field, json, false, place)?;
        self.sources.wrote(field, source);
        self.keep_asked(field, asked);
        Ok(())
    }

    /// Returns the current value of a field, if a person has been asked about it.
    pub(super) fn asked_value(&self, field: &str) -> Option<(Value, Place)> {
        let place = self.sources.asked_at(field)?;
        let json = self.fields.read(field).ok().flatten()?;
        Some((serde_json::from_str(json).ok()?, place))
    }

    /// Notes after a write of a field that a person has been asked about its value, if that is the value from before: a
    /// node may write once more what a person has rejected.
    pub(super) fn keep_asked(&mut self, field: &str, before: Option<(Value, Place)>) {
        let Some((before, place)) = before else { return };
        let now = self.fields.read(field).ok().flatten().and_then(|json| serde_json::from_str(json).ok());
        if now == Some(before) {
            self.sources.ask(field, place);
        }
    }

    /// Records that this process has evaluated the condition by which a rule gave the signature of this place.
    pub(crate) fn note_evaluated(&mut self, place: Place) {
        let is_present = |place: &Place| self.signatures.values().any(|signature| signature.place == *place);
        self.evaluated.retain(is_present);
        self.evaluated.push(place);
    }

    /// Writes a value to a field through its reducer, or replaces the field's value if `replaces` is set. Removes the
    /// field's signature, checked draft and pending edit.
    pub(crate) fn take(
        &mut self,
        field: &str,
        json: &RawValue,
        replaces: bool,
        place: Place,
    ) -> Result<(), FieldError> {
        self.write(Write { field, json, replaces, place }, None)
    }

    /// As `take`, with the value that was read back from the JSON, if it was.
    pub(super) fn write(&mut self, write: Write<'_>, back: Option<ReadBack>) -> Result<(), FieldError> {
        let Write { field, json, replaces, place } = write;
        if self.signatures.contains_key(field) {
            Arc::make_mut(&mut self.signatures).remove(field);
        }
        self.drafted.take_if(|drafted| drafted.field == field);
        self.pending.take_if(|pending| pending.field == field);
        let fields = Arc::make_mut(&mut self.fields);
        if replaces {
            fields.replace(field, json.get())?
        } else {
            fields.write_read_back(field, json.get(), back)?
        }
        if self.parent.is_some() {
            if replaces || !self.fields.is_reduced(field) {
                // The write replaces earlier ones, here and at the join.
                self.wrote.retain(|earlier| earlier.field != field);
            }
            self.wrote.push(BranchWrite { field: field.to_owned(), json: json.to_owned(), replaces, place });
        }
        Ok(())
    }

    /// Marks every signature as spent on an effect that begins: the effect may run on it in this activation only.
    pub(super) fn spend(&mut self, activation: &Activation) {
        if !self.signatures.is_empty() {
            for signature in Arc::make_mut(&mut self.signatures).values_mut() {
                signature.spent.entry(activation.node.clone()).or_insert(activation.entered);
            }
        }
    }

    /// Reduces a finished item to its writes to reduced fields, which are merged at the join. All else is local to the
    /// item.
    pub(super) fn keep_shared(&mut self, unwritten: &Arc<Slots>) {
        let fields = std::mem::replace(&mut self.fields, Arc::clone(unwritten));
        self.wrote.retain(|arrival| fields.is_reduced(&arrival.field));
        self.signatures = Arc::default();
        self.runs = Runs::default();
        self.before.clear();
    }
}

/// Returns the fields that a review shows beside its draft, as its digest covers them; `None` if it shows none.
/// Unwritten fields are omitted.
pub(crate) fn shown(fields: &Slots, names: &[String]) -> Result<Option<Value>, FieldError> {
    if names.is_empty() {
        return Ok(None);
    }
    let mut shown = serde_json::Map::new();
    for name in names {
        if let Some(json) = fields.read(name)? {
            let value = serde_json::from_str(json).map_err(|e| FieldError::value(name, e))?;
            shown.insert(name.clone(), value);
        }
    }
    Ok(Some(Value::Object(shown)))
}
