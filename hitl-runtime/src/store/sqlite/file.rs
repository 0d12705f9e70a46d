//! The file: how it is opened, and what is said when it fails.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, ffi};

use super::opened::Opened;
use crate::store::StoreError;

/// Where the file is, and how long a lock is waited for.
pub(super) struct File {
    path: PathBuf,
    opened: OnceLock<Opened>,
    pub(super) patience: Duration,
}

impl File {
    pub(super) fn new(path: PathBuf, patience: Duration) -> Result<Self, StoreError> {
        let failed = |problem: &str, source: Option<std::io::Error>| StoreError::Failed {
            location: path.display().to_string(),
            problem: problem.to_owned(),
            source: source.map(Into::into),
        };
        if path.as_os_str() == ":memory:" {
            return Err(failed("a SqliteStore lives in a file; for one in memory, take MemoryStore", None));
        }
        // Readers open the file later, perhaps after the process has changed its directory.
        match std::path::absolute(&path) {
            Ok(path) => Ok(Self { path, opened: OnceLock::new(), patience }),
            Err(error) => Err(failed("this is no path", Some(error))),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// From here on the file must be the one that this connection, the writer's, has open.
    pub(super) fn opened_by(&self, connection: &Connection) {
        self.opened.get_or_init(|| Opened::by(connection, &self.path));
    }

    /// # Errors
    /// When what the writer opened is no longer what stands there.
    pub(super) fn is_in_place(&self) -> Result<(), StoreError> {
        match self.opened.get().and_then(|opened| opened.trouble(&self.path)) {
            Some(problem) => Err(self.broken(problem)),
            None => Ok(()),
        }
    }

    /// For the writer, which may make the file.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        make_private(&self.path);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = self.connect_with(flags)?;
        connection.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             -- Without these two, macOS leaves what was synced in the drive's own cache. Elsewhere they do nothing.
             PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON;",
        )?;
        Ok(connection)
    }

    /// For a reader.
    pub(super) fn connect_for_reading(&self) -> rusqlite::Result<Connection> {
        self.connect_with(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Each connection stays in its thread, so SQLite need not guard it; and a path is a path, never a URI.
    fn connect_with(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(self.patience)?;
        connection.set_prepared_statement_cache_capacity(32);
        // One plan for each query, whatever is bound to it. Without this, SQLite parses and plans a cached statement
        // again at each call whose plan might have been another one for another value.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    }

    pub(super) fn not_ours(&self, problem: impl Into<String>) -> StoreError {
        StoreError::NotOurs { location: self.location(), problem: problem.into() }
    }

    pub(super) fn too_new(&self, found: i64, known: i64) -> StoreError {
        StoreError::FromTheFuture { location: self.location(), found, known }
    }

    /// A failure that SQLite knows nothing of.
    pub(super) fn broken(&self, problem: impl Into<String>) -> StoreError {
        StoreError::Failed { location: self.location(), problem: problem.into(), source: None }
    }

    /// The system gave us no thread.
    pub(super) fn no_thread(&self, error: std::io::Error) -> StoreError {
        let problem = format!("the system gives this process no more threads: {error}");
        StoreError::Failed { location: self.location(), problem, source: Some(Box::new(error)) }
    }

    /// What SQLite said when it was to do something, and what to do about it.
    pub(super) fn failed(&self, doing: &str, error: impl Into<Arc<rusqlite::Error>>) -> StoreError {
        let error = error.into();
        let problem = format!("could not {doing}: {} (SQLite says: {error})", self.advice(&error));
        StoreError::Failed { location: self.location(), problem, source: Some(Box::new(error)) }
    }

    fn advice(&self, error: &rusqlite::Error) -> String {
        let rusqlite::Error::SqliteFailure(failure, _) = error else {
            // Everything else that a query of ours can meet is a value that it never wrote.
            return DAMAGED.into();
        };
        match failure.code {
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => FULL.into(),
            // It is shorter than it says.
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHORT_READ => DAMAGED.into(),
            ErrorCode::DiskFull => FULL.into(),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
                "this user may not write to it; let the user write to the file and to its directory, and check that \
                 the disk is not mounted read-only"
                    .into()
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => format!(
                "another program has held it locked for {:?}; end that program's open transaction, and do this again",
                self.patience
            ),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => DAMAGED.into(),
            ErrorCode::CannotOpen => self.why_not_opened().into(),
            ErrorCode::SystemIoFailure => {
                "the disk failed, and whether this was written shows when it is read again; check the disk and its \
                 cables, mounts and quotas"
                    .into()
            }
            ErrorCode::OutOfMemory => "the memory is used up".into(),
            ErrorCode::TooBig => "an entry is larger than the 1,000,000,000 bytes that SQLite keeps in one piece; put \
                                  what is large elsewhere and its address into the state"
                .into(),
            _ => "this should not happen; please report it".into(),
        }
    }

    fn why_not_opened(&self) -> &'static str {
        if self.path.is_dir() {
            "it is a directory, and the store is one file"
        } else if self.path.parent().is_some_and(|parent| !parent.exists()) {
            "its directory does not exist; make it first"
        } else {
            "let this user read and write the file, and write to its directory, where SQLite keeps two more files \
             beside it"
        }
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }
}

/// Makes the file, for this user alone, unless there is one. What SQLite makes beside it gets the same mode. Where it
/// cannot be made, SQLite says why; where it is there, it is not opened, for closing it would end SQLite's locks.
#[cfg(unix)]
fn make_private(path: &Path) {
    use std::{fs, io, os::unix::fs::OpenOptionsExt as _};
    // A link may lead to where no file is yet.
    const LINKS: usize = 8;
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !path.exists() => {
                let (Ok(to), Some(folder)) = (fs::read_link(&path), path.parent()) else { return };
                path = folder.join(to);
            }
            _ => return,
        }
    }
}

/// Elsewhere a file has no mode, and is whose its folder is.
#[cfg(not(unix))]
fn make_private(_: &Path) {}

const FULL: &str = "the disk is full, and this entry was not written; make room, then look at the thread: what it had begun is kept";

const DAMAGED: &str = "the file is damaged; stop its programs, keep a copy, and restore a backup or salvage it with `sqlite3 FILE .recover`";
