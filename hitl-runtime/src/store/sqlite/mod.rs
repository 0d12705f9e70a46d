//! A store in one SQLite file.
//!
//! One thread writes, on a connection of its own. It commits all pending appends in one transaction: a single append
//! costs one commit, and 64 concurrent appends cost hardly more. A few threads read, each on a connection of its own;
//! in WAL mode, readers and the writer do not block each other. No async runtime is needed.

mod file;
mod file_identity;
mod query;
mod reader;
mod schema;
mod tallies;
mod writer;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;

use self::{file::File, reader::Readers, writer::Writer};
use super::{
    Append, Backfill, OpenReview, Page, Record, Store, StoreError, Tail, Tally, ThreadStatus,
    UncountedThread, position_after,
};
use crate::{Place, ThreadId, Timestamp};

/// The time that a write waits for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A [`Store`] in one SQLite file, which several processes may have open at once. Clones share it; when the last one is
/// dropped, pending operations are finished and the file is closed.
///
/// An append is on disk when it returns (WAL, `synchronous = FULL`). The file must be on a local disk, because network
/// file systems do not provide the locks that SQLite needs.
///
/// The tables are named `hitl_…`. A program may keep tables of its own in the same file, once this store has created
/// it. Its write transactions should be short, because they block all other writes.
///
/// ```
/// use hitl::store::{SqliteStore, Store};
/// use hitl::ThreadId;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("tickets.db");
/// let store = SqliteStore::open(&path).await?;
/// assert!(store.tail(&ThreadId::new("ticket-A-9133")?).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStore(Arc<Handles>);

/// The parts of a store, dropped in this order: the writer's connection closes last and checkpoints the WAL.
struct Handles {
    readers: Readers,
    writer: Writer,
    file: Arc<File>,
}

impl SqliteStore {
    /// Opens the file, or creates it if it does not exist (on Unix with mode 0600). Its directory must exist.
    ///
    /// A file that this user may not write can be read, and each append fails: so a copy can be verified. In a directory
    /// that this user may not write either, the file must have no WAL with entries (`…-wal`) and no rollback journal
    /// (`…-journal`), and no program may write to it: close the store before you copy its file. A read returns an error
    /// if the length or the modification time of such a file has changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::store::{SqliteStore, StoreError};
    ///
    /// # let dir = tempfile::tempdir()?;
    /// # let notes = dir.path().join("notes.txt");
    /// std::fs::write(&notes, "Call Ada about order A-9133, and send the photo to the warehouse.")?;
    /// assert!(matches!(SqliteStore::open(&notes).await, Err(StoreError::NotAStore { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] for a file that another program created, [`StoreError::NewerSchema`] for one that a
    /// newer program created, [`StoreError::Failed`] if it cannot be opened. After an error the file is unchanged.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref().to_owned(), BUSY_TIMEOUT).await
    }

    async fn open_with(path: PathBuf, busy_timeout: Duration) -> Result<Self, StoreError> {
        let file = Arc::new(File::new(path, busy_timeout)?);
        let writer = Writer::open(Arc::clone(&file)).await?;
        Ok(Self(Arc::new(Handles { readers: Readers::new(Arc::clone(&file)), writer, file })))
    }

    /// Returns the absolute path of the file.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("tickets.db");
    /// let store = hitl::store::SqliteStore::open(&path).await?;
    /// assert!(store.path().is_absolute() && store.path().ends_with("tickets.db"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn path(&self) -> &Path {
        self.0.file.path()
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl Store for SqliteStore {
    fn system_name(&self) -> &str {
        "sqlite"
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            append.check()?;
            self.0.writer.append(append).await
        })
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        let thread = thread.clone();
        Box::pin(
            self.0
                .readers
                .read("read the tail of a journal", move |connection| query::tail(connection, &thread)),
        )
    }

    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        let thread = thread.clone();
        Box::pin(
            self.0
                .readers
                .read("read a journal", move |connection| query::entries(connection, &thread, from, limit)),
        )
    }

    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        Box::pin(async move {
            let after = position_after("reviews", after)?;
            self.0
                .readers
                .read("list the open reviews", move |connection| query::reviews(connection, after, limit))
                .await
        })
    }

    fn threads<'a>(
        &'a self,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, ThreadStatus)>, StoreError>> {
        Box::pin(async move {
            let after = position_after("threads", after)?;
            let list = move |connection: &_| query::threads(connection, standing, after.as_ref(), limit);
            self.0.readers.read("list the threads", list).await
        })
    }

    fn due<'a>(
        &'a self,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        Box::pin(async move {
            let after = position_after("due", after)?;
            let list = move |connection: &_| query::due(connection, by, after, limit);
            self.0.readers.read("list the due threads", list).await
        })
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.writer.delete(thread.clone()))
    }

    fn keeps_tallies(&self) -> bool {
        true
    }

    fn tallies<'a>(
        &'a self,
        from: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Option<Page<Tally>>, StoreError>> {
        Box::pin(async move {
            let after = position_after::<String>("tallies", after)?;
            let from = from.to_owned();
            let list = move |connection: &_| tallies::list(connection, &from, after.as_deref(), limit);
            let page = self.0.readers.read("list the tallies", list).await?;
            if page.is_none() {
                // A file that cannot be written keeps its unreadable tally. The caller reads its journals every time.
                drop(self.0.writer.recount().await);
            }
            Ok(page)
        })
    }

    fn uncounted<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<UncountedThread>, StoreError>> {
        Box::pin(async move {
            let after = position_after("uncounted", after)?;
            let list = move |connection: &_| tallies::uncounted(connection, after, limit);
            self.0.readers.read("list the threads that are not counted", list).await
        })
    }

    fn backfill(&self, backfill: Backfill) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.0.writer.backfill(backfill))
    }

    fn delete_tallies<'a>(&'a self, before: Option<&'a str>) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.writer.delete_tallies(before.map(str::to_owned)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Instant;

    use futures_util::future::join_all;
    use rusqlite::{Connection, StatementStatus};

    use super::*;
    use crate::Digest;

    fn append(thread: &str, place: Place) -> Append {
        Append::new(
            ThreadId::new(thread).unwrap(),
            vec![Record::new(place, Digest::of(b"{}"), b"{}".to_vec())],
            ThreadStatus::Running,
        )
        .with_after(place.checked_sub(1).map(|_| Digest::of(b"{}")))
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn new_files_are_private_and_existing_modes_are_kept() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let modes = |name: &str| {
            ["", "-wal", "-shm"].map(|end| {
                let file = std::fs::metadata(at(&format!("{name}{end}"))).unwrap();
                file.permissions().mode() & 0o777
            })
        };
        symlink("linked.db", at("link.db")).unwrap();
        std::fs::write(at("there.db"), "").unwrap();
        std::fs::set_permissions(at("there.db"), std::fs::Permissions::from_mode(0o640)).unwrap();
        for (opened, file, mode) in
            [("new.db", "new.db", 0o600), ("link.db", "linked.db", 0o600), ("there.db", "there.db", 0o640)]
        {
            let store = SqliteStore::open(at(opened)).await.unwrap();
            store.append(append("ticket", 0.into())).await.unwrap();
            assert!(store.tail(&ThreadId::new("ticket").unwrap()).await.unwrap().is_some());
            assert_eq!(modes(file), [mode; 3], "{opened}");
        }
    }

    #[tokio::test]
    async fn a_stuck_lock_fails_all_writers_once_and_no_reader() {
        let dir = tempfile::tempdir().unwrap();
        let busy_timeout = Duration::from_millis(200);
        let store = SqliteStore::open_with(dir.path().join("threads.db"), busy_timeout).await.unwrap();
        store.append(append("ticket", 0.into())).await.unwrap();
        let other = Connection::open(store.path()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();

        let start = Instant::now();
        let names: Vec<_> = (0..30).map(|i| format!("{i}")).collect();
        let answers = join_all(names.iter().map(|name| store.append(append(name, 0.into())))).await;
        assert!(start.elapsed() < 10 * busy_timeout, "{:?}", start.elapsed());
        for answer in answers {
            let error = answer.unwrap_err().to_string();
            assert!(
                error.contains("another program held a lock on it for 200ms; end that program's"),
                "{error}"
            );
        }
        assert_eq!(store.tail(&ThreadId::new("ticket").unwrap()).await.unwrap().unwrap().records.len(), 1);
        assert_eq!(store.threads(None, None, 100).await.unwrap().items.len(), 1);

        other.execute_batch("COMMIT").unwrap();
        store.append(append("ticket", 1.into())).await.unwrap();
    }

    /// A query must not scan a table: listing would be slow with ten thousand threads.
    #[tokio::test]
    async fn every_query_uses_an_index() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
        let connection = Connection::open(store.path()).unwrap();
        for sql in query::ALL.iter().chain(writer::ALL).chain(tallies::ALL) {
            let mut query = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            // The parameters stay unbound, because the plan does not depend on them.
            let steps = query.raw_query().mapped(|row| row.get::<_, String>(3));
            let plan = steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
            let scans = plan.matches("SCAN").count() - plan.matches("SCAN CONSTANT ROW").count();
            assert_eq!(scans, 0, "{sql}\n{plan}");
        }
    }

    /// Planning a statement takes several times as long as running it.
    #[tokio::test]
    async fn statements_are_not_replanned_for_other_values() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
        for sql in query::ALL.iter().chain(writer::ALL).chain(tallies::ALL) {
            let connection = store.0.file.connect().unwrap();
            let mut statement = connection.prepare(sql).unwrap();
            for value in 1..4 {
                for parameter in 1..=statement.parameter_count() {
                    statement.raw_bind_parameter(parameter, value).unwrap();
                }
                // Some values violate a constraint of the table, but only after the statement was planned.
                while let Ok(Some(_)) = statement.raw_query().next() {}
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
        }
    }
}
