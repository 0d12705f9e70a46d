//! The read queries. Each read is a single query, and so a consistent view of the file.

use rusqlite::{
    Connection, Row,
    types::{Type, ValueRef},
};

use super::schema;
use crate::{
    Digest, Place, ThreadId, Timestamp,
    store::{OpenReview, Page, Record, Tail, ThreadStatus, page_token},
};

// CROSS JOIN prevents SQLite from swapping the two tables. The hash of the entry before the first one is read by the
// same query, so that both are from one view of the file.
const TAIL: &str = "SELECT e.place, e.hash, e.snapshot, e.body, CASE WHEN e.place = t.snapshot THEN
         (SELECT b.hash FROM hitl_entries AS b WHERE b.thread = t.id AND b.place = t.snapshot - 1) END
     FROM hitl_threads AS t CROSS JOIN hitl_entries AS e ON e.thread = t.id AND e.place >= t.snapshot
     WHERE t.name = ?1 ORDER BY e.place";

const ENTRIES: &str = "SELECT e.place, e.hash, e.snapshot, e.body
     FROM hitl_threads AS t CROSS JOIN hitl_entries AS e ON e.thread = t.id AND e.place >= ?2
     WHERE t.name = ?1 ORDER BY e.place LIMIT ?3";

const REVIEWS: &str =
    "SELECT r.id, t.name, r.graph, r.node, r.digest, r.role, r.place, r.opened_ms, r.deadline_ms
     FROM hitl_reviews AS r CROSS JOIN hitl_threads AS t ON t.id = r.thread
     WHERE (r.opened_ms, r.id) > (?1, ?2) ORDER BY r.opened_ms, r.id LIMIT ?3";

const THREADS: &str = "SELECT name, standing FROM hitl_threads WHERE name > ?1 ORDER BY name LIMIT ?2";

const ENDED: &str =
    "SELECT name, standing FROM hitl_threads WHERE standing = 4 AND name > ?1 ORDER BY name LIMIT ?2";

// SQLite uses the partial index only if the query repeats its condition.
const STANDING: &str =
    "SELECT name, standing FROM hitl_threads WHERE standing = ?3 AND standing < 4 AND name > ?1
     ORDER BY name LIMIT ?2";

const DUE: &str = "SELECT id, name, due_ms FROM hitl_threads
     WHERE due_ms IS NOT NULL AND due_ms <= ?1 AND (due_ms, id) > (?2, ?3) ORDER BY due_ms, id LIMIT ?4";

/// All statements, for a test of their query plans.
#[cfg(test)]
pub(super) const ALL: &[&str] = &[TAIL, ENTRIES, REVIEWS, THREADS, ENDED, STANDING, DUE];

pub(super) fn tail(connection: &Connection, thread: &ThreadId) -> rusqlite::Result<Option<Tail>> {
    let mut query = connection.prepare_cached(TAIL)?;
    let mut before = None;
    let rows = query.query_map((thread.as_str(),), |row| {
        before = before.or(row.get::<_, Option<[u8; 32]>>(4)?.map(Digest::from_bytes));
        record(row)
    })?;
    let records: Vec<_> = rows.collect::<Result<_, _>>()?;
    Ok((!records.is_empty()).then_some(Tail::new(records).with_before(before)))
}

pub(super) fn entries(
    connection: &Connection,
    thread: &ThreadId,
    from: Place,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    let Ok(from) = i64::try_from(from.get()) else { return Ok(Vec::new()) };
    let mut query = connection.prepare_cached(ENTRIES)?;
    let records =
        query.query_map((thread.as_str(), from, i64::try_from(limit).unwrap_or(i64::MAX)), record)?;
    records.collect()
}

pub(super) fn reviews(
    connection: &Connection,
    after: Option<(u64, u64)>,
    limit: usize,
) -> rusqlite::Result<Page<OpenReview>> {
    let (opened, number) = start(after);
    let mut query = connection.prepare_cached(REVIEWS)?;
    let rows = query.query_map((opened, number, one_more(limit)), |row| {
        Ok((unsigned(row, 0)?, review(row, thread_id(row, 1)?, 2)?))
    })?;
    let mut rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let next = cut(&mut rows, limit).map(|(number, review)| page_token("reviews", &(review.opened, number)));
    Ok(Page::new(rows.into_iter().map(|(_, review)| review).collect(), next))
}

pub(super) fn threads(
    connection: &Connection,
    standing: Option<ThreadStatus>,
    after: Option<&ThreadId>,
    limit: usize,
) -> rusqlite::Result<Page<(ThreadId, ThreadStatus)>> {
    let after = after.map_or("", ThreadId::as_str);
    let row = |row: &Row<'_>| Ok((thread_id(row, 0)?, self::standing(row, 1)?));
    let mut rows: Vec<_> = match standing {
        None => connection
            .prepare_cached(THREADS)?
            .query_map((after, one_more(limit)), row)?
            .collect::<Result<_, _>>()?,
        Some(ThreadStatus::Ended) => connection
            .prepare_cached(ENDED)?
            .query_map((after, one_more(limit)), row)?
            .collect::<Result<_, _>>()?,
        Some(open) => connection
            .prepare_cached(STANDING)?
            .query_map((after, one_more(limit), schema::code_of(open)), row)?
            .collect::<Result<_, _>>()?,
    };
    let next = cut(&mut rows, limit).map(|(thread, _)| page_token("threads", thread));
    Ok(Page::new(rows, next))
}

pub(super) fn due(
    connection: &Connection,
    by: Timestamp,
    after: Option<(u64, u64)>,
    limit: usize,
) -> rusqlite::Result<Page<ThreadId>> {
    let (due, number) = start(after);
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    let mut query = connection.prepare_cached(DUE)?;
    let rows = query.query_map((by, due, number, one_more(limit)), |row| {
        Ok((thread_id(row, 1)?, unsigned(row, 2)?, unsigned(row, 0)?))
    })?;
    let mut rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let next = cut(&mut rows, limit).map(|(_, due, number)| page_token("due", &(due, number)));
    Ok(Page::new(rows.into_iter().map(|(thread, ..)| thread).collect(), next))
}

/// Returns the key after which a page starts, in an order by time and number.
fn start(after: Option<(u64, u64)>) -> (i64, i64) {
    let at = |part: u64| i64::try_from(part).unwrap_or(i64::MAX);
    after.map_or((-1, -1), |(time, number)| (at(time), at(number)))
}

/// Returns the row limit for a page: one more than requested, because a surplus row shows that there is a next page.
pub(super) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit.max(1)).unwrap_or(i64::MAX).saturating_add(1)
}

/// Removes the surplus row, and returns the last remaining row if there was one.
pub(super) fn cut<T>(rows: &mut Vec<T>, limit: usize) -> Option<&T> {
    let limit = limit.max(1);
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more)
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let hash = Digest::from_bytes(row.get(1)?);
    Ok(Record::new(unsigned(row, 0)?, hash, row.get(3)?).with_snapshot(row.get(2)?))
}

/// Reads a review whose columns start at `at`: graph, node, digest, role, place, opened_ms, deadline_ms.
fn review(row: &Row<'_>, thread: ThreadId, at: usize) -> rusqlite::Result<OpenReview> {
    let (graph, node): (String, String) = (row.get(at)?, row.get(at + 1)?);
    let digest = Digest::from_bytes(row.get(at + 2)?);
    let role: Option<String> = row.get(at + 3)?;
    let (place, opened) = (unsigned(row, at + 4)?, time(row, at + 5)?);
    let deadline = row.get::<_, Option<i64>>(at + 6)?.map(|_| time(row, at + 6)).transpose()?;
    Ok(OpenReview::new(thread, graph, node, digest, place, opened).with_role(role).with_deadline(deadline))
}

/// Returns whether a row, with the columns that [`review`] reads, is this review. It copies nothing.
pub(super) fn is_review(row: &Row<'_>, review: &OpenReview, at: usize) -> rusqlite::Result<bool> {
    let deadline = match row.get_ref(at + 6)? {
        ValueRef::Null => None,
        _ => Some(time(row, at + 6)?),
    };
    Ok(row.get_ref(at)?.as_str()? == review.graph
        && row.get_ref(at + 1)?.as_str()? == review.node
        && row.get_ref(at + 2)?.as_blob()? == review.digest.as_bytes()
        && row.get_ref(at + 3)?.as_str_or_null()? == review.role.as_deref()
        && review.place == unsigned(row, at + 4)?
        && time(row, at + 5)? == review.opened
        && deadline == review.deadline)
}

pub(super) fn thread_id(row: &Row<'_>, column: usize) -> rusqlite::Result<ThreadId> {
    ThreadId::existing(row.get_ref(column)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

fn standing(row: &Row<'_>, column: usize) -> rusqlite::Result<ThreadStatus> {
    let number = row.get(column)?;
    schema::standing_from(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, number))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    unsigned(row, column).map(Timestamp::from_millis)
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}
