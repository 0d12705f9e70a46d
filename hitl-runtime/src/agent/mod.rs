//! An agent: the typed interface of a graph. Every method converts its arguments, calls the engine, and converts the
//! result into the graph's own types.

mod front;
mod graph;
mod handles;
mod input;
mod review;
mod snapshot;
mod thread_state;

use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

pub use self::{
    front::Front,
    graph::{Asks, CanAsk, CanEdit, Edits, Graph, NoAsk, NoEdit},
    handles::{Failed, InDoubt, Running},
    review::{AnyReview, Review, several},
    snapshot::Snapshot,
    thread_state::ThreadState,
};
pub use crate::engine::{
    Activity, Audit, CLOCK_SKEW, CancelReport, Clock, CompatibilityReport, FailureView, Finding, FindingKind,
    HistoryEntry, InDoubtView, ItemView, JournalHead, ManualClock, NextReview, Preview, Reproposal,
    ReviewChange, ReviewView, Scope, Subscription, SweepEvent, SystemClock, ThreadEvent, ThreadView,
    UncheckedRange,
};
use crate::{
    Digest, Error, IntoThreadId, NotedVerdict, OpenReview, Operator, Page, Place, Store, Timestamp,
    engine::{Engine, GivenVerdict, Starter, VerdictInput},
    journal::{Fold, JournalKeys, Settlement},
    metrics::Metrics,
    state::State,
    store::traced,
    user_code::contain_panics_sync,
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
/// assert!(matches!(desk.turn("ticket-A-9133").await?, RefundAgentTurn::Pay(_)));
/// # Ok(())
/// # }
/// ```
pub struct Agent<G: Graph> {
    pub(crate) engine: Arc<Engine>,
    graph: PhantomData<fn() -> G>,
}

impl<G: Graph> Clone for Agent<G> {
    fn clone(&self) -> Self {
        Self { engine: Arc::clone(&self.engine), graph: PhantomData }
    }
}

impl<G: Graph> Agent<G> {
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
            engine: Arc::new(Engine::new(G::TABLE, Some(Arc::new(deps)), Arc::new(traced(store)))),
            graph: PhantomData,
        }
    }

    /// Sets the clock.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use hitl::{ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    /// let agent = RefundAgent::new(MemoryStore::new()).clock(clock.clone());
    /// # let review = waiting(&agent, "A-9133").await?;
    /// // `expires = "24h"`, counted by that clock.
    /// let opened = Timestamp::UNIX_EPOCH;
    /// assert_eq!(review.deadline(), Some(opened.saturating_add(Duration::from_hours(24))));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        self.with(|engine| engine.clock = Arc::new(clock))
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
        self.with(|engine| engine.lease = lease.max(Engine::SHORTEST_LEASE))
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
        self.with(|engine| engine.step_limit = steps)
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
    /// let error = stranger.turn("ticket-A-9133").await.unwrap_err();
    /// assert_eq!(error.code(), "unauthenticated_entry");
    /// # let _ = review;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn journal_keys(self, keys: JournalKeys) -> Self {
        self.with(|engine| engine.set_keys(keys))
    }

    /// Starts a thread and runs it until a person must act or it ends. The call is idempotent: a second start with the
    /// same input returns the current turn and runs nothing again.
    ///
    /// If the caller drops the future, the run continues in the background.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// let input = |order: &str| TicketInput { message: format!("order {order} arrived broken") };
    ///
    /// let turn = agent.start("ticket-A-9133", input("A-9133")).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Pay(review) if review.draft().dollars == 149));
    ///
    /// let error = agent.start("ticket-A-9133", input("A-9134")).await.unwrap_err();
    /// assert_eq!(error.code(), "thread_exists");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::ThreadExists`] if a thread with this name and another input, or of another graph, exists.
    pub async fn start(
        &self,
        thread: impl IntoThreadId,
        input: <G::State as State>::Input,
    ) -> Result<G::Turn, Error> {
        let input = input::encode::<G::State>(input)?;
        self.turn_of(self.engine.start(thread.into_thread_id()?, input, Starter::Program).await?)
    }

    /// Starts a thread like [`Agent::start`], in the name of a person. The journal keeps who started the thread, with
    /// the evidence of their identity, and their name is in the digest of each of its reviews: `requester` cannot be
    /// changed without invalidating the signatures.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// let input = || TicketInput { message: "order A-9133 arrived broken".to_owned() };
    /// let turn = agent.start_as(&Operator::new("noor"), "ticket-A-9133", input()).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Pay(_)));
    ///
    /// // The thread belongs to noor: the same start by another person is a conflict.
    /// let error = agent.start_as(&mara(), "ticket-A-9133", input()).await.unwrap_err();
    /// assert_eq!(error.code(), "thread_exists");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::start`], and [`Error::BadOperator`] for an operator who cannot sign.
    pub async fn start_as(
        &self,
        requester: &Operator,
        thread: impl IntoThreadId,
        input: <G::State as State>::Input,
    ) -> Result<G::Turn, Error> {
        let input = input::encode::<G::State>(input)?;
        self.turn_of(
            self.engine.start(thread.into_thread_id()?, input, Starter::Caller(Some(requester))).await?,
        )
    }

    /// Starts a thread like [`Agent::start`], with an input in JSON.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use serde_json::json;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// let turn = agent.start_json("ticket-A-9133", &json!({ "message": "order A-9133 arrived broken" })).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Pay(_)));
    ///
    /// let error = agent.start_json("ticket-A-9134", &json!({ "massage": "" })).await.unwrap_err();
    /// assert_eq!(error.code(), "invalid_input");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::start`], and [`Error::InvalidInput`] if the JSON is not the graph's input.
    pub async fn start_json(
        &self,
        thread: impl IntoThreadId,
        input: &serde_json::Value,
    ) -> Result<G::Turn, Error> {
        self.turn_of(self.engine.start_json(thread.into_thread_id()?, input, Starter::Program).await?)
    }

    /// Starts a thread like [`Agent::start_as`], with an input in JSON.
    ///
    /// # Errors
    /// As [`Agent::start_as`] and [`Agent::start_json`].
    pub async fn start_json_as(
        &self,
        requester: &Operator,
        thread: impl IntoThreadId,
        input: &serde_json::Value,
    ) -> Result<G::Turn, Error> {
        self.turn_of(
            self.engine.start_json(thread.into_thread_id()?, input, Starter::Caller(Some(requester))).await?,
        )
    }

    /// Returns the current turn of a thread: the graph's enum, with a handle by which a person acts. It runs nothing
    /// and writes nothing.
    ///
    /// Of the three readers of a thread, this is the one to act on. [`Agent::view`] is the one to show: JSON for people
    /// and for programs that do not know the graph. [`Agent::snapshot`] is the one to compute with: the fields in the
    /// types of the state, now or, with [`Agent::snapshot_at`], at an earlier place.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// match agent.turn("ticket-A-9133").await? {
    ///     RefundAgentTurn::Pay(review) => println!("sign this? {:?}", review.draft()),
    ///     RefundAgentTurn::Done(outcome) => println!("{outcome}"),
    ///     turn => println!("{turn}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownThread`], and [`Error::GraphChanged`] if the thread is incompatible with this program.
    pub async fn turn(&self, thread: impl IntoThreadId) -> Result<G::Turn, Error> {
        self.turn_of(self.engine.thread(&thread.into_thread_id()?).await?)
    }

    /// Continues a thread whose runner has died, and retries failed nodes. A thread that waits for a person, or that a
    /// live runner holds, is left as it is.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::ThreadStatus;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// // At startup: continue the threads of the previous process.
    /// let running = agent.store().threads(Some(ThreadStatus::Running), None, 100).await?;
    /// for (thread, _) in running.items {
    ///     println!("{}", agent.resume(thread).await?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::turn`].
    pub async fn resume(&self, thread: impl IntoThreadId) -> Result<G::Turn, Error> {
        self.turn_of(self.engine.resume(thread.into_thread_id()?, None).await?)
    }

    /// Continues a thread that needs a runner: after a verdict that was only recorded, or after the death of its runner.
    /// Unlike [`Agent::resume`] it retries no failed node. [`Agent::record`] has an example.
    ///
    /// # Errors
    /// As [`Agent::turn`].
    pub async fn continue_thread(&self, thread: impl IntoThreadId) -> Result<G::Turn, Error> {
        self.turn_of(self.engine.continue_thread(thread.into_thread_id()?).await?)
    }

    /// Resumes a thread like [`Agent::resume`], in the name of a person, which the journal keeps.
    ///
    /// # Errors
    /// As [`Agent::resume`], and [`Error::BadOperator`] for an operator who cannot sign.
    pub async fn resume_as(&self, requester: &Operator, thread: impl IntoThreadId) -> Result<G::Turn, Error> {
        self.turn_of(self.engine.resume(thread.into_thread_id()?, Some(requester)).await?)
    }

    /// Decides the open review that has this digest, and runs the thread until a person must act again.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::Error;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, noor) = (mara(), Operator::new("noor").role("refund-approver"));
    /// # let digest = waiting(&agent, "A-9133").await?.digest();
    /// // A form sends back the digest that it showed, and a verdict.
    /// let verdict: Verdict = serde_json::from_str(r#"{"edit": {"patch": {"dollars": 99}}}"#)?;
    /// let turn = agent.decide("ticket-A-9133", digest, &mara, verdict).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Done(_)));
    ///
    /// let late = agent.decide("ticket-A-9133", digest, &noor, Verdict::Approve).await.unwrap_err();
    /// assert!(matches!(late, Error::AlreadyDecided { by, .. } if by == "mara"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::AlreadyDecided`] names the operator who decided first; [`Error::Stale`], [`Error::Expired`],
    /// [`Error::RoleMissing`], [`Error::BadOperator`], [`Error::Invalid`], [`Error::UnknownKey`], [`Error::Unchanged`]
    /// and [`Error::BadVerdict`] say what to correct. [`Error::GraphChanged`] and [`Error::OtherCode`] are for threads
    /// that other code moved last. After each of these errors the thread is unchanged, except that an expired review
    /// has been rejected.
    pub async fn decide(
        &self,
        thread: impl IntoThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: impl Into<NotedVerdict>,
    ) -> Result<G::Turn, Error> {
        self.turn_of(self.engine.decide(thread.into_thread_id()?, digest, operator, verdict).await?)
    }

    /// Decides the open review that has this digest, like [`Agent::decide`], but runs nothing: the verdict is in the
    /// journal, and a runner continues the thread, by [`Agent::continue_thread`] or in its next [`Agent::sweep`]. If a
    /// runner has the thread at this moment, because another branch of it runs, that runner continues: at once in this
    /// process, and within a second in another one.
    ///
    /// A process that only takes verdicts is a [`Front`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let digest = waiting(&agent, "A-9133").await?.digest();
    /// let turn = agent.record("ticket-A-9133", digest, &mara(), Verdict::Approve).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Running(_)), "signed, and not paid yet");
    ///
    /// assert!(matches!(agent.continue_thread("ticket-A-9133").await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::decide`].
    pub async fn record(
        &self,
        thread: impl IntoThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: impl Into<NotedVerdict>,
    ) -> Result<G::Turn, Error> {
        self.record_all(thread, operator, [(digest, verdict)]).await
    }

    /// Decides several open reviews of a thread at once, as [`Agent::decide`] does each: all of them, or, if one of the
    /// verdicts is refused, none. In the journal each has an entry of its own.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// // The reviews of the branches of a fork, or of the items of a `for`.
    /// let view = agent.view("ticket-A-9133").await?;
    /// let all = view.reviews.iter().map(|review| (review.digest, Verdict::Approve));
    /// let turn = agent.decide_all("ticket-A-9133", &mara(), all).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::decide`], about one of the verdicts that are refused; [`Error::InvalidInput`] for more than 256 verdicts.
    pub async fn decide_all<V: Into<NotedVerdict>>(
        &self,
        thread: impl IntoThreadId,
        operator: &Operator,
        verdicts: impl IntoIterator<Item = (Digest, V)>,
    ) -> Result<G::Turn, Error> {
        let given = given_verdicts(operator, verdicts)?;
        self.turn_of(self.engine.answer_all(thread.into_thread_id()?, given).await?)
    }

    /// Records verdicts on several open reviews of a thread, as [`Agent::decide_all`] decides them, and runs nothing.
    ///
    /// # Errors
    /// As [`Agent::decide_all`].
    pub async fn record_all<V: Into<NotedVerdict>>(
        &self,
        thread: impl IntoThreadId,
        operator: &Operator,
        verdicts: impl IntoIterator<Item = (Digest, V)>,
    ) -> Result<G::Turn, Error> {
        let given = given_verdicts(operator, verdicts)?;
        self.turn_of(self.engine.record_all(thread.into_thread_id()?, given).await?)
    }

    /// Checks a verdict as [`Agent::decide`] does, and returns what it would do: the draft that it would sign, or the
    /// draft after an edit, and the path of an edit that would not sign here. Nothing is written, and no node runs.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use serde_json::json;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, digest) = (mara(), waiting(&agent, "A-9133").await?.digest());
    /// let edit = Verdict::Edit { patch: json!({ "dollars": 99 }) };
    /// let preview = agent.preview("ticket-A-9133", digest, &mara, edit).await?;
    /// assert_eq!(preview.draft, Some(json!({ "order": "A-9133", "dollars": 99 })));
    /// assert!(preview.again.is_none(), "it would sign here");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::decide`].
    pub async fn preview(
        &self,
        thread: impl IntoThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: impl Into<NotedVerdict>,
    ) -> Result<Preview, Error> {
        self.engine.preview(&thread.into_thread_id()?, digest, operator, &VerdictInput::given(verdict)).await
    }

    /// Settles an in-doubt effect: records how it ended. The digest identifies the doubt, as
    /// [`InDoubt::digest`](super::InDoubt::digest) returns it: if the effect is run again and is then in doubt again,
    /// that doubt has another digest.
    ///
    /// An operator may settle an effect if they may sign it: they must hold the role that the review before it
    /// requires, if there is one. For an effect that runs on several signatures, the operator must hold the role of
    /// each, because the settlement concerns everything that was signed.
    ///
    /// For an effect without such a role, the fields that a settlement writes may decide who signs later. Therefore
    /// [`Settlement::Happened`] requires every role that a later review can require, and at least one of the roles that
    /// the graph's reviews require. Every other settlement requires at least one of the latter. If the graph requires
    /// no role at all, any operator may settle.
    ///
    /// [`Settlement::Stop`] stops the whole thread: no further node begins, and its open reviews are closed.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::journal::Settlement;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, digest) = (mara(), in_doubt(&agent).await?.digest());
    /// let wrote = serde_json::from_str(r#"{"outcome": "paid: the bank's statement has it"}"#)?;
    /// let turn = agent.settle("ticket-A-0000", digest, &mara, Settlement::Happened { wrote }).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Done(outcome) if outcome.starts_with("paid")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotInDoubt`] if no effect with this digest is in doubt; [`Error::RoleMissing`]; [`Error::Invalid`] if
    /// the fields of the settlement are not the fields that the node writes, or do not fit them;
    /// [`Error::GraphChanged`] and [`Error::OtherCode`] for threads that began under other code.
    pub async fn settle(
        &self,
        thread: impl IntoThreadId,
        digest: Digest,
        operator: &Operator,
        how: Settlement,
    ) -> Result<G::Turn, Error> {
        self.turn_of(self.engine.settle(thread.into_thread_id()?, digest, operator, how).await?)
    }

    /// Starts a new thread from a place in an old thread's journal. The old thread stays unchanged. No signature is
    /// carried over: the new thread asks for its own signatures.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?.reject(&mara(), Reason::BadPlan, "").await?;
    /// // Place 2 is the entry that opened the review. The new thread opens it again.
    /// let turn = agent.fork("ticket-A-9133", 2, "ticket-A-9133-again").await?;
    /// assert!(matches!(turn, RefundAgentTurn::Pay(_)));
    /// assert!(matches!(agent.turn("ticket-A-9133").await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::ThreadExists`] if the new name is taken; [`Error::NoSuchPlace`] if `place` is past the end;
    /// [`Error::SignatureNotCarried`] if the new thread would go on past a review on the strength of its signature;
    /// [`Error::EffectUnderWay`] if it would run an effect again that may have happened; [`Error::GraphChanged`] if the
    /// old thread is incompatible with this program.
    pub async fn fork(
        &self,
        thread: impl IntoThreadId,
        place: impl Into<Place>,
        new: impl IntoThreadId,
    ) -> Result<G::Turn, Error> {
        let (thread, new) = (thread.into_thread_id()?, new.into_thread_id()?);
        self.turn_of(self.engine.fork(&thread, place.into(), new, None).await?)
    }

    /// Starts a new thread like [`Agent::fork`], in the name of a requester, which the journal keeps. In a review with
    /// `not = requester`, neither they nor the requester of the old thread may sign.
    ///
    /// # Errors
    /// As [`Agent::fork`], and [`Error::BadOperator`] for an operator who cannot sign.
    pub async fn fork_as(
        &self,
        requester: &Operator,
        thread: impl IntoThreadId,
        place: impl Into<Place>,
        new: impl IntoThreadId,
    ) -> Result<G::Turn, Error> {
        let (thread, new) = (thread.into_thread_id()?, new.into_thread_id()?);
        self.turn_of(self.engine.fork(&thread, place.into(), new, Some(requester)).await?)
    }

    /// Returns a view of a thread: everything about it as serializable data, to be shown to people and to programs that
    /// do not know the graph. To act on a thread, use [`Agent::turn`]; for its fields in their own types,
    /// [`Agent::snapshot`].
    ///
    /// It runs nothing and writes nothing. A thread that is incompatible with this program is shown as far as the
    /// program can read it, with its incompatibilities.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let view = agent.view("ticket-A-9133").await?;
    /// println!("{}", serde_json::to_string_pretty(&view)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::turn`].
    pub async fn view(&self, thread: impl IntoThreadId) -> Result<ThreadView, Error> {
        self.engine.view(&thread.into_thread_id()?).await
    }

    /// Returns a snapshot of a thread: its fields in the types of the state, as they are now. To act on a thread, use
    /// [`Agent::turn`]; to show it, [`Agent::view`]. It runs nothing and writes nothing.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let now = agent.snapshot("ticket-A-9133").await?;
    /// assert_eq!(now.fields.draft.map(|draft| draft.dollars), Some(149));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::turn`].
    pub async fn snapshot(&self, thread: impl IntoThreadId) -> Result<Snapshot<G::State>, Error> {
        Snapshot::new::<G>(self.engine.read(&thread.into_thread_id()?).await?)
    }

    /// Returns a snapshot of a thread, like [`Agent::snapshot`], as it was after the entry at a place.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// // Place 0 is the start: nothing was drafted yet.
    /// let then = agent.snapshot_at("ticket-A-9133", 0).await?;
    /// assert_eq!(then.fields.draft, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::turn`], and [`Error::NoSuchPlace`] if the place is past the end of the journal.
    pub async fn snapshot_at(
        &self,
        thread: impl IntoThreadId,
        place: impl Into<Place>,
    ) -> Result<Snapshot<G::State>, Error> {
        Snapshot::new::<G>(self.engine.read_at(&thread.into_thread_id()?, place.into()).await?)
    }

    /// Returns at most `limit` entries, starting at a place, oldest first. It returns fewer only at the end of the
    /// journal.
    ///
    /// If the agent has journal keys, the entries are authenticated. Without keys their origin is not checked: a
    /// program without keys can read a thread before [`Agent::adopt`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let entries = agent.history("ticket-A-9133", 0, 100).await?;
    /// let events: Vec<&str> = entries.iter().map(|entry| entry.event.name()).collect();
    /// assert_eq!(events, ["started", "ran", "paused"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownThread`], [`Error::Damaged`] if an entry cannot be read, and [`Error::Unauthenticated`] if an
    /// entry was not written by a holder of the journal keys.
    pub async fn history(
        &self,
        thread: impl IntoThreadId,
        from: impl Into<Place>,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        self.engine.history(&thread.into_thread_id()?, from.into(), limit).await
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
    ///     let waited = agent.now().saturating_since(open.opened);
    ///     println!("{} waits before {} for {waited:?}", open.thread, open.node);
    /// }
    /// assert_eq!(page.next, None, "the last page");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the store cannot be read, or `after` is not a cursor of this store.
    pub async fn inbox(&self, after: Option<&str>, limit: usize) -> Result<Page<OpenReview>, Error> {
        self.engine.inbox(after, limit).await
    }

    /// Returns the numbers of the reviews in the store, of all graphs, since the start of a day in UTC; `None` for all
    /// days. [`metrics`](crate::metrics) describes them, and [`Metrics`] has an example.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn metrics(&self, since: Option<Timestamp>) -> Result<Metrics, Error> {
        self.engine.metrics(since).await
    }

    /// Returns the same numbers, computed from the journals of all threads that are still in the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn recomputed_metrics(&self, since: Option<Timestamp>) -> Result<Metrics, Error> {
        self.engine.recomputed_metrics(since).await
    }

    /// Deletes the tallies of the days before this one, in UTC, with the names of operators in them. Reports then begin
    /// at that day. The journals stay, so a store that keeps no tallies has nothing to delete.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn delete_metrics(&self, before: Timestamp) -> Result<(), Error> {
        self.engine.delete_metrics(before).await
    }

    /// Subscribes to a thread: to its entries as they are stored, and to the output of its models while they generate
    /// it. Only events of this process, through this agent and its clones, are received. A subscriber that falls far
    /// behind receives [`ThreadEvent::Missed`] with the number of dropped events. [`Subscription`] has an example.
    ///
    /// # Errors
    /// [`Error::InvalidThreadId`] if the text is not a thread id.
    pub fn listen(&self, thread: impl IntoThreadId) -> Result<Subscription, Error> {
        Ok(self.engine.listen(&thread.into_thread_id()?))
    }

    /// Processes every thread of this graph that is due: takes over threads of dead processes, lets reviews expire, and
    /// sends reminders for open reviews. It returns when all of them have come to rest.
    ///
    /// Failed threads stay as they are; [`Agent::resume`] retries them.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let clock = hitl::ManualClock::at(hitl::Timestamp::UNIX_EPOCH);
    /// # let agent = RefundAgent::new(MemoryStore::new()).clock(clock.clone());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// assert!(agent.sweep().await?.is_empty(), "nothing is due");
    ///
    /// // The graph says `expires = "24h"`, and no verdict came.
    /// clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    /// assert_eq!(agent.sweep().await?.len(), 1);
    /// assert!(matches!(agent.turn("ticket-A-9133").await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the store cannot list the threads that are due. A problem with one thread is [`SweepEvent::Refused`].
    pub async fn sweep(&self) -> Result<Vec<SweepEvent>, Error> {
        self.engine.sweep().await
    }

    /// Sweeps immediately and then once per interval, for as long as the future is polled, and reports the events to
    /// `tell`.
    ///
    /// Each pass processes all threads that are due. At most 16 threads are read at the same time, at most 16 run on
    /// after a review expired, and at most 16 run after they were taken over: threads that run for long delay neither
    /// each other nor a deadline. If 16 threads already run on after expired reviews, the expiry of further reviews is
    /// recorded at once, and their threads run as soon as another run has ended.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::SweepEvent;
    /// use std::time::Duration;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// // At the startup of a long-running program.
    /// let watch = tokio::spawn(async move {
    ///     agent.watch(Duration::from_secs(10), |noticed| match noticed {
    ///         Ok(SweepEvent::Waits { review, .. }) => println!("{} still waits", review.thread),
    ///         Ok(_) => {}
    ///         Err(error) => eprintln!("{error}"),
    ///     }).await
    /// });
    /// # watch.abort();
    /// # Ok(())
    /// # }
    /// ```
    pub async fn watch(&self, every: Duration, tell: impl FnMut(Result<SweepEvent, Error>)) -> ! {
        self.engine.watch(every, tell).await
    }

    /// Returns the number of threads that run in this process. The example is at [`Activity`].
    pub fn activity(&self) -> Activity {
        self.engine.activity()
    }

    /// Waits until no thread runs in this process.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// // Before the process ends.
    /// agent.wait_idle().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_idle(&self) {
        self.engine.wait_idle().await
    }

    /// Checks a thread against this program's graph, state and invariants. Returns everything that would keep the
    /// thread from going on, and what would change if it went on. Nothing runs and nothing is written.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::ThreadStatus;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// // Run this in the new version, before it is deployed.
    /// let waiting = agent.store().threads(Some(ThreadStatus::Waiting), None, 100).await?;
    /// for (thread, _) in waiting.items {
    ///     let check = agent.check(thread).await?;
    ///     for difference in &check.differences {
    ///         println!("{} cannot go on: {difference}", check.thread);
    ///     }
    /// #   assert!(check.can_go_on());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownThread`], [`Error::Damaged`] if the journal cannot be read at all, and
    /// [`Error::Unauthenticated`] if an entry is not authentic.
    pub async fn check(&self, thread: impl IntoThreadId) -> Result<CompatibilityReport, Error> {
        self.engine.check(&thread.into_thread_id()?).await
    }

    /// Verifies a thread's journal as [`Agent::audit`] does, and returns its head.
    ///
    /// The hash chain reveals a change to a part of the journal; the replay reveals entries that this program cannot
    /// have written; journal keys reveal entries that were written without the keys. None of them reveals that the end
    /// of the journal was cut off: for that, keep the head elsewhere, and pass it to [`Agent::verify_against`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let head = agent.verify("ticket-A-9133").await?;
    /// println!("whole up to place {}; keep {} where nobody can write to the store", head.place, head.hash);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Unauthenticated`] at the first entry that was changed, removed, swapped, inserted
    /// or forged; [`Error::UnknownThread`].
    pub async fn verify(&self, thread: impl IntoThreadId) -> Result<JournalHead, Error> {
        self.engine.audit(&thread.into_thread_id()?, None).await?.sound()
    }

    /// Verifies a thread's journal as [`Agent::verify`] does, and compares it with a head that was kept elsewhere.
    ///
    /// # Errors
    /// As [`Agent::verify`]; [`Error::Damaged`] also if the journal was rewritten or truncated since the head was
    /// taken; [`Error::UnknownThread`] if it is gone.
    pub async fn verify_against(&self, kept: &JournalHead) -> Result<JournalHead, Error> {
        self.engine.audit(&kept.thread, Some(kept)).await?.sound()
    }

    /// Reads a thread's whole journal and reports all problems.
    ///
    /// - Each entry's hash follows from the entry before it, and no entry is missing. With `kept`, a head that was kept
    ///   elsewhere, the journal is still the one that the head belongs to.
    /// - If the agent has journal keys, each entry has a MAC under one of them, and a verdict has one under a key for
    ///   verdicts.
    /// - Each entry can follow those before it: each snapshot equals the replayed state, each digest equals the
    ///   recomputed one, each node with a review ran after its verdict, each step is one of the graph's, times do not
    ///   go backwards by more than [`CLOCK_SKEW`], and no runner took the thread while another one held its lease.
    ///
    /// The last check needs the program that wrote the entries: see [`Audit::unchecked`].
    ///
    /// # Errors
    /// [`Error::UnknownThread`], and an error if the store or the vault of a key fails. Findings are not errors.
    pub async fn audit(&self, thread: impl IntoThreadId, kept: Option<&JournalHead>) -> Result<Audit, Error> {
        self.engine.audit(&thread.into_thread_id()?, kept).await
    }

    /// Adopts a thread: vouches in the operator's name for the entries that were written without a MAC. From then on
    /// the thread is authenticated.
    ///
    /// The whole journal is verified first, and compared with `kept`, a head that was stored elsewhere, if one is
    /// given. Without such a head, an attacker who rewrote the whole journal before the adoption is not detected: look
    /// at the thread's history in a program without keys first. The appended entry has the operator's name and a MAC of
    /// a key for verdicts.
    ///
    /// Only entries from before the first key can be adopted. An entry without a MAC that comes after an entry with a
    /// MAC was added without a key, and no adoption covers it.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::journal::{JournalKey, JournalKeys};
    ///
    /// let (store, thread) = (MemoryStore::new(), "ticket-A-9133");
    /// let old = RefundAgent::new(store.clone());
    /// let _ = waiting(&old, "A-9133").await?;
    ///
    /// let keys = JournalKeys::new(JournalKey::new([7; 32])?);
    /// let agent = RefundAgent::new(store).journal_keys(keys);
    /// assert_eq!(agent.turn(thread).await.unwrap_err().code(), "unauthenticated_entry");
    /// agent.adopt(thread, &mara(), None).await?;
    /// assert!(matches!(agent.turn(thread).await?, RefundAgentTurn::Pay(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotSetUp`] without journal keys that sign verdicts; [`Error::BadOperator`] if the operator has no valid
    /// name; [`Error::Damaged`] if the verification of the journal fails or its head is not `kept`;
    /// [`Error::Unauthenticated`] if a MAC is wrong, or an entry without a MAC comes after one with a MAC;
    /// [`Error::OtherCode`] while a runner holds the thread's lease; [`Error::GraphChanged`] if the thread is
    /// incompatible with this program.
    pub async fn adopt(
        &self,
        thread: impl IntoThreadId,
        operator: &Operator,
        kept: Option<&JournalHead>,
    ) -> Result<JournalHead, Error> {
        self.engine.adopt(&thread.into_thread_id()?, operator, kept).await
    }

    /// Returns the time of the agent's clock.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::{ManualClock, Timestamp};
    ///
    /// let morning = Timestamp::from_millis(1_763_800_000_000);
    /// let agent = RefundAgent::new(MemoryStore::new()).clock(ManualClock::at(morning));
    /// assert_eq!(agent.now(), morning);
    /// # Ok(())
    /// # }
    /// ```
    pub fn now(&self) -> Timestamp {
        self.engine.now()
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
    /// assert_eq!(agent.turn(thread).await.unwrap_err().code(), "unknown_thread");
    /// # Ok(())
    /// # }
    /// ```
    pub fn store(&self) -> &dyn Store {
        &*self.engine.store
    }

    /// Returns a front of this agent: a handle that records what people decide, and runs nothing. It wakes this agent if
    /// no runner has the thread, so that the thread runs in the background, and not in the call: each in a task of its
    /// own.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::ThreadEvent;
    ///
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// # let digest = waiting(&agent, "A-9133").await?.digest();
    /// let mut events = agent.listen("ticket-A-9133")?;
    /// agent.front().record("ticket-A-9133", digest, &mara(), Verdict::Approve).await?;
    ///
    /// // The agent goes on by itself.
    /// while !matches!(events.next().await, ThreadEvent::Entry(entry) if entry.event.name() == "ended") {}
    /// assert!(matches!(agent.turn("ticket-A-9133").await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "a front records what people decide by its methods"]
    pub fn front(&self) -> Front<G> {
        Front::of(self)
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
        &self.engine.print
    }

    /// Sets the role in which operators stop and release threads, the graph and the store. Without it, one of the roles that
    /// the graph's reviews require allows that; but not to cancel the threads of all graphs in the store.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::Scope;
    ///
    /// let agent = RefundAgent::new(MemoryStore::new()).stop_role("operations");
    /// let error = agent.front().pause(Scope::Store, &mara(), "").await.unwrap_err();
    /// assert_eq!(error.code(), "may_not_stop");
    /// agent.front().pause(Scope::Store, &mara().role("operations"), "").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stop_role(self, role: impl Into<String>) -> Self {
        let role = role.into();
        self.with(|engine| engine.stop_role = Some(role.into()))
    }

    /// Changes a setting. Clones of the agent keep their own settings.
    fn with(mut self, change: impl FnOnce(&mut Engine)) -> Self {
        change(Arc::make_mut(&mut self.engine));
        self
    }

    /// Converts a thread into the graph's own turn type.
    fn turn_of(&self, fold: Fold) -> Result<G::Turn, Error> {
        let thread = fold.thread.clone();
        contain_panics_sync(&thread, || G::turn(ThreadState::new(self, fold)?))
    }
}

/// Returns the verdicts of one operator, in the form of the engine.
fn given_verdicts<V: Into<NotedVerdict>>(
    operator: &Operator,
    verdicts: impl IntoIterator<Item = (Digest, V)>,
) -> Result<Vec<GivenVerdict>, Error> {
    let given = |(digest, verdict)| GivenVerdict {
        digest,
        operator: operator.clone(),
        verdict: VerdictInput::given(verdict),
    };
    let given: Vec<GivenVerdict> = verdicts.into_iter().take(GivenVerdict::MOST + 1).map(given).collect();
    GivenVerdict::are_few(&given)?;
    Ok(given)
}

impl<G: Graph> fmt::Debug for Agent<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("graph", &G::SPEC.name).finish_non_exhaustive()
    }
}
