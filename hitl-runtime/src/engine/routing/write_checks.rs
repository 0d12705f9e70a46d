//! Checks of values at the time they are written to a field: that they can be stored, and signed if a review is to
//! follow.

use serde_json::{Value, value::RawValue};

use crate::{
    Violation,
    node::GraphTable,
    review::{DraftVtable, check_same_json},
    state::{FieldError, ReadBack, Slots},
};

/// The number of times that a list is read back if it is shown and signed beside a draft. A collection without an
/// order, such as a `HashSet`, can come out in the same order by chance: every other time if it has two items.
const SHOWN_READS: usize = 64;

/// A value that its field can hold.
pub(in crate::engine) struct CheckedValue {
    /// The JSON for the journal, if it differs in spelling from the written one.
    pub(in crate::engine) json: Option<Box<RawValue>>,
    /// The draft, if the field is under review.
    pub(in crate::engine) draft: Option<Value>,
    /// The value that was read back.
    pub(in crate::engine) back: Option<ReadBack>,
}

/// Checks a value against its field: it must read back unchanged, and the parts of it that are to be signed must be
/// signable.
///
/// # Errors
/// A description of the problem, with the field and the path.
pub(in crate::engine) fn check_value(
    graph: &'static GraphTable,
    fields: &Slots,
    field: &str,
    json: &str,
) -> Result<CheckedValue, String> {
    // A value that does not survive the round trip through the journal must not enter it.
    let reads = if is_shown(graph, field) && json.contains('[') { SHOWN_READS } else { 1 };
    let mut back = None;
    for _ in 0..reads {
        let read = ReadBack::new(graph.state, field, json).map_err(|e| e.to_string())?;
        check_same_json(json, read.read().map_err(|e| e.to_string())?)
            .map_err(|violation| FieldError::from_violation(field, violation).to_string())?;
        back = Some(read);
    }

    items(graph, field, json)?;
    let Some(reviewed) = reviewed(graph, field) else {
        return Ok(CheckedValue { json: None, draft: None, back });
    };
    let (draft, spelt) = (reviewed.write)(json).map_err(|violations| broken(field, &violations))?;
    joined(graph, fields, field, json, reviewed)?;
    let json = if spelt == json { None } else { Some(RawValue::from_string(spelt)) };
    Ok(CheckedValue { json: json.transpose().map_err(|e| e.to_string())?, draft: Some(draft), back })
}

/// Checks a value that an input, or a person who settles an effect, writes to a field.
///
/// # Errors
/// As [`check_value`].
pub(in crate::engine) fn check(
    graph: &'static GraphTable,
    fields: &Slots,
    field: &str,
    json: &str,
) -> Result<(), String> {
    check_value(graph, fields, field, json).map(drop)
}

/// Returns whether a field is shown and signed beside a draft.
fn is_shown(graph: &'static GraphTable, field: &str) -> bool {
    let mut interrupts = graph.spec.nodes.iter().filter_map(|node| node.interrupt);
    interrupts.any(|interrupt| interrupt.shows.contains(&field))
}

/// Returns the checks of a field's draft, if the field is under review.
fn reviewed(graph: &'static GraphTable, field: &str) -> Option<DraftVtable> {
    graph.nodes.iter().find_map(|entry| {
        let is_it = entry.spec.interrupt.is_some_and(|interrupt| interrupt.field == field);
        entry.reviewed.filter(|_| is_it)
    })
}

/// Checks the value that a reducer makes of the old and the written value: it, too, must be a valid draft.
fn joined(
    graph: &'static GraphTable,
    fields: &Slots,
    field: &str,
    json: &str,
    reviewed: DraftVtable,
) -> Result<(), String> {
    if !graph.state.spec.field(field).is_some_and(|spec| spec.reduced) {
        return Ok(());
    }
    let mut slots = fields.clone();
    let joined = slots.write(field, json).and_then(|()| slots.read(field));
    let joined = joined.map_err(|e| e.to_string())?.unwrap_or_default();
    (reviewed.check)(joined).map(drop).map_err(|violations| broken(field, &violations))
}

/// Checks the items of a list that are to be signed one by one.
fn items(graph: &'static GraphTable, list: &str, json: &str) -> Result<(), String> {
    let eaches = graph.spec.forks.iter().filter_map(|fork| fork.each).filter(|each| each.list == list);
    for each in eaches {
        let Some(reviewed) = reviewed(graph, each.item) else { continue };
        let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|e| e.to_string())?;
        for (i, item) in items.into_iter().enumerate() {
            (reviewed.write)(item.get()).map_err(|violations| {
                let at = |Violation { path, message }: &Violation| Violation {
                    path: match path.as_str() {
                        "" => format!("[{i}]"),
                        path if path.starts_with('[') => format!("[{i}]{path}"),
                        path => format!("[{i}].{path}"),
                    },
                    message: message.clone(),
                };
                broken(list, &violations.iter().map(at).collect::<Vec<_>>())
            })?;
        }
    }
    Ok(())
}

fn broken(field: &str, violations: &[Violation]) -> String {
    let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
    format!("`{field}` breaks its invariants: {}", list.join("; "))
}
