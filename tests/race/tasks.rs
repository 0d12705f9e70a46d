//! Racers as tasks of one process.

use std::sync::Arc;

use futures_util::future::join_all;
use hitl::{Agent, Digest, Graph, MemoryStore, SqliteStore, Store, ThreadId};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Barrier;

use crate::{
    assertions::{Race, check_races},
    graphs::{World, agent, letters::Letters, refund::Refunds, successor},
    racer::{Handle, Move, Racer},
    rounds,
};

pub const ONE_REVIEW: [Move; 7] =
    [Move::Approve, Move::Edit, Move::Reject, Move::Ask, Move::ApproveLate, Move::Expire, Move::Resume];

/// Moves of which one ends the thread, whichever is first.
pub const WITH_CANCEL: [Move; 7] =
    [Move::Approve, Move::Edit, Move::Reject, Move::Cancel, Move::ApproveLate, Move::Expire, Move::Resume];

pub const TWO_REVIEWS: [Move; 7] =
    [Move::Approve, Move::Edit, Move::Reject, Move::Approve, Move::ApproveLate, Move::Expire, Move::Resume];

/// Starts threads that wait, and returns them with the digests of their open reviews.
pub async fn open<G: Graph<Deps = World>>(agent: &Agent<G>, count: usize) -> Vec<Race> {
    join_all((0..count).map(async |i| {
        let thread = format!("ticket-{i}");
        drop(agent.start_json(thread.as_str(), &json!({ "message": "it arrived broken" })).await.unwrap());
        let view = agent.view(thread.as_str()).await.unwrap();
        let reviews: Vec<Digest> = view.reviews.iter().map(|review| review.digest).collect();
        Race { thread, reviews, answers: Vec::new() }
    }))
    .await
}

/// Runs each racer as a task, half of them on one store handle and half on the other.
async fn race<G: Graph<Deps = World>>(stores: [impl Store + Clone; 2], moves: &[Move], count: usize) {
    let dir = TempDir::new().unwrap();
    let world = World::in_dir(dir.path());
    let first: Agent<G> = agent(stores[0].clone(), &world, false);
    let mut races = open(&first, count).await;
    let gate = Arc::new(Barrier::new(moves.len()));
    let threads: Arc<Vec<_>> =
        Arc::new(races.iter().map(|race| (race.thread.clone(), race.reviews.clone())).collect());
    let tasks = Racer::one_per_move(moves).into_iter().map(|racer| {
        let handle =
            Handle::<G>::Agent(agent(stores[racer.number % 2].clone(), &world, racer.does.is_late()));
        let (gate, threads) = (Arc::clone(&gate), Arc::clone(&threads));
        tokio::spawn(async move {
            let mut answers = Vec::new();
            for (thread, reviews) in &*threads {
                gate.wait().await;
                answers.push(racer.race(&handle, thread, reviews).await);
            }
            (racer, answers)
        })
    });
    for task in join_all(tasks).await {
        let (racer, answers) = task.unwrap();
        races.iter_mut().zip(answers).for_each(|(race, answers)| race.answers.push((racer, answers)));
    }
    let wins = check_races(&first, &world, &races).await;
    println!("{count} threads: {wins:?}");
    assert!(wins.len() > 2, "too few kinds of verdicts won: {wins:?}");
}

async fn on_a_file<G: Graph<Deps = World>>(moves: &[Move], count: usize) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("threads.db");
    let stores = [SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap()];
    race::<G>(stores, moves, rounds(count)).await;
}

async fn in_memory<G: Graph<Deps = World>>(moves: &[Move], count: usize) {
    let store = MemoryStore::new();
    race::<G>([store.clone(), store], moves, rounds(count)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_race_on_one_review_in_sqlite() {
    on_a_file::<Refunds>(&ONE_REVIEW, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_race_with_a_cancellation_in_sqlite() {
    on_a_file::<Refunds>(&WITH_CANCEL, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_race_with_a_cancellation_in_memory() {
    in_memory::<Letters>(&WITH_CANCEL, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_race_on_two_open_reviews_in_sqlite() {
    on_a_file::<Letters>(&TWO_REVIEWS, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_race_on_one_review_in_memory() {
    in_memory::<Refunds>(&ONE_REVIEW, 1_500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_race_on_two_open_reviews_in_memory() {
    in_memory::<Letters>(&TWO_REVIEWS, 500).await;
}

/// Of many concurrent starts of one thread, one starts it, and all return the same turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_starts_create_one_thread() {
    let (agents, _dir) = agents(false, 8).await;
    for round in 0..rounds(200) {
        let thread = format!("ticket-{round}");
        let input = json!({ "message": "it arrived broken" });
        join_all(agents.iter().map(|agent| {
            let (agent, thread, input) = (agent.clone(), thread.clone(), input.clone());
            tokio::spawn(async move { drop(agent.start_json(thread, &input).await.unwrap()) })
        }))
        .await
        .into_iter()
        .for_each(Result::unwrap);
        assert_history(&agents[0], &thread, &["started", "ran", "paused"]).await;
    }
}

/// Of many concurrent takeovers of a dead runner's thread, one succeeds, and no node runs twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_takeovers_have_one_winner() {
    let (agents, dir) = agents(true, 8).await;
    let count = rounds(200);
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = World::in_dir(dir.path()).hanging();
    let store = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
    let hanging: Agent<Refunds> = agent(store, &world, false);
    for round in 0..count {
        let (agent, input) = (hanging.clone(), json!({ "message": "it arrived broken" }));
        doomed.spawn(async move { agent.start_json(format!("ticket-{round}"), &input).await });
    }
    for round in 0..count {
        while agents[0].turn(format!("ticket-{round}")).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    doomed.shutdown_background();
    for round in 0..count {
        let thread = format!("ticket-{round}");
        join_all(agents.iter().map(|agent| {
            let (agent, thread) = (agent.clone(), thread.clone());
            tokio::spawn(async move { drop(agent.resume(thread).await.unwrap()) })
        }))
        .await
        .into_iter()
        .for_each(Result::unwrap);
        assert_history(&agents[0], &thread, &["started", "resumed", "ran", "paused"]).await;
    }
}

/// Returns agents with a store handle each on one file, and the directory of that file.
async fn agents(are_late: bool, count: usize) -> (Vec<Agent<Refunds>>, TempDir) {
    let dir = TempDir::new().unwrap();
    let world = World::in_dir(dir.path());
    let mut agents = Vec::new();
    for _ in 0..count {
        let store = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
        agents.push(if are_late { successor(store, &world) } else { agent(store, &world, false) });
    }
    (agents, dir)
}

async fn assert_history(agent: &Agent<Refunds>, thread: &str, way: &[&str]) {
    let id = ThreadId::new(thread).unwrap();
    agent.verify(&id).await.unwrap();
    let history = agent.history(&id, 0, 100).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.event.name()).collect::<Vec<_>>(), way, "`{thread}`");
}
