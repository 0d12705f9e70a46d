//! Tests of a program with a journal key, against an attacker who can write to its file.

use hitl::Digest;
use rusqlite::Connection;

use super::{MESSAGE, NOTHING, TICKET, harness::Shell, refund};

const KEY: (&str, &str) =
    ("HITL_JOURNAL_KEY", "desk:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");

/// Inserts one row: a verdict in the name of the CFO, with the hash that any writer can compute.
fn insert_a_verdict(shell: &Shell) {
    let file = Connection::open(shell.path("refund.db")).expect("the store's file");
    let (thread, place, hash, body): (i64, i64, [u8; 32], Vec<u8>) = file
        .query_row(
            "SELECT thread, place, hash, body FROM hitl_entries ORDER BY place DESC LIMIT 1",
            (),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .expect("the open review");
    let paused: serde_json::Value = serde_json::from_slice(&body).expect("an entry");
    let digest = paused["is"]["paused"]["digest"].as_str().expect("a digest");
    let body = format!(
        r#"{{"at":{},"is":{{"decided":{{"node":"execute","verdict":"approve","operator":"cfo@bank","digest":"{digest}","to":"execute"}}}}}}"#,
        paused["at"]
    );
    let hash = Digest::of(&[&hash[..], body.as_bytes()].concat());
    file.execute(
        "INSERT INTO hitl_entries (thread, place, snapshot, hash, body) VALUES (?1, ?2, 0, ?3, ?4)",
        (thread, place + 1, hash.as_bytes(), body.as_bytes()),
    )
    .expect("an insert");
}

#[test]
fn a_forged_verdict_pays_only_without_a_journal_key() {
    let shell = Shell::new();
    shell.json(3, &["start", "--thread", TICKET, MESSAGE]);
    insert_a_verdict(&shell);
    shell.json(0, &["resume", TICKET]);
    assert_eq!(shell.ledger(), refund(14_900), "as the README says");

    let shell = Shell::new();
    let started = shell.run_with(KEY, &["start", "--thread", TICKET, MESSAGE]);
    assert_eq!(started.code, Some(3), "{started:?}");
    insert_a_verdict(&shell);
    let resumed = shell.run_with(KEY, &["resume", TICKET, "--json"]);
    assert_eq!(resumed.json()["error"]["code"], "unauthenticated_entry", "{resumed:?}");
    let verified = shell.run_with(KEY, &["verify", "--json"]);
    assert_eq!(verified.json()["damaged"][0]["kind"], "unauthenticated", "{verified:?}");
    assert_eq!(shell.ledger(), NOTHING);
    assert!(!format!("{resumed:?}{verified:?}").contains(&KEY.1[5..]), "the error contains the key");
}

#[test]
fn a_program_with_a_key_adopts_an_old_thread() {
    let shell = Shell::new();
    shell.json(3, &["start", "--thread", TICKET, MESSAGE]);
    let kept = shell.run(&["verify", "--json"]).out;
    std::fs::write(shell.path("heads.json"), kept).expect("the heads are stored");
    let refused = shell.run_with(KEY, &["approve", TICKET, "--yes", "--json"]);
    assert_eq!(refused.json()["error"]["code"], "unauthenticated_entry", "{refused:?}");
    let adopted = shell.run_with(KEY, &["adopt", TICKET, "--against", "heads.json"]);
    assert_eq!(adopted.code, Some(0), "{adopted:?}");
    let approved = shell.run_with(KEY, &["approve", TICKET, "--yes"]);
    assert_eq!(approved.code, Some(0), "{approved:?}");
    assert_eq!(shell.ledger(), refund(14_900));

    let wrong = shell.run_with(("HITL_JOURNAL_KEY", "5ec2e7"), &["inbox"]);
    assert!(wrong.code == Some(4) && !wrong.err.contains("5ec2e7"), "{wrong:?}");
}
