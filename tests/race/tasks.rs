//! Racers as tasks of one process.

use std::sync::Arc;

use futures_util::future::join_all;
use hitl::{Agent, Digest, Graph, MemoryStore, SqliteStore, Store, ThreadId};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::Barrier;

use crate::{
    desk::{World, agent, heir, letters::Letters, refund::Refunds},
    judge::{Race, judge},
    racer::{Move, Racer},
    rounds,
};

pub const ONE_REVIEW: [Move; 7] =
    [Move::Approve, Move::Edit, Move::Reject, Move::Ask, Move::ApproveLate, Move::Expire, Move::Resume];

pub const TWO_REVIEWS: [Move; 7] =
    [Move::Approve, Move::Edit, Move::Reject, Move::Approve, Move::ApproveLate, Move::Expire, Move::Resume];

/// Starts threads that wait, and returns them with the digests of their open reviews.
pub async fn open<G: Graph<Deps = World>>(agent: &Agent<G>, count: usize) -> Vec<Race> {
    join_all((0..count).map(async |i| {
        let thread = format!("ticket-{i}");
        drop(agent.start_json(thread.as_str(), &json!({ "message": "it arrived broken" })).await.unwrap());
        let view = agent.view(thread.as_str()).await.unwrap();
        let reviews: Vec<Digest> = view.reviews.iter().map(|review| review.digest).collect();
        Race { thread, reviews, told: Vec::new() }
    }))
    .await
}

/// Runs each racer as a task, half of them on one store handle and half on the other.
async fn race<G: Graph<Deps = World>>(stores: [impl Store + Clone; 2], moves: &[Move], count: usize) {
    let dir = TempDir::new().unwrap();
    let world = World::in_dir(dir.path());
    let desk: Agent<G> = agent(stores[0].clone(), &world, false);
    let mut races = open(&desk, count).await;
    let gate = Arc::new(Barrier::new(moves.len()));
    let threads: Arc<Vec<_>> =
        Arc::new(races.iter().map(|race| (race.thread.clone(), race.reviews.clone())).collect());
    let tasks = Racer::field(moves).into_iter().map(|racer| {
        let agent: Agent<G> = agent(stores[racer.number % 2].clone(), &world, racer.does.is_late());
        let (gate, threads) = (Arc::clone(&gate), Arc::clone(&threads));
        tokio::spawn(async move {
            let mut told = Vec::new();
            for (thread, reviews) in &*threads {
                gate.wait().await;
                told.push(racer.race(&agent, thread, reviews).await);
            }
            (racer, told)
        })
    });
    for task in join_all(tasks).await {
        let (racer, told) = task.unwrap();
        races.iter_mut().zip(told).for_each(|(race, told)| race.told.push((racer, told)));
    }
    let wins = judge(&desk, &world, &races).await;
    println!("{count} threads: {wins:?}");
    assert!(wins.len() > 2, "that was no race: {wins:?}");
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
async fn one_review_on_a_file() {
    on_a_file::<Refunds>(&ONE_REVIEW, 500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_reviews_on_a_file() {
    on_a_file::<Letters>(&TWO_REVIEWS, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_review_in_memory() {
    in_memory::<Refunds>(&ONE_REVIEW, 1_500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_reviews_in_memory() {
    in_memory::<Letters>(&TWO_REVIEWS, 500).await;
}

/// Of many concurrent starts of one thread, one starts it, and all return the same turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_start() {
    let (desks, _dir) = desks(false, 8).await;
    for round in 0..rounds(200) {
        let thread = format!("ticket-{round}");
        let input = json!({ "message": "it arrived broken" });
        join_all(desks.iter().map(|desk| {
            let (desk, thread, input) = (desk.clone(), thread.clone(), input.clone());
            tokio::spawn(async move { drop(desk.start_json(thread, &input).await.unwrap()) })
        }))
        .await
        .into_iter()
        .for_each(Result::unwrap);
        has_gone_one_way(&desks[0], &thread, &["started", "ran", "paused"]).await;
    }
}

/// Of many concurrent takeovers of a dead runner's thread, one succeeds, and no node runs twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_heir() {
    let (desks, dir) = desks(true, 8).await;
    let count = rounds(200);
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = World::in_dir(dir.path()).hanging();
    let store = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
    let hanging: Agent<Refunds> = agent(store, &world, false);
    for round in 0..count {
        let (desk, input) = (hanging.clone(), json!({ "message": "it arrived broken" }));
        doomed.spawn(async move { desk.start_json(format!("ticket-{round}"), &input).await });
    }
    for round in 0..count {
        while desks[0].thread(format!("ticket-{round}")).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    doomed.shutdown_background();
    for round in 0..count {
        let thread = format!("ticket-{round}");
        join_all(desks.iter().map(|desk| {
            let (desk, thread) = (desk.clone(), thread.clone());
            tokio::spawn(async move { drop(desk.resume(thread).await.unwrap()) })
        }))
        .await
        .into_iter()
        .for_each(Result::unwrap);
        has_gone_one_way(&desks[0], &thread, &["started", "resumed", "ran", "paused"]).await;
    }
}

/// Returns agents with a store handle each on one file, and the directory of that file.
async fn desks(are_late: bool, count: usize) -> (Vec<Agent<Refunds>>, TempDir) {
    let dir = TempDir::new().unwrap();
    let world = World::in_dir(dir.path());
    let mut desks = Vec::new();
    for _ in 0..count {
        let store = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
        desks.push(if are_late { heir(store, &world) } else { agent(store, &world, false) });
    }
    (desks, dir)
}

async fn has_gone_one_way(desk: &Agent<Refunds>, thread: &str, way: &[&str]) {
    let id = ThreadId::new(thread).unwrap();
    desk.verify(&id).await.unwrap();
    let history = desk.history(&id, 0, 100).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.event.name()).collect::<Vec<_>>(), way, "`{thread}`");
}
