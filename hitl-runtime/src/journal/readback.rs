//! Read-back of reduced values: each value that a reducer made is parsed from its JSON before an entry relies on it,
//! because a snapshot keeps it as JSON.

use super::{Fold, LaneId};
use crate::{
    graph::FieldSpec,
    state::{FieldError, Slots},
};

impl Fold {
    /// Returns the parent lanes of a lane, the nearest first.
    pub(crate) fn parents(&self, lane: LaneId) -> Vec<LaneId> {
        self.around(lane).collect()
    }

    /// Returns the parent lanes of a lane as an iterator, the nearest first.
    pub(crate) fn around(&self, lane: LaneId) -> impl Iterator<Item = LaneId> {
        let parent = |id: &LaneId| self.lanes.get(id)?.parent;
        std::iter::successors(parent(&lane), parent)
    }

    /// Returns whether the state has a field whose values [`read_back`](Self::read_back) parses.
    pub(crate) fn reads_back(&self) -> bool {
        self.state.spec.fields.iter().any(is_made)
    }

    /// Parses the JSON of the reduced fields that a lane has just written. If the lane was the last one to reach a
    /// join, parses the merged fields of its parents instead.
    ///
    /// # Errors
    /// If a value has no JSON form, or if its JSON does not parse as the field's type: `NaN`, for example, is written
    /// as `null`.
    pub(crate) fn read_back<'a>(
        &self,
        lane: LaneId,
        parents: &[LaneId],
        wrote: impl Iterator<Item = &'a str>,
    ) -> Result<(), FieldError> {
        if let Some(lane) = self.lanes.get(&lane) {
            let mut wrote = wrote.filter(|field| self.state.spec.field(field).is_some_and(is_made));
            return wrote.try_for_each(|field| holds(&lane.fields, field));
        }
        // The lane has been merged into its parent, which may have been merged in turn.
        let merged = parents.iter().find_map(|parent| self.lanes.get(parent));
        let mut fields = self.state.spec.fields.iter().filter(|field| is_made(field));
        merged.map_or(Ok(()), |lane| fields.try_for_each(|field| holds(&lane.fields, field.name)))
    }
}

/// Returns whether a reducer makes the values of a field, other than one that only appends.
fn is_made(field: &FieldSpec) -> bool {
    field.reduced && !field.appends
}

/// Parses a field's value from its JSON.
fn holds(fields: &Slots, field: &str) -> Result<(), FieldError> {
    let made = |error: FieldError| match error.as_user_code_error() {
        Some(_) => error,
        None => FieldError::user_code_failed(
            "reducer",
            field,
            format_args!(
                "failed: it produced a value that cannot be read back from its JSON: {}",
                error.problem
            ),
        ),
    };
    fields.reads_back(field).map_err(made)
}
