//! The schema of the database file, and its migrations.

use std::{
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::file::File;
use crate::store::{Standing, StoreError};

/// `hitl` in ASCII.
const APPLICATION_ID: i64 = 0x6869_746c;

/// The migrations. Each one upgrades the schema from the version that is its index to the next one. Migrations are only
/// ever added.
const STEPS: [&str; 2] = [include_str!("schema_1.sql"), include_str!("schema_2.sql")];

/// The schema version that this program writes.
const KNOWN: i64 = STEPS.len() as i64;

/// Opens the file for writing: creates it or migrates it to the newest version. A file that it rejects is unchanged.
pub(super) fn open(file: &File) -> Result<Connection, StoreError> {
    let deadline = Instant::now() + file.patience;
    loop {
        // Where waiting could deadlock two processes, SQLite returns a busy error at once, without its usual wait. This
        // happens when two processes open a new file at the same time.
        match try_open(file) {
            Err(Trouble::Sqlite(error)) if is_busy(&error) && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(Trouble::Sqlite(error)) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                return Err(file.not_ours("it is not a SQLite file; choose another path"));
            }
            Err(trouble) => return Err(trouble.into_error(file, "open the file")),
            Ok(connection) => return Ok(connection),
        }
    }
}

fn try_open(file: &File) -> Result<Connection, Trouble> {
    let mut connection = file.connect()?;
    // Checked before anything is written, so that the file of another program stays unchanged.
    let version = version(file, &connection)?;
    use_wal(file, &connection)?;
    if version < KNOWN {
        // Checked again under the lock, because another process may have been faster.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = self::version(file, &transaction)?;
        for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", KNOWN)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// Returns the schema version; 0 for an empty file.
fn version(file: &File, connection: &Connection) -> Result<i64, Trouble> {
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
        Ok((APPLICATION_ID, found, _)) if found > KNOWN => Err(file.too_new(found, KNOWN).into()),
        Ok((APPLICATION_ID, found, _)) if found >= 1 => Ok(found),
        Ok((APPLICATION_ID, found, _)) => Err(file
            .not_ours(format!(
                "its schema version {found} is invalid; choose another path, or restore a backup"
            ))
            .into()),
        Ok((0, _, tables)) => {
            let problem = format!(
                "it is a SQLite file of another program, with {tables} tables and indexes; choose another path, or let \
                 the store create the file before the other tables"
            );
            Err(file.not_ours(problem).into())
        }
        Ok((id, ..)) => Err(file
            .not_ours(format!(
                "it is a SQLite file of another program (application_id {id:#x}); choose another path"
            ))
            .into()),
    }
}

/// Rejects a newer schema. Called before each write, because a newer program may have migrated the file while it was
/// open here.
pub(super) fn check(file: &File, connection: &Connection) -> Result<(), Trouble> {
    let found = connection.prepare_cached("PRAGMA user_version")?.query_row((), |row| row.get(0))?;
    if found > KNOWN { Err(file.too_new(found, KNOWN).into()) } else { Ok(()) }
}

fn use_wal(file: &File, connection: &Connection) -> Result<(), Trouble> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(file.broken("its file system does not support SQLite's WAL mode; move it to a local disk").into())
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, FileLockingProtocolFailed};
    matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed))
}

/// An error of SQLite, which may be transient, or an error of this store, which is not.
pub(super) enum Trouble {
    Sqlite(rusqlite::Error),
    Ours(StoreError),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Ours(error)
    }
}

impl Trouble {
    pub(super) fn into_error(self, file: &File, doing: &str) -> StoreError {
        match self {
            Self::Sqlite(error) => file.failed(doing, error),
            Self::Ours(error) => error,
        }
    }
}

/// Returns the value of the column `standing` for a status.
pub(super) fn number_of(standing: Standing) -> i64 {
    match standing {
        Standing::Running => 0,
        Standing::Waiting => 1,
        Standing::InDoubt => 2,
        Standing::Failed => 3,
        Standing::Ended => 4,
    }
}

/// Returns the status for a value of the column `standing`, as the inverse of [`number_of`].
pub(super) fn standing_of(number: i64) -> Option<Standing> {
    Some(match number {
        0 => Standing::Running,
        1 => Standing::Waiting,
        2 => Standing::InDoubt,
        3 => Standing::Failed,
        4 => Standing::Ended,
        _ => return None,
    })
}
