//! The engine: it runs the threads of a graph whose Rust types it does not know. Values are JSON in a [`Fold`], and the
//! graph is a [`GraphTable`]. It is compiled once, however many graphs a program has.
//!
//! The folders are layers, and each uses only those below it:
//!
//! - `ops`: start, decide, settle, recover, sweep, fork, adopt.
//! - `read`: what is shown of a thread, and what is checked of its journal.
//! - `exec`: execution of nodes.
//! - `session`: a thread in memory: its load, its conversion to this program's code, and the writer of its entries.
//! - `routing`: the next step in the graph.

mod clock;
mod exec;
mod ops;
mod read;
mod routing;
mod session;

use std::{any::Any, fmt, sync::Arc, time::Duration};

pub use self::{
    clock::{Clock, ManualClock, SystemClock},
    exec::{Activity, NextReview, Preview, Reproposal},
    ops::{CancelReport, GivenVerdict, Scope, Starter, SweepEvent, VerdictInput, is_same_owner},
    read::{
        Audit, CLOCK_SKEW, CompatibilityReport, FailureView, Finding, FindingKind, InDoubtView, ItemView,
        JournalHead, ReviewSchema, ReviewView, ThreadView, UncheckedRange, may_settle,
    },
    session::{HistoryEntry, ReviewChange, Subscription, ThreadEvent},
};
pub(crate) use self::{
    exec::WakeRunner,
    read::{
        DoubtTurn, EndTurn, FailureTurn, ReviewTurn, RootFields, RunningTurn, Turn, items_of_review,
        shown_with,
    },
    session::{incompatible, thread_status, unreadable},
};
use self::{
    exec::{RunCounters, RunSignals},
    ops::Previews,
    session::{Sightings, Stops, Subscribers, fingerprint},
};
use crate::{
    Error, OpenReview, Page, Store, Timestamp,
    journal::{Fold, JournalKeys},
    node::GraphTable,
};

/// A graph with its dependencies, its store and its settings. Clones share everything but the settings.
#[derive(Clone)]
pub struct Engine {
    /// The graph.
    pub graph: &'static GraphTable,
    /// The dependencies of its nodes; `None` in a front, which runs no nodes.
    pub(crate) deps: Option<Arc<dyn Any + Send + Sync>>,
    /// The store of its threads.
    pub store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The duration of a lease.
    pub(crate) lease: Duration,
    /// The maximum number of nodes of a lane that run without a person's move in between.
    pub(crate) step_limit: u64,
    /// The fingerprint of the graph.
    pub(crate) print: String,
    /// The keys that authenticate the journal.
    pub keys: Option<JournalKeys>,
    subscribers: Arc<Subscribers>,
    run_counters: Arc<RunCounters>,
    run_signals: Arc<RunSignals>,
    /// Called when a thread needs a runner after this process has recorded something.
    pub(crate) wake: Option<Arc<WakeRunner>>,
    /// Leases that were set by clocks ahead of this process's clock.
    sightings: Arc<Sightings>,
    previews: Arc<Previews>,
    /// The stops of graphs and of the store, as this process has last read them.
    stops: Arc<Stops>,
    /// The role in which operators stop threads, if it is not that of a review.
    pub(crate) stop_role: Option<Arc<str>>,
}

impl Engine {
    /// The minimum duration of a lease.
    pub(crate) const SHORTEST_LEASE: Duration = Duration::from_millis(30);

    /// Creates an engine with the system clock, a lease of 30 s and a limit of 10,000 steps.
    pub(crate) fn new(
        graph: &'static GraphTable,
        deps: Option<Arc<dyn Any + Send + Sync>>,
        store: Arc<dyn Store>,
    ) -> Self {
        Self {
            graph,
            deps,
            store,
            clock: Arc::new(SystemClock),
            lease: Duration::from_secs(30),
            step_limit: 10_000,
            print: fingerprint(graph),
            keys: None,
            subscribers: Arc::default(),
            run_counters: Arc::default(),
            run_signals: Arc::default(),
            wake: None,
            sightings: Arc::default(),
            previews: Arc::default(),
            stops: Arc::default(),
            stop_role: None,
        }
    }

    /// Returns the open reviews, oldest first.
    pub async fn inbox(&self, after: Option<&str>, limit: usize) -> Result<Page<OpenReview>, Error> {
        Ok(self.store.reviews(after, limit).await?)
    }

    /// Returns whether the code that moved the thread last has this program's graph fingerprint and state version.
    fn is_current_code(&self, fold: &Fold) -> bool {
        fold.print == self.print && fold.version == self.graph.state.spec.version
    }

    /// Sets the keys that authenticate the journal. What was read without them is read again.
    pub(crate) fn set_keys(&mut self, keys: JournalKeys) {
        (self.keys, self.stops) = (Some(keys), Arc::default());
    }

    /// Returns the time of the engine's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("graph", &self.graph.spec.name).finish_non_exhaustive()
    }
}
