//! Racers as processes.

use std::{
    env,
    io::{BufRead, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use hitl::{Agent, Digest, Graph};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::{
    desk::{World, agent, letters::Letters, refund::Refunds},
    judge::judge,
    racer::{Answer, Move, Racer},
    rounds, shelf,
    tasks::{ONE_REVIEW, TWO_REVIEWS, open},
};

/// The graph to race on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Desk {
    Refunds,
    Letters,
}

/// The orders to a child process before the first round.
#[derive(Debug, Serialize, Deserialize)]
struct Orders {
    dir: PathBuf,
    desk: Desk,
    racer: Racer,
}

const ORDERS: &str = "HITL_RACE_ORDERS";

/// Races as the parent process orders. In a process without such a parent it does nothing.
pub fn obey() {
    let Ok(orders) = env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match orders.desk {
            Desk::Refunds => run::<Refunds>(&orders).await,
            Desk::Letters => run::<Letters>(&orders).await,
        }
    });
}

/// Runs all rounds. An input line has a thread and its reviews; an output line has the answers to the racer.
async fn run<G: Graph<Deps = World>>(Orders { dir, racer, .. }: &Orders) {
    let store = shelf::open(dir).await;
    let agent: Agent<G> = agent(store, &World::in_dir(dir), racer.does.is_late());
    println!("\n@ready");
    for line in std::io::stdin().lines() {
        let (thread, reviews): (String, Vec<Digest>) = serde_json::from_str(&line.unwrap()).unwrap();
        let told = racer.race(&agent, &thread, &reviews).await;
        println!("\n@{}", serde_json::to_string(&told).unwrap());
    }
}

struct Process {
    racer: Racer,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(dir: &Path, desk: Desk, racer: Racer) -> Self {
        let orders = Orders { dir: dir.to_owned(), desk, racer };
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(ORDERS, serde_json::to_string(&orders).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { racer, child, input, output: BufReader::new(output) }
    }

    /// Returns the next line that the child marked with `@`.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).unwrap();
            assert!(length > 0, "{:?} has ended, and said why above", self.racer);
            if let Some(said) = line.trim_end().strip_prefix('@') {
                return said.to_owned();
            }
        }
    }

    fn told(&mut self) -> Vec<Answer> {
        serde_json::from_str(&self.line()).unwrap()
    }

    fn end(mut self) {
        drop(self.input);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{:?}: {status}", self.racer);
    }
}

async fn race<G: Graph<Deps = World>>(dir: &Path, desk: Desk, moves: &[Move], count: usize) {
    let world = World::in_dir(dir);
    let store = shelf::open(dir).await;
    let agent: Agent<G> = agent(store, &world, false);
    let mut races = open(&agent, rounds(count)).await;

    let racers = Racer::field(moves);
    let mut processes: Vec<_> = racers.into_iter().map(|racer| Process::start(dir, desk, racer)).collect();
    processes.iter_mut().for_each(|process| assert_eq!(process.line(), "ready"));
    for race in &mut races {
        let go = serde_json::to_string(&(&race.thread, &race.reviews)).unwrap() + "\n";
        // In each round, another process is started first.
        processes.rotate_left(1);
        processes.iter_mut().for_each(|process| process.input.write_all(go.as_bytes()).unwrap());
        race.told = processes.iter_mut().map(|process| (process.racer, process.told())).collect();
    }
    processes.into_iter().for_each(Process::end);

    let wins = judge(&agent, &world, &races).await;
    println!("{desk:?}, {} threads: {wins:?}", races.len());
    assert!(wins.len() > 2, "that was no race: {wins:?}");
}

#[tokio::test]
async fn one_review() {
    let dir = TempDir::new().unwrap();
    race::<Refunds>(dir.path(), Desk::Refunds, &ONE_REVIEW, 300).await;
}

#[tokio::test]
async fn two_reviews_side_by_side() {
    let dir = TempDir::new().unwrap();
    race::<Letters>(dir.path(), Desk::Letters, &TWO_REVIEWS, 200).await;
}

#[cfg(feature = "dynamodb")]
mod in_a_table {
    use super::*;
    use crate::table::Table;

    #[tokio::test]
    async fn one_review() {
        let (dir, table) = (TempDir::new().unwrap(), Table::create().await);
        shelf::name(&table, dir.path());
        race::<Refunds>(dir.path(), Desk::Refunds, &ONE_REVIEW, 120).await;
    }

    #[tokio::test]
    async fn two_reviews_side_by_side() {
        let (dir, table) = (TempDir::new().unwrap(), Table::create().await);
        shelf::name(&table, dir.path());
        race::<Letters>(dir.path(), Desk::Letters, &TWO_REVIEWS, 80).await;
    }
}
