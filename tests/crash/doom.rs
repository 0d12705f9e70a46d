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

use futures_util::future::BoxFuture;
use hitl::{
    OpenReview, Page, Place, Standing, Store, StoreError, ThreadId,
    store::{Append, Record, Tail},
};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use tokio::sync::SetOnce;

use crate::shelf;

/// A kind of point at which a process can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Column {
    /// Before an append is passed to the store.
    BeforeAppend,
    /// After an append is stored, and before its caller knows it.
    AfterAppend,
    /// At a pending poll of the agent's future, or of a node's.
    Await,
    /// Before or after a change of the world.
    Touch,
    /// After a multiple of 100 µs, at any point of the program, also inside SQLite.
    Moment,
}

/// The nth point of a column, from 1 on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Point {
    pub column: Column,
    pub nth: u64,
}

/// A counter of points, which kills this process at one of them.
#[derive(Default)]
pub struct Doom {
    point: Option<Point>,
    passed: AtomicU64,
}

impl Doom {
    pub fn at(point: Option<Point>) -> Arc<Self> {
        if let Some(Point { column: Column::Moment, nth }) = point {
            thread::spawn(move || {
                thread::sleep(Duration::from_micros(100 * nth));
                die();
            });
        }
        Arc::new(Self { point, passed: AtomicU64::new(0) })
    }

    pub fn pass(&self, column: Column) {
        let Some(point) = self.point.filter(|point| point.column == column) else { return };
        if self.passed.fetch_add(1, SeqCst) + 1 == point.nth {
            die();
        }
    }

    /// Runs the work, and counts each time that it is pending.
    pub async fn watch<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            let poll = work.as_mut().poll(context);
            if poll.is_pending() {
                self.pass(Column::Await);
            }
            poll
        })
        .await
    }
}

/// Kills this process with SIGKILL: no handler and no destructor runs, and no buffer is written.
fn die() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("nobody outlives that");
}

/// A store in front of the real one, which records every stored entry in a file beside it.
pub struct Mortal {
    store: Arc<dyn Store>,
    doom: Arc<Doom>,
    stored: File,
    /// Set once an append has opened a review.
    opened: Arc<SetOnce<()>>,
}

impl Mortal {
    pub async fn open(dir: &Path, doom: Arc<Doom>) -> Self {
        Self {
            store: shelf::open(dir).await,
            doom,
            stored: OpenOptions::new().create(true).append(true).open(dir.join("stored")).unwrap(),
            opened: Arc::default(),
        }
    }

    pub fn opened(&self) -> Arc<SetOnce<()>> {
        Arc::clone(&self.opened)
    }

    /// Records the entries of an append. Written bytes survive a kill, so no sync is needed.
    fn note(&self, append: &Append) {
        let lines = append
            .records
            .iter()
            .map(|record| format!("{} {} {}\n", append.thread, record.place, record.hash));
        (&self.stored).write_all(lines.collect::<String>().as_bytes()).unwrap();
    }
}

impl Store for Mortal {
    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.doom.pass(Column::BeforeAppend);
            self.store.append(append.clone()).await?;
            self.note(&append);
            self.doom.pass(Column::AfterAppend);
            if !append.reviews.is_empty() {
                let _ = self.opened.set(());
            }
            Ok(())
        })
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        self.store.tail(thread)
    }

    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        self.store.entries(thread, from, limit)
    }

    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        self.store.reviews(after, limit)
    }

    fn threads<'a>(
        &'a self,
        standing: Option<Standing>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, Standing)>, StoreError>> {
        self.store.threads(standing, after, limit)
    }

    fn due<'a>(
        &'a self,
        by_ms: u64,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        self.store.due(by_ms, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.delete(thread)
    }
}
