//! A process that dies between the parts of an append.
//!
//! No file of the child's may grow past a limit, and the system kills whoever tries. Where the limit is set, there the
//! write ends: in the middle of a page of the WAL, between two pages, before the one that commits.

use std::{fs, os::unix::process::ExitStatusExt as _, path::Path, sync::Arc};

use hitl::{SqliteStore, ThreadId, store::conformance};
use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;

use crate::child::{Part, say};

/// The first appends are small; after so many of them comes a large one.
const SMALL: usize = 5;

/// How far apart the limits are: less than a page.
const STEP: u64 = 1_500;

fn thread() -> ThreadId {
    ThreadId::new("torn").unwrap()
}

/// Appends, and dies in the large one once the WAL has grown by this many bytes.
pub async fn append(dir: &Path) {
    // Whoever started the tests may ignore this signal, as Python's `pty.fork` leaves it, and a child inherits that.
    signal_hook::flag::register_conditional_default(SIGXFSZ, Arc::new(true.into())).unwrap();
    let room: u64 = fs::read_to_string(dir.join("room")).unwrap().parse().unwrap();
    // The dead leave no other file behind.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
    let store = SqliteStore::open(dir.join("threads.db")).await.unwrap();
    let mut acknowledged = 0;
    let told = |place| {
        say(&format!("{place}"));
        acknowledged += 1;
        match acknowledged {
            SMALL => {
                let size = fs::metadata(dir.join("threads.db-wal")).unwrap().len() + room;
                setrlimit(Resource::Fsize, Rlimit { current: Some(size), maximum: Some(size) }).unwrap();
            }
            // It has survived the large one.
            more if more > SMALL => std::process::exit(0),
            _ => {}
        }
    };
    let error = conformance::append_until_killed(&store, &thread(), told).await;
    panic!("{error}");
}

#[tokio::test]
async fn an_append_that_is_torn_at_any_byte_is_not_there_at_all() {
    let mut torn = 0;
    for room in (0..).step_by(STEP as usize) {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("room"), room.to_string()).unwrap();
        let (said, status) = Part::start("torn", dir.path()).rest();
        let store = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
        let last = said.last().map(|place| place.parse().unwrap());
        conformance::after_crash(&store, &thread(), last).await;
        if status.success() {
            assert!(said.len() > SMALL, "{said:?}");
            break;
        }
        assert_eq!((said.len(), status.signal()), (SMALL, Some(SIGXFSZ)), "{status}");
        torn += 1;
    }
    println!("{torn} points");
    // Forty entries of 3,000 bytes.
    assert!(torn >= 120_000 / STEP, "{torn} points");
}

/// What the system sends to whoever writes past the limit.
const SIGXFSZ: i32 = rustix::process::Signal::XFSZ.as_raw();
