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
    harness::{Desk, Ended, Running},
    refund, waiting,
};

/// Checks that a command failed with exit code 8, no output, and an error with these words.
#[track_caller]
fn tells(ended: &Ended, words: &[&str]) {
    assert_eq!((ended.code, ended.out.as_str()), (Some(8), ""), "{ended:?}");
    assert!(ended.err.starts_with("error: "), "{ended:?}");
    for word in words.iter().chain(&["refund.db"]) {
        assert!(ended.err.contains(word), "{word}: {ended:?}");
    }
}

/// Checks that the thread is unharmed after the fault: an operator can decide its review.
#[track_caller]
fn goes_on(desk: &Desk, digest: &str) {
    assert_eq!(desk.ledger(), NOTHING);
    desk.json(0, &["verify"]);
    desk.json(0, &["approve", TICKET, "--digest", digest]);
    desk.json(0, &["verify"]);
    assert_eq!(desk.ledger(), refund(14_900));
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_locked_file() {
    let (desk, digest) = waiting();
    let other = Connection::open(desk.path("refund.db")).expect("a file");
    other.pragma_update(None, "locking_mode", "EXCLUSIVE").expect("a lock");
    other.execute_batch("BEGIN EXCLUSIVE; UPDATE hitl_threads SET standing = standing").expect("a lock");
    // The commands run concurrently, because each waits for ten seconds.
    let commands: [&[&str]; 4] =
        [&["inbox"], &["show", TICKET], &["start", MESSAGE], &["approve", TICKET, "--digest", &digest]];
    for ended in commands.map(|args| desk.start(args)).map(Running::end) {
        tells(&ended, &["another program held a lock on it for 10s", "end that program's"]);
    }
    other.execute_batch("COMMIT").expect("the end of the lock");
    drop(other);
    goes_on(&desk, &digest);
}

#[test]
fn a_damaged_page() {
    let (desk, digest) = waiting();
    let file = desk.path("refund.db");
    fs::copy(&file, desk.path("backup")).expect("a copy");
    let page: u32 = Connection::open(&file)
        .expect("a file")
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'hitl_entries'", (), |row| row.get(0))
        .expect("a page");
    let bytes = OpenOptions::new().write(true).open(&file).expect("a file");
    bytes.write_all_at(&[0xa5; 4_096], u64::from((page - 1) * 4_096)).expect("a write");
    for args in [&["show", TICKET][..], &["approve", TICKET, "--digest", &digest], &["history", TICKET]] {
        tells(&desk.run(args), &["the file is damaged", "restore a backup"]);
    }
    fs::rename(desk.path("backup"), file).expect("the backup");
    goes_on(&desk, &digest);
}

#[test]
fn a_file_that_was_cut_off() {
    let (desk, digest) = waiting();
    let file = desk.path("refund.db");
    fs::copy(&file, desk.path("backup")).expect("a copy");
    OpenOptions::new().write(true).open(&file).expect("a file").set_len(8_192).expect("a shorter file");
    for args in [&["inbox"][..], &["approve", TICKET, "--digest", &digest]] {
        tells(&desk.run(args), &["the file is damaged", "restore a backup"]);
    }
    fs::rename(desk.path("backup"), file).expect("the backup");
    goes_on(&desk, &digest);
}

#[test]
fn a_disk_that_takes_nothing() {
    let (desk, digest) = waiting();
    for args in [&["start", MESSAGE][..], &["approve", TICKET, "--digest", &digest]] {
        tells(&desk.run_on_full_disk(args), &["the disk"]);
    }
    goes_on(&desk, &digest);
}

#[test]
fn a_file_that_may_not_be_written() {
    let (desk, digest) = waiting();
    mode(&desk.path("refund.db"), 0o444);
    mode(&desk.path(""), 0o777);
    let approve = ["approve", TICKET, "--digest", &digest];
    tells(&desk.run_without_privileges(&approve), &["this user has no permission to write to it"]);
    // The thread can still be read.
    let shown = desk.run_without_privileges(&["show", TICKET]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    mode(&desk.path("refund.db"), 0o644);
    goes_on(&desk, &digest);
}

#[test]
fn a_file_that_goes_away_while_a_person_reads() {
    let (desk, digest) = waiting();
    let walk = desk.start_on_terminal(&["approve", TICKET], |_| ());
    walk.wait_for("[y/n]");
    fs::rename(desk.path("refund.db"), desk.path("away")).expect("a move");
    walk.answer("", "y\n");
    let told = walk.end();
    assert_eq!(told.code, Some(8), "{told:?}");
    assert!(told.out.contains("a backup of it") && told.out.contains("refund.db"), "{told:?}");
    fs::rename(desk.path("away"), desk.path("refund.db")).expect("a move back");
    goes_on(&desk, &digest);
}
