//! A process that dies in the middle of an append.
//!
//! The child sets a limit on the size of its files, and the system kills it at a write past the limit. The write ends
//! at the limit: in the middle of a page of the WAL, between two pages, or before the page that commits.

use std::{fs, os::unix::process::ExitStatusExt as _, path::Path, sync::Arc};

use hitl::{SqliteStore, ThreadId, testkit::conformance};
use hitl_testkit::child;
use rustix::process::{Resource, Rlimit, setrlimit};
use tempfile::TempDir;

use crate::child::start;

/// The number of small appends before the large one.
const SMALL: usize = 5;

/// The distance between two limits, in bytes: less than a page.
const STEP: u64 = 1_500;

fn thread() -> ThreadId {
    ThreadId::new("torn").unwrap()
}

/// Appends until the system kills this process in the large append, once the WAL has grown by the number of bytes in
/// the file `room`.
pub async fn append(dir: &Path) {
    // A parent may ignore this signal, as after Python's `pty.fork`, and a child inherits that.
    signal_hook::flag::register_conditional_default(SIGXFSZ, Arc::new(true.into())).unwrap();
    let room: u64 = fs::read_to_string(dir.join("room")).unwrap().parse().unwrap();
    // A killed process must leave no core dump.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
    let store = SqliteStore::open(dir.join("threads.db")).await.unwrap();
    let mut acknowledged = 0;
    let told = |place| {
        child::say(place);
        acknowledged += 1;
        match acknowledged {
            SMALL => {
                let size = fs::metadata(dir.join("threads.db-wal")).unwrap().len() + room;
                setrlimit(Resource::Fsize, Rlimit { current: Some(size), maximum: Some(size) }).unwrap();
            }
            // The large append has succeeded.
            more if more > SMALL => std::process::exit(0),
            _ => {}
        }
    };
    let error = conformance::append_until_killed(&store, &thread(), told).await;
    panic!("{error}");
}

#[tokio::test]
async fn an_append_torn_at_any_byte_is_not_visible() {
    let mut torn = 0;
    for room in (0..).step_by(STEP as usize) {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("room"), room.to_string()).unwrap();
        let (said, status) = start("torn", dir.path()).finish();
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
    // The large append has forty entries of 3,000 bytes.
    assert!(torn >= 120_000 / STEP, "{torn} points");
}

/// The signal that the system sends at a write past the limit.
const SIGXFSZ: i32 = rustix::process::Signal::XFSZ.as_raw();
