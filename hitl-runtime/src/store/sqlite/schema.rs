//! The schema of the database file, and its migrations.

use std::{
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::file::File;
use crate::store::{StoreError, ThreadStatus};

/// `hitl` in ASCII.
const APPLICATION_ID: i64 = 0x6869_746c;

/// The migrations. Each one upgrades the schema from the version that is its index to the next one. Migrations are only
/// ever added.
const MIGRATIONS: [&str; 4] = [
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
];

/// The schema version that this program writes.
const VERSION: i64 = MIGRATIONS.len() as i64;

/// Opens the file for writing: creates it or migrates it to the newest version. A file that it rejects is unchanged.
pub(super) fn open(file: &File) -> Result<Connection, StoreError> {
    let deadline = Instant::now() + file.busy_timeout;
    loop {
        // Where waiting could deadlock two processes, SQLite returns a busy error at once, without its usual wait. This
        // happens when two processes open a new file at the same time.
        match try_open(file) {
            Err(SqliteError::Sqlite(error)) if is_busy(&error) && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(SqliteError::Sqlite(error)) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                return Err(file.not_a_store("it is not a SQLite file; choose another path"));
            }
            // A write-protected file in a write-protected directory can be read if no program writes to it.
            Err(SqliteError::Sqlite(error))
                if matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
                    && file.make_immutable() => {}
            Err(error) => return Err(error.into_error(file, "open the file")),
            Ok(connection) => return Ok(connection),
        }
    }
}

fn try_open(file: &File) -> Result<Connection, SqliteError> {
    let mut connection = file.connect()?;
    // Checked before anything is written, so that the file of another program stays unchanged.
    let version = version(file, &connection)?;
    if file.is_immutable() {
        if version < VERSION {
            let problem = "it has an older schema, and this user may not write to it; open it once where it can be written";
            return Err(file.failure(problem).into());
        }
        return Ok(connection);
    }
    use_wal(file, &connection)?;
    if version < VERSION {
        // Checked again under the lock, because another process may have been faster.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = self::version(file, &transaction)?;
        for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// Returns the schema version; 0 for an empty file.
fn version(file: &File, connection: &Connection) -> Result<i64, SqliteError> {
    // A single query, and so a consistent view.
    let found = connection.query_row(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
         FROM pragma_application_id, pragma_user_version",
        (),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
    );
    match found {
        Err(error) => Err(error.into()),
        Ok((0, 0, 0)) => Ok(0),
        Ok((APPLICATION_ID, found, _)) if found > VERSION => Err(file.newer_schema(found, VERSION).into()),
        Ok((APPLICATION_ID, found, _)) if found >= 1 => Ok(found),
        Ok((APPLICATION_ID, found, _)) => Err(file
            .not_a_store(format!(
                "its schema version {found} is invalid; choose another path, or restore a backup"
            ))
            .into()),
        Ok((0, _, tables)) => {
            let problem = format!(
                "it is a SQLite file of another program, with {tables} tables and indexes; choose another path, or let \
                 the store create the file before the other tables"
            );
            Err(file.not_a_store(problem).into())
        }
        Ok((id, ..)) => Err(file
            .not_a_store(format!(
                "it is a SQLite file of another program (application_id {id:#x}); choose another path"
            ))
            .into()),
    }
}

/// Rejects a newer schema. Called before each write, because a newer program may have migrated the file while it was
/// open here.
pub(super) fn check(file: &File, connection: &Connection) -> Result<(), SqliteError> {
    let found = connection.prepare_cached("PRAGMA user_version")?.query_row((), |row| row.get(0))?;
    if found > VERSION { Err(file.newer_schema(found, VERSION).into()) } else { Ok(()) }
}

fn use_wal(file: &File, connection: &Connection) -> Result<(), SqliteError> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(file.failure("its file system does not support SQLite's WAL mode; move it to a local disk").into())
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, FileLockingProtocolFailed};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed))
}

/// An error of SQLite, which may be transient, or an error of this store, which is not.
pub(super) enum SqliteError {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for SqliteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl SqliteError {
    pub(super) fn into_error(self, file: &File, doing: &str) -> StoreError {
        match self {
            Self::Sqlite(error) => file.failed(doing, error),
            Self::Store(error) => error,
        }
    }
}

/// Returns the value of the column `standing` for a status.
pub(super) fn code_of(standing: ThreadStatus) -> i64 {
    match standing {
        ThreadStatus::Running => 0,
        ThreadStatus::Waiting => 1,
        ThreadStatus::InDoubt => 2,
        ThreadStatus::Failed => 3,
        ThreadStatus::Ended => 4,
    }
}

/// Returns the status for a value of the column `standing`, as the inverse of [`code_of`].
pub(super) fn standing_from(number: i64) -> Option<ThreadStatus> {
    Some(match number {
        0 => ThreadStatus::Running,
        1 => ThreadStatus::Waiting,
        2 => ThreadStatus::InDoubt,
        3 => ThreadStatus::Failed,
        4 => ThreadStatus::Ended,
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        Digest, ThreadId, Timestamp,
        store::{Append, OpenReview, Record, SqliteStore, Store as _, position_after},
    };

    /// Writes a file as version 2 did: ten threads, of which each waits for a review with one of three opening times.
    fn write_version_2(path: &std::path::Path) {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        MIGRATIONS[..2].iter().for_each(|migration| connection.execute_batch(migration).unwrap());
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", 2).unwrap();
        for id in 1..=10_i64 {
            let thread = "INSERT INTO hitl_threads (id, name, standing, snapshot) VALUES (?1, ?2, 1, 0)";
            connection.execute(thread, (id, name(id))).unwrap();
            let entry =
                "INSERT INTO hitl_entries (thread, place, snapshot, hash, body) VALUES (?1, 0, 0, ?2, ?3)";
            connection.execute(entry, (id, Digest::of(b"{}").as_bytes(), b"{}")).unwrap();
            let review =
                "INSERT INTO hitl_reviews (thread, place, opened_ms, deadline_ms, digest, graph, node, role)
                 VALUES (?1, 0, ?2, ?3, ?4, 'G', 'n', 'approver')";
            let digest = Digest::of(name(id).as_bytes());
            connection.execute(review, (id, id % 3, (id > 5).then_some(id), digest.as_bytes())).unwrap();
        }
    }

    fn name(id: i64) -> String {
        format!("ticket-{id}")
    }

    fn review(id: i64) -> OpenReview {
        let number = u64::try_from(id).unwrap();
        OpenReview::new(
            ThreadId::new(name(id)).unwrap(),
            "G",
            "n",
            Digest::of(name(id).as_bytes()),
            0,
            Timestamp::from_millis(number % 3),
        )
        .with_role(Some("approver".into()))
        .with_deadline((id > 5).then_some(Timestamp::from_millis(number)))
    }

    #[tokio::test]
    async fn the_reviews_of_version_2_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threads.db");
        write_version_2(&path);
        let store = SqliteStore::open(&path).await.unwrap();

        // The same order and the same positions as before.
        let mut expected: Vec<_> = (1..=10).map(review).collect();
        expected.sort_by_key(|review| review.opened);
        assert_eq!(store.reviews(None, 100).await.unwrap().items, expected);
        let after_third = store.reviews(None, 3).await.unwrap().next.unwrap();
        assert_eq!(position_after("reviews", Some(&after_third)).unwrap(), Some((0_u64, 9_u64)));
        assert_eq!(store.reviews(Some(&after_third), 100).await.unwrap().items, expected[3..]);

        // The review of one thread stays open, that of another one is decided, and a third thread is deleted.
        for (id, reviews) in [(1, vec![review(1)]), (2, vec![])] {
            let hash = Digest::of(b"{}");
            let records = vec![Record::new(1, hash, b"{}".to_vec())];
            let thread = ThreadId::new(name(id)).unwrap();
            let standing = ThreadStatus::Waiting;
            let append = Append::new(thread, records, standing).with_reviews(reviews).with_after(Some(hash));
            store.append(append).await.unwrap();
        }
        store.delete(&ThreadId::new(name(3)).unwrap()).await.unwrap();
        expected.retain(|kept| ![review(2), review(3)].contains(kept));
        assert_eq!(store.reviews(None, 100).await.unwrap().items, expected);
        drop(store);
        let connection = Connection::open(&path).unwrap();
        assert!(!connection.prepare("PRAGMA foreign_key_check").unwrap().exists(()).unwrap());
        let state = "SELECT integrity_check || user_version FROM pragma_integrity_check, pragma_user_version";
        let state: String = connection.query_row(state, (), |row| row.get(0)).unwrap();
        assert_eq!(state, "ok4");
    }
}
