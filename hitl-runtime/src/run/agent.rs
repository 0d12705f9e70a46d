//! An agent: a graph, what its nodes depend on, and the store that keeps its threads.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;

use super::{Clock, Graph, Outlook, SystemClock, detach, drive, post::Post};
use crate::{
    Digest, Error, OpenReview, Page, Place, Store, ThreadId,
    journal::{Event, Fold, FoldError, Values},
    state::State,
};

/// A graph with its dependencies and its store. Clones share both.
///
/// `RefundAgent::new(deps, store)`, which `graph!` writes, is how one is made.
pub struct Agent<G: Graph> {
    pub(crate) inner: Arc<Inner<G>>,
}

pub(crate) struct Inner<G: Graph> {
    pub(crate) deps: Arc<G::Deps>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lease: Duration,
    pub(crate) step_limit: u64,
    pub(crate) print: String,
}

impl<G: Graph> Clone for Agent<G> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

pub(crate) type GraphFold<G> = Fold<<G as Graph>::State>;

impl<G: Graph> Agent<G> {
    /// The least that may pass before a lease must be renewed.
    const SHORTEST_LEASE: Duration = Duration::from_millis(30);

    /// An agent with the machine's clock, a lease of 30 s and a limit of 10,000 steps.
    pub fn new(deps: G::Deps, store: impl Store) -> Self {
        Self {
            inner: Arc::new(Inner {
                deps: Arc::new(deps),
                store: Arc::new(store),
                clock: Arc::new(SystemClock),
                lease: Duration::from_secs(30),
                step_limit: 10_000,
                print: fingerprint(G::SPEC),
            }),
        }
    }

    /// The same agent by another clock.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        self.with(|inner| inner.clock = Arc::new(clock))
    }

    /// How long a runner keeps a thread without a sign of life, before another may take it over. It renews in a third
    /// of that. At least 30 ms.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        self.with(|inner| inner.lease = lease.max(Self::SHORTEST_LEASE))
    }

    /// How many nodes may run without a person's move in between, before the thread is stopped as failed: the guard
    /// against a loop that never ends. `resume` grants as many again.
    #[must_use]
    pub fn step_limit(self, steps: u64) -> Self {
        self.with(|inner| inner.step_limit = steps)
    }

    fn with(mut self, change: impl FnOnce(&mut Inner<G>)) -> Self {
        // Before the first thread there is one handle; a clone made earlier keeps its own settings.
        if Arc::get_mut(&mut self.inner).is_none() {
            let inner = &*self.inner;
            self.inner = Arc::new(Inner {
                deps: Arc::clone(&inner.deps),
                store: Arc::clone(&inner.store),
                clock: Arc::clone(&inner.clock),
                lease: inner.lease,
                step_limit: inner.step_limit,
                print: inner.print.clone(),
            });
        }
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            change(inner);
        }
        self
    }

    /// Begins a thread and runs it until a person must move, or to its end. The same start twice gives the same
    /// turn: what has run is not run again.
    ///
    /// The run goes on in the background when the caller hangs up.
    ///
    /// # Errors
    /// [`Error::ThreadExists`] when the name is taken by a thread with another input.
    pub async fn start<T>(
        &self,
        thread: T,
        input: <G::State as State>::Input,
    ) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let (agent, input) = (self.clone(), encode_input(&input)?);
        G::turn(detach::finish(async move { agent.begin(thread, input).await }).await?)
    }

    /// [`Agent::start`] with an input that comes as JSON.
    ///
    /// # Errors
    /// As `start`, and [`Error::InvalidInput`] when the JSON is not the graph's input.
    pub async fn start_json<T>(&self, thread: T, input: &serde_json::Value) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let input = serde::Deserialize::deserialize(input)
            .map_err(|e: serde_json::Error| Error::InvalidInput { problem: e.to_string() })?;
        self.start(thread, input).await
    }

    async fn begin(self, thread: ThreadId, input: Values) -> Result<Outlook<G>, Error> {
        if let Some(fold) = self.load(&thread).await? {
            return self.same_start(fold, &input).await;
        }
        let mut fields = <G::State as State>::Fields::default();
        for (field, json) in &input {
            crate::state::Fields::write(&mut fields, field, json.get())
                .map_err(|e| Error::InvalidInput { problem: e.to_string() })?;
        }
        let to = super::route::after_start::<G>(&fields).map_err(|problem| Error::InvalidInput { problem })?;
        let mut post = Post::new(&self, Fold::empty(thread.clone()));
        post.claim();
        post.push(Event::Started {
            graph: G::SPEC.name.to_owned(),
            print: self.inner.print.clone(),
            input: input.clone(),
            to: Some(to),
            from: None,
        })?;
        match drive::run(&self, post).await {
            Err(drive::Stopped::Taken(_)) => match self.load(&thread).await? {
                Some(fold) => self.same_start(fold, &input).await,
                None => Err(Error::UnknownThread { thread }),
            },
            other => self.outlook_of(other).await,
        }
    }

    async fn same_start(&self, fold: GraphFold<G>, input: &Values) -> Result<Outlook<G>, Error> {
        let thread = fold.thread.clone();
        let first = self.inner.store.entries(&thread, 0, 1).await?;
        let entry = first.first().map(|record| serde_json::from_slice::<crate::journal::Entry>(&record.body));
        let same = match entry {
            Some(Ok(entry)) => match entry.event {
                Event::Started { graph, input: before, from: None, .. } => {
                    graph == G::SPEC.name && same_values(&before, input)
                }
                _ => false,
            },
            _ => false,
        };
        if same { self.outlook(fold) } else { Err(Error::ThreadExists { thread }) }
    }

    /// Whose turn it is. Nothing moves.
    ///
    /// # Errors
    /// [`Error::UnknownThread`], and [`Error::GraphChanged`] when this program cannot take the thread up.
    pub async fn thread<T>(&self, thread: T) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let fold = self.known(&thread.try_into().map_err(Into::into)?).await?;
        G::turn(self.outlook(fold)?)
    }

    /// Takes up a thread whose runner has died, and tries again what has failed. A thread that waits for a person, or
    /// that a runner still has, is left as it stands.
    ///
    /// # Errors
    /// As [`Agent::thread`].
    pub async fn resume<T>(&self, thread: T) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let agent = self.clone();
        G::turn(detach::finish(async move { agent.take_up(&thread).await }).await?)
    }

    pub(crate) async fn take_up(&self, thread: &ThreadId) -> Result<Outlook<G>, Error> {
        loop {
            let fold = self.known(thread).await?;
            let now = self.inner.clock.now_ms();
            let leased = fold.lease.as_ref().is_some_and(|lease| lease.until_ms > now);
            let idle = !fold.lanes.values().any(|lane| lane.at.is_active() || is_retryable(&lane.at));
            let overdue = self.overdue(&fold);
            if leased || (idle && overdue.is_none()) {
                return self.outlook(fold);
            }
            let mut post = Post::new(self, fold);
            post.claim();
            match overdue {
                Some(review) => self.expire(&mut post, &review)?,
                None => post.push(Event::Resumed {})?,
            }
            match drive::run(self, post).await {
                Err(drive::Stopped::Taken(_)) => {}
                other => return self.outlook_of(other).await,
            }
        }
    }

    /// The open reviews, oldest first; `after` is the `next` of the page before.
    ///
    /// # Errors
    /// When the store cannot be read, or the page is not one of its own.
    pub async fn inbox(&self, after: Option<&str>, limit: usize) -> Result<Page<OpenReview>, Error> {
        Ok(self.inner.store.reviews(after, limit).await?)
    }

    /// What time it is by the agent's clock, in milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        self.inner.clock.now_ms()
    }

    /// The store, for what the agent does not offer.
    pub fn store(&self) -> &dyn Store {
        &*self.inner.store
    }

    pub(crate) async fn known(&self, thread: &ThreadId) -> Result<GraphFold<G>, Error> {
        let fold = self.load(thread).await?.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })?;
        self.fits(&fold)?;
        Ok(fold)
    }

    pub(crate) async fn load(&self, thread: &ThreadId) -> Result<Option<GraphFold<G>>, Error> {
        let Some(tail) = self.inner.store.tail(thread).await? else { return Ok(None) };
        let mut fold = Fold::empty(thread.clone());
        for record in &tail.records {
            fold.read(record.place, record.hash, &record.body)
                .map_err(|e| unreadable(thread, record.place, e))?;
        }
        Ok(Some(fold))
    }

    /// An old thread meets new code: every node that it stands at must still be there.
    fn fits(&self, fold: &GraphFold<G>) -> Result<(), Error> {
        let changed = |problem| Err(Error::GraphChanged { thread: fold.thread.clone(), problem });
        if fold.graph != G::SPEC.name {
            return changed(format!("it runs on the graph `{}`, and this is `{}`", fold.graph, G::SPEC.name));
        }
        for lane in fold.lanes.values() {
            let Some(visit) = lane.at.visit() else { continue };
            if super::route::node::<G>(&visit.node).is_none() {
                let names = G::SPEC.nodes.iter().map(|node| node.name);
                let near = crate::prose::nearest(&visit.node, names)
                    .map(|near| format!("; it has a node `{near}`"))
                    .unwrap_or_default();
                return changed(format!(
                    "it stands at node `{}`, which `{}` no longer has{near}",
                    visit.node,
                    G::SPEC.name
                ));
            }
        }
        Ok(())
    }

    /// Turns the end of a drive into an outlook; a runner that was overtaken looks again.
    pub(crate) async fn outlook_of(
        &self,
        end: Result<GraphFold<G>, drive::Stopped>,
    ) -> Result<Outlook<G>, Error> {
        match end {
            Ok(fold) => self.outlook(fold),
            Err(drive::Stopped::Taken(thread) | drive::Stopped::Overtaken(thread)) => {
                self.outlook(self.known(&thread).await?)
            }
            Err(drive::Stopped::Error(error)) => Err(error),
        }
    }

    /// How the thread stands, for `Graph::turn`.
    pub(crate) fn outlook(&self, fold: GraphFold<G>) -> Result<Outlook<G>, Error> {
        super::turn::outlook(self, fold)
    }

    /// The fingerprint of this program's graph.
    pub fn fingerprint(&self) -> &str {
        &self.inner.print
    }

    pub(crate) fn digest(&self, fold: &GraphFold<G>, place: Place, node: &str, field: &str, draft: &serde_json::Value) -> Result<Digest, crate::journal::DigestError> {
        crate::journal::Subject { thread: fold.thread.as_str(), node, field, place, draft }.digest()
    }
}

fn is_retryable(at: &crate::journal::At) -> bool {
    matches!(at, crate::journal::At::Failed { stopped: false, .. })
}

pub(crate) fn unreadable(thread: &ThreadId, place: Place, error: FoldError) -> Error {
    match error {
        FoldError::Damaged(problem) => Error::Damaged { thread: thread.clone(), place, problem },
        FoldError::Changed(error) => Error::GraphChanged { thread: thread.clone(), problem: error.to_string() },
    }
}

fn encode_input<I: serde::Serialize>(input: &I) -> Result<Values, Error> {
    let invalid = |e: serde_json::Error| Error::InvalidInput { problem: e.to_string() };
    let json = serde_json::to_string(input).map_err(invalid)?;
    serde_json::from_str(&json).map_err(invalid)
}

fn same_values(a: &Values, b: &Values) -> bool {
    let parsed = |raw: &RawValue| serde_json::from_str::<serde_json::Value>(raw.get()).ok();
    a.len() == b.len() && a.iter().zip(b).all(|((ka, va), (kb, vb))| ka == kb && parsed(va) == parsed(vb))
}

/// What a graph was when a thread was started on it: its nodes, what they read and write, its edges, its fields.
fn fingerprint(spec: &crate::graph::GraphSpec) -> String {
    let mut text = format!("{}\n{:?}\n", spec.name, spec.state);
    for node in spec.nodes {
        text.push_str(&format!("{} {:?} {:?} {}\n", node.name, node.reads, node.writes, node.effect));
    }
    for edge in spec.edges {
        text.push_str(&format!("{edge:?}\n"));
    }
    Digest::of(text.as_bytes()).short()
}
