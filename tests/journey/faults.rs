//! Tests of failing files and disks from the command line: exit code 8, the file's name, a way out, and no partial
//! change.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
};

use rusqlite::Connection;

use crate::{
    MESSAGE, NOTHING, TICKET,
    harness::{CommandOutput, Running, Shell},
    refund, waiting,
};

/// Checks that a command failed with exit code 8, no output, and an error with these words.
#[track_caller]
fn assert_reported(ended: &CommandOutput, words: &[&str]) {
    assert_eq!((ended.code, ended.out.as_str()), (Some(8), ""), "{ended:?}");
    assert!(ended.err.starts_with("error: "), "{ended:?}");
    for word in words.iter().chain(&["refund.db"]) {
        assert!(ended.err.contains(word), "{word}: {ended:?}");
    }
}

/// Checks that the thread is unharmed after the fault: an operator can decide its review.
#[track_caller]
fn assert_completes(shell: &Shell, digest: &str) {
    assert_eq!(shell.ledger(), NOTHING);
    shell.json(0, &["verify"]);
    shell.json(0, &["approve", TICKET, "--digest", digest]);
    shell.json(0, &["verify"]);
    assert_eq!(shell.ledger(), refund(14_900));
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_locked_file_is_reported() {
    let (shell, digest) = waiting();
    let other = Connection::open(shell.path("refund.db")).expect("a file");
    other.pragma_update(None, "locking_mode", "EXCLUSIVE").expect("a lock");
    other.execute_batch("BEGIN EXCLUSIVE; UPDATE hitl_threads SET standing = standing").expect("a lock");
    // The commands run concurrently, because each waits for ten seconds.
    let commands: [&[&str]; 4] =
        [&["inbox"], &["show", TICKET], &["start", MESSAGE], &["approve", TICKET, "--digest", &digest]];
    for ended in commands.map(|args| shell.start(args)).map(Running::end) {
        assert_reported(&ended, &["another program held a lock on it for 10s", "end that program's"]);
    }
    other.execute_batch("COMMIT").expect("the end of the lock");
    drop(other);
    assert_completes(&shell, &digest);
}

#[test]
fn a_damaged_page_is_reported() {
    let (shell, digest) = waiting();
    let file = shell.path("refund.db");
    fs::copy(&file, shell.path("backup")).expect("a copy");
    let page: u32 = Connection::open(&file)
        .expect("a file")
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'hitl_entries'", (), |row| row.get(0))
        .expect("a page");
    let bytes = OpenOptions::new().write(true).open(&file).expect("a file");
    bytes.write_all_at(&[0xa5; 4_096], u64::from((page - 1) * 4_096)).expect("a write");
    for args in [&["show", TICKET][..], &["approve", TICKET, "--digest", &digest], &["history", TICKET]] {
        assert_reported(&shell.run(args), &["the file is damaged", "restore a backup"]);
    }
    fs::rename(shell.path("backup"), file).expect("the backup");
    assert_completes(&shell, &digest);
}

#[test]
fn a_truncated_file_is_reported() {
    let (shell, digest) = waiting();
    let file = shell.path("refund.db");
    fs::copy(&file, shell.path("backup")).expect("a copy");
    OpenOptions::new().write(true).open(&file).expect("a file").set_len(8_192).expect("a shorter file");
    for args in [&["inbox"][..], &["approve", TICKET, "--digest", &digest]] {
        assert_reported(&shell.run(args), &["the file is damaged", "restore a backup"]);
    }
    fs::rename(shell.path("backup"), file).expect("the backup");
    assert_completes(&shell, &digest);
}

#[test]
fn a_full_disk_is_reported() {
    let (shell, digest) = waiting();
    for args in [&["start", MESSAGE][..], &["approve", TICKET, "--digest", &digest]] {
        assert_reported(&shell.run_on_full_disk(args), &["the disk"]);
    }
    assert_completes(&shell, &digest);
}

#[test]
fn a_read_only_file_is_reported() {
    let (shell, digest) = waiting();
    mode(&shell.path("refund.db"), 0o444);
    mode(&shell.path(""), 0o777);
    let approve = ["approve", TICKET, "--digest", &digest];
    assert_reported(&shell.run_without_privileges(&approve), &["this user has no permission to write to it"]);
    // The thread can still be read.
    let shown = shell.run_without_privileges(&["show", TICKET]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    mode(&shell.path("refund.db"), 0o644);
    assert_completes(&shell, &digest);
}

#[test]
fn a_file_deleted_during_a_review_is_reported() {
    let (shell, digest) = waiting();
    let walk = shell.start_on_terminal(&["approve", TICKET], |_| ());
    walk.wait_for("[y/n]");
    fs::rename(shell.path("refund.db"), shell.path("away")).expect("a move");
    walk.answer("", "y\n");
    let told = walk.end();
    assert_eq!(told.code, Some(8), "{told:?}");
    assert!(told.out.contains("a backup of it") && told.out.contains("refund.db"), "{told:?}");
    fs::rename(shell.path("away"), shell.path("refund.db")).expect("a move back");
    assert_completes(&shell, &digest);
}
