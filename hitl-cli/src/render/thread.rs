//! Rendering of a thread: its status, the draft to sign, and the next commands.

use super::{
    error::{bullet, message_lines},
    style::{BOLD, DIM, GREEN, RED, YELLOW, paint},
    table::{pairs, short, signed_pairs, wrap},
    value::{Row, rows, text},
};
use hitl_runtime::{
    Timestamp,
    agent::{ReviewView, ThreadView},
    graph::FieldSpec,
    journal::Stop,
    store::ThreadStatus,
};
use serde_json::Value;

use crate::{
    escape::{escape, escape_name},
    schema::Schema,
    suggestions::Suggestion,
    time::{ago, deadline, remaining},
};

/// The context of rendering: the current time and the width of the terminal.
#[derive(Clone, Copy)]
pub(crate) struct RenderContext {
    pub(crate) now: Timestamp,
    pub(crate) width: Option<usize>,
    /// The fields of the graph's state.
    pub(crate) fields: &'static [FieldSpec],
}

impl RenderContext {
    /// Sorts fields in the order of the state.
    fn in_order<'a>(
        self,
        values: impl Iterator<Item = (&'a String, &'a Value)>,
    ) -> Vec<(&'a str, &'a Value)> {
        let place = |name: &str| self.fields.iter().position(|field| field.name == name);
        let mut values: Vec<_> = values.map(|(field, value)| (field.as_str(), value)).collect();
        values.sort_by_key(|(field, _)| place(field).unwrap_or(usize::MAX));
        values
    }
}

/// Formats a thread's status, and the data that a person needs to decide.
pub(crate) fn thread(view: &ThreadView, context: RenderContext) -> String {
    if !view.differences.is_empty() {
        return incompatible(view, context);
    }
    match view.standing {
        ThreadStatus::Waiting if !view.reviews.is_empty() => {
            let all = view.reviews.iter().map(|one| review(view, one, context));
            view.stop.iter().map(|stop| stopped(stop, context)).chain(all).collect::<Vec<_>>().join("\n")
        }
        ThreadStatus::InDoubt => in_doubt(view, context),
        ThreadStatus::Failed => failure(view, context),
        ThreadStatus::Ended if view.failure.is_some() => failure(view, context),
        ThreadStatus::Ended => ended(view, context),
        ThreadStatus::Waiting | ThreadStatus::Running => running(view, context),
    }
}

/// Formats an open review, beginning with the complete draft.
pub(crate) fn review(view: &ThreadView, review: &ReviewView, context: RenderContext) -> String {
    let mut notes = Vec::new();
    if let Some(role) = &review.role {
        notes.push(format!("for {}", escape(role)));
    }
    if let Some(operator) = &review.proposed_by {
        let marks = view.marks.get(operator).map(Vec::as_slice).unwrap_or_default();
        notes.push(format!("proposed by {}", escape_name(operator, marks)));
    }
    if let Some(when) = &review.when {
        notes.push(match when.value {
            true => format!("asked because {}", escape(&when.to_string())),
            false => format!("asked although {}", escape(&when.to_string())),
        });
    }
    if let Some(risk) = review.risk {
        notes.push(format!("{risk} risk"));
    }
    if review.irreversible {
        notes.push("cannot be undone".to_owned());
    }
    if review.not_requester {
        notes.push("not signed by who started the thread".to_owned());
    }
    notes.push(format!("opened {}", ago(review.opened, context.now)));
    if let Some(at) = review.deadline {
        notes.push(deadline(at, context.now));
    }
    let notes = wrap(&notes.join(" · "), context.width.map(|width| width.saturating_sub(2).max(20)));
    let digest = format!("digest {}", review.digest.short());
    // On its own line: people compare the digest, so it must not be wrapped.
    let notes: String =
        notes.iter().chain([&digest]).map(|line| format!("  {}\n", paint(DIM, line))).collect();
    format!(
        "{} {} waits before {}\n{notes}\n{}{}",
        paint(YELLOW, "●"),
        name(view),
        paint(BOLD, escape(&review.node)),
        signed_pairs(
            &rows(&review.field, &review.draft, Some(Schema::new(&review.schema))),
            "  ",
            context.width
        ),
        review_fields(review, context),
    )
}

/// Formats the fields that are signed with the draft, and those that are only shown.
fn review_fields(review: &ReviewView, context: RenderContext) -> String {
    let mut out = String::new();
    let mut part = |title: String, rows: &[Row], signed: bool| {
        let rows =
            if signed { signed_pairs(rows, "  ", context.width) } else { pairs(rows, "  ", context.width) };
        out.push_str(&format!("\n  {}\n{rows}", paint(DIM, title)));
    };
    let named_all = |fields: &serde_json::Map<String, Value>| -> Vec<Row> {
        let fields = context.in_order(fields.iter());
        fields.into_iter().flat_map(|(field, value)| field_rows(field, value)).collect()
    };
    if !review.shown.is_empty() {
        part("signed with it:".to_owned(), &named_all(&review.shown), true);
    }
    if !review.covers.is_empty() {
        let covers =
            review.covers.iter().map(|node| escape(node).into_owned()).collect::<Vec<_>>().join(", ");
        part("the signature also covers:".to_owned(), &[Row::new("covers", covers)], true);
    }
    for item in &review.items {
        let (number, count, list) = (item.index + 1, item.count, escape(&item.list));
        part(format!("item {number} of {count} of {list}, not signed:"), &named_all(&item.fields), false);
    }
    if !review.unsigned.is_empty() {
        let fields = review.unsigned.join(", ");
        part("read by the node, but not signed:".to_owned(), &[Row::new("unsigned", fields)], false);
    }
    out
}

/// Formats a thread that is incompatible with this program, with all incompatibilities.
fn incompatible(view: &ThreadView, context: RenderContext) -> String {
    let nodes = view.nodes.iter().map(|node| escape(node).into_owned()).collect::<Vec<_>>().join(", ");
    let status = match view.standing {
        ThreadStatus::Waiting => format!("waits before {nodes}"),
        ThreadStatus::InDoubt => format!("is in doubt at {nodes}"),
        ThreadStatus::Failed => format!("has failed in {nodes}"),
        ThreadStatus::Running => format!("is at {nodes}"),
        ThreadStatus::Ended => "has ended".to_owned(),
    };
    let head =
        format!("{} {} {status}, and is incompatible with this program\n", paint(RED, "✗"), name(view));
    let reasons = view.differences.iter().map(|difference| bullet(&difference.to_string(), context.width));
    head + &reasons.collect::<String>()
}

fn ended(view: &ThreadView, context: RenderContext) -> String {
    let output = context.in_order(view.output.iter().flatten());
    let mut output: Vec<Row> =
        output.into_iter().flat_map(|(field, value)| field_rows(field, value)).collect();
    let shared = common_prefix(&output);
    output.iter_mut().for_each(|row| row.key = row.key[shared.len()..].to_owned());
    let with =
        if shared.is_empty() { String::new() } else { format!(" with {}", shared.trim_end_matches('.')) };
    let mut out = format!("{} {} has ended{}\n", paint(GREEN, "✓"), name(view), paint(DIM, with));
    if !output.is_empty() {
        out.push('\n');
        out.push_str(&pairs(&output, "  ", context.width));
    }
    out
}

/// Returns the common prefix of all paths up to its last dot, such as `outcome.refunded.`, which is printed only once.
fn common_prefix(rows: &[Row]) -> String {
    let Some(first) = rows.first().filter(|row| !row.key.contains(['"', '[', '\u{1b}'])) else {
        return String::new();
    };
    let dots = first.key.match_indices('.').map(|(at, _)| &first.key[..=at]);
    dots.rev()
        .find(|prefix| rows.iter().all(|row| row.key.starts_with(prefix)))
        .unwrap_or_default()
        .to_owned()
}

fn failure(view: &ThreadView, context: RenderContext) -> String {
    let Some(failure) = &view.failure else { return running(view, context) };
    let how = if failure.stopped { "was stopped at" } else { "failed in" };
    let head = format!("{} {} {how} {}\n", paint(RED, "✗"), name(view), paint(BOLD, escape(&failure.node)));
    head + &paragraph(&failure.error, context)
}

fn in_doubt(view: &ThreadView, context: RenderContext) -> String {
    let Some(doubt) = &view.in_doubt else { return running(view, context) };
    let mut out = format!(
        "{} {} is in doubt: it is unknown how {} ended\n",
        paint(RED, "?"),
        name(view),
        paint(BOLD, escape(&doubt.node))
    );
    out.push_str(&paragraph(&doubt.error, context));
    out.push('\n');
    let rows = [
        Row::new("key", escape(&doubt.key)),
        Row::new("digest", doubt.digest.short()),
        Row::new("since", ago(doubt.since, context.now)),
        Row::new("writes", doubt.writes.join(", ")),
    ];
    out.push_str(&pairs(&rows, "  ", context.width));
    out.push('\n');
    for line in wrap(&format!("run-again {}.", doubt.run_again), context.width) {
        out.push_str(&format!("  {line}\n"));
    }
    out.push_str("\n  Find out from the external system what was done under this key, then settle it:\n");
    out
}

fn running(view: &ThreadView, context: RenderContext) -> String {
    let nodes = view.nodes.iter().map(|node| escape(node).into_owned()).collect::<Vec<_>>().join(", ");
    if let Some(stop) = view.stop.as_ref().filter(|_| view.until.is_none_or(|until| until <= context.now)) {
        return format!("{} {} waits at {nodes}\n{}", paint(YELLOW, "…"), name(view), stopped(stop, context));
    }
    if view.stalled {
        return format!(
            "{} {} has stalled at {nodes}: its process has not renewed its lease\n",
            paint(YELLOW, "…"),
            name(view)
        );
    }
    let until = view.until.map(|until| {
        let left = remaining(until, context.now);
        paint(DIM, format_args!("  if that process has died, `resume` can take over in {left}\n"))
    });
    format!(
        "{} {} is running {nodes} in another process\n{}",
        paint(YELLOW, "…"),
        name(view),
        until.unwrap_or_default()
    )
}

/// Formats a stop that is in force.
fn stopped(stop: &Stop, context: RenderContext) -> String {
    paragraph(&stop.to_string(), context)
}

fn name(view: &ThreadView) -> String {
    paint(BOLD, escape(view.thread.as_str()))
}

/// Formats quoted text with a bar before each line, so that no line can be mistaken for the program's own output.
fn paragraph(text: &str, context: RenderContext) -> String {
    let width = context.width.map(|width| width.saturating_sub(4).max(20));
    message_lines(text, width).iter().map(|line| format!("  {} {line}\n", paint(DIM, "│"))).collect()
}

/// Formats the fields that are not part of the draft, one line per value, and the thread's position in its journal.
pub(crate) fn details(view: &ThreadView, context: RenderContext) -> String {
    // Fields that were printed above are not repeated; for an incompatible thread there are none.
    let incompatible = !view.differences.is_empty();
    let signed = |field: &str| !incompatible && view.reviews.iter().any(|review| review.field == field);
    let given =
        |field: &str| !incompatible && view.output.as_ref().is_some_and(|output| output.contains_key(field));
    let known = view.fields.iter().filter(|(field, _)| !signed(field) && !given(field));
    let known = context.in_order(known);
    let mut rows: Vec<Row> = known.into_iter().flat_map(|(field, value)| field_rows(field, value)).collect();
    let column = rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
    for row in &mut rows {
        row.value = short(&row.value, Some(context.width.unwrap_or(110).saturating_sub(column + 4).max(20)));
    }
    let mut out = String::new();
    if !rows.is_empty() {
        out.push_str(&pairs(&rows, "  ", None));
        out.push('\n');
    }
    let journal = format!("{}, place {}, {}", view.graph, view.place, ago(view.at, context.now));
    let mut rows = vec![Row::new("journal", escape(&journal))];
    rows.extend(view.reviews.iter().map(|review| Row::new("digest", review.digest.to_string())));
    out.push_str(&pairs(&rows, "  ", None));
    out
}

/// Formats a field: its value beside its name, or the nested values under their paths.
fn field_rows(field: &str, value: &Value) -> Vec<Row> {
    if value.is_object() || value.is_array() {
        rows("", value, None)
            .into_iter()
            .map(|row| {
                let key = match row.key.as_str() {
                    "" => field.to_owned(),
                    key if key.starts_with('[') => format!("{field}{key}"),
                    key => format!("{field}.{key}"),
                };
                Row::new(key, row.value)
            })
            .collect()
    } else {
        vec![Row::new(field, text(value))]
    }
}

/// Formats the next commands, on lines that are not wrapped so that they can be copied.
pub(crate) fn suggestions(suggestions: &[Suggestion]) -> String {
    let rows: Vec<Row> = suggestions.iter().map(|one| Row::new(one.label, one.command.as_str())).collect();
    pairs(&rows, "  ", None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use hitl_runtime::{Digest, agent::ItemView};

    #[test]
    fn fields_beside_a_draft_are_marked_as_signed_or_not() {
        let map = |value: Value| value.as_object().cloned().unwrap_or_default();
        let mut item = ItemView::new("order", "orders", 1, 3);
        item.fields = map(json!({ "note": "broken" }));
        let mut review = ReviewView::new("hold", "draft", Value::Null, Digest::of(b""));
        review.covers = vec!["wire".to_owned()];
        review.shown = map(json!({ "iban": "DE1" }));
        review.unsigned = vec!["memo"];
        review.items = vec![item];
        let context = RenderContext { now: Timestamp::UNIX_EPOCH, width: None, fields: &[] };
        let text = anstream::adapter::strip_str(&review_fields(&review, context)).to_string();
        assert_eq!(
            text,
            "
  signed with it:
  iban  DE1

  the signature also covers:
  covers  wire

  item 2 of 3 of orders, not signed:
  note  broken

  read by the node, but not signed:
  unsigned  memo
"
        );
    }
}
