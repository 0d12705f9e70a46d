//! Whose turn it is, and what may be done about it.

use std::{fmt, marker::PhantomData};

use garde::Validate;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Agent, Asks, Graph, NoAsk,
    agent::GraphFold,
    decide::{Answer, Found, found},
};
use crate::{
    Digest, Error, Operator, Reason, ThreadId, Verdict, Violation,
    journal::{At, Lane, LaneId, ROOT, Settlement, Values},
    review::Reviewed,
    state::{Fields, State},
};

/// How a thread stands, before `graph!` has given it the graph's own type.
pub enum Outlook<G: Graph> {
    /// One review is open.
    Review(AnyReview<G>),
    /// Several reviews are open.
    Several(Vec<AnyReview<G>>),
    /// The thread has come to its end.
    Done(<G::State as State>::Output),
    /// Nobody saw how an effect ended.
    InDoubt(InDoubt<G>),
    /// A node failed.
    Failed(Failed<G>),
    /// A runner has the thread.
    Running(Running<G>),
}

/// An open review, before the type of its draft is known.
pub struct AnyReview<G: Graph> {
    agent: Agent<G>,
    thread: ThreadId,
    found: Found,
    draft: Value,
}

impl<G: Graph> AnyReview<G> {
    /// The number of the node that waits.
    pub fn node(&self) -> usize {
        self.found.node
    }

    /// With the draft in its own type.
    ///
    /// # Errors
    /// When the draft is not of that type.
    pub fn open<D: DeserializeOwned, A>(self) -> Result<Review<G, D, A>, Error> {
        let draft = serde_json::from_value(self.draft).map_err(|e| Error::Invalid {
            thread: self.thread.clone(),
            field: self.found.open.field.clone(),
            violations: vec![Violation { path: String::new(), message: e.to_string() }],
        })?;
        Ok(Review { agent: self.agent, thread: self.thread, found: self.found, draft, asks: PhantomData })
    }

    /// The error for a review that the graph's turn has no variant for.
    pub fn unknown(self) -> Error {
        Error::GraphChanged {
            thread: self.thread,
            problem: format!("it waits before `{}`, where this graph has no review", self.found.open.visit.node),
        }
    }
}

/// The error for several open reviews in a graph that has no fork with more than one.
pub fn several<G: Graph>(reviews: Vec<AnyReview<G>>) -> Error {
    match reviews.into_iter().next() {
        Some(review) => {
            Error::GraphChanged { thread: review.thread, problem: "several reviews are open, and this graph has no fork with more than one".to_owned() }
        }
        None => Error::InvalidInput { problem: "no review is open".to_owned() },
    }
}

/// One open question to a person. A review takes one verdict, and is gone.
///
/// ```compile_fail
/// # use hitl_runtime::{Operator, Review};
/// # use hitl_runtime::run::Graph;
/// async fn twice<G: Graph, D>(review: Review<G, D>, mara: &Operator) {
///     let _ = review.approve(mara).await;
///     let _ = review.approve(mara).await; // use of moved value: `review`
/// }
/// ```
///
/// `G` is the graph, `D` the type of the draft; `A` says whether the graph declares `ask` here.
#[must_use = "a review waits for one verdict"]
pub struct Review<G: Graph, D, A = NoAsk> {
    agent: Agent<G>,
    thread: ThreadId,
    found: Found,
    draft: D,
    asks: PhantomData<fn() -> A>,
}

impl<G: Graph, D, A> Review<G, D, A> {
    /// What is to be signed: the very arguments that the node will get.
    pub fn draft(&self) -> &D {
        &self.draft
    }

    /// The digest of what is to be signed.
    pub fn digest(&self) -> Digest {
        self.found.open.digest
    }

    /// The thread that waits.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// The node that will run once the draft is signed.
    pub fn node(&self) -> &str {
        &self.found.open.visit.node
    }

    /// The role that the operator must hold.
    pub fn role(&self) -> Option<&str> {
        self.found.open.role.as_deref()
    }

    /// When the review expires, in milliseconds since the epoch.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.found.open.deadline_ms
    }

    /// Do what the draft says.
    ///
    /// # Errors
    /// As [`Agent::decide`].
    pub async fn approve(self, operator: &Operator) -> Result<G::Turn, Error> {
        self.given(operator, Verdict::Approve).await
    }

    /// Do what the draft says once it is changed. The change is held against the draft's invariants like the draft
    /// itself, and both are kept.
    ///
    /// # Errors
    /// As [`Agent::decide`].
    pub async fn edit(self, operator: &Operator, change: impl FnOnce(&mut D)) -> Result<G::Turn, Error>
    where
        D: Serialize + Validate<Context = ()>,
    {
        let Self { agent, thread, found, mut draft, .. } = self;
        change(&mut draft);
        let invalid = |violations| Error::Invalid { thread: thread.clone(), field: found.open.field.clone(), violations };
        crate::review::validate(&draft).map_err(invalid)?;
        let draft = serde_json::to_value(&draft)
            .map_err(|e| invalid(vec![Violation { path: String::new(), message: e.to_string() }]))?;
        let digest = found.open.digest;
        G::turn(agent.answer(thread, digest, operator, Answer::Edited(draft)).await?)
    }

    /// Do not.
    ///
    /// # Errors
    /// As [`Agent::decide`].
    pub async fn reject(
        self,
        operator: &Operator,
        reason: Reason,
        note: impl Into<String>,
    ) -> Result<G::Turn, Error> {
        self.given(operator, Verdict::Reject { reason, note: note.into() }).await
    }

    /// Answer this first, and draft again.
    ///
    /// # Errors
    /// As [`Agent::decide`].
    pub async fn ask(self, operator: &Operator, question: impl Into<String>) -> Result<G::Turn, Error>
    where
        A: Asks,
    {
        self.given(operator, Verdict::Ask { question: question.into() }).await
    }

    async fn given(self, operator: &Operator, verdict: Verdict) -> Result<G::Turn, Error> {
        let digest = self.found.open.digest;
        G::turn(self.agent.answer(self.thread, digest, operator, Answer::Given(verdict)).await?)
    }
}

impl<G: Graph, D, A> fmt::Display for Review<G, D, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = &self.found.open;
        write!(f, "`{}` waits before `{}` for a signature on `{}` ({})", self.thread, open.visit.node, open.field, open.digest.short())
    }
}

impl<G: Graph, D, A> fmt::Debug for Review<G, D, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An effect that may or may not have happened. A person finds out, and says so.
#[must_use = "somebody must find out how the effect ended"]
pub struct InDoubt<G: Graph> {
    agent: Agent<G>,
    thread: ThreadId,
    node: String,
    key: String,
    error: String,
    since_ms: u64,
}

impl<G: Graph> InDoubt<G> {
    /// The thread.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// The effect.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The idempotency key that the effect was begun with: look for it on the other side.
    pub fn idempotency_key(&self) -> &str {
        &self.key
    }

    /// What is known of its end.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// Since when, in milliseconds since the epoch.
    pub fn since_ms(&self) -> u64 {
        self.since_ms
    }

    /// It happened, and this is what the node would have written, by field.
    ///
    /// # Errors
    /// As [`Agent::settle`].
    pub async fn happened(self, operator: &Operator, wrote: Values) -> Result<G::Turn, Error> {
        self.settle(operator, Settlement::Happened { wrote }).await
    }

    /// It did not happen: run it, with the same idempotency key.
    ///
    /// # Errors
    /// As [`Agent::settle`].
    pub async fn run_again(self, operator: &Operator) -> Result<G::Turn, Error> {
        self.settle(operator, Settlement::RunAgain).await
    }

    /// Leave it; the thread goes no further.
    ///
    /// # Errors
    /// As [`Agent::settle`].
    pub async fn stop(self, operator: &Operator, note: impl Into<String>) -> Result<G::Turn, Error> {
        self.settle(operator, Settlement::Stop { note: note.into() }).await
    }

    async fn settle(self, operator: &Operator, how: Settlement) -> Result<G::Turn, Error> {
        self.agent.settle(self.thread, &self.key, operator, how).await
    }
}

impl<G: Graph> fmt::Display for InDoubt<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is in doubt: nobody saw how `{}` ended ({})", self.thread, self.node, self.error)
    }
}

impl<G: Graph> fmt::Debug for InDoubt<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A node that failed, or that a person stopped.
#[must_use = "the thread stands until somebody resumes it"]
pub struct Failed<G: Graph> {
    agent: Agent<G>,
    thread: ThreadId,
    node: String,
    error: String,
    stopped: bool,
}

impl<G: Graph> Failed<G> {
    /// The thread.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// The node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// What it said.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// Whether a person stopped it, so that it cannot be resumed.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Tries the node again.
    ///
    /// # Errors
    /// As [`Agent::resume`].
    pub async fn resume(self) -> Result<G::Turn, Error> {
        self.agent.resume(self.thread).await
    }
}

impl<G: Graph> fmt::Display for Failed<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed in `{}`: {}", self.thread, self.node, self.error)
    }
}

impl<G: Graph> fmt::Debug for Failed<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A thread that a runner has, or had when it died.
#[must_use = "nobody waits for the runner"]
pub struct Running<G: Graph> {
    agent: Agent<G>,
    thread: ThreadId,
    node: String,
    until_ms: Option<u64>,
}

impl<G: Graph> Running<G> {
    /// The thread.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// A node that runs, or that is next.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Whether the runner has given no sign of life for so long that `resume` takes the thread up.
    pub fn is_stalled(&self) -> bool {
        self.until_ms.is_none_or(|until| until <= self.agent.inner.clock.now_ms())
    }

    /// Takes the thread up if it is stalled.
    ///
    /// # Errors
    /// As [`Agent::resume`].
    pub async fn resume(self) -> Result<G::Turn, Error> {
        self.agent.resume(self.thread).await
    }
}

impl<G: Graph> fmt::Display for Running<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.is_stalled() { "stalled" } else { "running" };
        write!(f, "`{}` is {how} at `{}`", self.thread, self.node)
    }
}

impl<G: Graph> fmt::Debug for Running<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is most urgent comes first: doubt, then people, then failures, then runners.
pub(super) fn outlook<G: Graph>(agent: &Agent<G>, mut fold: GraphFold<G>) -> Result<Outlook<G>, Error> {
    let thread = fold.thread.clone();
    if fold.ended {
        return done::<G>(fold).map(Outlook::Done);
    }
    if let Some((node, key, error, since_ms)) = doubt(agent, &fold) {
        return Ok(Outlook::InDoubt(InDoubt { agent: agent.clone(), thread, node, key, error, since_ms }));
    }
    let mut reviews = Vec::new();
    for (lane, open) in fold.open() {
        let found = found::<G>(&fold, lane, open)?;
        let draft = draft::<G>(&fold, lane, &open.field, found.reviewed)?;
        reviews.push(AnyReview { agent: agent.clone(), thread: thread.clone(), found, draft });
    }
    if reviews.len() > 1 {
        return Ok(Outlook::Several(reviews));
    }
    if let Some(review) = reviews.pop() {
        return Ok(Outlook::Review(review));
    }
    let active = fold.lanes.values().find(|lane| lane.at.is_active()).and_then(|lane| lane.at.visit());
    if let Some(visit) = active {
        let node = visit.node.clone();
        let until_ms = fold.lease.take().map(|lease| lease.until_ms);
        return Ok(Outlook::Running(Running { agent: agent.clone(), thread, node, until_ms }));
    }
    let failed = fold.lanes.into_values().find_map(|lane| match lane.at {
        At::Failed { visit, error, stopped, .. } => Some((visit.node, error, stopped)),
        _ => None,
    });
    match failed {
        Some((node, error, stopped)) => {
            Ok(Outlook::Failed(Failed { agent: agent.clone(), thread, node, error, stopped }))
        }
        None => Err(Error::Damaged { thread, place: fold.next.saturating_sub(1), problem: "it stands nowhere".to_owned() }),
    }
}

/// An effect that is in doubt, whether or not an entry says so yet.
pub(super) fn doubt<G: Graph>(agent: &Agent<G>, fold: &GraphFold<G>) -> Option<(String, String, String, u64)> {
    let now = agent.inner.clock.now_ms();
    let orphaned = !fold.lease.as_ref().is_some_and(|lease| lease.until_ms > now);
    fold.lanes.values().find_map(|lane| match &lane.at {
        At::InDoubt { visit, key, error, since_ms } => {
            Some((visit.node.clone(), key.clone(), error.clone(), *since_ms))
        }
        At::Began { visit, key } if orphaned => {
            let (_, entry) = super::route::node::<G>(&visit.node)?;
            (!entry.spec.idempotent).then(|| {
                let error = "the process that ran it is gone, and nobody saw how it ended".to_owned();
                (visit.node.clone(), key.clone(), error, fold.at_ms)
            })
        }
        _ => None,
    })
}

fn done<G: Graph>(mut fold: GraphFold<G>) -> Result<<G::State as State>::Output, Error> {
    let changed = |thread: &ThreadId, problem: String| Error::GraphChanged { thread: thread.clone(), problem };
    let thread = fold.thread.clone();
    let root: Lane<_> = fold
        .lanes
        .remove(&ROOT)
        .ok_or_else(|| changed(&thread, "it has no state".to_owned()))?;
    let fields = match std::sync::Arc::try_unwrap(root.fields) {
        Ok(fields) => fields,
        Err(shared) => crate::journal::copy(&G::State::SPEC, &*shared).map_err(|e| changed(&thread, e.to_string()))?,
    };
    G::State::output(fields).ok_or_else(|| changed(&thread, "it has ended, and an output of this graph is unwritten".to_owned()))
}

/// The draft in a lane as its type writes it, held against its invariants: whatever a store gives back is checked
/// like what a node returned.
pub(crate) fn draft<G: Graph>(
    fold: &GraphFold<G>,
    lane: LaneId,
    field: &str,
    reviewed: Reviewed,
) -> Result<Value, Error> {
    let invalid = |violations| Error::Invalid { thread: fold.thread.clone(), field: field.to_owned(), violations };
    let whole = |message: String| invalid(vec![Violation { path: String::new(), message }]);
    let json = match fold.lanes.get(&lane) {
        Some(lane) => lane.fields.read(field).map_err(|e| whole(e.problem))?,
        None => None,
    };
    let json = json.ok_or_else(|| whole("nothing has written it".to_owned()))?;
    (reviewed.check)(&json).map_err(invalid)
}
