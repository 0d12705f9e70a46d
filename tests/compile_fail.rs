//! The compiler's messages: every program in `tests/ui/fail` fails with the messages in its comments, each at the word
//! that is wrong, and with no other; every program in `tests/ui/pass` compiles without a warning.
//!
//! ```text
//!         start -> plan -> execute -> end;
//!         //               ^^^^^^^ `execute` reads `draft`
//!         //  | another part of the same message
//!         //  x 3 (the number of times that rustc reports it, if not once)
//! ```
//!
//! rustc's own frames, gutters and notes change with its version and with the installed components (`rust-src` adds
//! source lines to some). So only three things are compared: our message, the caret, and the number of errors.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The program that is built by a package of its own.
const RENAMED: &str = "tests/ui/pass/renamed/dependency.rs";

#[test]
fn programs_compile_or_report_the_expected_messages() {
    // Two checkouts may share a target directory, and run concurrently.
    let checkout = BuildHasherDefault::<DefaultHasher>::default().hash_one(ROOT);
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ui-{checkout:016x}"));
    fs::create_dir_all(&project).unwrap();
    let (mut fail, mut pass) = (programs("fail"), programs("pass"));
    let generated = project.join("state_of_100_fields.rs");
    fs::write(&generated, state_of_100_fields()).unwrap();
    pass.push(generated);
    let renamed = Path::new(ROOT).join(RENAMED);
    fail.sort();
    let found = check(&project, fail.iter().chain(&pass));
    pass.push(renamed);

    let mut wrong = String::new();
    let none = Vec::new();
    for path in &pass {
        for message in found.get(&name(path)).unwrap_or(&none) {
            let _ = writeln!(wrong, "=== {} has a warning or an error\n{}", path.display(), message.rendered);
        }
    }
    for path in &fail {
        let messages = found.get(&name(path)).unwrap_or(&none);
        let errors: Vec<_> = messages.iter().filter(|message| message.level == "error").collect();
        let source = fs::read_to_string(path).unwrap();
        let problems = compare(&expected(&source), &errors);
        if !problems.is_empty() {
            let _ = writeln!(wrong, "=== {}\n{problems}", path.display());
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A message that the comments of a program ask for.
struct Expected {
    line: u64,
    columns: (u64, u64),
    pieces: Vec<String>,
    /// The number of reports: rustc reports it once for each piece of generated code that the mistake breaks.
    times: usize,
}

/// One message of rustc.
struct Message {
    level: String,
    sentence: String,
    /// Line, first column, column after the last one.
    places: Vec<(u64, u64, u64)>,
    rendered: String,
    /// The message with its labels, notes and helps.
    text: String,
}

impl Message {
    fn line(&self) -> u64 {
        self.places.first().map_or(0, |place| place.0)
    }
}

fn expected(source: &str) -> Vec<Expected> {
    let mut all: Vec<Expected> = Vec::new();
    let mut line = 0;
    for (number, text) in source.lines().enumerate() {
        let comment = text.trim_start().strip_prefix("//").map(str::trim_start);
        match comment {
            Some(caret) if caret.starts_with('^') => {
                let first = text.chars().take_while(|c| *c != '^').count() as u64 + 1;
                let length = caret.chars().take_while(|c| *c == '^').count();
                let piece = caret[length..].trim().to_owned();
                all.push(Expected {
                    line,
                    columns: (first, first + length as u64),
                    pieces: vec![piece],
                    times: 1,
                });
            }
            Some(again) if again.starts_with("x ") && !all.is_empty() => {
                let last = all.last_mut().expect("`// x 3` must follow a message");
                let times = again[2..].split_whitespace().next().unwrap_or_default();
                last.times = times.parse().expect("`// x 3` has a number");
            }
            Some(more) if more.starts_with('|') => {
                let last = all.last_mut().expect("`// |` must follow a message");
                last.pieces.push(more[1..].trim().to_owned());
            }
            _ => line = number as u64 + 1,
        }
    }
    all
}

/// Returns the differences between the expected and the reported messages, with their places.
fn compare(expected: &[Expected], errors: &[&Message]) -> String {
    let mut problems = String::new();
    let mut left: Vec<&Message> = errors.to_vec();
    let same = |a: &Message, b: &Message| a.sentence == b.sentence && a.line() == b.line();
    for want in expected {
        let place = (want.line, want.columns.0, want.columns.1);
        let fits = |error: &&Message| {
            error.places.contains(&place)
                && want.pieces.iter().all(|piece| error.text.contains(piece.as_str()))
        };
        match left.iter().position(fits) {
            Some(found) => {
                let found = left.remove(found);
                for _ in 1..want.times {
                    match left.iter().position(|other| same(found, other)) {
                        Some(again) => drop(left.remove(again)),
                        None => problems.push_str("it is reported fewer times than its comment expects\n"),
                    }
                }
            }
            None => {
                let _ = writeln!(
                    problems,
                    "no message at {}:{}..{} contains {:?}",
                    place.0, place.1, place.2, want.pieces
                );
            }
        }
    }
    for error in left {
        let _ = writeln!(problems, "unexpected message at {:?}:\n{}", error.places, error.rendered);
    }
    if expected.is_empty() {
        problems.push_str("the program has no comment with an expected message\n");
    }
    problems
}

/// Runs `cargo check` once over all programs.
fn check<'a>(project: &Path, programs: impl Iterator<Item = &'a PathBuf>) -> BTreeMap<String, Vec<Message>> {
    let mut manifest = format!(
        "[package]\nname = \"ui\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\nmembers = [\"renamed\"]\n[dependencies]\n\
         hitl = {{ path = {ROOT:?}, default-features = false }}\n\
         garde = {{ version = \"*\", features = [\"derive\"] }}\nschemars = \"*\"\nserde = {{ version = \"*\", features = [\"derive\"] }}\nserde_json = \"*\"\ntokio = {{ version = \"*\", features = [\"macros\", \"rt\"] }}\n"
    );
    for program in programs {
        let _ = write!(manifest, "[[bin]]\nname = {:?}\npath = {:?}\n", name(program), program);
    }
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::create_dir_all(project.join("renamed")).unwrap();
    fs::write(project.join("renamed/Cargo.toml"), renamed_dependency()).unwrap();
    // The versions of the workspace, which are already downloaded.
    if let Ok(lock) = fs::read(Path::new(ROOT).join("Cargo.lock")) {
        fs::write(project.join("Cargo.lock"), lock).unwrap();
    }
    let output = Command::new(env!("CARGO"))
        .args(["check", "--workspace", "--bins", "--keep-going", "--message-format=json", "--quiet"])
        .current_dir(project)
        .env("CARGO_TARGET_DIR", project.join("target"))
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut found: BTreeMap<String, Vec<Message>> = BTreeMap::new();
    let mut any = false;
    for line in stdout.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        any |= line["target"]["kind"][0] == "bin";
        if line["reason"] != "compiler-message" {
            continue;
        }
        let (target, message) = (&line["target"], &line["message"]);
        let error_or_warning = message["level"] == "error" || message["level"] == "warning";
        // Skips the closing "aborting due to 2 previous errors", which has no place.
        if target["kind"][0] == "bin"
            && error_or_warning
            && message["spans"].as_array().is_some_and(|s| !s.is_empty())
        {
            found.entry(string(&target["name"])).or_default().push(self::message(message));
        }
    }
    assert!(any, "cargo built nothing:\n{}", String::from_utf8_lossy(&output.stderr));
    found
}

/// Returns the manifest of a program whose dependency on hitl has another name, so that no path can lead to `::hitl`.
fn renamed_dependency() -> String {
    format!(
        "[package]\nname = \"renamed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\n\
         agents = {{ package = \"hitl\", path = {ROOT:?}, default-features = false, features = [\"cli\"] }}\n\
         garde = {{ version = \"*\", features = [\"derive\"] }}\n\
         [[bin]]\nname = {:?}\npath = \"{ROOT}/{RENAMED}\"\n",
        name(Path::new(RENAMED))
    )
}

fn message(json: &Value) -> Message {
    let mut text = string(&json["message"]);
    let children = json["children"].as_array().into_iter().flatten();
    for part in std::iter::once(json).chain(children) {
        let labels = part["spans"].as_array().into_iter().flatten().map(|span| string(&span["label"]));
        text.extend(labels.chain([string(&part["message"])]).map(|piece| format!("\n{piece}")));
    }
    let primary = json["spans"].as_array().into_iter().flatten().filter(|span| span["is_primary"] == true);
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    Message {
        level: string(&json["level"]),
        sentence: string(&json["message"]),
        places: primary
            .map(|s| (number(&s["line_start"]), number(&s["column_start"]), number(&s["column_end"])))
            .collect(),
        rendered: string(&json["rendered"]),
        text,
    }
}

fn programs(directory: &str) -> Vec<PathBuf> {
    let directory = Path::new(ROOT).join("tests/ui").join(directory);
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn name(program: &Path) -> String {
    let directory = program.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    format!("{directory}_{}", program.file_stem().unwrap_or_default().to_string_lossy())
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Returns a program with a chain of 100 nodes that write a field each, and a node that reads three of the fields.
fn state_of_100_fields() -> String {
    let (mut fields, mut nodes, mut chain) = (String::new(), String::new(), String::from("start"));
    for i in 1..=100 {
        let before = i - 1;
        let _ = writeln!(fields, "f{i}: u32,");
        let _ = writeln!(
            nodes,
            "#[node(Wide, writes = f{i})] async fn n{i}(f{before}: u32) -> Result<u32> {{ Ok(f{before} + 1) }}"
        );
        let _ = write!(chain, " -> n{i}");
    }
    format!(
        "#![deny(warnings)]\nuse hitl::prelude::*;\n#[state] struct Wide {{ #[input] f0: u32, {fields} #[output] out: u32 }}\n{nodes}\n\
         #[node(Wide, writes = out)] async fn out(f1: u32, f50: &u32, f100: Option<&u32>) -> Result<u32> {{ Ok(f1 + f50 + f100.unwrap_or(&0)) }}\n\
         graph! {{ Agent<Wide> {{ {chain} -> out -> end; }} }}\nfn main() {{ let _ = Agent::new(MemoryStore::new()); }}\n"
    )
}
