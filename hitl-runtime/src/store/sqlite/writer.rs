//! The writer thread.

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use tokio::sync::oneshot;

use super::{
    file::File,
    query,
    schema::{self, SqliteError},
    tallies,
};
use crate::{
    Digest, Place, ThreadId, Timestamp,
    store::{Append, Backfill, OpenReview, StoreError},
};

/// The maximum number of commands in one transaction.
const MAX_GROUP: usize = 512;

/// The maximum time to wait for the callers of the previous group.
const MAX_GATHER_WAIT: Duration = Duration::from_micros(100);

const UPDATE_THREAD: &str =
    "UPDATE hitl_threads SET standing = ?2, snapshot = ?3, due_ms = ?4, uncounted = ?5 WHERE id = ?1";

const INSERT_THREAD: &str =
    "INSERT INTO hitl_threads (name, standing, snapshot, due_ms, uncounted) VALUES (?1, ?2, ?3, ?4, ?5)";

const INSERT_ENTRY: &str =
    "INSERT INTO hitl_entries (thread, place, snapshot, hash, body) VALUES (?1, ?2, ?3, ?4, ?5)";

const DELETE_REVIEW: &str = "DELETE FROM hitl_reviews WHERE thread = ?1 AND opened_ms = ?2 AND id = ?3";

const INSERT_REVIEW: &str =
    "INSERT INTO hitl_reviews (thread, opened_ms, id, place, deadline_ms, digest, graph, node, role)
     VALUES (?1, ?2, (SELECT ifnull(max(id), 0) + 1 FROM hitl_reviews WHERE opened_ms = ?2), ?3, ?4, ?5, ?6, ?7, ?8)";

// Entries and reviews are deleted by cascade.
const DELETE_THREAD: &str = "DELETE FROM hitl_threads WHERE name = ?1";

const FIND_THREAD: &str = "SELECT t.id, t.standing, t.snapshot, t.due_ms, e.place, e.hash,
     EXISTS (SELECT 1 FROM hitl_reviews WHERE thread = t.id), t.uncounted
     FROM hitl_threads AS t JOIN hitl_entries AS e
     ON e.rowid = (SELECT rowid FROM hitl_entries WHERE thread = t.id ORDER BY place DESC LIMIT 1)
     WHERE t.name = ?1";

const REVIEWS_OF: &str = "SELECT id, graph, node, digest, role, place, opened_ms, deadline_ms
     FROM hitl_reviews WHERE thread = ?1";

/// All statements, for a test of their query plans.
#[cfg(test)]
pub(super) const ALL: &[&str] = &[
    UPDATE_THREAD,
    INSERT_THREAD,
    INSERT_ENTRY,
    DELETE_REVIEW,
    INSERT_REVIEW,
    DELETE_THREAD,
    FIND_THREAD,
    REVIEWS_OF,
];

/// The handle of the writer thread. Dropping it waits until the pending commands are done and the file is closed.
pub(super) struct Writer {
    file: Arc<File>,
    queue: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

struct Command {
    work: Work,
    reply: oneshot::Sender<Result<bool, StoreError>>,
}

enum Work {
    Append(Append),
    Delete(ThreadId),
    Backfill(Backfill),
    DeleteTallies(Option<String>),
    Recount,
}

impl Writer {
    pub(super) async fn open(file: Arc<File>) -> Result<Self, StoreError> {
        let (queue, commands) = mpsc::channel();
        let (opened, answer) = oneshot::channel();
        let writers_file = Arc::clone(&file);
        let work = move || {
            let file = writers_file;
            match schema::open(&file) {
                // An error means that the caller no longer waits. Then there will be no command either.
                Ok(connection) => {
                    file.record_identities(&connection);
                    let _ = opened.send(Ok(()));
                    run(&file, connection, &commands);
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        };
        let thread = thread::Builder::new()
            .name("hitl-sqlite-writer".into())
            .spawn(work)
            .map_err(|error| file.thread_failure(error))?;
        let writer = Self { file, queue: Some(queue), thread: Some(thread) };
        answer.await.unwrap_or_else(|_| Err(writer.ended()))?;
        Ok(writer)
    }

    pub(super) async fn append(&self, append: Append) -> Result<(), StoreError> {
        self.submit(Work::Append(append)).await.map(drop)
    }

    pub(super) async fn delete(&self, thread: ThreadId) -> Result<(), StoreError> {
        self.submit(Work::Delete(thread)).await.map(drop)
    }

    /// Returns `false` if nothing was changed.
    pub(super) async fn backfill(&self, backfill: Backfill) -> Result<bool, StoreError> {
        self.submit(Work::Backfill(backfill)).await
    }

    pub(super) async fn delete_tallies(&self, before: Option<String>) -> Result<(), StoreError> {
        self.submit(Work::DeleteTallies(before)).await.map(drop)
    }

    /// Deletes all tallies, and has all threads counted again.
    pub(super) async fn recount(&self) -> Result<(), StoreError> {
        self.submit(Work::Recount).await.map(drop)
    }

    /// Returns `false` if the command changed nothing.
    async fn submit(&self, work: Work) -> Result<bool, StoreError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(|| self.ended())?;
        queue.send(Command { work, reply }).map_err(|_| self.ended())?;
        answer.await.unwrap_or_else(|_| Err(self.ended()))
    }

    fn ended(&self) -> StoreError {
        self.file.failure("its writer thread has ended; reopen the store")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has closed its connection too.
            let _ = thread.join();
        }
    }
}

/// Runs commands until the last sender is dropped and the queue is empty.
fn run(file: &File, mut connection: Connection, commands: &mpsc::Receiver<Command>) {
    let mut before = 0;
    while let Ok(first) = commands.recv() {
        let mut group = vec![first];
        gather(commands, &mut group, before);
        before = group.len();
        // A command whose caller has gone away by now is not executed.
        group.retain(|command| !command.reply.is_closed());
        let answers = commit(file, &mut connection, &group);
        for (command, answer) in group.into_iter().zip(answers) {
            // The caller may have gone away since. The command was executed nevertheless, completely.
            let _ = command.reply.send(answer);
        }
    }
}

/// Collects the pending commands. If the previous group was larger, most of its callers have just been answered and are
/// about to send the next command: a short wait for them saves a commit. A single caller never waits.
fn gather(commands: &mpsc::Receiver<Command>, group: &mut Vec<Command>, before: usize) {
    let deadline = Instant::now() + MAX_GATHER_WAIT;
    while group.len() < MAX_GROUP {
        let wait = if group.len() < before {
            deadline.saturating_duration_since(Instant::now())
        } else {
            Duration::ZERO
        };
        match commands.recv_timeout(wait) {
            Ok(command) => group.push(command),
            Err(_) => return,
        }
    }
}

/// Commits the commands, and returns one result for each of them, in order.
fn commit(file: &File, connection: &mut Connection, group: &[Command]) -> Vec<Result<bool, StoreError>> {
    match transact(file, connection, group) {
        Ok(answers) => answers,
        // The lock was not acquired. Retrying each command alone would not acquire it any sooner.
        Err(SqliteError::Sqlite(error)) if schema::is_busy(&error) => {
            let error = Arc::new(error);
            group.iter().map(|_| Err(file.failed("write", Arc::clone(&error)))).collect()
        }
        // Nothing was written. One command may be the cause, or be too large for the remaining space: retry each one
        // alone.
        Err(_) if group.len() > 1 => {
            group.chunks(1).flat_map(|alone| commit(file, connection, alone)).collect()
        }
        Err(error) => vec![Err(error.into_error(file, "write"))],
    }
}

/// Executes all commands in one transaction. An error in the middle of a command fails the transaction.
fn transact(
    file: &File,
    connection: &mut Connection,
    group: &[Command],
) -> Result<Vec<Result<bool, StoreError>>, SqliteError> {
    if group.is_empty() {
        return Ok(Vec::new());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    file.check_in_place()?;
    schema::check(file, &transaction)?;
    let answers = group
        .iter()
        .map(|command| match &command.work {
            Work::Append(append) => Ok(self::append(&transaction, append)?.map(|()| true)),
            Work::Delete(thread) => delete(&transaction, thread).map(|()| Ok(true)),
            Work::Backfill(backfill) => tallies::backfill(&transaction, backfill).map(Ok),
            Work::DeleteTallies(before) => {
                tallies::delete(&transaction, before.as_deref()).map(|()| Ok(true))
            }
            Work::Recount => tallies::recount(&transaction).map(|()| Ok(true)),
        })
        .collect::<Result<_, _>>()?;
    transaction.commit()?;
    Ok(answers)
}

fn append(connection: &Connection, append: &Append) -> rusqlite::Result<Result<(), StoreError>> {
    let place = append.records.first().map_or(Place::START, |record| record.place);
    let standing = schema::code_of(append.standing);
    let snapshot = append
        .records
        .iter()
        .rfind(|record| record.snapshot)
        .map(|record| signed(record.place.get()))
        .transpose()?;
    let due = append.due.map(signed_time).transpose()?;
    let is_counted = append.tallies.is_some();
    let (id, has_reviews, uncounted) = match find(connection, &append.thread)? {
        Some(found) if found.next == place && append.after == Some(found.hash) => {
            let snapshot = snapshot.unwrap_or(found.snapshot);
            let here = (!is_counted).then(|| signed(place.get())).transpose()?;
            let uncounted = found.uncounted.or(here);
            let row = (standing, snapshot, due, uncounted);
            // Most appends change none of these values, and so write no page besides those of the entry and its key.
            if row != (found.standing, found.snapshot, found.due, found.uncounted) {
                let row = (found.id, standing, snapshot, due, uncounted);
                connection.prepare_cached(UPDATE_THREAD)?.execute(row)?;
            }
            (found.id, found.has_reviews, uncounted)
        }
        None if place == 0 => {
            let uncounted = (!is_counted).then_some(0_i64);
            connection.prepare_cached(INSERT_THREAD)?.execute((
                append.thread.as_str(),
                standing,
                snapshot.unwrap_or(0),
                due,
                uncounted,
            ))?;
            (connection.last_insert_rowid(), false, uncounted)
        }
        _ => return Ok(Err(StoreError::Conflict { thread: append.thread.clone(), place })),
    };
    let mut insert = connection.prepare_cached(INSERT_ENTRY)?;
    for record in &append.records {
        insert.execute((
            id,
            signed(record.place.get())?,
            record.snapshot,
            record.hash.as_bytes(),
            &record.body,
        ))?;
    }
    if has_reviews || !append.reviews.is_empty() {
        replace_reviews(connection, id, append)?;
    }
    if let Some(tallies) = append.tallies.as_ref().filter(|_| uncounted.is_none()) {
        tallies::add(connection, tallies)?;
    }
    Ok(Ok(()))
}

/// Replaces the open reviews of a thread. A review that stays open keeps its row, and so its position in pages. Only the
/// rows that differ are written, and nothing is copied from the others.
fn replace_reviews(connection: &Connection, thread: i64, append: &Append) -> rusqlite::Result<()> {
    // A map, because a `for` may open a thousand reviews at once.
    let mut new: BTreeMap<(Place, Digest), &OpenReview> =
        append.reviews.iter().map(|review| ((review.place, review.digest), review)).collect();
    let mut closed = Vec::new();
    let mut select = connection.prepare_cached(REVIEWS_OF)?;
    let mut rows = select.query((thread,))?;
    while let Some(row) = rows.next()? {
        let name = (Place::new(query::unsigned(row, 5)?), Digest::from_bytes(row.get(3)?));
        match new.get(&name) {
            Some(review) if query::is_review(row, review, 1)? => drop(new.remove(&name)),
            _ => closed.push((row.get::<_, i64>(6)?, row.get::<_, i64>(0)?)),
        }
    }
    for (opened, id) in closed {
        connection.prepare_cached(DELETE_REVIEW)?.execute((thread, opened, id))?;
    }
    let mut insert = connection.prepare_cached(INSERT_REVIEW)?;
    for review in new.into_values() {
        insert.execute((
            thread,
            signed_time(review.opened)?,
            signed(review.place.get())?,
            review.deadline.map(signed_time).transpose()?,
            review.digest.as_bytes(),
            &review.graph,
            &review.node,
            &review.role,
        ))?;
    }
    Ok(())
}

/// Deletes a thread. Its entries and reviews are deleted by cascade.
fn delete(connection: &Connection, thread: &ThreadId) -> rusqlite::Result<()> {
    connection.prepare_cached(DELETE_THREAD)?.execute((thread.as_str(),))?;
    Ok(())
}

/// The row of a thread, and the end of its journal.
pub(super) struct ThreadRow {
    pub(super) id: i64,
    standing: i64,
    snapshot: i64,
    due: Option<i64>,
    /// The place of the next entry; `hash` is the hash of the last one.
    pub(super) next: Place,
    hash: Digest,
    has_reviews: bool,
    pub(super) uncounted: Option<i64>,
}

pub(super) fn find(connection: &Connection, thread: &ThreadId) -> rusqlite::Result<Option<ThreadRow>> {
    connection
        .prepare_cached(FIND_THREAD)?
        .query_row((thread.as_str(),), |row| {
            Ok(ThreadRow {
                id: row.get(0)?,
                standing: row.get(1)?,
                snapshot: row.get(2)?,
                due: row.get(3)?,
                next: Place::new(query::unsigned(row, 4)?).saturating_add(1),
                hash: Digest::from_bytes(row.get(5)?),
                has_reviews: row.get(6)?,
                uncounted: row.get(7)?,
            })
        })
        .optional()
}

fn signed_time(time: Timestamp) -> rusqlite::Result<i64> {
    signed(time.as_millis())
}

/// Converts a number to SQLite's integer type. `Append::check` has rejected greater numbers.
pub(super) fn signed(number: u64) -> rusqlite::Result<i64> {
    i64::try_from(number).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
