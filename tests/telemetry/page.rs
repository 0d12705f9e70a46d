//! The page `src/telemetry.md`, compared with the code and with what a run writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use hitl::prelude::*;

use crate::{
    capture::{Callsite, begin, seen},
    refund_agent::{Desk, RESPONSE, RefundAgent, mara, open},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the rows of the table under a heading of the page, each with its cells.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(root().join("src/telemetry.md")).unwrap();
    let section = page.split("\n# ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Returns the words in backticks.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Returns the rows of the spans or of the events: name, level, target, fields.
fn documented(heading: &str, is_span: bool) -> BTreeSet<Callsite> {
    let one = |cell: &str| quoted(cell).into_iter().next().unwrap_or_default();
    let rows = table(heading).into_iter().map(|row| Callsite {
        is_span,
        name: one(&row[0]),
        level: one(&row[1]),
        target: one(&row[2]),
        fields: quoted(&row[3]),
    });
    rows.collect()
}

/// Returns each macro call that writes a span or an event in a folder: the macro, and its arguments.
fn calls(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            calls(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code: String = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.starts_with("//"))
                .collect::<Vec<_>>()
                .join(" ");
            for name in ["tracing::", "log!(", "log_thread!("] {
                for part in code.split(name).skip(1) {
                    let call = match name {
                        "tracing::" => part.split_once("!(").filter(|(name, _)| {
                            name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && *name != "enabled"
                        }),
                        _ => Some((name.trim_end_matches("!("), part)),
                    };
                    if let Some((name, arguments)) = call {
                        found.push((name.to_owned(), until_closed(arguments).to_owned()));
                    }
                }
            }
        }
    }
}

/// Returns the text up to the parenthesis that closes it.
fn until_closed(text: &str) -> &str {
    let (mut depth, mut quoted) = (1, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// Returns the name of the span or the message of the event, and the level, that a macro call in the code has. The
/// message is the last string that is no field's value; a span's name is the first one after the target.
fn name_and_level(call: &(String, String)) -> (bool, String, String) {
    let (name, arguments) = call;
    let strings: Vec<&str> = arguments.split('"').skip(1).step_by(2).collect();
    let level = |word: &str| word.to_uppercase();
    if let Some(word) = name.strip_suffix("_span") {
        return (true, strings[1].to_owned(), level(word));
    }
    if name.starts_with("log") {
        let word = arguments.split(',').map(str::trim).find(|word| ["debug", "info", "warn"].contains(word));
        return (false, strings[0].to_owned(), level(word.unwrap()));
    }
    (false, strings.last().unwrap().to_string(), level(name))
}

#[tokio::test]
async fn the_page_has_every_span_and_event() {
    begin();
    let agent = RefundAgent::new(Desk::new([RESPONSE]), MemoryStore::new());
    let _ = open(&agent, "page").await.approve(&mara()).await.unwrap();
    let (spans, events) = (documented("Spans", true), documented("Events", false));
    let page: BTreeSet<_> = spans.union(&events).cloned().collect();

    // What was written, by this test and others, with its level, its target and its fields.
    let written = seen().callsites;
    let written: BTreeSet<_> =
        written.into_iter().filter(|callsite| callsite.target.starts_with("hitl::")).collect();
    let names: BTreeSet<_> = written.iter().map(|callsite| callsite.name.as_str()).collect();
    assert!(["thread", "node", "model", "store", "effect done"].iter().all(|name| names.contains(name)));
    let missing: Vec<_> = written.difference(&page).collect();
    assert!(missing.is_empty(), "src/telemetry.md does not have these as they are written: {missing:#?}");

    // What the code can write, with its level.
    let mut found = Vec::new();
    calls(&root().join("hitl-runtime/src"), &mut found);
    let code: BTreeSet<_> =
        found.iter().filter(|(_, arguments)| !arguments.contains('$')).map(name_and_level).collect();
    let page: BTreeSet<_> = page.into_iter().map(|row| (row.is_span, row.name, row.level)).collect();
    assert_eq!(code, page, "left: in hitl-runtime/src; right: in src/telemetry.md");
}

#[test]
fn the_page_defines_each_field_once() {
    let mut defined = BTreeMap::new();
    for row in table("Fields") {
        for field in quoted(&row[0]) {
            assert!(defined.insert(field.clone(), ()).is_none(), "`{field}` is defined twice");
        }
    }
    let used = documented("Spans", true).into_iter().chain(documented("Events", false));
    let used: BTreeSet<_> = used.flat_map(|callsite| callsite.fields).collect();
    let defined: BTreeSet<_> = defined.into_keys().collect();
    assert_eq!(defined, used);
}
