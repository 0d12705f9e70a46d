//! An error, and the way out.

use serde_json::Value;

use super::{
    style::{BOLD, DIM, RED, paint},
    table::{pairs, wrap},
    value::Row,
};
use crate::serve::cli::{
    escape::{escape, escape_sentence},
    exit::Refusal,
};

/// The error, the fields at fault, and the commands that mend it.
pub(in crate::serve::cli) fn refusal(refusal: &Refusal, width: Option<usize>) -> String {
    let label = paint(RED.bold(), "error:");
    let message = said(&refusal.message, width.map(|width| width.saturating_sub(7).max(20)));
    let mut out = format!("{label} {}\n", message.join("\n       "));
    if let Some(Value::Array(violations)) = refusal.details.get("violations") {
        let text = |v: &Value, key: &str| {
            v.get(key).and_then(Value::as_str).map(escape_sentence).unwrap_or_default().into_owned()
        };
        let rows: Vec<Row> = violations
            .iter()
            .map(|v| {
                let path = text(v, "path");
                let name = refusal.details.get("field").and_then(Value::as_str).unwrap_or("draft");
                Row::new(if path.is_empty() { escape(name).into_owned() } else { path }, text(v, "message"))
            })
            .collect();
        out.push_str(&pairs(&rows, "  ", width));
    }
    out.push_str(&differences(refusal.details.get("differences"), width));
    for command in &refusal.next {
        out.push_str(&format!("  {}  {}\n", paint(DIM, "try"), paint(BOLD, command)));
    }
    out
}

/// What keeps a thread from going on, each on lines of its own. As JSON, which is how a refusal has it.
fn differences(list: Option<&Value>, width: Option<usize>) -> String {
    let messages = list.and_then(Value::as_array).into_iter().flatten();
    messages.filter_map(|told| told.get("message")?.as_str()).map(|message| bullet(message, width)).collect()
}

/// One of several things to be said.
pub(in crate::serve::cli) fn bullet(message: &str, width: Option<usize>) -> String {
    let lines = said(message, width.map(|width| width.saturating_sub(4).max(20)));
    format!("  - {}\n", lines.join("\n    "))
}

/// What a program said, line by line, at a length that leaves the rest of the screen to be read.
pub(in crate::serve::cli) fn said(text: &str, width: Option<usize>) -> Vec<String> {
    const LONGEST: usize = 2_000;
    let cut = text.char_indices().nth(LONGEST).map(|(at, _)| at);
    let shown = cut.map_or(text, |at| &text[..at]);
    let mut lines: Vec<String> =
        shown.trim_end().split('\n').flat_map(|line| wrap(&escape_sentence(line), width)).collect();
    if cut.is_some() {
        let rest = text.chars().count() - LONGEST;
        lines.push(paint(DIM, format_args!("… and {rest} characters more: see --json")));
    }
    lines
}
