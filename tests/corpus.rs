//! The fuzzing corpus (`fuzz/corpus`), both seeds and inputs that fuzzing has found, replayed file by file on any
//! compiler.
//!
//! `HITL_SEED=1 cargo test --test corpus` writes the journals of a real agent to it again.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub, missing_docs)]
#![cfg(feature = "cli")]

use std::{fs, path::Path};

use hitl::{Operator, ThreadId, Verdict, prelude::MemoryStore};

#[path = "../fuzz/src/command.rs"]
mod command;
#[path = "../fuzz/src/fixture.rs"]
mod fixture;
#[path = "../fuzz/src/identifiers.rs"]
mod identifiers;
#[path = "../fuzz/src/journal.rs"]
mod journal;
#[path = "../fuzz/src/patch.rs"]
mod patch;

fn replay(target: &str, run: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", dir.display());
    for file in files {
        println!("{}", file.display());
        run(&fs::read(&file).unwrap());
    }
}

#[test]
fn journal_corpus() {
    if std::env::var_os("HITL_SEED").is_some() {
        seed();
    }
    replay("journal", journal::run);
}

#[test]
fn patch_corpus() {
    replay("patch", patch::run);
}

#[test]
fn identifiers_corpus() {
    replay("identifiers", identifiers::run);
}

#[test]
fn command_corpus() {
    replay("command", command::run);
}

/// Writes the journals of a few threads that took different paths.
fn seed() {
    let mara = Operator::new("mara").role("payer");
    let ways: [(&str, &[Verdict]); 4] = [
        ("waits", &[]),
        ("approved", &[Verdict::Approve, Verdict::Approve]),
        (
            "edited",
            &[
                Verdict::Edit { patch: serde_json::json!({ "cents": 13 }) },
                Verdict::Edit { patch: serde_json::json!({ "cents": 13, "by": null }) },
            ],
        ),
        (
            "rejected",
            &[Verdict::Reject { reason: hitl::Reason::WrongTool, note: "no".into() }, Verdict::Approve],
        ),
    ];
    for (name, verdicts) in ways {
        let bodies = fixture::block_on(async {
            let agent = fixture::agent_on(MemoryStore::new());
            drop(agent.start("t", fixture::TicketInput { message: "it broke".into() }).await.unwrap());
            for verdict in verdicts {
                let review = agent.view("t").await.unwrap().reviews.remove(0);
                drop(agent.decide("t", review.digest, &mara, verdict.clone()).await.unwrap());
            }
            let records = agent.store().entries(&ThreadId::new("t").unwrap(), 0.into(), 100).await.unwrap();
            records.into_iter().map(|record| record.body).collect::<Vec<_>>()
        });
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/journal").join(name);
        fs::write(file, bodies.join(&b'\n')).unwrap();
    }
}
