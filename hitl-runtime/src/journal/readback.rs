//! Read-back of reduced values: each value that a reducer made is parsed from its JSON before an entry relies on it,
//! because a snapshot keeps it as JSON.

use super::{Fold, LaneId};
use crate::state::{FieldError, Slots};

impl Fold {
    /// Returns the parent lanes of a lane, the nearest first.
    pub(crate) fn parents(&self, lane: LaneId) -> Vec<LaneId> {
        let parent = |id: &LaneId| self.lanes.get(id)?.parent;
        std::iter::successors(parent(&lane), parent).collect()
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
        let is_made =
            |field: &str| self.state.spec.field(field).is_some_and(|field| field.reduced && !field.appends);
        if let Some(lane) = self.lanes.get(&lane) {
            return wrote.filter(|field| is_made(field)).try_for_each(|field| holds(&lane.fields, field));
        }
        // The lane has been merged into its parent, which may have been merged in turn.
        let merged = parents.iter().find_map(|parent| self.lanes.get(parent));
        let mut fields = self.state.spec.fields.iter().filter(|field| is_made(field.name));
        merged.map_or(Ok(()), |lane| fields.try_for_each(|field| holds(&lane.fields, field.name)))
    }
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
