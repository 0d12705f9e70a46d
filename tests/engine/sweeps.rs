//! Sweeps over many threads: deadlines during long runs, threads that cannot be resumed, and clocks that are ahead.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use hitl::{Agent, ManualClock, MemoryStore, SweepEvent, ThreadStatus, Timestamp, prelude::*};
use tokio::sync::{Semaphore, mpsc};

const HOUR: Duration = Duration::from_secs(3_600);

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Letter {
    #[garde(length(min = 1))]
    text: String,
}

#[state]
pub struct Job {
    #[input]
    pub long: bool,
    pub letter: Letter,
    #[output]
    pub outcome: String,
}

/// A mock process whose runs block while its gate has no permits.
#[derive(Clone)]
pub struct Process {
    gate: Arc<Semaphore>,
    entered: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Process {
    fn open() -> Self {
        Self::of(Semaphore::MAX_PERMITS)
    }

    fn shut() -> Self {
        Self::of(0)
    }

    fn of(permits: usize) -> Self {
        Self {
            gate: Arc::new(Semaphore::new(permits)),
            entered: Arc::new(Semaphore::new(0)),
            inside: Arc::default(),
            most: Arc::default(),
        }
    }

    async fn pass(&self) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        self.entered.add_permits(1);
        drop(self.gate.acquire().await.unwrap());
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    async fn wait_for(&self, runs: u32) {
        self.entered.acquire_many(runs).await.unwrap().forget();
    }
}

#[node(Job, writes = outcome)]
async fn work(process: Deps<Process>) -> Result<String> {
    process.pass().await;
    Ok("worked".into())
}

#[node(Job, writes = letter)]
async fn write() -> Result<Letter> {
    Ok(Letter { text: "Dear Ada".into() })
}

#[interrupt_before(role = "clerk", expires = "24h")]
#[node(Job, writes = outcome, effect)]
async fn send(letter: &Approved<Letter>) -> Result<String> {
    Ok(letter.text.clone())
}

#[node(Job, writes = outcome)]
async fn discard(_rejection: &Rejection) -> Result<String> {
    Ok("discarded".into())
}

/// Discards the letter as `discard` does, but blocks at the gate first.
#[node(Job, writes = outcome)]
async fn discard_slowly(_rejection: &Rejection, process: Deps<Process>) -> Result<String> {
    process.pass().await;
    Ok("discarded".into())
}

graph! {
    pub Jobs<Job, Process> {
        start -> match long {
            true => work,
            false => write,
        };
        work -> end;
        write -> send -> end;
        send { reject -> discard }
        discard -> end;
    }
}

graph! {
    pub SlowJobs<Job, Process> {
        start -> write -> send -> end;
        send { reject -> discard_slowly }
        discard_slowly -> end;
    }
}

/// Starts `count` threads, up to 64 concurrently.
async fn start(agent: &Agent<Jobs>, kind: &str, long: bool, count: usize) {
    let start = |n: usize| async move {
        let turn = agent.start(format!("{kind}-{n:05}"), JobInput { long }).await.unwrap();
        assert!(long || matches!(turn, JobsTurn::Send(_)), "{turn}");
    };
    stream::iter(0..count).map(start).buffer_unordered(64).collect::<Vec<()>>().await;
}

/// Starts threads whose runner blocks, and advances `clock` past their leases. Renewals follow Tokio's clock, which
/// stays behind, so none happens.
async fn abandon(store: &MemoryStore, clock: &ManualClock, count: usize) {
    let dead = Process::shut();
    let agent = Jobs::new(dead.clone(), store.clone()).clock(clock.clone());
    for n in 0..count {
        let agent = agent.clone();
        tokio::spawn(async move { agent.start(format!("run-{n:05}"), JobInput { long: true }).await });
    }
    dead.wait_for(u32::try_from(count).unwrap()).await;
    clock.advance(Duration::from_secs(31));
}

/// Spawns a watch that makes one pass within a test, and returns a channel with its events.
fn watch<G: hitl::Graph>(
    agent: &Agent<G>,
) -> (tokio::task::JoinHandle<()>, mpsc::UnboundedReceiver<SweepEvent>)
where
    Agent<G>: Send + 'static,
{
    let (tell, told) = mpsc::unbounded_channel();
    let agent = agent.clone();
    let watch = tokio::spawn(async move {
        agent.watch(1_000 * HOUR, |noticed| tell.send(noticed.unwrap()).unwrap()).await;
    });
    (watch, told)
}

async fn moved(
    told: &mut mpsc::UnboundedReceiver<SweepEvent>,
    count: usize,
) -> BTreeMap<String, ThreadStatus> {
    let mut seen = BTreeMap::new();
    while seen.len() < count {
        match told.recv().await.unwrap() {
            SweepEvent::Moved { thread, standing, .. } => drop(seen.insert(thread.to_string(), standing)),
            other => panic!("{other:?}"),
        }
    }
    seen
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn one_pass_of_a_watch_handles_all_due_threads() {
    const COUNT: usize = 5_000;
    let dir = tempfile::tempdir().unwrap();
    let store = hitl::SqliteStore::open(dir.path().join("jobs.db")).await.unwrap();
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let agent = Jobs::new(Process::open(), store).clock(clock.clone());
    start(&agent, "due", false, COUNT).await;
    clock.advance(24 * HOUR);
    let (watch, mut told) = watch(&agent);
    let seen = moved(&mut told, COUNT).await;
    assert!(seen.values().all(|standing| *standing == ThreadStatus::Ended));
    assert!(agent.store().due(Timestamp::MAX, None, 1).await.unwrap().items.is_empty());
    watch.abort();
}

#[tokio::test]
async fn deadlines_are_handled_while_all_runs_hang() {
    let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    start(&Jobs::new(Process::open(), store.clone()).clock(clock.clone()), "due", false, 200).await;
    clock.advance(24 * HOUR);
    abandon(&store, &clock, 40).await;
    let process = Process::shut();
    let agent = Jobs::new(process.clone(), store).clock(clock);
    let (watch, mut told) = watch(&agent);
    process.wait_for(16).await;
    let seen = moved(&mut told, 200).await;
    assert!(
        seen.iter().all(|(thread, is)| thread.starts_with("due") && *is == ThreadStatus::Ended),
        "{seen:?}"
    );
    // 16 runs are concurrent; the others follow as these end, within the same pass.
    process.gate.add_permits(1_000);
    let seen = moved(&mut told, 40).await;
    assert!(
        seen.iter().all(|(thread, is)| thread.starts_with("run") && *is == ThreadStatus::Ended),
        "{seen:?}"
    );
    assert_eq!(process.most.load(Ordering::SeqCst), 16);
    watch.abort();
}

#[tokio::test]
async fn a_sweep_resumes_more_threads_than_run_concurrently() {
    let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    abandon(&store, &clock, 100).await;
    let process = Process::open();
    let agent = Jobs::new(process.clone(), store).clock(clock);
    assert_eq!(agent.sweep().await.unwrap().len(), 100);
    assert!(agent.sweep().await.unwrap().is_empty());
    assert!(process.most.load(Ordering::SeqCst) <= 16);
}

/// Tokio's clock is paused and jumps to the next timer, so the test takes no real time.
#[tokio::test(start_paused = true)]
async fn an_expiry_is_stored_before_its_next_node_runs() {
    let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let process = Process::shut();
    let agent = SlowJobs::new(process.clone(), store).clock(clock.clone());
    for n in 0..40 {
        let _ = agent.start(format!("due-{n:02}"), JobInput { long: false }).await.unwrap();
    }
    clock.advance(24 * HOUR);
    let (watch, mut told) = watch(&agent);
    // 16 threads run on from their expiry and block. For the other 24 the watch only writes the expiry and reports
    // them.
    let seen = moved(&mut told, 24).await;
    assert!(seen.values().all(|standing| *standing == ThreadStatus::Running), "{seen:?}");
    assert!(agent.inbox(None, 1).await.unwrap().items.is_empty());
    process.gate.add_permits(1_000);
    while agent.store().due(Timestamp::MAX, None, 1).await.unwrap().items.len() == 1 {
        told.recv().await.unwrap();
    }
    assert_eq!(agent.store().threads(Some(ThreadStatus::Ended), None, 100).await.unwrap().items.len(), 40);
    assert!(process.most.load(Ordering::SeqCst) <= 32);
    watch.abort();
}

/// Tokio's clock is paused and jumps to the next timer, so the test takes no real time.
#[tokio::test(start_paused = true)]
async fn an_incompatible_thread_is_retried_with_backoff() {
    let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    start(&Jobs::new(Process::open(), store.clone()).clock(clock.clone()), "due", false, 3).await;
    clock.advance(24 * HOUR);
    // A newer graph of the same name, without a review before `send`.
    let newer = newer::Jobs::new(store).clock(clock);
    let (tell, mut told) = mpsc::unbounded_channel();
    let watch = tokio::spawn(async move {
        newer.watch(Duration::from_secs(1), |noticed| tell.send(noticed.unwrap()).unwrap()).await
    });
    tokio::time::sleep(Duration::from_millis(63_500)).await;
    watch.abort();
    let mut refused = 0;
    while let Ok(SweepEvent::Refused { .. }) = told.try_recv() {
        refused += 1;
    }
    // Three threads, each tried in the passes 1, 2, 4, 8, 16, 32 and 64.
    assert_eq!(refused, 3 * 7);
}

mod newer {
    use hitl::prelude::*;

    use super::{Job, Letter};

    #[node(Job, writes = outcome)]
    async fn send(letter: &Letter) -> Result<String> {
        Ok(letter.text.clone())
    }

    #[node(Job, writes = letter)]
    async fn write() -> Result<Letter> {
        Ok(Letter { text: "Dear Ada".into() })
    }

    graph! {
        pub Jobs<Job> { start -> write -> send -> end; }
    }
}

#[tokio::test]
async fn a_dead_runner_with_a_fast_clock_blocks_for_one_lease() {
    let (store, right) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let fast = ManualClock::at(Timestamp::from_millis(1_000_000 + 3_600_000));
    let dead = Process::shut();
    let agent = Jobs::new(dead.clone(), store.clone()).clock(fast);
    let running = tokio::spawn(async move { agent.start("t", JobInput { long: true }).await });
    dead.wait_for(1).await;
    let agent = Jobs::new(Process::open(), store).clock(right.clone());
    // The runner may be alive: its thread is not taken over before a whole lease has passed on this clock without a
    // renewal.
    assert!(agent.sweep().await.unwrap().is_empty());
    right.advance(Duration::from_secs(29));
    assert!(agent.sweep().await.unwrap().is_empty());
    assert!(matches!(agent.turn("t").await.unwrap(), JobsTurn::Running(it) if !it.is_stalled()));
    right.advance(Duration::from_secs(1));
    let swept = agent.sweep().await.unwrap();
    assert!(
        matches!(swept.as_slice(), [SweepEvent::Moved { standing: ThreadStatus::Ended, .. }]),
        "{swept:?}"
    );
    // The runner that lost its lease appends nothing more.
    dead.gate.add_permits(1);
    assert!(matches!(running.await.unwrap().unwrap(), JobsTurn::Done(_)));
    assert_eq!(agent.history("t", 0, 100).await.unwrap().len(), 4);
}
