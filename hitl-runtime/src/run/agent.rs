//! An agent: a graph, the dependencies of its nodes, and the store of its threads.

use std::{any::Any, marker::PhantomData, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use super::{
    Clock, Graph, GraphTable, SystemClock, activity::RunCounters, fingerprint::fingerprint, lease::Sightings,
    lenient_load::load_strict, previews::Previews, subscription::Subscribers,
};
use crate::{
    Error, OpenReview, Page, Store, ThreadId,
    journal::{Fold, JournalKeys},
    store::Tail,
};

/// A graph with its dependencies and its store. Clones share both.
///
/// `graph!` generates the constructor, `RefundAgent::new(deps, store)`, or `RefundAgent::new(store)` for a graph
/// without dependencies.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::prelude::*;
///
/// let agent = RefundAgent::new(MemoryStore::new());
/// let message = "order A-9133 arrived broken".to_owned();
/// let turn = agent.start("ticket-A-9133", TicketInput { message }).await?;
/// println!("{turn}");
///
/// // Another handle on the same threads, for another task.
/// let desk = agent.clone();
/// assert!(matches!(desk.thread("ticket-A-9133").await?, RefundAgentTurn::Pay(_)));
/// # Ok(())
/// # }
/// ```
pub struct Agent<G: Graph> {
    pub(crate) inner: Arc<Engine>,
    graph: PhantomData<fn() -> G>,
}

/// An agent without the type of its graph.
pub(crate) struct Engine {
    pub(crate) graph: &'static GraphTable,
    pub(crate) deps: Arc<dyn Any + Send + Sync>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lease: Duration,
    pub(crate) step_limit: u64,
    pub(crate) print: String,
    pub(crate) subscribers: Arc<Subscribers>,
    pub(crate) run_counters: Arc<RunCounters>,
    /// Leases that were set by clocks ahead of this process's clock.
    pub(crate) sightings: Arc<Sightings>,
    pub(crate) previews: Arc<Previews>,
    pub(crate) keys: Option<JournalKeys>,
}

impl<G: Graph> Clone for Agent<G> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), graph: PhantomData }
    }
}

impl<G: Graph> Agent<G> {
    /// The minimum duration of a lease.
    const SHORTEST_LEASE: Duration = Duration::from_millis(30);

    /// Creates an agent with the system clock, a lease of 30 s and a limit of 10,000 steps.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::{Agent, Graph, Store};
    ///
    /// /// For code that serves any graph; otherwise use `RefundAgent::new(store)`.
    /// fn on<G: Graph<Deps = ()>>(store: impl Store) -> Agent<G> {
    ///     Agent::new((), store)
    /// }
    /// let agent = on::<RefundAgent>(MemoryStore::new());
    /// # assert!(agent.inbox(None, 10).await?.items.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(deps: G::Deps, store: impl Store) -> Self {
        Self {
            inner: Arc::new(Engine {
                graph: G::TABLE,
                deps: Arc::new(deps),
                store: Arc::new(store),
                clock: Arc::new(SystemClock),
                lease: Duration::from_secs(30),
                step_limit: 10_000,
                print: fingerprint(G::TABLE),
                subscribers: Arc::default(),
                run_counters: Arc::default(),
                sightings: Arc::default(),
                previews: Arc::default(),
                keys: None,
            }),
            graph: PhantomData,
        }
    }

    /// Sets the clock.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::ManualClock;
    ///
    /// let clock = ManualClock::at_ms(0);
    /// let agent = RefundAgent::new(MemoryStore::new()).clock(clock.clone());
    /// # let review = waiting(&agent, "A-9133").await?;
    /// // `expires = "24h"`, counted by that clock.
    /// assert_eq!(review.deadline_ms(), Some(24 * 60 * 60 * 1000));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        self.with(|inner| inner.clock = Arc::new(clock))
    }

    /// Sets the duration of a lease. If a runner has not renewed its lease for that long, another runner may take the
    /// thread over. A runner renews after a third of the duration. The minimum is 30 ms.
    ///
    /// A node that blocks its OS thread for longer, without an `await`, blocks the renewal as well; on a
    /// single-threaded runtime it blocks the renewals of all threads of the process. Run such work with
    /// `tokio::task::spawn_blocking`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// // The thread of a process that has crashed is free again after 5 s.
    /// let agent = RefundAgent::new(MemoryStore::new()).lease(Duration::from_secs(5));
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        self.with(|inner| inner.lease = lease.max(Self::SHORTEST_LEASE))
    }

    /// Sets how many nodes of a thread may run without a person's move in between. A thread that reaches the limit
    /// stops as failed, which guards against endless loops. `resume` allows the same number again. The items of a `for`
    /// are counted each on its own.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let agent = RefundAgent::new(MemoryStore::new()).step_limit(100);
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn step_limit(self, steps: u64) -> Self {
        self.with(|inner| inner.step_limit = steps)
    }

    /// Authenticates entries: each new entry gets a MAC, and a thread with an entry that has no MAC of one of these
    /// keys is rejected with [`Error::Unauthenticated`] before anything runs.
    ///
    /// Without keys, anyone who can write to the store can give a verdict in any operator's name: the hash chain shows
    /// that an entry was edited, but not that one was appended. A thread that was begun without keys is taken over by
    /// [`Agent::adopt`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::journal::{JournalKey, JournalKeys};
    ///
    /// let store = MemoryStore::new();
    /// let keys = JournalKeys::new(JournalKey::new([7; 32])?);
    /// let agent = RefundAgent::new(store.clone()).journal_keys(keys);
    /// let review = waiting(&agent, "A-9133").await?;
    ///
    /// let other = JournalKeys::new(JournalKey::new([8; 32])?);
    /// let stranger = RefundAgent::new(store).journal_keys(other);
    /// let error = stranger.thread("ticket-A-9133").await.unwrap_err();
    /// assert_eq!(error.code(), "unauthenticated_entry");
    /// # let _ = review;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn journal_keys(self, keys: JournalKeys) -> Self {
        self.with(|inner| inner.keys = Some(keys))
    }

    fn with(mut self, change: impl FnOnce(&mut Engine)) -> Self {
        // If there are clones, the settings are copied, so that each clone keeps its own.
        if Arc::get_mut(&mut self.inner).is_none() {
            let inner = &*self.inner;
            self.inner = Arc::new(Engine {
                graph: inner.graph,
                deps: Arc::clone(&inner.deps),
                store: Arc::clone(&inner.store),
                clock: Arc::clone(&inner.clock),
                lease: inner.lease,
                step_limit: inner.step_limit,
                print: inner.print.clone(),
                subscribers: Arc::clone(&inner.subscribers),
                run_counters: Arc::clone(&inner.run_counters),
                sightings: Arc::clone(&inner.sightings),
                previews: Arc::clone(&inner.previews),
                keys: inner.keys.clone(),
            });
        }
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            change(inner);
        }
        self
    }

    /// Returns the open reviews, oldest first. `after` is the `next` of the previous page.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let page = agent.inbox(None, 50).await?;
    /// for open in &page.items {
    ///     let waited_ms = agent.now_ms().saturating_sub(open.opened_ms);
    ///     println!("{} waits before {} for {waited_ms} ms", open.thread, open.node);
    /// }
    /// assert_eq!(page.next, None, "the last page");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the store cannot be read, or `after` is not a cursor of this store.
    pub async fn inbox(&self, after: Option<&str>, limit: usize) -> Result<Page<OpenReview>, Error> {
        Ok(self.inner.store.reviews(after, limit).await?)
    }

    /// Returns the time of the agent's clock, in milliseconds since the epoch.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::ManualClock;
    ///
    /// let agent = RefundAgent::new(MemoryStore::new()).clock(ManualClock::at_ms(1_763_800_000_000));
    /// assert_eq!(agent.now_ms(), 1_763_800_000_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn now_ms(&self) -> u64 {
        self.inner.clock.now_ms()
    }

    /// Returns the store, for operations that the agent does not offer.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::ThreadId;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let thread = ThreadId::new("ticket-A-9133")?;
    /// agent.store().delete(&thread).await?;
    /// assert_eq!(agent.thread(&thread).await.unwrap_err().code(), "unknown_thread");
    /// # Ok(())
    /// # }
    /// ```
    pub fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    /// Returns the fingerprint of this program's graph.
    ///
    /// The fingerprint has eight hexadecimal digits. It changes with the graph's nodes, edges and fields, and with the
    /// types, invariants and rules of its reviews. The first entry of a thread has the fingerprint of the graph that
    /// the thread was started on.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// println!("this program's graph is {}", agent.fingerprint());
    /// # assert_eq!(agent.fingerprint().len(), 8);
    /// # Ok(())
    /// # }
    /// ```
    pub fn fingerprint(&self) -> &str {
        &self.inner.print
    }
}

impl Engine {
    pub(crate) async fn load(&self, thread: &ThreadId) -> Result<Option<Fold>, Error> {
        let Some(tail) = self.tail(thread).await? else { return Ok(None) };
        let fold = self.read_tail(thread, &tail)?;
        if self.keys.is_some() {
            let checked: BoxFuture<'_, _> = Box::pin(self.authenticate_signatures(&fold, &tail));
            checked.await?;
        }
        Ok(Some(fold))
    }

    pub(crate) fn read_tail(&self, thread: &ThreadId, tail: &Tail) -> Result<Fold, Error> {
        let mut fold = load_strict(self.graph, thread, tail)?;
        self.bound_lease(&mut fold);
        Ok(fold)
    }
}
