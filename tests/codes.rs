//! The page of the stable codes (`src/codes.md`), compared with the code.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use hitl::{Digest, Error, Place, StoreError, ThreadId, Timestamp, api::ApiError, cli::Exit};

/// Returns the rows of the table under a heading of the page: the first cell is the code.
fn table(heading: &str) -> BTreeMap<String, Vec<String>> {
    let page = fs::read_to_string(root().join("src/codes.md")).unwrap();
    let section = page.split("\n# ").find(|section| section.starts_with(heading)).unwrap();
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    let rows = section.lines().filter(|line| line.starts_with("| `")).map(cells);
    rows.map(|mut row: Vec<String>| (row.remove(0), row)).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn names(table: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    table.keys().cloned().collect()
}

/// Returns the codes that the function `code` of a file maps the variants to.
fn mapped(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let (_, body) = text.split_once("pub fn code(&self)").unwrap();
    let body = body.split("\n    }\n").next().unwrap();
    body.lines().filter_map(|line| Some(line.split_once("=> \"")?.1.split('"').next()?.to_owned())).collect()
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            // Without unit tests and examples.
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            found.push(code.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect());
        }
    }
}

/// Returns the first argument that is a string of each call of these functions in a folder, and a number before it.
fn arguments(folder: &str, calls: &[&str]) -> BTreeMap<String, String> {
    let mut found = Vec::new();
    sources(&root().join(folder), &mut found);
    let mut codes = BTreeMap::new();
    for text in found {
        for call in calls {
            for part in text.split(call).skip(1) {
                let before = part.split('"').next().unwrap();
                let code = part.split('"').nth(1).unwrap_or_default();
                // A call with a variable has no string close to its parenthesis.
                if before.len() < 30
                    && !code.is_empty()
                    && code.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                {
                    let status: String = before.chars().filter(char::is_ascii_digit).collect();
                    codes.insert(code.to_owned(), status);
                }
            }
        }
    }
    codes
}

/// One error for each code.
fn samples() -> Vec<Error> {
    let thread = || ThreadId::new("t").unwrap();
    let (node, field, problem) = (|| "pay".to_owned(), || "draft".to_owned(), || "it is wrong".to_owned());
    let digest = Digest::of(b"");
    vec![
        Error::UnknownThread { thread: thread() },
        Error::ThreadExists { thread: thread() },
        Error::InvalidThreadId(ThreadId::new("").unwrap_err()),
        Error::InvalidInput { problem: problem() },
        Error::Stale { thread: thread(), digest, open: vec![], reopened: false },
        Error::AlreadyDecided {
            thread: thread(),
            node: node(),
            by: "mara".into(),
            verdict: "approve".into(),
            at: Timestamp::UNIX_EPOCH,
        },
        Error::Expired { thread: thread(), node: node(), deadline: Timestamp::UNIX_EPOCH },
        Error::RoleMissing { thread: thread(), node: node(), role: "clerk".into(), operator: "mara".into() },
        Error::OwnRequest { thread: thread(), node: node(), operator: "mara".into() },
        Error::RequesterUnknown { thread: thread(), node: node() },
        Error::BadOperator { thread: thread(), operator: "mara".into(), problem: problem() },
        Error::Invalid { thread: thread(), field: field(), violations: vec![] },
        Error::UnknownKey { thread: thread(), field: field(), path: "a".into(), near: None },
        Error::InvalidPatch { thread: thread(), field: field() },
        Error::Unchanged { thread: thread(), field: field() },
        Error::BadVerdict { thread: thread(), node: node(), problem: problem() },
        Error::Cancelled {
            thread: thread(),
            by: "mara".into(),
            reason: problem(),
            at: Timestamp::UNIX_EPOCH,
        },
        Error::Stopped {
            thread: thread(),
            scope: "the store".into(),
            by: "mara".into(),
            reason: problem(),
            at: Timestamp::UNIX_EPOCH,
        },
        Error::ThreadEnded { thread: thread(), how: "has ended".into() },
        Error::NotPaused { scope: "the store".into() },
        Error::MayNotStop { operator: "mara".into(), roles: vec!["clerk".into()] },
        Error::NotInDoubt { thread: thread() },
        Error::NeedsRunner { thread: thread() },
        Error::GraphChanged { thread: thread(), differences: vec![] },
        Error::UserCodeFailed { thread: thread(), place: "reducer".into(), problem: problem() },
        Error::OtherCode { thread: thread(), until: Timestamp::UNIX_EPOCH },
        Error::Damaged { thread: thread(), place: Place::START, problem: problem() },
        Error::Unauthenticated { thread: thread(), place: Place::START, problem: problem() },
        Error::NoSuchPlace { thread: thread(), place: Place::new(1), head: Place::START },
        Error::SignatureNotCarried { thread: thread(), place: Place::START, field: field() },
        Error::EffectUnderWay { thread: thread(), place: Place::START, node: node() },
        Error::NoRandomness { problem: problem() },
        Error::NotSetUp { problem: problem() },
        Error::Store(StoreError::Failed { location: "a disk".into(), problem: problem(), source: None }),
    ]
}

fn facts(error: Error) -> (String, Vec<String>) {
    let (code, kind, exit) = (error.code().to_owned(), format!("{:?}", error.kind()), Exit::from(&error));
    let status = ApiError::from(error).status;
    (code, vec![kind, status.to_string(), exit.code().to_string()])
}

#[test]
fn errors_have_the_code_kind_status_and_exit_code_of_the_page() {
    let page = table("Errors of an agent");
    let found: BTreeMap<_, _> = samples().into_iter().map(facts).collect();
    assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), mapped("hitl-runtime/src/error/mod.rs"));
    let documented: BTreeMap<_, _> = page.into_iter().map(|(code, row)| (code, row[..3].to_vec())).collect();
    assert_eq!(found, documented);
    let token = Error::Store(StoreError::InvalidPageToken("x".into()));
    assert_eq!(facts(token), ("store".into(), ["Malformed", "400", "2"].map(str::to_owned).to_vec()));
}

#[test]
fn requests_have_the_codes_and_statuses_of_the_page() {
    let mut found = arguments("hitl-server/src", &["ApiError::new("]);
    found.extend(
        arguments("hitl-server/src", &["ApiError::malformed("])
            .into_keys()
            .map(|code| (code, "400".to_owned())),
    );
    let documented: BTreeMap<_, _> =
        table("Errors of a request").into_iter().map(|(code, row)| (code, row[0].clone())).collect();
    assert_eq!(found, documented);
}

#[test]
fn commands_have_the_codes_of_the_page() {
    let found = arguments("hitl-cli/src", &["CliError::refused(", "CliError::new(", "Self::new(Exit::"]);
    assert_eq!(found.into_keys().collect::<BTreeSet<_>>(), names(&table("Errors of a command")));
}

#[test]
fn models_and_incompatibilities_have_the_codes_of_the_page() {
    assert_eq!(mapped("hitl-core/src/model/error.rs"), names(&table("Models")));
    assert_eq!(mapped("hitl-runtime/src/error/incompatibility.rs"), names(&table("Incompatibilities")));
}
