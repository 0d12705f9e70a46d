//! Detection of a database file that was deleted, moved or replaced while it was open.
//!
//! In that case, SQLite keeps using the file that it has open. Entries that are committed to it are lost when the
//! process ends, while another process works on the same threads in another file.

use std::path::Path;

use rusqlite::Connection;

/// The device and the inode of a file; `None` if there is no file, or if the platform has no such identity.
type Identity = Option<(u64, u64)>;

/// The identities of a store's files when its writer opened them.
pub(super) struct FileIdentities {
    file: Identity,
    /// The two side files, by suffix.
    side_files: [(&'static str, Identity); 2],
    /// The path with symbolic links resolved, beside which SQLite keeps the side files.
    resolved: String,
}

impl FileIdentities {
    /// Records the identities. Call this after the connection has read from the file: by then all three files exist.
    pub(super) fn new(connection: &Connection, path: &Path) -> Self {
        let resolved = connection.path().unwrap_or_default().to_owned();
        let side_files = ["-wal", "-shm"].map(|end| (end, identity(format!("{resolved}{end}").as_ref())));
        Self { file: identity(path), side_files, resolved }
    }

    /// Returns a description of the problem, with a remedy, if one of the files is no longer the one that was opened.
    pub(super) fn problem(&self, path: &Path) -> Option<String> {
        if identity(path) != self.file {
            return Some(REPLACED.to_owned());
        }
        for (end, before) in self.side_files.iter().filter(|(_, before)| before.is_some()) {
            let path = format!("{}{end}", self.resolved);
            if identity(path.as_ref()) != *before {
                return Some(format!(
                    "the file `{path}` was deleted or replaced while this program had it open; {REMEDY}"
                ));
            }
        }
        None
    }
}

const REPLACED: &str = "it was deleted, moved or replaced while this program had it open; stop the programs that have it \
                    open, then restore the file or a backup of it";

const REMEDY: &str = "stop the programs that have the store open, this one last and gracefully: when it closes the store, \
                    it writes the content of that file into the store";

/// Requests the inode number only. Since Linux 6.13, if the timestamps of a file were requested, its next write updates
/// them, and an `fsync` must then write its inode too: a quarter more time for each commit.
#[cfg(target_os = "linux")]
fn identity(path: &Path) -> Identity {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
    match statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
        Ok(data) => Some((makedev(data.stx_dev_major, data.stx_dev_minor), data.stx_ino)),
        // There is no file, or a sandbox does not know this system call.
        Err(_) => identity_by_metadata(path),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
use identity_by_metadata as identity;

#[cfg(unix)]
fn identity_by_metadata(path: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

/// Returns `None`: on these systems, an open file cannot be deleted.
#[cfg(not(unix))]
fn identity(_: &Path) -> Identity {
    None
}
