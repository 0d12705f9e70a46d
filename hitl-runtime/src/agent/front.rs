//! The side of an agent that people use: it takes their verdicts, and runs no nodes.

use std::{error::Error as StdError, fmt, future::Future, marker::PhantomData, sync::Arc};

use futures_util::{FutureExt as _, TryFutureExt as _};

use super::{Agent, Graph, Snapshot};
use crate::{
    Digest, Error, IntoThreadId, NotedVerdict, OpenReview, Operator, Page, Place, Store, ThreadId, Timestamp,
    engine::{
        Audit, CancelReport, Clock, CompatibilityReport, Engine, HistoryEntry, JournalHead, Preview, Scope,
        ThreadView,
    },
    journal::{JournalKeys, Settlement, Stop},
    metrics::Metrics,
    store::traced,
};

/// A graph with its store, and without the dependencies of its nodes: it shows threads, and records what people decide.
///
/// A front runs no node, so its process needs neither the nodes' dependencies nor the credentials of their effects. A
/// verdict is validated as [`Agent::decide`] does it, and is in the journal when the call returns; a runner, an
/// [`Agent`] on the same store, continues the thread: the one that runs another branch of it within a second, else the
/// one that [`Front::wake_with`] reaches, else the first one whose [`Agent::watch`] finds it. The same holds for what a
/// person does by a handle of [`Front::turn`]: it is recorded, and the turn that the call returns is most often
/// `Running`, of a thread that waits for a runner.
///
/// Code of the types in the graph does run here: validators, reducers, serializers and the guards of a `match`.
///
/// A front can write to the store, and without journal keys that is enough to sign in anyone's name. With
/// [`JournalKeys`] whose only signing key is for verdicts, the process can write nothing else than what a person may do;
/// and with a runner whose keys do not sign verdicts, only fronts can give them. After a change of the program, such a
/// runner must [`resume`](Agent::resume) each thread that waits, before a front can decide it.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::Front;
///
/// let store = MemoryStore::new();
/// let runner = RefundAgent::new(store.clone());
/// # let _ = waiting(&runner, "A-9133").await?;
///
/// // In another process, which cannot pay.
/// let front = Front::<RefundAgent>::new(store);
/// if let RefundAgentTurn::Pay(review) = front.turn("ticket-A-9133").await? {
///     let turn = review.approve(&mara()).await?;
///     assert!(matches!(turn, RefundAgentTurn::Running(_)), "signed, and not paid yet");
/// }
///
/// runner.sweep().await?;
/// assert!(matches!(front.turn("ticket-A-9133").await?, RefundAgentTurn::Done(_)));
/// # Ok(())
/// # }
/// ```
pub struct Front<G: Graph> {
    // The reviews and the other handles of a turn keep a clone of it. Its engine has no dependencies, and runs nothing.
    pub(crate) agent: Agent<G>,
}

impl Engine {
    /// Returns the engine of a front with this store, clock and keys. It runs nothing, and its dependencies are
    /// dropped.
    pub fn into_front(mut self) -> Self {
        self.deps = None;
        self
    }

    /// Returns whether this is the engine of a front, which starts and runs no thread.
    pub fn is_front(&self) -> bool {
        self.deps.is_none()
    }

    /// Sets the call that wakes a runner.
    pub fn wake_with<F, E>(mut self, call: impl Fn(ThreadId) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        let wake = move |thread| call(thread).map_err(Into::into).boxed();
        self.wake = Some(Arc::new(wake));
        self
    }
}

impl<G: Graph> Front<G> {
    /// Creates a front with the system clock.
    pub fn new(store: impl Store) -> Self {
        let engine = Engine::new(G::TABLE, None, Arc::new(traced(store)));
        Self { agent: Agent { engine: Arc::new(engine), graph: PhantomData } }
    }

    /// Creates the front of an agent in this process, with its store, clock and journal keys. It wakes the agent.
    pub(super) fn of(agent: &Agent<G>) -> Self {
        let runner = Arc::clone(&agent.engine);
        let front = Self { agent: agent.clone().with(|engine| engine.deps = None) };
        front.wake_with(move |thread| {
            let runner = Arc::clone(&runner);
            async move { runner.continue_thread(thread).await.map(drop) }
        })
    }

    /// Sets the clock, by which deadlines pass. All processes of a thread should have the same time.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        Self { agent: self.agent.clock(clock) }
    }

    /// Authenticates entries, as [`Agent::journal_keys`] does.
    #[must_use]
    pub fn journal_keys(self, keys: JournalKeys) -> Self {
        Self { agent: self.agent.journal_keys(keys) }
    }

    /// Sets the role in which operators stop threads, as [`Agent::stop_role`] does.
    #[must_use]
    pub fn stop_role(self, role: impl Into<String>) -> Self {
        Self { agent: self.agent.stop_role(role) }
    }

    /// Sets a call that wakes a runner. It is made after each entry of this front that leaves something to run in a thread
    /// whose lease no runner has: a verdict, a settlement, or a retry by [`Failed::resume`](super::Failed::resume). Let it
    /// lead to [`Agent::continue_thread`]; [`Agent::resume`] would retry failed nodes as well.
    ///
    /// The call runs in a tokio task of its own. If it fails, or the process ends before it is done, the thread waits for
    /// the next sweep of a runner; a failure is logged as a warning, without the text of its error.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::Front;
    /// # let store = MemoryStore::new();
    /// # let runner = RefundAgent::new(store.clone());
    /// # let digest = waiting(&runner, "A-9133").await?.digest();
    /// # let (posted, mut posts) = tokio::sync::mpsc::channel(1);
    ///
    /// // `posted` stands for a request to the process of the runner.
    /// let front = Front::<RefundAgent>::new(store).wake_with(move |thread| {
    ///     let posted = posted.clone();
    ///     async move { posted.send(thread).await }
    /// });
    /// front.record("ticket-A-9133", digest, &mara(), Verdict::Approve).await?;
    ///
    /// let thread = posts.recv().await.expect("a request");
    /// assert!(matches!(runner.continue_thread(thread).await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn wake_with<F, E>(self, call: impl Fn(ThreadId) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        Self { agent: self.agent.with(|engine| *engine = engine.clone().wake_with(call)) }
    }

    /// Returns the current turn of a thread, as [`Agent::turn`] does. What a person does by its handles is recorded.
    ///
    /// # Errors
    /// As [`Agent::turn`].
    pub async fn turn(&self, thread: impl IntoThreadId) -> Result<G::Turn, Error> {
        self.agent.turn(thread).await
    }

    /// Returns the numbers of the reviews in the store, as [`Agent::metrics`] does.
    ///
    /// # Errors
    /// As [`Agent::metrics`].
    pub async fn metrics(&self, since: Option<Timestamp>) -> Result<Metrics, Error> {
        self.agent.metrics(since).await
    }

    /// Records a verdict, as [`Agent::record`] does.
    ///
    /// # Errors
    /// As [`Agent::record`].
    pub async fn record(
        &self,
        thread: impl IntoThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: impl Into<NotedVerdict>,
    ) -> Result<G::Turn, Error> {
        self.agent.record(thread, digest, operator, verdict).await
    }

    /// Records verdicts on several open reviews of a thread, all of them or none, as [`Agent::record_all`] does.
    ///
    /// # Errors
    /// As [`Agent::record_all`].
    pub async fn record_all<V: Into<NotedVerdict>>(
        &self,
        thread: impl IntoThreadId,
        operator: &Operator,
        verdicts: impl IntoIterator<Item = (Digest, V)>,
    ) -> Result<G::Turn, Error> {
        self.agent.record_all(thread, operator, verdicts).await
    }

    /// Returns what a verdict would do, as [`Agent::preview`] does.
    ///
    /// # Errors
    /// As [`Agent::preview`].
    pub async fn preview(
        &self,
        thread: impl IntoThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: impl Into<NotedVerdict>,
    ) -> Result<Preview, Error> {
        self.agent.preview(thread, digest, operator, verdict).await
    }

    /// Records how an effect in doubt ended, as [`Agent::settle`] does, and runs nothing.
    ///
    /// # Errors
    /// As [`Agent::settle`]; [`Error::NeedsRunner`] if the effect's runner has died, and no runner has recorded yet that
    /// the effect is in doubt.
    pub async fn settle(
        &self,
        thread: impl IntoThreadId,
        digest: Digest,
        operator: &Operator,
        how: Settlement,
    ) -> Result<G::Turn, Error> {
        self.agent.settle(thread, digest, operator, how).await
    }

    /// Pauses a thread, the graph or the store: no node begins until the pause is lifted.
    ///
    /// The pause is in the journal when the call returns, with the operator and the reason, also of a thread that a runner holds.
    /// An effect that has been called by then is not interrupted; no other one is called, by any runner. While
    /// a thread is paused, its reviews stay open and verdicts are recorded; what they lead to begins once the pause is
    /// lifted, and deadlines go on. While the graph or the store is paused, no thread starts ([`Error::Stopped`]). A run
    /// that is under way then ends before its next effect; until there, nodes that are no effects may begin.
    ///
    /// The operator needs the role of [`Agent::stop_role`], or else one of the roles that the graph's reviews require, if they
    /// require any. To lift a stop, they need the role in which it was given; if it was given several times, in several roles,
    /// all of these roles.
    ///
    /// The stops of graphs and of the store are in one journal, which all programs of a store read. With
    /// [`JournalKeys`], all of them need the same keys.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::{Front, Scope};
    ///
    /// let store = MemoryStore::new();
    /// let runner = RefundAgent::new(store.clone());
    /// # let digest = waiting(&runner, "A-9133").await?.digest();
    /// let front = Front::<RefundAgent>::new(store);
    /// front.pause(Scope::thread("ticket-A-9133")?, &mara(), "the customer called").await?;
    ///
    /// // Signed, and not paid.
    /// let turn = runner.decide("ticket-A-9133", digest, &mara(), Verdict::Approve).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Running(waits) if waits.stop().is_some()));
    ///
    /// front.unpause(Scope::thread("ticket-A-9133")?, &mara(), "").await?;
    /// runner.sweep().await?;
    /// assert!(matches!(front.turn("ticket-A-9133").await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::MayNotStop`], [`Error::BadOperator`]; for a thread, [`Error::UnknownThread`], [`Error::ThreadEnded`] or
    /// [`Error::Cancelled`]; and those of the store.
    pub async fn pause(
        &self,
        scope: Scope,
        operator: &Operator,
        reason: impl Into<String>,
    ) -> Result<(), Error> {
        self.agent.engine.pause(scope, operator, reason.into()).await
    }

    /// Lifts the pause of a thread, the graph or the store, also the one that [`Front::cancel`] leaves.
    ///
    /// A thread whose own pause is lifted goes on as after a verdict; those of a graph or a store when a runner's sweep
    /// finds them.
    ///
    /// # Errors
    /// [`Error::NotPaused`], and those of [`Front::pause`].
    pub async fn unpause(
        &self,
        scope: Scope,
        operator: &Operator,
        reason: impl Into<String>,
    ) -> Result<(), Error> {
        self.agent.engine.unpause(scope, operator, reason.into()).await
    }

    /// Cancels a thread, or all threads of the graph or the store: no node begins any more, and open reviews are closed.
    ///
    /// An operator who decides such a review later is told who cancelled it ([`Error::Cancelled`]). An effect that has begun is not
    /// interrupted; if it is in doubt, it still has to be settled. The graph or the store itself stays stopped until an
    /// operator lifts the stop by [`Front::unpause`]: until then, no thread starts. If the call ends with an error, repeat it;
    /// to lift the stop also cancels what is left.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::Scope;
    ///
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let review = waiting(&agent, "A-9133").await?;
    /// let report = agent.front().cancel(Scope::Graph, &mara(), "the model invents orders").await?;
    /// assert_eq!(report.cancelled, 1);
    ///
    /// let error = review.approve(&mara()).await.unwrap_err();
    /// assert_eq!(error.code(), "cancelled");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Front::pause`]; [`Error::NotSetUp`] for all threads of a store, if there is no [`Agent::stop_role`].
    pub async fn cancel(
        &self,
        scope: Scope,
        operator: &Operator,
        reason: impl Into<String>,
    ) -> Result<CancelReport, Error> {
        self.agent.engine.cancel(scope, operator, reason.into()).await
    }

    /// Returns the stops of graphs and of the store that are in force. [`ThreadView::stop`] has the one of a thread.
    ///
    /// # Errors
    /// Those of the store; [`Error::Damaged`] or [`Error::Unauthenticated`] if the journal of stops was altered.
    pub async fn stops(&self) -> Result<Vec<Stop>, Error> {
        self.agent.engine.stops().await
    }

    /// Returns the open reviews, oldest first, as [`Agent::inbox`] does.
    ///
    /// # Errors
    /// As [`Agent::inbox`].
    pub async fn inbox(&self, after: Option<&str>, limit: usize) -> Result<Page<OpenReview>, Error> {
        self.agent.inbox(after, limit).await
    }

    /// Returns a view of a thread, as [`Agent::view`] does.
    ///
    /// # Errors
    /// As [`Agent::view`].
    pub async fn view(&self, thread: impl IntoThreadId) -> Result<ThreadView, Error> {
        self.agent.view(thread).await
    }

    /// Returns a snapshot of a thread, as [`Agent::snapshot`] does.
    ///
    /// # Errors
    /// As [`Agent::snapshot`].
    pub async fn snapshot(&self, thread: impl IntoThreadId) -> Result<Snapshot<G::State>, Error> {
        self.agent.snapshot(thread).await
    }

    /// Returns a snapshot of a thread as it was after the entry at a place, as [`Agent::snapshot_at`] does.
    ///
    /// # Errors
    /// As [`Agent::snapshot_at`].
    pub async fn snapshot_at(
        &self,
        thread: impl IntoThreadId,
        place: impl Into<Place>,
    ) -> Result<Snapshot<G::State>, Error> {
        self.agent.snapshot_at(thread, place).await
    }

    /// Returns entries of a thread, as [`Agent::history`] does.
    ///
    /// # Errors
    /// As [`Agent::history`].
    pub async fn history(
        &self,
        thread: impl IntoThreadId,
        from: impl Into<Place>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        self.agent.history(thread, from, limit).await
    }

    /// Checks a thread against this program, as [`Agent::check`] does.
    ///
    /// # Errors
    /// As [`Agent::check`].
    pub async fn check(&self, thread: impl IntoThreadId) -> Result<CompatibilityReport, Error> {
        self.agent.check(thread).await
    }

    /// Reads a thread's whole journal and reports all problems, as [`Agent::audit`] does.
    ///
    /// # Errors
    /// As [`Agent::audit`].
    pub async fn audit(&self, thread: impl IntoThreadId, kept: Option<&JournalHead>) -> Result<Audit, Error> {
        self.agent.audit(thread, kept).await
    }

    /// Vouches for the entries that were written without a MAC, as [`Agent::adopt`] does.
    ///
    /// # Errors
    /// As [`Agent::adopt`].
    pub async fn adopt(
        &self,
        thread: impl IntoThreadId,
        operator: &Operator,
        kept: Option<&JournalHead>,
    ) -> Result<JournalHead, Error> {
        self.agent.adopt(thread, operator, kept).await
    }

    /// Returns the time of the front's clock.
    pub fn now(&self) -> Timestamp {
        self.agent.now()
    }

    /// Returns the store.
    pub fn store(&self) -> &dyn Store {
        self.agent.store()
    }
}

impl<G: Graph> Clone for Front<G> {
    fn clone(&self) -> Self {
        Self { agent: self.agent.clone() }
    }
}

impl<G: Graph> fmt::Debug for Front<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("graph", &G::SPEC.name).finish_non_exhaustive()
    }
}
