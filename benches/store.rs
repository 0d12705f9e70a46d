//! The cost of hitl's commits, compared with the same rows in bare SQLite.
//!
//! `cargo bench --bench store`. Both sides write the same rows durably (WAL, `synchronous = FULL`), alternately, in the
//! same directory. The bare side is a loop over prepared statements that has no threads, places or reviews. The time of
//! a durable write to the disk is measured in each round too, because it may change between rounds.

mod graphs;
mod machine;
mod recording_store;

use std::{error::Error, path::Path, time::Instant};

use graphs::{RefundAgent, edited, mara, suspended};
use hitl::{
    Digest, Store, ThreadId, ThreadStatus, Timestamp,
    prelude::*,
    store::{Append, OpenReview, Record},
};
use machine::median;
use recording_store::{Recording, RecordingStore};
use rusqlite::{Connection, TransactionBehavior};
use tokio::{runtime::Builder, task::JoinSet};

type Outcome<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const ROUNDS: usize = 15;
/// The number of tasks that append concurrently.
const TASKS: usize = 64;
/// The number of appends in one round: for each of the tasks, and for a single writer.
const APPENDS: usize = 50;
const ALONE: usize = 300;
/// The number of whole refunds in one round.
const REFUNDS: usize = 60;
/// The number of reviews that one thread waits for, as in a `for`, and of the decisions in one round.
const REVIEWS: usize = 1_000;
const DECISIONS: usize = 20;

fn main() -> Outcome<()> {
    // `cargo test --benches` runs this program only to see that it builds.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let runtime = Builder::new_multi_thread().enable_time().build()?;
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{}; medians of {ROUNDS} rounds", machine::description());
    runtime.block_on(measured(dir.path()))?;
    println!("load at the end: {}", machine::load());
    Ok(())
}

/// The times of both sides for the same rows, in seconds, one for each round.
#[derive(Default)]
struct Times {
    bare: Vec<f64>,
    ours: Vec<f64>,
}

impl Times {
    /// Returns the median ratio of hitl's time to the time of the bare side in the same round.
    fn slower(&self) -> f64 {
        let ratios: Vec<_> = self.ours.iter().zip(&self.bare).map(|(ours, bare)| ours / bare).collect();
        median(&ratios)
    }
}

async fn measured(dir: &Path) -> Outcome<()> {
    let store = SqliteStore::open(dir.join("hitl.db")).await?;
    let agent = RefundAgent::new(store.clone());
    let refund = commits_of_a_refund().await?;
    let mut bare = Bare::open(&dir.join("bare.db"))?;
    let (mut alone, mut grouped, mut refunds) = (Times::default(), Times::default(), Times::default());
    let (mut floor, mut decided) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        floor.extend(machine::sync_times(dir, 100)?.iter().map(|took| took.as_secs_f64() * 1e3));

        let rows = entries(ALONE);
        alone.bare.push(bare.commits(rows.iter().map(|row| vec![(0, row)]), 1)?);
        alone.ours.push(one_writer(&store, &format!("alone-{round}"), rows).await?);

        let rows = entries(APPENDS);
        let one_of_each_task = |row| (0..TASKS).map(|task| (task, row)).collect();
        grouped.bare.push(bare.commits(rows.iter().map(one_of_each_task), TASKS)?);
        grouped.ours.push(many_writers(&store, round, rows).await?);

        let one_after_the_other = |i| {
            let commits = refund.iter();
            commits.map(move |records| records.iter().map(|record| (i, record)).collect())
        };
        refunds.bare.push(bare.commits((0..REFUNDS).flat_map(one_after_the_other), REFUNDS)?);
        refunds.ours.push(whole_refunds(&agent, round).await?);

        decided.push(decisions(&store, &format!("items-{round}")).await?);
    }

    let share = |share| machine::quantile(&floor, share);
    println!(
        "fdatasync of 4 KB: {:.3} ms; one in ten below {:.3}, one in ten above {:.3}",
        median(&floor),
        share(0.1),
        share(0.9)
    );
    let rate = |count: usize, times: &[f64]| format!("{:.0}/s", count as f64 / median(times));
    let each = |times: &[f64]| format!("{:.3} ms", median(times) * 1e3 / REFUNDS as f64);
    println!("{:<36} {:>10} {:>10} {:>6}  goal", "", "bare", "hitl", "ratio");
    let line = |what: &str, bare: String, ours: String, ratio: f64, goal: &str| {
        println!("{what:<36} {bare:>10} {ours:>10} {ratio:>6.2}  {goal}");
    };
    line(
        "appends of 1 KB, one writer",
        rate(ALONE, &alone.bare),
        rate(ALONE, &alone.ours),
        alone.slower(),
        "takes at most 1.30 times as long",
    );
    line(
        "appends of 1 KB, 64 tasks",
        rate(TASKS * APPENDS, &grouped.bare),
        rate(TASKS * APPENDS, &grouped.ours),
        1.0 / grouped.slower(),
        "at least 0.60 of the rate",
    );
    line(
        &format!("a refund, edited: {} commits", refund.len()),
        each(&refunds.bare),
        each(&refunds.ours),
        refunds.slower(),
        "takes at most 1.30 times as long",
    );
    println!("append that decides one of {REVIEWS} open reviews: {:.3} ms", median(&decided) * 1e3);
    Ok(())
}

/// Returns the rows of a refund from its start to its end, by commit.
async fn commits_of_a_refund() -> Outcome<Vec<Vec<Record>>> {
    let store = RecordingStore::new(MemoryStore::new(), Recording::default());
    let agent = RefundAgent::new(store.clone());
    edited(suspended(&agent, "ticket-0-0".to_owned()).await, &mara()).await;
    let commits = store.layer().appended().iter().map(|append| append.records.clone()).collect();
    Ok(commits)
}

async fn whole_refunds(agent: &Agent<RefundAgent>, round: usize) -> Outcome<f64> {
    let mara = mara();
    let start = Instant::now();
    for i in 0..REFUNDS {
        edited(suspended(agent, format!("ticket-{round}-{i}")).await, &mara).await;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Appends the rows one after the other, as one thread would.
async fn one_writer(store: &SqliteStore, thread: &str, rows: Vec<Record>) -> Outcome<f64> {
    let thread = ThreadId::new(thread)?;
    let start = Instant::now();
    let mut after = None;
    for record in rows {
        let hash = record.hash;
        let (thread, records, standing) = (thread.clone(), vec![record], ThreadStatus::Running);
        store.append(Append::new(thread, records, standing).with_after(after)).await?;
        after = Some(hash);
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Appends the rows in [`TASKS`] tasks, each to a thread of its own.
async fn many_writers(store: &SqliteStore, round: usize, rows: Vec<Record>) -> Outcome<f64> {
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for task in 0..TASKS {
        let (store, rows) = (store.clone(), rows.clone());
        tasks.spawn(async move { one_writer(&store, &format!("task-{round}-{task}"), rows).await });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Decides some of the reviews that a thread waits for, one in each append, and returns the median time of an append.
async fn decisions(store: &SqliteStore, thread: &str) -> Outcome<f64> {
    let thread = ThreadId::new(thread)?;
    let mut reviews: Vec<_> = (0..REVIEWS)
        .map(|item| {
            OpenReview::new(
                thread.clone(),
                "RefundAgent".to_owned(),
                "execute".to_owned(),
                Digest::of(format!("{thread} {item}").as_bytes()),
                0,
                Timestamp::from_millis(1_763_800_000_000),
            )
            .with_role(Some("refund-approver".to_owned()))
            .with_deadline(Some(Timestamp::from_millis(1_763_886_400_000)))
        })
        .collect();
    let (mut after, mut times) = (None, Vec::new());
    for record in entries(DECISIONS + 1) {
        let (thread, reviews_now, hash) = (thread.clone(), reviews.clone(), record.hash);
        let (records, standing) = (vec![record], ThreadStatus::Waiting);
        let start = Instant::now();
        store
            .append(Append::new(thread, records, standing).with_reviews(reviews_now).with_after(after))
            .await?;
        times.push(start.elapsed().as_secs_f64());
        after = Some(hash);
        reviews.pop();
    }
    // The first append opens all of them.
    Ok(median(&times[1..]))
}

/// Returns the entries of a new thread, 1 KB each.
fn entries(count: usize) -> Vec<Record> {
    let body = format!(r#"{{"said":"{}"}}"#, "x".repeat(1013)).into_bytes();
    let hash = Digest::of(&body);
    (0..count as u64).map(|place| Record::new(place, hash, body.clone())).collect()
}

/// SQLite with a single table, whose rows have a unique key.
struct Bare {
    connection: Connection,
    /// The number of the next thread.
    next: usize,
}

impl Bare {
    fn open(path: &Path) -> Outcome<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE entries (
                 thread INTEGER NOT NULL,
                 place INTEGER NOT NULL,
                 snapshot INTEGER NOT NULL,
                 hash BLOB NOT NULL,
                 body BLOB NOT NULL,
                 UNIQUE (thread, place)
             ) STRICT;",
        )?;
        Ok(Self { connection, next: 0 })
    }

    /// Writes each group of rows in one transaction. The groups belong to `threads` new threads.
    fn commits<'a>(
        &mut self,
        groups: impl Iterator<Item = Vec<(usize, &'a Record)>>,
        threads: usize,
    ) -> Outcome<f64> {
        let start = Instant::now();
        for group in groups {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut insert = transaction.prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for (thread, record) in group {
                let (thread, place) =
                    (i64::try_from(self.next + thread)?, i64::try_from(record.place.get())?);
                insert.execute((thread, place, record.snapshot, record.hash.as_bytes(), &record.body))?;
            }
            drop(insert);
            transaction.commit()?;
        }
        self.next += threads;
        Ok(start.elapsed().as_secs_f64())
    }
}
