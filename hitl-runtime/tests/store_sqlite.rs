//! The SQLite store with other processes, foreign files and failing disks.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

#[cfg(unix)]
#[path = "faults/unprivileged.rs"]
mod unprivileged;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use hitl_runtime::{
    Digest, ThreadId, Timestamp,
    store::{Append, OpenReview, Record, SqliteStore, Store as _, StoreError, ThreadStatus},
};
use hitl_testkit::{
    child::{ChildProcess, orders, say, wait},
    conformance,
};
use rusqlite::Connection;
use tempfile::TempDir;

const SECRET: &str = "nobody-may-read-this-in-an-error";

fn thread(name: &str) -> ThreadId {
    ThreadId::new(name).unwrap()
}

fn body(bytes: usize) -> Vec<u8> {
    format!("\"{SECRET}{}\"", "x".repeat(bytes)).into_bytes()
}

/// Returns an append of one entry with a text of `bytes` bytes, after an entry of the same size.
fn append(name: &str, place: u64, bytes: usize) -> Append {
    append_after(bytes, name, place, bytes)
}

/// Returns the same as `append`, after an entry of another size.
fn append_after(before: usize, name: &str, place: u64, bytes: usize) -> Append {
    let after = (place > 0).then(|| Digest::of(&body(before)));
    let body = body(bytes);
    let records = vec![Record::new(place, Digest::of(&body), body)];
    Append::new(thread(name), records, ThreadStatus::Running).with_after(after)
}

/// Returns an open review, one of those that the entry at place 0 opened.
/// Returns the same record at another place.
fn at(place: u64, record: &Record) -> Record {
    Record::new(place, record.hash, record.body.clone())
}

fn review(name: &str, number: u64) -> OpenReview {
    OpenReview::new(
        thread(name),
        "RefundAgent",
        "execute",
        Digest::of(format!("{name} {number:04}").as_bytes()),
        0,
        Timestamp::from_millis(1_763_800_000_000),
    )
    .with_role(Some("refund-approver".into()))
    .with_deadline(Some(Timestamp::from_millis(1_763_886_400_000)))
}

async fn length(store: &SqliteStore, name: &str) -> u64 {
    conformance::read_journal(store, &thread(name)).await.len() as u64
}

/// Returns the text of a failure, and asserts that it contains no body.
fn failure_text<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    let error = answer.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    error.to_string()
}

/// Returns whether SQLite itself finds a file consistent.
fn is_consistent(path: &Path) -> bool {
    let connection = Connection::open(path).unwrap();
    let opinion: String = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    let orphans = connection.prepare("PRAGMA foreign_key_check").unwrap().exists(()).unwrap();
    opinion == "ok" && !orphans
}

// ---- child processes -----------------------------------------------------------------------------------------------

/// The entry point of the child processes that the tests start from this binary; in any other process, an empty test.
#[test]
fn child() {
    let Some((role, path, name)) = orders::<(String, PathBuf, String)>() else { return };
    let gate = || {
        say("ready");
        wait();
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        match role.as_str() {
            "contend" => {
                gate();
                let store = SqliteStore::open(&path).await.unwrap();
                for place in conformance::contend(&store, &thread("prize"), &name, 200).await {
                    say(place);
                }
            }
            "open" => {
                gate();
                let store = SqliteStore::open(&path).await.unwrap();
                store.append(append(&name, 0, 10)).await.unwrap();
            }
            "die" => {
                let store = SqliteStore::open(&path).await.unwrap();
                panic!("{}", conformance::append_until_killed(&store, &thread(&name), say).await);
            }
            "read only" => match SqliteStore::open(&path).await {
                Err(error) => say(error),
                Ok(store) => {
                    assert_eq!(length(&store, "old").await, 3);
                    say(failure_text(store.append(append("old", 3, 10)).await));
                    say(failure_text(store.delete(&thread("old")).await));
                    assert_eq!(length(&store, "old").await, 3);
                }
            },
            "full disk" => full_disk(&path).await,
            "failing disk" => failing_disk(&path).await,
            other => panic!("unknown role of a child process: {other}"),
        }
    });
}

fn start(role: &str, path: &Path, name: &str) -> ChildProcess {
    ChildProcess::start("child", &(role, path, name))
}

#[tokio::test]
async fn processes_can_create_one_file_concurrently() {
    let dir = TempDir::new().unwrap();
    let mut children: Vec<Vec<ChildProcess>> = Vec::new();
    for round in 0..6 {
        let path = dir.path().join(format!("{round}.db"));
        children.push((0..4).map(|i| start("open", &path, &i.to_string())).collect());
        let children = children.last_mut().unwrap();
        children.iter_mut().for_each(|child| assert_eq!(child.line().as_deref(), Some("ready")));
        children.iter_mut().for_each(|child| child.send("go"));
    }
    for (round, children) in children.into_iter().enumerate() {
        children.into_iter().for_each(|child| assert!(child.succeed().is_empty()));
        let path = dir.path().join(format!("{round}.db"));
        let store = SqliteStore::open(&path).await.unwrap();
        assert_eq!(store.threads(None, None, 10).await.unwrap().items.len(), 4);
        drop(store);
        assert!(is_consistent(&path));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_can_create_one_file_concurrently() {
    for _ in 0..20 {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("new.db");
        let gate = Arc::new(tokio::sync::Barrier::new(8));
        let tasks: Vec<_> = (0..8)
            .map(|i| {
                let (path, gate) = (path.clone(), Arc::clone(&gate));
                tokio::spawn(async move {
                    gate.wait().await;
                    let store = SqliteStore::open(path).await.unwrap();
                    store.append(append(&i.to_string(), 0, 10)).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(is_consistent(&path));
    }
}

#[tokio::test]
async fn one_of_several_processes_appends_at_each_place() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    let mut children: Vec<_> = (0..6).map(|i| start("contend", &path, &format!("child {i}"))).collect();
    children.iter_mut().for_each(|child| assert_eq!(child.line().as_deref(), Some("ready")));
    children.iter_mut().for_each(|child| child.send("go"));
    let mut winners = BTreeMap::new();
    for (i, child) in children.into_iter().enumerate() {
        for place in child.succeed() {
            assert_eq!(winners.insert(place.parse::<u64>().unwrap(), i), None, "place {place} was won twice");
        }
    }
    assert_eq!(winners.keys().copied().collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
    let store = SqliteStore::open(&path).await.unwrap();
    for record in conformance::read_journal(&store, &thread("prize")).await {
        let body = String::from_utf8(record.body).unwrap();
        assert!(
            body.contains(&format!("child {}", winners[&record.place.get()])),
            "place {}: {body}",
            record.place
        );
    }
    drop(store);
    assert!(is_consistent(&path));
}

#[tokio::test]
async fn acknowledged_appends_survive_a_kill() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    // Every sixth append is a large one; a kill after these lines hits it.
    let large = (0..15).map(|round| 5 + 6 * round);
    for lines in [0, 1, 2, 3, 8, 13, 40, 100, 300].into_iter().chain(large) {
        let name = format!("killed after {lines}");
        let mut child = start("die", &path, &name);
        let mut last = None;
        for _ in 0..lines {
            last = Some(child.line().expect("the child runs until it is killed").parse().unwrap());
        }
        let status = child.kill();
        assert!(!status.success() && status.code().is_none(), "the child exited by itself: {status}");
        let store = SqliteStore::open(&path).await.unwrap();
        conformance::after_crash(&store, &thread(&name), last).await;
    }
    assert!(is_consistent(&path));
}

/// The killed process leaves its WAL; a process that is appending is not disturbed.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_does_not_disturb_another_process() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    let store = SqliteStore::open(&path).await.unwrap();
    for round in 0..5 {
        let name = format!("killed, {round}");
        let mut child = start("die", &path, &name);
        let mut last = None;
        for place in 0..30 {
            store.append(append("alive", round * 30 + place, 100)).await.unwrap();
            last = Some(child.line().unwrap().parse().unwrap());
        }
        child.kill();
        conformance::after_crash(&store, &thread(&name), last).await;
        assert_eq!(length(&store, "alive").await, (round + 1) * 30);
    }
}

// ---- the cost of a commit ------------------------------------------------------------------------------------------

/// Returns the number of transactions in the WAL. The last frame of each has the size of the database in pages.
fn commits(path: &Path) -> usize {
    let wal = fs::read(format!("{}-wal", path.display())).unwrap();
    let number = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let page = number(&wal, 8) as usize;
    let salt = &wal[16..24];
    wal[32..].chunks_exact(24 + page).filter(|frame| &frame[8..16] == salt && number(frame, 4) > 0).count()
}

/// SQLite syncs the WAL once per commit if `synchronous` is FULL, and not at all if it is less.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_share_commits() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.append(append("lone", 0, 100)).await.unwrap();
    let before = commits(&path);
    for place in 1..=50 {
        store.append(append("lone", place, 100)).await.unwrap();
        assert_eq!(commits(&path), before + usize::try_from(place).unwrap());
        // Neither a conflict nor a read writes anything.
        assert!(matches!(store.append(append("lone", place, 100)).await, Err(StoreError::Conflict { .. })));
        store.tail(&thread("lone")).await.unwrap();
        assert_eq!(commits(&path), before + usize::try_from(place).unwrap());
    }

    let before = commits(&path);
    let appends: Vec<_> = (0..200).map(|i| format!("crowd {i}")).collect();
    let appends = appends.iter().map(|name| store.append(append(name, 0, 100)));
    let answers = futures_util::future::join_all(appends).await;
    assert!(answers.iter().all(Result::is_ok));
    let shared = commits(&path) - before;
    assert!(shared <= 20, "200 appends that waited together took {shared} commits");
}

/// A commit writes at least one page of each B-tree that it touches: for a new thread with a review, those of the threads,
/// their names, status and due times, of the entries and their key, and of the reviews and their order.
#[tokio::test]
async fn a_new_thread_with_a_review_writes_eight_pages() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let suspended = |name: &str| {
        append(name, 0, 10)
            .with_standing(ThreadStatus::Waiting)
            .with_due(Some(Timestamp::from_millis(9)))
            .with_reviews(vec![review(name, 0)])
            // The engine counts every append, also one that has nothing to count.
            .with_tallies(Some(Vec::new()))
    };
    store.append(suspended("first")).await.unwrap();
    let pages = || fs::metadata(format!("{}-wal", path.display())).unwrap().len() / (24 + 4096);
    let before = pages();
    store.append(suspended("second")).await.unwrap();
    assert_eq!(pages() - before, 8);
}

/// A decision among many open reviews writes only what it changes.
#[tokio::test]
async fn one_of_many_open_reviews_is_replaced_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let mut reviews: Vec<_> = (0..1_000).map(|number| review("ticket", number)).collect();
    store.append(append("ticket", 0, 10).with_reviews(reviews.clone())).await.unwrap();
    let listed = async || store.reviews(None, 2_000).await.unwrap().items;
    assert_eq!(listed().await.len(), 1_000);
    let rows = || -> BTreeMap<i64, Vec<u8>> {
        let connection = Connection::open(&path).unwrap();
        let mut select = connection.prepare("SELECT id, digest FROM hitl_reviews").unwrap();
        let rows = select.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let mut kept = rows();

    // One review is decided, and the node of another one gets a new name.
    let decided = reviews.remove(500);
    reviews[700].node = "renamed".into();
    store.append(append("ticket", 1, 10).with_reviews(reviews.clone())).await.unwrap();
    let digests = [decided.digest, reviews[700].digest];
    kept.retain(|_, digest| !digests.iter().any(|changed| changed.as_bytes()[..] == digest[..]));
    let after = rows();
    assert_eq!((kept.len(), after.len()), (998, 999));
    assert!(kept.iter().all(|(id, digest)| after.get(id) == Some(digest)));
    let mut found = listed().await;
    found.sort_by_key(|review| review.digest);
    reviews.sort_by_key(|review| review.digest);
    assert_eq!(found, reviews);
}

#[tokio::test]
async fn a_suspended_thread_takes_less_than_1200_bytes() {
    let dir = TempDir::new().unwrap();
    let store = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
    for i in 0..1_000_u64 {
        let name = format!("ticket-A-{i:04}");
        let mut all = append(&name, 0, 75);
        all.records = (0..4).map(|place| at(place, &all.records[0]).with_snapshot(place == 3)).collect();
        assert!(all.records[0].body.len() >= 109);
        all.standing = ThreadStatus::Waiting;
        all.reviews = vec![
            OpenReview::new(
                thread(&name),
                "RefundAgent",
                "execute",
                Digest::of(name.as_bytes()),
                3,
                Timestamp::from_millis(1_763_800_000_000 + i),
            )
            .with_role(Some("refund-approver".into()))
            .with_deadline(Some(Timestamp::from_millis(1_763_886_400_000 + i))),
        ];
        store.append(all).await.unwrap();
    }
    let path = store.path().to_owned();
    drop(store);
    let each = fs::metadata(path).unwrap().len() / 1_000;
    assert!(each < 1_200, "{each} bytes");
}

#[tokio::test]
async fn deleted_threads_free_space() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let store = SqliteStore::open(&path).await.unwrap();
        for i in 0..50 {
            store.append(append(&format!("{i}"), 0, 20_000)).await.unwrap();
        }
        for i in 0..50 {
            store.delete(&thread(&i.to_string())).await.unwrap();
        }
        drop(store);
        sizes.push(fs::metadata(&path).unwrap().len());
    }
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
    let left: i64 = Connection::open(&path)
        .unwrap()
        .query_row(
            "SELECT (SELECT count(*) FROM hitl_entries) + (SELECT count(*) FROM hitl_reviews)
                    + (SELECT count(*) FROM hitl_threads)",
            (),
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);
}

// ---- foreign files -------------------------------------------------------------------------------------------------

async fn refused(path: &Path) -> StoreError {
    let before = fs::read(path).unwrap();
    let error = SqliteStore::open(path).await.unwrap_err();
    assert_eq!(fs::read(path).unwrap(), before, "a file that was rejected has changed: {error}");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no other file was created");
    error
}

fn sqlite_file(sql: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    (dir, path)
}

#[tokio::test]
async fn a_file_of_another_program_is_rejected_unchanged() {
    for text in ["short", &"Dear Ada, please refund order A-9133. ".repeat(300)] {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("notes.txt");
        fs::write(&path, text).unwrap();
        let error = refused(&path).await;
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("{} is not a hitl store: it is not a SQLite file; choose another path", path.display())
        );
    }
    for sql in [
        "CREATE TABLE orders (id INTEGER); CREATE INDEX by_id ON orders (id)",
        "CREATE TABLE hitl_threads (id INTEGER)",
        "PRAGMA user_version = 3",
        "PRAGMA application_id = 252006673",
        "PRAGMA application_id = 0x6869746c",
        "PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER)",
    ] {
        let (_dir, path) = sqlite_file(sql);
        let error = refused(&path).await;
        assert!(matches!(error, StoreError::NotAStore { .. }), "{sql}: {error:?}");
    }
}

#[tokio::test]
async fn an_empty_file_is_initialized_and_may_hold_other_tables() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    fs::write(&path, "").unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let ledger = Connection::open(&path).unwrap();
    ledger
        .execute_batch("CREATE TABLE ledger (key TEXT PRIMARY KEY); INSERT INTO ledger VALUES ('one refund')")
        .unwrap();
    store.append(append("ticket", 0, 10)).await.unwrap();
    drop((store, ledger));
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(length(&store, "ticket").await, 1);
    store.delete(&thread("ticket")).await.unwrap();
    let kept: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM ledger", (), |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_file_upgraded_while_open_is_rejected() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.append(append("ticket", 0, 10)).await.unwrap();

    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let answer = store.append(append("ticket", 1, 10)).await;
    assert!(matches!(answer, Err(StoreError::NewerSchema { found: 99, known: 4, .. })), "{answer:?}");
    assert_eq!(length(&store, "ticket").await, 1);
    drop(store);

    let error = refused(&path).await;
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known: 4, .. }), "{error:?}");
    assert!(error.to_string().contains("use a newer version of hitl"));
}

#[tokio::test]
async fn an_invalid_path_is_an_error() {
    let dir = TempDir::new().unwrap();
    let no_directory = failure_text(SqliteStore::open(dir.path().join("no/such/file.db")).await);
    assert!(no_directory.contains("its directory does not exist; create it first"), "{no_directory}");
    let directory = failure_text(SqliteStore::open(dir.path()).await);
    assert!(directory.contains("it is a directory"), "{directory}");
    let memory = failure_text(SqliteStore::open(":memory:").await);
    assert!(memory.contains("MemoryStore"), "{memory}");
    assert!(failure_text(SqliteStore::open("").await).contains("use an absolute path"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// SQLite would interpret each of these names as something other than a file name.
#[tokio::test]
async fn paths_are_not_interpreted_as_uris() {
    let dir = TempDir::new().unwrap();
    for name in ["file:x.db?mode=memory", "a file, with spaces & ümläuts.db", "%41.db"] {
        let path = dir.path().join(name);
        let store = SqliteStore::open(&path).await.unwrap();
        store.append(append("ticket", 0, 10)).await.unwrap();
        assert!(path.is_file());
        assert_eq!(store.path(), path);
    }
}

// ---- failing disks -------------------------------------------------------------------------------------------------

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::MetadataExt as _;

    use super::{
        unprivileged::{self, mode},
        *,
    };

    #[tokio::test]
    async fn a_read_only_file_is_readable() {
        let dir = TempDir::new().unwrap();
        mode(dir.path(), 0o755);
        let home = dir.path().join("home");
        fs::create_dir(&home).unwrap();
        let path = home.join("threads.db");
        let store = SqliteStore::open(&path).await.unwrap();
        for place in 0..3 {
            store.append(append("old", place, 10)).await.unwrap();
        }
        drop(store);

        mode(&path, 0o444);
        mode(&home, 0o777);
        let said = unprivileged::run(dir.path(), &("read only", &path, ""));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said.iter().all(|line| line.contains("this user has no permission to write to it")),
            "{said:?}"
        );

        // In a read-only directory, SQLite cannot create the WAL that a file in WAL mode needs. Without one, the file is
        // all there is to read.
        for left in ["threads.db-wal", "threads.db-shm"] {
            fs::remove_file(home.join(left)).unwrap();
        }
        mode(&home, 0o555);
        let said = unprivileged::run(dir.path(), &("read only", &path, ""));
        mode(&home, 0o755);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said.iter().all(|line| line.contains("this user has no permission to write to it")),
            "{said:?}"
        );

        // The entries in a WAL would be missing.
        fs::write(home.join("threads.db-wal"), "entries").unwrap();
        mode(&home.join("threads.db-wal"), 0o444);
        mode(&home, 0o555);
        let said = unprivileged::run(dir.path(), &("read only", &path, ""));
        mode(&home, 0o755);
        fs::remove_file(home.join("threads.db-wal")).unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("to its directory"), "{said:?}");

        // A rollback journal undoes what the file has. A file or a directory that can be written may change at any time;
        // in the latter, the side files of another user keep SQLite from its own.
        let journal = home.join("threads.db-journal");
        let side_files = [home.join("threads.db-wal"), home.join("threads.db-shm")];
        for (file_mode, home_mode, left) in
            [(0o444, 0o555, std::slice::from_ref(&journal)), (0o666, 0o555, &[]), (0o444, 0o777, &side_files)]
        {
            for left in left {
                fs::write(left, "").unwrap();
                mode(left, 0o600);
            }
            mode(&path, file_mode);
            mode(&home, home_mode);
            let said = unprivileged::run(dir.path(), &("read only", &path, ""));
            mode(&home, 0o755);
            for left in left {
                fs::remove_file(left).unwrap();
            }
            assert_eq!(said.len(), 1, "{file_mode:o} {home_mode:o} {said:?}");
            assert!(said[0].contains("to its directory"), "{said:?}");
        }
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "a probe was left");

        mode(&path, 0o644);
        let store = SqliteStore::open(&path).await.unwrap();
        store.append(append("old", 3, 10)).await.unwrap();
    }

    /// Uses a file system of one megabyte, in its own mount namespace: as root, or as root of a user namespace.
    #[tokio::test]
    async fn appends_fail_on_a_full_disk_and_work_again_after_it() {
        let dir = TempDir::new().unwrap();
        let mount = dir.path().join("small");
        fs::create_dir(&mount).unwrap();
        let namespace: &[&str] = match fs::metadata(&mount).unwrap().uid() {
            0 => &["--mount"],
            _ => &["--user", "--map-root-user", "--mount"],
        };
        let with = |script: &str| {
            let mut command = Command::new("unshare");
            let script = format!("mount -t tmpfs -o size=1m none \"$SMALL\" && {script}");
            command.args(namespace).args(["sh", "-c", &script, "sh"]).env("SMALL", &mount);
            command
        };
        match with("true").stderr(Stdio::null()).status() {
            Ok(status) if status.success() => {}
            refused => {
                assert!(std::env::var("CI").is_err(), "CI must permit mounting a small disk: {refused:?}");
                eprintln!("SKIPPED: this system lets us mount no small disk ({refused:?})");
                return;
            }
        }
        let mut command = with("exec \"$@\"");
        command.arg(std::env::current_exe().unwrap());
        let said =
            ChildProcess::start_as(command, "child", &("full disk", &mount.join("threads.db"), "")).succeed();
        assert!(
            said.iter().all(|line| line.contains("the disk is full, so nothing was written")),
            "{said:?}"
        );
        assert!(said.len() >= 3, "{said:?}");
    }

    /// Limits all files to 256 KB; a write beyond that is an error for which SQLite has no code of its own.
    #[tokio::test]
    async fn a_failing_disk_leaves_no_partial_append() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("threads.db");
        let mut command = Command::new("bash");
        command
            .args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "bash"])
            .arg(std::env::current_exe().unwrap());
        let said = ChildProcess::start_as(command, "child", &("failing disk", &path, "")).succeed();
        assert!(said[0].contains("the disk failed"), "{said:?}");
        let kept: u64 = said[1].parse().unwrap();

        // Without the limit, the file is as it was and can be appended to.
        let store = SqliteStore::open(&path).await.unwrap();
        assert_eq!(length(&store, "ticket").await, kept);
        store.append(append_after(30_000, "ticket", kept, 100_000)).await.unwrap();
        drop(store);
        assert!(is_consistent(&path));
    }
}

async fn full_disk(path: &Path) {
    let filler = path.with_file_name("filler");
    fs::write(&filler, vec![0; 300_000]).unwrap();
    let store = SqliteStore::open(path).await.unwrap();
    let mut place = 0;
    let error = loop {
        match store.append(append("ticket", place, 20_000)).await {
            Ok(()) => place += 1,
            error => break failure_text(error),
        }
    };
    println!("\n@{error}");
    assert!(place > 3);
    assert_eq!(length(&store, "ticket").await, place);
    // Of the appends in one batch, one that is far too large does not take the small ones with it.
    let (large, others) = tokio::join!(
        store.append(append("large", 0, 3_000_000)),
        futures_util::future::join_all((0..8).map(|i| {
            let store = &store;
            async move { store.append(append(&format!("small {i}"), 0, 10)).await }
        }))
    );
    println!("\n@{}", failure_text(large));
    assert!(store.tail(&thread("large")).await.unwrap().is_none());
    for (i, other) in others.into_iter().enumerate() {
        let there = length(&store, &format!("small {i}")).await;
        assert_eq!(there, u64::from(other.is_ok()), "{other:?}");
    }
    // A new thread is not partly stored either.
    let mut fresh = append("fresh", 0, 200_000);
    fresh.records = (0..5).map(|place| at(place, &fresh.records[0])).collect();
    println!("\n@{}", failure_text(store.append(fresh).await));
    assert!(store.tail(&thread("fresh")).await.unwrap().is_none());

    fs::remove_file(filler).unwrap();
    store.append(append("ticket", place, 20_000)).await.unwrap();
    assert_eq!(length(&store, "ticket").await, place + 1);
    drop(store);
    assert!(is_consistent(path));
}

async fn failing_disk(path: &Path) {
    let store = SqliteStore::open(path).await.unwrap();
    let mut place = 0;
    let error = loop {
        match store.append(append("ticket", place, 30_000)).await {
            Ok(()) => place += 1,
            error => break failure_text(error),
        }
    };
    assert!(place > 3);
    assert_eq!(length(&store, "ticket").await, place);
    println!("\n@{error}\n@{place}");
}

#[tokio::test]
async fn a_damaged_page_is_an_error_only_where_it_is_read() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    let store = SqliteStore::open(&path).await.unwrap();
    for name in ["before", "damaged", "after"] {
        let mut all = append(name, 0, 500);
        all.records = (0..300).map(|place| at(place, &all.records[0])).collect();
        store.append(all).await.unwrap();
    }
    drop(store);
    let connection = Connection::open(&path).unwrap();
    let page: isize = connection
        .query_row(
            "SELECT pageno FROM dbstat WHERE name = 'hitl_entries' AND pagetype = 'leaf'
             ORDER BY pageno LIMIT 1 OFFSET 65",
            (),
            |row| row.get(0),
        )
        .unwrap();
    let size: isize = connection.query_row("PRAGMA page_size", (), |row| row.get(0)).unwrap();
    drop(connection);
    let mut bytes = fs::read(&path).unwrap();
    let start = usize::try_from((page - 1) * size).unwrap();
    bytes[start..start + usize::try_from(size).unwrap()].fill(0xa5);
    fs::write(&path, bytes).unwrap();

    let store = SqliteStore::open(&path).await.unwrap();
    let said = failure_text(store.entries(&thread("damaged"), 0.into(), 1_000).await);
    assert!(said.contains("the file is damaged") && said.contains("restore a backup"), "{said}");
    assert!(failure_text(store.delete(&thread("damaged")).await).contains("the file is damaged"));
    for name in ["before", "after"] {
        assert_eq!(length(&store, name).await, 300);
        store.append(append_after(500, name, 300, 10)).await.unwrap();
        assert_eq!(length(&store, name).await, 301);
    }
}

/// Values that only another program can have written.
#[tokio::test]
async fn invalid_column_values_are_errors_and_no_panics() {
    for sql in [
        "UPDATE hitl_entries SET hash = x'00'",
        "UPDATE hitl_entries SET place = -5 WHERE place = 1",
        "UPDATE hitl_threads SET standing = 9",
        "UPDATE hitl_threads SET name = 'two' || char(10) || 'lines' WHERE id = 1",
        "UPDATE hitl_reviews SET digest = x''",
        "UPDATE hitl_reviews SET opened_ms = -1",
    ] {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("threads.db");
        let store = SqliteStore::open(&path).await.unwrap();
        let reviews =
            vec![OpenReview::new(thread("ticket"), "G", "n", Digest::of(b""), 0, Timestamp::from_millis(5))];
        store.append(append("ticket", 0, 10).with_reviews(reviews)).await.unwrap();
        store.append(append("other", 0, 10)).await.unwrap();
        store.append(append("other", 1, 10)).await.unwrap();
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let ticket = thread("ticket");
        let answers = [
            store.tail(&ticket).await.err(),
            store.entries(&ticket, 0.into(), 10).await.err(),
            store.entries(&thread("other"), 0.into(), 10).await.err(),
            store.reviews(None, 10).await.err(),
            store.threads(None, None, 10).await.err(),
        ];
        for error in answers.into_iter().flatten() {
            assert!(failure_text::<()>(Err(error)).contains("the file is damaged"), "{sql}");
        }
    }
}
