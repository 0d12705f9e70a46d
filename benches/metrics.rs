//! The time of a report on the reviews of 100,000 threads, from the tallies of a SQLite file and from its journals.
//!
//! `cargo bench --bench metrics`. The threads are real ones of the refund agent, decided by ten operators over 365
//! days.

mod graphs;
mod machine;

use std::{
    error::Error,
    time::{Duration, Instant},
};

use graphs::{RefundAgent, suspended};
use hitl::{ManualClock, SqliteStore, Timestamp, prelude::*};
use tokio::{runtime::Builder, task::JoinSet};

type Outcome<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const THREADS: u64 = 100_000;
const DAYS: u64 = 365;

fn main() -> Outcome<()> {
    // `cargo test --benches` runs this program only to see that it builds.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    println!("{}", machine::description());
    Builder::new_multi_thread().enable_time().build()?.block_on(measure())
}

async fn measure() -> Outcome<()> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = dir.path().join("threads.db");
    let clock = ManualClock::at(Timestamp::from_millis(1_763_800_000_000));
    let agent = RefundAgent::new(SqliteStore::open(&file).await?).clock(clock.clone());
    for day in 0..DAYS {
        let mut tasks = JoinSet::new();
        for number in THREADS * day / DAYS..THREADS * (day + 1) / DAYS {
            let agent = agent.clone();
            tasks.spawn(async move { decided(&agent, number).await });
            if tasks.len() == 64 {
                tasks.join_next().await.transpose()?.transpose()?;
            }
        }
        while tasks.join_next().await.transpose()?.transpose()?.is_some() {}
        clock.advance(Duration::from_hours(24));
    }
    drop(agent);

    let agent = RefundAgent::new(SqliteStore::open(&file).await?);
    let (first, total) = report(&agent).await?;
    let mut later = Vec::new();
    for _ in 0..20 {
        later.push(report(&agent).await?.0);
    }
    let later = machine::median(&later);
    println!("report on {total} decisions: {first:.1} ms, then {later:.1} ms; goal < 50 ms");
    let start = Instant::now();
    let is_equal = agent.recomputed_metrics(None).await? == agent.metrics(None).await?;
    println!(
        "from the journals: {:.0} ms; the numbers are equal: {is_equal}",
        start.elapsed().as_secs_f64() * 1e3
    );
    println!("load at the end: {}", machine::load());
    Ok(())
}

async fn decided(agent: &Agent<RefundAgent>, number: u64) -> Outcome<()> {
    let review = suspended(agent, format!("ticket-A-{number}")).await;
    let operator = Operator::new(format!("operator {}", number % 10)).role("refund-approver");
    drop(review.approve(&operator).await?);
    Ok(())
}

async fn report(agent: &Agent<RefundAgent>) -> Outcome<(f64, u64)> {
    let start = Instant::now();
    let decisions = agent.metrics(None).await?.total().decisions();
    Ok((start.elapsed().as_secs_f64() * 1e3, decisions))
}
