//! The database file: its connections, its identity, and the errors of its operations.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, ffi};

use super::file_identity::FileIdentities;
use crate::store::StoreError;

/// The path of the database file, and the time to wait for a lock.
pub(super) struct File {
    path: PathBuf,
    identities: OnceLock<FileIdentities>,
    /// Set if the file is read without its side files, because neither it nor its directory can be written.
    immutable: OnceLock<Content>,
    pub(super) busy_timeout: Duration,
}

/// The length and the modification time of a file, by which a change is noticed.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    length: u64,
    modified: SystemTime,
}

impl Content {
    fn read(path: &Path) -> Option<Self> {
        let data = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        Some(Self { length: data.len(), modified: data.modified().ok()? })
    }
}

impl File {
    pub(super) fn new(path: PathBuf, busy_timeout: Duration) -> Result<Self, StoreError> {
        let failed = |problem: &str, source: Option<std::io::Error>| StoreError::Failed {
            location: path.display().to_string(),
            problem: problem.to_owned(),
            source: source.map(Into::into),
        };
        if path.as_os_str() == ":memory:" {
            return Err(failed("SqliteStore requires a file; for an in-memory store, use MemoryStore", None));
        }
        // A reader may open the file after the process has changed its working directory.
        match std::path::absolute(&path) {
            Ok(path) => {
                let (identities, immutable) = (OnceLock::new(), OnceLock::new());
                Ok(Self { path, identities, immutable, busy_timeout })
            }
            Err(error) => {
                Err(failed("this path is empty or cannot be resolved; use an absolute path", Some(error)))
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Records the files that this connection, the writer's, has open. From now on they must stay in place.
    pub(super) fn record_identities(&self, connection: &Connection) {
        self.identities.get_or_init(|| FileIdentities::new(connection, &self.path));
    }

    /// Checks that the files which the writer opened are still in place, and that a file without side files is unchanged.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if one of them was deleted, moved, replaced or changed.
    pub(super) fn check_in_place(&self) -> Result<(), StoreError> {
        if let Some(content) = self.immutable.get()
            && (self.has_changes() || Content::read(&self.path).as_ref() != Some(content))
        {
            return Err(self.failure(
                "another program has written to it, and this one cannot follow that in a read-only directory; read a copy",
            ));
        }
        match self.identities.get().and_then(|identities| identities.problem(&self.path)) {
            Some(problem) => Err(self.failure(problem)),
            None => Ok(()),
        }
    }

    /// Reads the file from now on as one that no program changes, as a copy in a read-only directory is: SQLite cannot
    /// create the side files there that a file in WAL mode has. Returns `false` if there is no file, if it or its
    /// directory can be written, if it has a WAL or a rollback journal, without which entries would be missing or
    /// half-written, or if it is read in this way already.
    pub(super) fn make_immutable(&self) -> bool {
        let Some(content) = Content::read(&self.path) else { return false };
        is_write_protected(&self.resolved()) && !self.has_changes() && self.immutable.set(content).is_ok()
    }

    pub(super) fn is_immutable(&self) -> bool {
        self.immutable.get().is_some()
    }

    /// Returns the path of the file itself, and not of a symbolic link to it: SQLite keeps the side files there.
    fn resolved(&self) -> PathBuf {
        self.path.canonicalize().unwrap_or_else(|_| self.path.clone())
    }

    /// Returns whether there is a WAL with entries or a rollback journal beside the file.
    fn has_changes(&self) -> bool {
        let side_file = |end: &str| {
            let mut path = self.resolved().into_os_string();
            path.push(end);
            std::fs::symlink_metadata(path)
        };
        side_file("-wal").is_ok_and(|wal| wal.len() > 0) || side_file("-journal").is_ok()
    }

    /// Opens the connection of the writer, and creates the file if it does not exist.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        if self.is_immutable() {
            return self.connect_for_reading();
        }
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

    /// Opens a read-only connection.
    pub(super) fn connect_for_reading(&self) -> rusqlite::Result<Connection> {
        self.connect_with(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Opens a connection. It needs no mutex, because each connection stays in its thread. The path is never read as a
    /// URI.
    fn connect_with(&self, flags: OpenFlags) -> rusqlite::Result<Connection> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = if self.is_immutable() {
            Connection::open_with_flags(immutable_uri(&self.path), flags | OpenFlags::SQLITE_OPEN_URI)?
        } else {
            Connection::open_with_flags(&self.path, flags)?
        };
        connection.busy_timeout(self.busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(32);
        // The query planner stability guarantee: one plan for each query, independent of the bound values. Without it,
        // SQLite plans a cached statement again whenever another value might lead to another plan.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    }

    pub(super) fn not_a_store(&self, problem: impl Into<String>) -> StoreError {
        StoreError::NotAStore { location: self.location(), problem: problem.into() }
    }

    pub(super) fn newer_schema(&self, found: i64, known: i64) -> StoreError {
        StoreError::NewerSchema { location: self.location(), found, known }
    }

    /// Returns a failure that SQLite does not report itself.
    pub(super) fn failure(&self, problem: impl Into<String>) -> StoreError {
        StoreError::Failed { location: self.location(), problem: problem.into(), source: None }
    }

    /// Returns the failure to start a thread.
    pub(super) fn thread_failure(&self, error: std::io::Error) -> StoreError {
        let problem =
            format!("could not start a thread: {error}; raise the limit on threads of this process");
        StoreError::Failed { location: self.location(), problem, source: Some(Box::new(error)) }
    }

    /// Returns the failure of an operation, with SQLite's message and a remedy.
    pub(super) fn failed(&self, doing: &str, error: impl Into<Arc<rusqlite::Error>>) -> StoreError {
        let error = error.into();
        let problem = format!("could not {doing}: {} (SQLite: {error})", self.advice(&error));
        StoreError::Failed { location: self.location(), problem, source: Some(Box::new(error)) }
    }

    fn advice(&self, error: &rusqlite::Error) -> String {
        let rusqlite::Error::SqliteFailure(failure, _) = error else {
            // All other errors of the queries in this crate are caused by a value that they did not write.
            return DAMAGED.into();
        };
        match failure.code {
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => FULL.into(),
            // The file is shorter than its header says.
            _ if failure.extended_code == ffi::SQLITE_IOERR_SHORT_READ => DAMAGED.into(),
            ErrorCode::DiskFull => FULL.into(),
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
                "this user has no permission to write to it; grant write access to the file and to its directory, and \
                 check that the disk is not mounted read-only"
                    .into()
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => format!(
                "another program held a lock on it for {:?}; end that program's open transaction, then retry",
                self.busy_timeout
            ),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation => DAMAGED.into(),
            ErrorCode::CannotOpen => self.open_advice().into(),
            ErrorCode::SystemIoFailure => {
                "the disk failed, so a write may or may not be stored; check the disk and its cables, mounts and \
                 quotas, then reload the thread"
                    .into()
            }
            ErrorCode::OutOfMemory => "the process ran out of memory; raise its limit".into(),
            ErrorCode::TooBig => "an entry exceeds SQLite's limit of 1,000,000,000 bytes; store large data elsewhere, \
                                  and only its address in the state"
                .into(),
            _ => "this error is unexpected; please report it".into(),
        }
    }

    fn open_advice(&self) -> &'static str {
        if self.path.is_dir() {
            "it is a directory; use the path of a file"
        } else if self.path.parent().is_some_and(|parent| !parent.exists()) {
            "its directory does not exist; create it first"
        } else {
            "it cannot be opened; grant this user read and write access to the file, and write access to its \
             directory, where SQLite keeps two more files"
        }
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }
}

/// Returns whether this user can write neither the file nor create one in its directory.
#[cfg(unix)]
fn is_write_protected(path: &Path) -> bool {
    use std::{fs, io::ErrorKind};

    use rustix::{
        fs::{Access, AtFlags, CWD, accessat},
        io::Errno,
    };
    // The file is not opened, because closing it would release the locks that SQLite holds on it.
    let access = accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS);
    if !matches!(access, Err(Errno::ACCESS | Errno::PERM | Errno::ROFS)) {
        return false;
    }
    let (Some(folder), Ok(random)) = (path.parent(), getrandom::u64()) else { return false };
    let probe = folder.join(format!(".hitl-probe-{random:016x}"));
    match fs::OpenOptions::new().write(true).create_new(true).open(&probe) {
        Ok(_) => {
            let _ = fs::remove_file(probe);
            false
        }
        Err(error) => matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem),
    }
}

/// Returns `false`: without Unix modes, SQLite can create its side files.
#[cfg(not(unix))]
fn is_write_protected(_: &Path) -> bool {
    false
}

/// Returns the URI of a file that no program changes. Every byte of the path is escaped, so that none can end it.
fn immutable_uri(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        // Writing to a string cannot fail.
        let _ = if *byte == b'/' { write!(uri, "/") } else { write!(uri, "%{byte:02x}") };
    }
    uri.push_str("?immutable=1");
    uri
}

/// Creates the file with mode 0600 if it does not exist; SQLite gives its side files the same mode. If the file cannot
/// be created, SQLite reports the reason later. An existing file is not opened, because closing it would release the
/// locks that SQLite holds on it.
#[cfg(unix)]
fn make_private(path: &Path) {
    use std::{fs, io, os::unix::fs::OpenOptionsExt as _};
    // A symbolic link may point to a file that does not exist yet.
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

/// Does nothing: without Unix modes, access to a file follows from its directory.
#[cfg(not(unix))]
fn make_private(_: &Path) {}

const FULL: &str = "the disk is full, so nothing was written; free some space, then reload the thread: its earlier entries are kept";

const DAMAGED: &str = "the file is damaged; stop the programs that use it, keep a copy, and restore a backup or recover the data with `sqlite3 FILE .recover`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_an_immutable_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threads.db");
        std::fs::write(&path, "content").unwrap();
        let immutable = || {
            let file = File::new(path.clone(), Duration::ZERO).unwrap();
            file.immutable.set(Content::read(&path).unwrap()).unwrap();
            file
        };
        let file = immutable();
        file.check_in_place().unwrap();
        let problem = |file: &File| file.check_in_place().unwrap_err().to_string();

        let changed = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        changed.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(problem(&file).contains("another program has written to it"));
        let file = immutable();
        std::fs::write(&path, "more content").unwrap();
        changed.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(problem(&file).contains("another program has written to it"));
        let file = immutable();
        std::fs::write(dir.path().join("threads.db-journal"), "").unwrap();
        assert!(problem(&file).contains("another program has written to it"));
        assert!(!File::new(path, Duration::ZERO).unwrap().make_immutable());
    }
}
