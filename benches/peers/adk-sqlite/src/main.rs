//! adk-graph on a SQLite file: `adk-sqlite FILE` reads lines such as `edit 100` and answers each with a line of JSON.

use std::{env, sync::Arc};

use adk_graph::checkpoint::{Checkpointer, SqliteCheckpointer};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use tokio::runtime::Builder;

// This program and the other one use different parts of these.
#[path = "../../src/adk_side.rs"]
mod adk_side;
#[path = "../../src/measure.rs"]
#[allow(dead_code)]
mod measure;
#[path = "../../src/child_side.rs"]
#[allow(dead_code)]
mod child_side;

fn main() -> measure::Outcome<()> {
    let file = env::args().nth(1).ok_or("adk-sqlite FILE")?;
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        // As durable as hitl, and faster than the default of adk-graph, which is a rollback journal.
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePool::connect_with(options).await?;
        let checkpointer: Arc<dyn Checkpointer> = Arc::new(SqliteCheckpointer::from_pool(pool).await?);
        child_side::serve(adk_side::Adk::on(move || Arc::clone(&checkpointer))).await
    })
}
