//! hitl compared with its Rust peers: the same two graphs, run alternately, medians of many rounds.
//!
//! ```text
//! cargo build --release --manifest-path benches/peers/adk-sqlite/Cargo.toml
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! ```
//!
//! In memory, all of them run in this process. On a SQLite file, adk-graph runs in a process of its own, because its
//! SQLite and hitl's cannot be linked into one program; without that program, this table is left out. graph-flow has no
//! SQLite storage.

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use adk_graph::checkpoint::MemoryCheckpointer;
use hitl::{MemoryStore, SqliteStore};
use hitl_peers::{
    adk_side::Adk,
    graph_flow_side::GraphFlow,
    hitl_side::Hitl,
    measure::{Measure, Outcome, Side},
    child_side::ChildSide,
};
use tokio::runtime::Builder;

#[path = "../../machine/mod.rs"]
mod machine;

fn main() -> Outcome<()> {
    println!("{}", machine::description());
    let runtime = Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(in_memory())?;
    runtime.block_on(on_sqlite())?;
    println!("load at the end: {}", machine::load());
    Ok(())
}

async fn in_memory() -> Outcome<()> {
    const ROUNDS: usize = 40;
    println!("\nin memory, microseconds, medians of {ROUNDS} rounds");
    println!("{:<24} {:>10} {:>10} {:>10}  goal", "", "hitl", "adk-graph", "graph-flow");
    let mut hitl = Hitl::on(MemoryStore::new);
    let mut adk = Adk::on(|| Arc::new(MemoryCheckpointer::new()));
    let mut flow = GraphFlow::default();
    for measure in Measure::ALL {
        let (times, goal) = match measure {
            Measure::Start | Measure::Approve => (100, "less than every peer"),
            Measure::Edit => (100, "< 5"),
            Measure::Step => (2, "< 0.5"),
        };
        let mut took = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            took[0].push(micros(hitl.run(measure, times).await?));
            took[1].push(micros(adk.run(measure, times).await?));
            took[2].push(micros(flow.run(measure, times).await?));
        }
        let [hitl, adk, flow] = took.map(|took| machine::median(&took));
        println!("{measure:<24} {hitl:>10.2} {adk:>10.2} {flow:>10.2}  {goal}");
    }
    Ok(())
}

async fn on_sqlite() -> Outcome<()> {
    const ROUNDS: usize = 7;
    let Some(program) = adk_sqlite() else {
        println!("\nno table on SQLite: build benches/peers/adk-sqlite first, in release");
        return Ok(());
    };
    let dir = tempfile::tempdir_in(program.parent().unwrap_or(Path::new(".")))?;
    let store = SqliteStore::open(dir.path().join("hitl.db")).await?;
    let mut hitl = Hitl::on(move || store.clone());
    let mut adk = ChildSide::spawn(&program, &dir.path().join("adk.db"))?;
    println!("\non a SQLite file (WAL, synchronous = FULL), milliseconds, medians of {ROUNDS} rounds");
    println!("{:<24} {:>10} {:>10}", "", "hitl", "adk-graph");
    let mut floor = Vec::new();
    for measure in Measure::ALL {
        let times = if measure == Measure::Step { 1 } else { 20 };
        let mut took = [const { Vec::new() }; 2];
        for _ in 0..ROUNDS {
            floor.extend(machine::sync_times(dir.path(), 20)?);
            took[0].push(micros(hitl.run(measure, times).await?) / 1e3);
            took[1].push(micros(adk.run(measure, times).await?) / 1e3);
        }
        let [hitl, adk] = took.map(|took| machine::median(&took));
        println!("{measure:<24} {hitl:>10.3} {adk:>10.3}");
    }
    let floor: Vec<_> = floor.into_iter().map(|took| micros(took) / 1e3).collect();
    println!("fdatasync of 4 KB in the same run: {:.3} ms", machine::median(&floor));
    Ok(())
}

/// Returns the path of the other program: beside this one, or in its own target directory.
fn adk_sqlite() -> Option<PathBuf> {
    let beside = env::current_exe().ok()?.with_file_name("adk-sqlite");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("adk-sqlite/target/release/adk-sqlite");
    [beside, own].into_iter().find(|program| program.exists())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
