//! The tallies: sums that are kept beside the journals, and the threads that they do not count.
//!
//! A row of them that cannot be read never makes an append fail. It is left as it is until a report finds it; then all
//! tallies are deleted, and all threads are counted again.

use std::collections::BTreeMap;

use rusqlite::{Connection, Error as SqliteError, OptionalExtension as _, Row, types::Type};

use super::{
    query::{cut, one_more, thread_id, unsigned},
    writer::{find, signed},
};
use crate::{
    Digest, Place,
    store::{Backfill, Page, Tally, UncountedThread, page_token},
};

// Each has one bound on the name, from which SQLite seeks: with two it may seek to the first one and read the rest.
const FROM: &str = "SELECT name, counts FROM hitl_tallies WHERE name >= ?1 ORDER BY name LIMIT ?2";
const AFTER: &str = "SELECT name, counts FROM hitl_tallies WHERE name > ?1 ORDER BY name LIMIT ?2";

// SQLite uses the partial index only if the query repeats its condition.
const UNCOUNTED: &str = "SELECT id, name, uncounted FROM hitl_threads
     WHERE uncounted IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2";

const HASH_AT: &str = "SELECT hash FROM hitl_entries WHERE thread = ?1 AND place = ?2";

const SET_UNCOUNTED: &str = "UPDATE hitl_threads SET uncounted = ?2 WHERE id = ?1";

const COUNTS: &str = "SELECT counts FROM hitl_tallies WHERE name = ?1";

const WRITE: &str = "INSERT INTO hitl_tallies (name, counts) VALUES (?1, ?2)
     ON CONFLICT (name) DO UPDATE SET counts = excluded.counts";

const DELETE_BEFORE: &str = "DELETE FROM hitl_tallies WHERE name < ?1";

/// All statements except those that change every row, for a test of their query plans.
#[cfg(test)]
pub(super) const ALL: &[&str] =
    &[FROM, AFTER, UNCOUNTED, HASH_AT, SET_UNCOUNTED, COUNTS, WRITE, DELETE_BEFORE];

/// Returns a page of the tallies; `None` if one of them cannot be read.
pub(super) fn list(
    connection: &Connection,
    from: &str,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Option<Page<Tally>>> {
    let (sql, start) = match after {
        Some(after) if after >= from => (AFTER, after),
        _ => (FROM, from),
    };
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map((start, one_more(limit)), |row| {
        Ok(Tally::new(row.get::<_, String>(0)?).with_counts(counts(row, 1)?))
    })?;
    let Some(mut rows) = if_readable(rows.collect::<Result<Vec<_>, _>>())? else { return Ok(None) };
    let next = cut(&mut rows, limit).map(|tally| page_token("tallies", &tally.group));
    Ok(Some(Page::new(rows, next)))
}

/// Returns a page of the threads with entries that are not counted.
pub(super) fn uncounted(
    connection: &Connection,
    after: Option<u64>,
    limit: usize,
) -> rusqlite::Result<Page<UncountedThread>> {
    let after = after.map_or(-1, |after| i64::try_from(after).unwrap_or(i64::MAX));
    let mut query = connection.prepare_cached(UNCOUNTED)?;
    let rows = query.query_map((after, one_more(limit)), |row| {
        let thread = UncountedThread::new(thread_id(row, 1)?, Place::new(unsigned(row, 2)?));
        Ok((thread, unsigned(row, 0)?))
    })?;
    let mut rows: Vec<_> = rows.collect::<Result<_, _>>()?;
    let next = cut(&mut rows, limit).map(|(_, id)| page_token("uncounted", id));
    Ok(Page::new(rows.into_iter().map(|(thread, _)| thread).collect(), next))
}

/// Adds tallies to their sums. A sum that cannot be read is left as it is: it will be counted again.
pub(super) fn add(connection: &Connection, tallies: &[Tally]) -> rusqlite::Result<()> {
    for tally in tallies {
        let stored = connection.prepare_cached(COUNTS)?.query_row((&tally.group,), |row| counts(row, 0));
        let Some(stored) = if_readable(stored.optional())? else { continue };
        let mut sum = Tally::new(tally.group.as_str()).with_counts(stored.unwrap_or_default());
        sum.add(tally);
        let counts = serde_json::to_string(&sum.counts)
            .map_err(|error| SqliteError::ToSqlConversionFailure(Box::new(error)))?;
        connection.prepare_cached(WRITE)?.execute((&sum.group, counts))?;
    }
    Ok(())
}

/// Adds the tallies of entries that were appended without. Returns `false` if the thread has changed since.
pub(super) fn backfill(connection: &Connection, backfill: &Backfill) -> rusqlite::Result<bool> {
    let Some(found) = find(connection, &backfill.thread)? else { return Ok(false) };
    let to = signed(backfill.to.get())?;
    let hash: Option<[u8; 32]> =
        connection.prepare_cached(HASH_AT)?.query_row((found.id, to), |row| row.get(0)).optional()?;
    if backfill.to < backfill.from
        || found.uncounted != Some(signed(backfill.from.get())?)
        || hash.map(Digest::from_bytes) != Some(backfill.hash)
    {
        return Ok(false);
    }
    let next = backfill.to.saturating_add(1);
    let uncounted = (next < found.next).then(|| signed(next.get())).transpose()?;
    connection.prepare_cached(SET_UNCOUNTED)?.execute((found.id, uncounted))?;
    add(connection, &backfill.tallies)?;
    Ok(true)
}

/// Deletes the tallies of groups before this one, or all of them.
pub(super) fn delete(connection: &Connection, before: Option<&str>) -> rusqlite::Result<()> {
    match before {
        Some(before) => connection.prepare_cached(DELETE_BEFORE)?.execute((before,))?,
        None => connection.execute("DELETE FROM hitl_tallies", ())?,
    };
    Ok(())
}

/// Deletes all tallies, and has all threads counted again.
pub(super) fn recount(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM hitl_tallies", ())?;
    connection.execute("UPDATE hitl_threads SET uncounted = 0", ())?;
    Ok(())
}

fn counts(row: &Row<'_>, column: usize) -> rusqlite::Result<BTreeMap<String, u64>> {
    serde_json::from_str(row.get_ref(column)?.as_str()?)
        .map_err(|error| SqliteError::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// Returns `None` in place of the error of a value that is not of its type.
fn if_readable<T>(read: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(
            SqliteError::FromSqlConversionFailure(..)
            | SqliteError::InvalidColumnType(..)
            | SqliteError::IntegralValueOutOfRange(..)
            | SqliteError::Utf8Error(..),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_late_page_takes_no_more_steps_than_the_first() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("schema_1.sql")).unwrap();
        connection.execute_batch(include_str!("schema_4.sql")).unwrap();
        let tallies: Vec<_> = (0..2_000).map(|i| Tally::new(format!("{i:04}")).with_count("n", 1)).collect();
        add(&connection, &tallies).unwrap();
        for sql in [FROM, AFTER] {
            let steps = ["0000", "1900"].map(|start| {
                let mut query = connection.prepare(sql).unwrap();
                let mut rows = query.query((start, 10)).unwrap();
                while rows.next().unwrap().is_some() {}
                drop(rows);
                query.get_status(StatementStatus::VmStep)
            });
            assert!(steps[1] <= steps[0] + 10, "{sql}: {steps:?}");
        }
        let page = list(&connection, "0000", Some("1989"), 100).unwrap().unwrap();
        assert_eq!((page.items.len(), page.next), (10, None));
    }
}
