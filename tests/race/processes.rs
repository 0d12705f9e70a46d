//! Racers as processes.

use std::path::{Path, PathBuf};

use hitl::{Agent, Digest, Graph};
use hitl_testkit::child::{self, ChildProcess};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::{
    assertions::check_races,
    graphs::{World, agent, front, letters::Letters, refund::Refunds},
    matrix_store,
    racer::{Answer, Handle, Move, Racer},
    rounds,
    tasks::{ONE_REVIEW, TWO_REVIEWS, WITH_CANCEL, open},
};

/// The graph to race on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum TestGraph {
    Refunds,
    Letters,
}

/// The orders to a child process before the first round.
#[derive(Debug, Serialize, Deserialize)]
struct Orders {
    dir: PathBuf,
    graph: TestGraph,
    racer: Racer,
}

/// Races as the parent process orders. In a process without such a parent it does nothing.
pub fn run_child() {
    let Some(orders) = child::orders::<Orders>() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match orders.graph {
            TestGraph::Refunds => run::<Refunds>(&orders).await,
            TestGraph::Letters => run::<Letters>(&orders).await,
        }
    });
}

/// Runs all rounds. An input line has a thread and its reviews; an output line has the answers to the racer.
async fn run<G: Graph<Deps = World>>(Orders { dir, racer, .. }: &Orders) {
    let store = matrix_store::open(dir).await;
    let is_late = racer.does.is_late();
    let handle: Handle<G> = match racer.in_front {
        true => Handle::Front(front(store, is_late)),
        false => Handle::Agent(agent(store, &World::in_dir(dir), is_late)),
    };
    child::say("ready");
    while let Some(line) = child::wait() {
        let (thread, reviews): (String, Vec<Digest>) = serde_json::from_str(&line).unwrap();
        let answers = racer.race(&handle, &thread, &reviews).await;
        child::say(serde_json::to_string(&answers).unwrap());
    }
}

struct Process {
    racer: Racer,
    child: ChildProcess,
}

impl Process {
    fn start(dir: &Path, graph: TestGraph, racer: Racer) -> Self {
        let orders = Orders { dir: dir.to_owned(), graph, racer };
        Self { racer, child: ChildProcess::start("child", &orders) }
    }

    fn line(&mut self) -> String {
        self.child.line().unwrap_or_else(|| panic!("{:?} exited; its output is above", self.racer))
    }

    fn answers(&mut self) -> Vec<Answer> {
        serde_json::from_str(&self.line()).unwrap()
    }
}

async fn race<G: Graph<Deps = World>>(dir: &Path, graph: TestGraph, moves: &[Move], count: usize) {
    let world = World::in_dir(dir);
    let store = matrix_store::open(dir).await;
    let agent: Agent<G> = agent(store, &world, false);
    let mut races = open(&agent, rounds(count)).await;

    let racers = Racer::with_fronts(moves);
    let mut processes: Vec<_> = racers.into_iter().map(|racer| Process::start(dir, graph, racer)).collect();
    processes.iter_mut().for_each(|process| assert_eq!(process.line(), "ready"));
    for race in &mut races {
        let go = serde_json::to_string(&(&race.thread, &race.reviews)).unwrap();
        // In each round, another process is started first.
        processes.rotate_left(1);
        processes.iter_mut().for_each(|process| process.child.send(&go));
        race.answers = processes.iter_mut().map(|process| (process.racer, process.answers())).collect();
        // What a front has recorded last is left to a runner.
        drop(agent.resume(race.thread.as_str()).await.unwrap());
    }
    processes.into_iter().for_each(|process| drop(process.child.succeed()));

    let wins = check_races(&agent, &world, &races).await;
    println!("{graph:?}, {} threads: {wins:?}", races.len());
    assert!(wins.len() > 2, "too few kinds of verdicts won: {wins:?}");
}

#[tokio::test]
async fn processes_race_on_one_review() {
    let dir = TempDir::new().unwrap();
    race::<Refunds>(dir.path(), TestGraph::Refunds, &ONE_REVIEW, 300).await;
}

#[tokio::test]
async fn processes_race_with_a_cancellation() {
    let dir = TempDir::new().unwrap();
    race::<Refunds>(dir.path(), TestGraph::Refunds, &WITH_CANCEL, 200).await;
}

#[tokio::test]
async fn processes_race_on_two_open_reviews() {
    let dir = TempDir::new().unwrap();
    race::<Letters>(dir.path(), TestGraph::Letters, &TWO_REVIEWS, 200).await;
}

#[cfg(feature = "dynamodb")]
mod on_dynamodb {
    use super::*;
    use crate::table::Table;

    #[tokio::test]
    async fn processes_race_on_one_review() {
        let (dir, table) = (TempDir::new().unwrap(), Table::create().await);
        matrix_store::name(&table, dir.path());
        race::<Refunds>(dir.path(), TestGraph::Refunds, &ONE_REVIEW, 120).await;
    }

    #[tokio::test]
    async fn processes_race_with_a_cancellation() {
        let (dir, table) = (TempDir::new().unwrap(), Table::create().await);
        matrix_store::name(&table, dir.path());
        race::<Refunds>(dir.path(), TestGraph::Refunds, &WITH_CANCEL, 60).await;
    }

    #[tokio::test]
    async fn processes_race_on_two_open_reviews() {
        let (dir, table) = (TempDir::new().unwrap(), Table::create().await);
        matrix_store::name(&table, dir.path());
        race::<Letters>(dir.path(), TestGraph::Letters, &TWO_REVIEWS, 80).await;
    }
}
