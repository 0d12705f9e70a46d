//! The time that the engine needs for one thread: to its review, from there to its end, and for one step of a long
//! loop.
//!
//! `cargo bench --bench engine`. Every step is in the store before the next begins; on SQLite it is durable. Each
//! measurement is of whole calls of the public API; preparations, such as the start before an approval, are not timed.

// A bench that fails has nothing to measure, so it may panic.
#![allow(clippy::expect_used)]

mod graphs;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use graphs::{
    Loop, RefundAgent, RefundReview, Returns, STEPS, approved, counted, edited, mara, received, suspended,
};
use hitl::prelude::*;
use tokio::runtime::{Builder, Runtime};

/// The number of threads that are open at once while one call is measured over all of them.
const BATCH: u64 = 64;

criterion_group!(benches, in_memory, on_sqlite);
criterion_main!(benches);

fn in_memory(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("memory");
    // A store of its own for each batch, so that a step is measured and not the growth of a large table.
    refunds(&mut group, &runtime, || RefundAgent::new(MemoryStore::new()));
    steps(&mut group, &runtime, || Loop::new(MemoryStore::new()));
    items(&mut group, &runtime);
    group.finish();
}

fn on_sqlite(criterion: &mut Criterion) {
    let runtime = runtime();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for the file");
    let open = || runtime.block_on(SqliteStore::open(dir.path().join("threads.db"))).expect("a store");
    let mut group = criterion.benchmark_group("sqlite");
    group.sample_size(10);
    let agent = RefundAgent::new(open());
    refunds(&mut group, &runtime, || agent.clone());
    let agent = Loop::new(open());
    steps(&mut group, &runtime, || agent.clone());
    group.finish();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// Returns a thread name that has not been used.
fn name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("ticket-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn refunds(
    group: &mut BenchmarkGroup<'_, WallTime>,
    runtime: &Runtime,
    agent: impl Fn() -> Agent<RefundAgent>,
) {
    let mara = mara();
    group.bench_function("start to suspended", |bencher| {
        bencher.iter_custom(|iterations| {
            runtime.block_on(batches(iterations, async |count| {
                let agent = agent();
                let mut reviews = Vec::with_capacity(BATCH as usize);
                let start = Instant::now();
                for _ in 0..count {
                    reviews.push(suspended(&agent, name()).await);
                }
                start.elapsed()
            }))
        });
    });
    group.bench_function("approve to done", |bencher| {
        bencher.iter_custom(|iterations| {
            runtime.block_on(batches(iterations, async |count| {
                let reviews = open(&agent(), count).await;
                let start = Instant::now();
                for review in reviews {
                    approved(review, &mara).await;
                }
                start.elapsed()
            }))
        });
    });
    group.bench_function("suspend, edit, resume", |bencher| {
        bencher.iter_custom(|iterations| {
            runtime.block_on(batches(iterations, async |count| {
                let agent = agent();
                let start = Instant::now();
                for _ in 0..count {
                    edited(suspended(&agent, name()).await, &mara).await;
                }
                start.elapsed()
            }))
        });
    });
}

/// Measures one step of a loop of 1,000. The start and the end of a loop are spread over its steps.
fn steps(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, agent: impl Fn() -> Agent<Loop>) {
    group.bench_function("one step of a loop", |bencher| {
        bencher.iter_custom(|iterations| {
            let loops = iterations.div_ceil(STEPS);
            let spent = runtime.block_on(async {
                let mut spent = Duration::ZERO;
                for _ in 0..loops {
                    let agent = agent();
                    let start = Instant::now();
                    assert_eq!(counted(&agent, name()).await, STEPS);
                    spent += start.elapsed();
                }
                spent
            });
            spent.div_f64((loops * STEPS) as f64 / iterations as f64)
        });
    });
}

/// Measures a `for` over `count` items, 4 at once. The time for each item should not depend on `count`.
fn items(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime) {
    group.sample_size(10);
    for count in [10, 100, 1_000, 10_000] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("a `for` of {count}"), |bencher| {
            bencher.iter_custom(|iterations| {
                runtime.block_on(batches(iterations, async |threads| {
                    let agent = Returns::new(MemoryStore::new());
                    let start = Instant::now();
                    for _ in 0..threads {
                        assert_eq!(received(&agent, name(), count).await, count as usize);
                    }
                    start.elapsed()
                }))
            });
        });
    }
}

async fn open(agent: &Agent<RefundAgent>, count: u64) -> Vec<RefundReview> {
    let mut reviews = Vec::with_capacity(count as usize);
    for _ in 0..count {
        reviews.push(suspended(agent, name()).await);
    }
    reviews
}

/// Runs batches of at most [`BATCH`] and returns their total time.
async fn batches(iterations: u64, mut batch: impl AsyncFnMut(u64) -> Duration) -> Duration {
    let mut spent = Duration::ZERO;
    let mut left = iterations;
    while left > 0 {
        let count = left.min(BATCH);
        spent += batch(count).await;
        left -= count;
    }
    spent
}
