//! Processes, one after another, and the stores that outlive them.

use std::future::Future;

use hitl::{ManualClock, prelude::*};
use tokio::runtime::{Builder, Runtime};

use super::office::{Clerk, Office};

/// A store that outlives the processes.
pub trait Shelf: 'static {
    fn new() -> Self;
    /// Creates the agent of a new process.
    fn open(&self, office: Office) -> impl Future<Output = Agent<Clerk>>;
}

pub struct InMemory(MemoryStore);

impl Shelf for InMemory {
    fn new() -> Self {
        Self(MemoryStore::new())
    }

    async fn open(&self, office: Office) -> Agent<Clerk> {
        Clerk::new(office, self.0.clone())
    }
}

pub struct InFile(tempfile::TempDir);

impl Shelf for InFile {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self, office: Office) -> Agent<Clerk> {
        Clerk::new(office, SqliteStore::open(self.0.path().join("threads.db")).await.unwrap())
    }
}

/// One process. Its work in flight ends when it is dropped.
pub struct Process {
    // Dropped first: its store may still have work on the runtime.
    pub agent: Agent<Clerk>,
    runtime: Runtime,
}

impl Process {
    pub fn start(shelf: &impl Shelf, office: &Office, clock: &ManualClock) -> Self {
        // With a paused clock, the backoff of retries passes as soon as there is nothing else to do.
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let agent = runtime.block_on(shelf.open(office.clone())).clock(clock.clone());
        Self { agent, runtime }
    }

    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}
