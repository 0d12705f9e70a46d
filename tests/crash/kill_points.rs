//! The points at which a process is killed: a store and a future that count them.

use std::{
    fs::{File, OpenOptions},
    future::poll_fn,
    io::Write as _,
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use hitl::{
    Store, StoreError,
    store::{Append, BoxFuture, LayeredStore, StoreLayer},
};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use tokio::sync::SetOnce;

use crate::matrix_store;

/// A kind of point at which a process can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum PointKind {
    /// Before an append is passed to the store.
    BeforeAppend,
    /// After an append is stored, and before its caller knows it.
    AfterAppend,
    /// At a pending poll of the agent's future, or of a node's.
    Await,
    /// Before or after a change of the world.
    Effect,
    /// After a multiple of 100 µs, at any point of the program, also inside SQLite.
    Moment,
}

/// The nth point of a kind, from 1 on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Point {
    pub kind: PointKind,
    pub nth: u64,
}

/// A counter of points, which kills this process at one of them.
#[derive(Default)]
pub struct KillSwitch {
    point: Option<Point>,
    passed: AtomicU64,
}

impl KillSwitch {
    pub fn at(point: Option<Point>) -> Arc<Self> {
        if let Some(Point { kind: PointKind::Moment, nth }) = point {
            thread::spawn(move || {
                thread::sleep(Duration::from_micros(100 * nth));
                kill_this_process();
            });
        }
        Arc::new(Self { point, passed: AtomicU64::new(0) })
    }

    pub fn reach(&self, kind: PointKind) {
        let Some(point) = self.point.filter(|point| point.kind == kind) else { return };
        if self.passed.fetch_add(1, SeqCst) + 1 == point.nth {
            kill_this_process();
        }
    }

    /// Runs the work, and counts each time that it is pending.
    pub async fn count_awaits<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            let poll = work.as_mut().poll(context);
            if poll.is_pending() {
                self.reach(PointKind::Await);
            }
            poll
        })
        .await
    }
}

/// Kills this process with SIGKILL: no handler and no destructor runs, and no buffer is written.
fn kill_this_process() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("SIGKILL ends this process");
}

/// The real store behind the kill points.
pub type KillableStore = LayeredStore<Arc<dyn Store>, KillPoints>;

/// The kill points around each append. Every stored entry is recorded in a file beside the store.
pub struct KillPoints {
    kill_switch: Arc<KillSwitch>,
    stored: File,
    /// Set once an append has opened a review.
    opened: Arc<SetOnce<()>>,
}

impl KillPoints {
    pub async fn open(dir: &Path, kill_switch: Arc<KillSwitch>) -> KillableStore {
        let layer = Self {
            kill_switch,
            stored: OpenOptions::new().create(true).append(true).open(dir.join("stored")).unwrap(),
            opened: Arc::default(),
        };
        LayeredStore::new(matrix_store::open(dir).await, layer)
    }

    pub fn opened(&self) -> Arc<SetOnce<()>> {
        Arc::clone(&self.opened)
    }

    /// Records the entries of an append. Written bytes survive a kill, so no sync is needed.
    fn record_entries(&self, append: &Append) {
        let lines = append
            .records
            .iter()
            .map(|record| format!("{} {} {}\n", append.thread, record.place, record.hash));
        (&self.stored).write_all(lines.collect::<String>().as_bytes()).unwrap();
    }
}

impl StoreLayer for KillPoints {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.kill_switch.reach(PointKind::BeforeAppend);
            store.append(append.clone()).await?;
            self.record_entries(&append);
            self.kill_switch.reach(PointKind::AfterAppend);
            if !append.reviews.is_empty() {
                let _ = self.opened.set(());
            }
            Ok(())
        })
    }
}
