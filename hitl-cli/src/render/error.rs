//! Rendering of errors.

use serde_json::Value;

use super::{
    style::{BOLD, DIM, RED, paint},
    table::{pairs, wrap},
    value::Row,
};
use crate::{
    escape::{escape, escape_sentence},
    exit::CliError,
};

/// Formats an error: its message, the invalid fields, and the commands that may solve the problem.
pub(crate) fn format(error: &CliError, width: Option<usize>) -> String {
    let label = paint(RED.bold(), "error:");
    let message = message_lines(&error.message, width.map(|width| width.saturating_sub(7).max(20)));
    let mut out = format!("{label} {}\n", message.join("\n       "));
    if let Some(Value::Array(violations)) = error.details.get("violations") {
        let text = |v: &Value, key: &str| {
            v.get(key).and_then(Value::as_str).map(escape_sentence).unwrap_or_default().into_owned()
        };
        let rows: Vec<Row> = violations
            .iter()
            .map(|v| {
                let path = text(v, "path");
                let name = error.details.get("field").and_then(Value::as_str).unwrap_or("draft");
                Row::new(if path.is_empty() { escape(name).into_owned() } else { path }, text(v, "message"))
            })
            .collect();
        out.push_str(&pairs(&rows, "  ", width));
    }
    out.push_str(&incompatibilities(error.details.get("differences"), width));
    for command in &error.next {
        out.push_str(&format!("  {}  {}\n", paint(DIM, "try"), paint(BOLD, command)));
    }
    out
}

/// Formats the incompatibilities of a thread, each on its own lines. The argument is JSON, as in the details of an
/// error.
fn incompatibilities(list: Option<&Value>, width: Option<usize>) -> String {
    let messages = list.and_then(Value::as_array).into_iter().flatten();
    messages.filter_map(|item| item.get("message")?.as_str()).map(|message| bullet(message, width)).collect()
}

/// Formats an item of a list.
pub(crate) fn bullet(message: &str, width: Option<usize>) -> String {
    let lines = message_lines(message, width.map(|width| width.saturating_sub(4).max(20)));
    format!("  - {}\n", lines.join("\n    "))
}

/// Escapes and wraps a message, and cuts it to a length that leaves room for the rest on the terminal.
pub(crate) fn message_lines(text: &str, width: Option<usize>) -> Vec<String> {
    const MAX_CHARS: usize = 2_000;
    let cut = text.char_indices().nth(MAX_CHARS).map(|(at, _)| at);
    let shown = cut.map_or(text, |at| &text[..at]);
    let mut lines: Vec<String> =
        shown.trim_end().split('\n').flat_map(|line| wrap(&escape_sentence(line), width)).collect();
    if cut.is_some() {
        let rest = text.chars().count() - MAX_CHARS;
        lines.push(paint(DIM, format_args!("… {rest} more characters: see --json")));
    }
    lines
}
