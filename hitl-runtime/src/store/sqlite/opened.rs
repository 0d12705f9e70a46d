//! Whether what stands under the path is still what this process has open.
//!
//! Where a file was deleted or replaced, SQLite goes on in the one that it holds. Whatever is committed there is gone
//! with the process, while another process works on the same threads in another file.

use std::path::Path;

use rusqlite::Connection;

/// What tells a file from another one of the same name; `None` where there is no file, or no way to tell.
type Identity = Option<(u64, u64)>;

/// The files of a store as its writer opened them.
pub(super) struct Opened {
    file: Identity,
    /// The two beside it, by their endings.
    beside: [(&'static str, Identity); 2],
    /// The path without any link in it, which is where SQLite keeps those two.
    resolved: String,
}

impl Opened {
    /// To be asked once the connection has read from the file: by then all three exist.
    pub(super) fn by(connection: &Connection, path: &Path) -> Self {
        let resolved = connection.path().unwrap_or_default().to_owned();
        let beside = ["-wal", "-shm"].map(|end| (end, identity(format!("{resolved}{end}").as_ref())));
        Self { file: identity(path), beside, resolved }
    }

    /// What has become of them, and what to do, unless each is still what it was.
    pub(super) fn trouble(&self, path: &Path) -> Option<String> {
        if identity(path) != self.file {
            return Some(GONE.to_owned());
        }
        for (end, before) in self.beside.iter().filter(|(_, before)| before.is_some()) {
            let path = format!("{}{end}", self.resolved);
            if identity(path.as_ref()) != *before {
                return Some(format!(
                    "the file `{path}` was deleted or replaced while this program had it open; {LAST}"
                ));
            }
        }
        None
    }
}

const GONE: &str = "it was deleted, moved or replaced while this program had it open; end the programs that have it open, \
                    and put the file back, or a backup of it";

const LAST: &str = "end the programs that have the store open, this one last and not by force: as it ends, it puts what \
                    that file held into the store";

/// Asks for the number and nothing else. Since Linux 6.13 a file whose times were asked for gets new ones at its next
/// write, and an `fsync` of it must then write its inode too: a quarter more for each commit.
#[cfg(target_os = "linux")]
fn identity(path: &Path) -> Identity {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
    match statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
        Ok(data) => Some((makedev(data.stx_dev_major, data.stx_dev_minor), data.stx_ino)),
        // No file, or a sandbox that has not heard of this call.
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

/// Elsewhere the system lets nobody delete a file that is open.
#[cfg(not(unix))]
fn identity(_: &Path) -> Identity {
    None
}
