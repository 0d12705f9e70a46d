//! Editing a draft in the operator's own editor.

use std::{ffi::OsString, process::Command};

use hitl_runtime::{Violation, agent::ReviewView, plumbing::exact};
use serde_json::Value;

use super::{
    bidi::{isolate_rtl, isolate_rtl_json, strip_isolates},
    exit::CliError,
    schema::{Schema, in_order},
};

/// Returns the editor to start: `$VISUAL`, `$EDITOR`, or one that every system has.
pub(super) fn command() -> OsString {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    named("VISUAL")
        .or_else(|| named("EDITOR"))
        .unwrap_or_else(|| if cfg!(windows) { "notepad" } else { "vi" }.into())
}

/// The result of an edit.
#[derive(Debug, PartialEq)]
pub(super) enum EditOutcome {
    /// A changed draft.
    Draft(Value),
    /// The same draft.
    Unchanged,
    /// An empty file.
    Empty,
    /// Invalid JSON, with the error.
    InvalidJson(String),
}

/// Returns the contents of the file to edit: the error of the last attempt, the instructions, the invariants and the
/// draft.
pub(super) fn file_contents(thread: &str, review: &ReviewView, text: &str, error: Option<&str>) -> String {
    let mut out = String::new();
    let mut comment = |line: &str| {
        let line = line.replace(|c: char| c.is_control(), " ");
        out.push_str(format!("// {line}").trim_end());
        out.push('\n');
    };
    if let Some(error) = error {
        error.lines().for_each(|line| comment(&format!("! {line}")));
        comment("");
    }
    comment(&format!(
        "The draft for `{}` of thread {thread}. Change it, save, and close the editor;",
        review.node
    ));
    comment("empty the file to cancel. Lines that begin with // are ignored.");
    let invariants = Schema::new(&review.schema).invariants();
    if !invariants.is_empty() {
        comment("");
        invariants.iter().for_each(|line| comment(line));
    }
    out.push_str(text.trim_end());
    out.push('\n');
    // An editor may also apply a reading direction or hide characters.
    let shown = super::escape::escape_json(&out);
    let lines = shown.lines().map(|line| match line.starts_with("//") {
        true => isolate_rtl(line),
        false => isolate_rtl_json(line),
    });
    lines.map(|line| line + "\n").collect()
}

/// Formats a draft for editing.
pub(super) fn pretty(draft: &Value, schema: &Value) -> String {
    let ordered = OrderedValue { value: draft, schema: Some(Schema::new(schema)) };
    serde_json::to_string_pretty(&ordered).unwrap_or_else(|_| draft.to_string())
}

/// A value whose keys are serialized in the order of its type.
struct OrderedValue<'a> {
    value: &'a Value,
    schema: Option<Schema<'a>>,
}

impl serde::Serialize for OrderedValue<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Object(map) => {
                serializer.collect_map(in_order(map, self.schema).into_iter().map(|(key, value)| {
                    (key, OrderedValue { value, schema: self.schema.and_then(|schema| schema.at(key)) })
                }))
            }
            other => other.serialize(serializer),
        }
    }
}

/// Replaces each comment line by an empty one, so that the line numbers in errors are those of the file.
pub(super) fn strip_comments(page: &str) -> String {
    let line = |line: &str| if line.trim_start().starts_with("//") { String::new() } else { line.to_owned() };
    page.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns the edited text without the comments at its top, because the next file brings its own.
pub(super) fn strip_header(left: &str) -> String {
    let left = strip_isolates(left);
    left.lines().skip_while(|line| line.starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Parses an edited file. `before` is the draft that it was made from.
pub(super) fn parse(page: &str, before: &Value) -> EditOutcome {
    let text = strip_comments(&strip_isolates(page));
    if text.trim().is_empty() {
        return EditOutcome::Empty;
    }
    match exact::parse(&text) {
        Ok(draft) if draft == *before => EditOutcome::Unchanged,
        Ok(draft) => EditOutcome::Draft(draft),
        Err(error) => EditOutcome::InvalidJson(format!("invalid JSON: {}", Violation::from(error))),
    }
}

/// Opens the file in the editor, waits for it to end, and returns the saved text.
pub(super) async fn open(page: String) -> Result<String, CliError> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("hitl-editor".to_owned()).spawn(move || {
        let _ = sender.send(open_and_wait(&page));
    })?;
    match receiver.await {
        Ok(left) => left,
        Err(_) => Err(std::io::Error::other("the thread that runs the editor panicked").into()),
    }
}

fn open_and_wait(page: &str) -> Result<String, CliError> {
    // In a private directory that is removed afterwards: backups and swap files that the editor creates beside the file
    // contain the draft too.
    let directory = tempfile::Builder::new().prefix("hitl-").tempdir()?;
    // `.jsonc` because editors know JSON with comments by that name.
    let path = directory.path().join("draft.jsonc");
    // Closed, because some editors will not write to a file that is open.
    std::fs::write(&path, page)?;
    let editor = command();
    let status = if cfg!(windows) {
        Command::new(&editor).arg(&path).status()
    } else {
        // Through the shell, as git does it: $EDITOR may contain arguments.
        let mut script = editor.clone();
        script.push(" \"$@\"");
        Command::new("sh").arg("-c").arg(script).arg(&editor).arg(&path).status()
    };
    let name = editor.to_string_lossy();
    let failed = |problem: String| CliError::new(super::exit::Exit::Io, "editor", problem);
    match status {
        Err(error) => {
            Err(failed(format!("the editor `{name}` cannot be started: {error}; set $EDITOR, or use --set")))
        }
        Ok(status) if !status.success() => Err(failed(format!(
            "the editor `{name}` failed with {status}, and nothing was signed; set $EDITOR, or use --set"
        ))),
        Ok(_) => Ok(std::fs::read_to_string(&path)?),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn comments_are_dropped_and_lines_keep_their_numbers() {
        let page = "// a\n{\n  // b\n  \"url\": \"https://x\"\n}\n";
        assert_eq!(strip_comments(page), "\n{\n\n  \"url\": \"https://x\"\n}");
        assert_eq!(parse(page, &json!({})), EditOutcome::Draft(json!({ "url": "https://x" })));
        assert_eq!(parse(page, &json!({ "url": "https://x" })), EditOutcome::Unchanged);
        assert_eq!(parse("// only this\n\n", &json!({})), EditOutcome::Empty);
        assert_eq!(
            parse("// a\n{\n  \"a\": }\n", &json!({})),
            EditOutcome::InvalidJson("invalid JSON: expected value at line 3 column 8".to_owned())
        );
    }

    #[derive(schemars::JsonSchema)]
    #[allow(dead_code)]
    struct Call {
        labels: std::collections::BTreeMap<String, String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        tool: Tool,
    }

    #[derive(schemars::JsonSchema)]
    #[allow(dead_code)]
    #[serde(tag = "name", content = "args")]
    enum Tool {
        Refund { cents: u32, reason: Option<String> },
        Voucher { code: String, reason: Option<String> },
    }

    #[test]
    fn a_deleted_line_is_removed_from_the_draft() {
        let before = json!({
            "labels": { "שם": "x", "vip": "yes" },
            "note": "now",
            "tool": { "name": "Refund", "args": { "cents": 1, "reason": "broken" } },
        });
        let given = pretty(&before, schemars::schema_for!(Call).as_value());
        let page = isolate_rtl_json(&given);
        assert!(page.contains("\"\u{2068}שם\u{2069}\""), "{page}");
        let left: Vec<&str> = page
            .lines()
            .filter(|line| !["\"vip\"", "\"note\"", "\"cents\""].iter().any(|key| line.contains(key)))
            .collect();
        let left = left
            .join("\n")
            .replace("\"Refund\"", "\"Voucher\"")
            .replace("\"broken\"", "\"x\", \"code\": \"y\"");
        let left = left.replace("\"x\",\n", "\"x\"\n").replace("},\n}", "}\n}");
        let EditOutcome::Draft(draft) = parse(&left, &before) else { panic!("{left}") };
        let patch = super::super::assignment::merge_patch(&before, &draft);
        let after = json!({
            "labels": { "שם": "x" },
            "tool": { "name": "Voucher", "args": { "code": "y", "reason": "x" } },
        });
        let mut merged = before;
        json_patch::merge(&mut merged, &patch);
        assert_eq!(merged, after, "{patch}");
    }

    #[test]
    fn a_draft_is_edited_in_the_order_of_its_type() {
        let schema = json!({ "required": ["order_id", "amount"], "properties": { "amount": {}, "order_id": {}, "note": {} } });
        let draft = json!({ "amount": 149.0, "extra": 1, "note": null, "order_id": "A-9133" });
        assert_eq!(
            pretty(&draft, &schema),
            "{\n  \"order_id\": \"A-9133\",\n  \"amount\": 149.0,\n  \"note\": null,\n  \"extra\": 1\n}"
        );
    }
}
