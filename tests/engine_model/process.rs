//! Processes, one after another, and the stores that outlive them.

use std::future::Future;

use hitl::{ManualClock, prelude::*};
use tokio::runtime::{Builder, Runtime};

use super::agent::{Clerk, World};

/// A store that outlives the processes.
pub trait StoreFactory: 'static {
    fn new() -> Self;
    /// Creates the agent of a new process.
    fn open(&self, world: World) -> impl Future<Output = Agent<Clerk>>;
}

pub struct InMemory(MemoryStore);

impl StoreFactory for InMemory {
    fn new() -> Self {
        Self(MemoryStore::new())
    }

    async fn open(&self, world: World) -> Agent<Clerk> {
        Clerk::new(world, self.0.clone())
    }
}

pub struct InFile(tempfile::TempDir);

impl StoreFactory for InFile {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self, world: World) -> Agent<Clerk> {
        Clerk::new(world, SqliteStore::open(self.0.path().join("threads.db")).await.unwrap())
    }
}

/// One process. Its work in flight ends when it is dropped.
pub struct Process {
    // Dropped first: its store may still have work on the runtime.
    pub agent: Agent<Clerk>,
    runtime: Runtime,
}

impl Process {
    pub fn start(stores: &impl StoreFactory, world: &World, clock: &ManualClock) -> Self {
        // With a paused clock, the backoff of retries passes as soon as there is nothing else to do.
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let agent = runtime.block_on(stores.open(world.clone())).clock(clock.clone());
        Self { agent, runtime }
    }

    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}
