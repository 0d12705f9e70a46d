//! Typed handles to open reviews: one review, one verdict.

use std::{fmt, marker::PhantomData};

use futures_util::future::BoxFuture;
use garde::Validate;
use serde_json::Value;

use super::{Agent, Asks, CanEdit, Edits, Graph, NoAsk};
use crate::{
    Digest, Error, Incompatibility, Operator, Reason, ThreadId, Timestamp, Verdict, Violation,
    engine::{ItemView, ReviewTurn, VerdictInput, incompatible, items_of_review, shown_with},
    graph::RiskLevel,
    journal::Condition,
    json::encode,
    review::{Draft, check_round_trip},
    state::FieldError,
    user_code,
};

/// An open review whose draft does not have its own type yet.
pub struct AnyReview<G: Graph> {
    pub(super) agent: Agent<G>,
    pub(super) turn: Box<ReviewTurn>,
}

impl<G: Graph> AnyReview<G> {
    /// Returns the index of the node that waits.
    pub fn node(&self) -> usize {
        self.turn.found.node
    }

    /// Deserializes the draft into its own type.
    ///
    /// # Errors
    /// If the draft is not of that type.
    pub fn open<D: 'static, A, E>(self) -> Result<Review<G, D, A, E>, Error> {
        let field = &self.turn.found.open.field;
        let lane = self.turn.fold.lanes.get(&self.turn.found.lane);
        let draft = lane.map_or(Ok(None), |lane| lane.fields.decode(field));
        let draft = draft.and_then(|draft| draft.ok_or_else(|| FieldError::unwritten(field)));
        let draft = draft.map_err(|error| self.turn.draft_error(error))?;
        Ok(Review { open: self, draft, note: String::new(), takes: PhantomData })
    }

    /// Returns the error for a review that the graph's turn type has no variant for.
    pub fn unknown(self) -> Error {
        incompatible(
            &self.turn.fold.thread,
            Incompatibility::NoReview { node: self.turn.found.open.activation.node },
        )
    }

    /// Calls code of the draft's type and converts a panic into an error.
    fn guarded<T>(&self, code: &str, call: impl FnOnce() -> T) -> Result<T, Error> {
        let place = || format!("{code} of `{}`", self.turn.found.open.field);
        user_code::catch_panic(place, call).map_err(|broken| broken.into_error(&self.turn.fold.thread))
    }

    fn invalid(&self, violations: Vec<Violation>) -> Error {
        let (thread, field) = (self.turn.fold.thread.clone(), self.turn.found.open.field.clone());
        Error::Invalid { thread, field, violations }
    }

    /// Applies the user's change to the draft, validates the result, and returns it as JSON.
    fn edited<D: Draft + Validate<Context = ()>>(
        &self,
        mut draft: D,
        change: impl FnOnce(&mut D),
    ) -> Result<String, Error> {
        self.guarded("edit", || change(&mut draft))?;
        if let Err(report) = self.guarded("validator", || draft.validate())? {
            let json = self.guarded("serializer", || serde_json::to_value(&draft).unwrap_or_default())?;
            let schema = self.turn.found.reviewed.schema_of(&self.turn.found.open.field).ok();
            return Err(self.invalid(crate::review::draft_violations(
                &draft,
                &report,
                &json,
                schema.as_ref(),
            )));
        }
        let edited = self.guarded("serializer", || {
            encode(&draft).and_then(|json| check_round_trip(&draft, &json).map(|()| json))
        })?;
        let edited = edited.map_err(|violation| self.invalid(vec![violation]))?;
        // Its `Drop` is the user's code as well, and must not run in the middle of the verdict.
        self.guarded("destructor", || drop(draft))?;
        Ok(edited)
    }

    /// Decides the review: on the thread as the caller has seen it, unless another writer has changed it since.
    async fn answer(self, operator: Operator, answer: VerdictInput) -> Result<G::Turn, Error> {
        self.agent.turn_of(self.agent.engine.answer_turn(self.turn, operator, answer).await?)
    }
}

/// Returns the error for several open reviews in a graph that cannot have more than one open at a time.
pub fn several<G: Graph>(reviews: Vec<AnyReview<G>>) -> Error {
    match reviews.into_iter().next() {
        Some(review) => {
            let problem =
                "several reviews are open, but no fork of this graph allows more than one".to_owned();
            incompatible(&review.turn.fold.thread, Incompatibility::NoWay { problem })
        }
        None => Error::InvalidInput { problem: "no review is open".to_owned() },
    }
}

/// An open review: a request to a person to decide on a draft. It takes one verdict, which consumes it.
///
/// ```compile_fail
/// # use hitl::{Operator, Review};
/// # use hitl_runtime::agent::Graph;
/// async fn twice<G: Graph, D>(review: Review<G, D>, mara: &Operator) {
///     let _ = review.approve(mara).await;
///     let _ = review.approve(mara).await; // use of moved value: `review`
/// }
/// ```
///
/// `G` is the graph, `D` the type of the draft. `A` says whether the graph declares `ask` for this review, `E` whether
/// the review takes an edit.
///
/// The graph's turn contains it. A second verdict on it does not compile.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let mara = mara();
/// # let _ = waiting(&agent, "A-9133").await?;
/// if let RefundAgentTurn::Pay(review) = agent.turn("ticket-A-9133").await? {
///     assert_eq!((review.thread().as_str(), review.node()), ("ticket-A-9133", "pay"));
///     assert_eq!(review.draft(), &Refund { order: "A-9133".into(), dollars: 149 });
///     assert_eq!(review.role(), Some("refund-approver"));
///     println!("{review}, until {:?}", review.deadline().and_then(hitl::Timestamp::to_system_time));
///     let turn = review.approve(&mara).await?;
///     assert!(matches!(turn, RefundAgentTurn::Done(_)));
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a review waits for one verdict"]
pub struct Review<G: Graph, D, A = NoAsk, E = CanEdit> {
    open: AnyReview<G>,
    draft: D,
    note: String,
    takes: PhantomData<fn() -> (A, E)>,
}

impl<G: Graph, D, A, E> Review<G, D, A, E> {
    /// Returns the draft that is to be signed: exactly the argument that the node will get.
    pub fn draft(&self) -> &D {
        &self.draft
    }

    /// Returns the digest that the signature will cover.
    pub fn digest(&self) -> Digest {
        self.open.turn.found.open.digest
    }

    /// Returns the name of the thread that waits.
    pub fn thread(&self) -> &ThreadId {
        &self.open.turn.fold.thread
    }

    /// Returns the node that will run once the draft is signed.
    pub fn node(&self) -> &str {
        &self.open.turn.found.open.activation.node
    }

    /// Returns the role that the operator must hold.
    pub fn role(&self) -> Option<&str> {
        self.open.turn.found.open.role.as_deref()
    }

    /// Returns the name of the person who proposed the draft by an edit at another review; `None` if a node proposed
    /// it.
    pub fn proposed_by(&self) -> Option<&str> {
        self.open.turn.found.open.proposed.as_ref().map(|proposer| proposer.operator.as_str())
    }

    /// Returns the condition of the review (`when = …`) and its value: why a person is asked. If it is false, one
    /// was asked about this draft before, or the thread is a fork. `None` if the review has no condition, or new code opened it again.
    pub fn when(&self) -> Option<&Condition> {
        self.open.turn.found.open.when.as_ref()
    }

    /// Returns the risk of the action, the highest one of its effects. `None` if the program declares none.
    pub fn risk(&self) -> Option<RiskLevel> {
        self.open.turn.found.open.risk
    }

    /// Returns whether the action can be undone. `true` unless the program declares `reversible = false`.
    pub fn is_reversible(&self) -> bool {
        !self.open.turn.found.open.irreversible
    }

    /// Returns whether the person who started the thread may not sign, `not = requester`.
    pub fn excludes_requester(&self) -> bool {
        self.open.turn.found.open.not_requester
    }

    /// Returns the deadline of the review.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.open.turn.found.open.deadline
    }

    /// Returns the later effects that will run on the same signature, each once.
    pub fn covers(&self) -> &[String] {
        &self.open.turn.found.open.covers
    }

    /// Returns the names and values of the fields that are signed with the draft but cannot be edited. A field that is
    /// not written is left out.
    pub fn shown(&self) -> serde_json::Map<String, Value> {
        shown_with(&self.open.turn.fold, self.open.turn.found.lane, &self.open.turn.found.open)
    }

    /// Returns the items of the `for`s around the review, the outermost first. They are not signed.
    pub fn items(&self) -> Vec<ItemView> {
        items_of_review(&self.open.turn.fold, self.open.turn.found.lane, &self.open.turn.found.open)
    }

    /// Adds a note in the operator's words, which the journal keeps with the verdict. The note of a rejection is that of
    /// [`Review::reject`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, review) = (mara(), waiting(&agent, "A-9133").await?);
    /// let turn = review.with_note("the customer called twice").approve(&mara).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Approves the draft and runs the node.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, review) = (mara(), waiting(&agent, "A-9133").await?);
    /// let turn = review.approve(&mara).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Done(paid) if paid == "149 dollars for A-9133, signed by mara"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::decide`].
    pub async fn approve(self, operator: &Operator) -> Result<G::Turn, Error> {
        let verdict = Verdict::Approve.with_note(self.note);
        self.open.answer(operator.clone(), VerdictInput::given(verdict)).await
    }

    /// Changes the draft and approves the result. The changed draft must satisfy the same invariants as the draft
    /// itself, and the journal keeps both.
    ///
    /// An edit is a new proposal: it follows the path that it would have followed if the node had written it. If a
    /// `match` or a node between the draft and this review depends on the draft, the thread goes back to where the
    /// draft was written. The edit signs the review that opens then if the operator may sign that review and has seen
    /// what it shows and covers, this review's deadline has not passed, and that review is before this node again, or
    /// opens without a node running in between, so that [`Agent::preview`] can name it. Otherwise that review stays
    /// open, and is the turn that this method returns.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, review) = (mara(), waiting(&agent, "A-9133").await?);
    /// // The draft says `range(max = 500)`. The rejected edit consumes the review; the thread still waits.
    /// let error = review.edit(&mara, |draft| draft.dollars = 20_000).await.unwrap_err();
    /// assert_eq!(error.code(), "invalid");
    ///
    /// let RefundAgentTurn::Pay(review) = agent.turn("ticket-A-9133").await? else { unreachable!() };
    /// let turn = review.edit(&mara, |draft| draft.dollars = 99).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Done(paid) if paid == "99 dollars for A-9133, signed by mara"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::decide`].
    // Not an `async fn`, for the same reason as `ask`.
    pub fn edit(
        self,
        operator: &Operator,
        change: impl FnOnce(&mut D),
    ) -> BoxFuture<'static, Result<G::Turn, Error>>
    where
        D: Draft + Validate<Context = ()>,
        E: Edits,
    {
        let Self { open, draft, note, .. } = self;
        let (operator, edited) = (operator.clone(), open.edited(draft, change));
        Box::pin(async move { open.answer(operator, VerdictInput::edited(edited?, note)).await })
    }

    /// Rejects the draft and follows the graph's `reject` edge.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, review) = (mara(), waiting(&agent, "A-9133").await?);
    /// // The graph says `pay { reject -> decline, … }`.
    /// let turn = review.reject(&mara, Reason::PolicyViolation, "it was bought a year ago").await?;
    /// assert!(matches!(turn, RefundAgentTurn::Done(outcome) if outcome == "mara said no: policy_violation"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::decide`].
    pub async fn reject(
        self,
        operator: &Operator,
        reason: Reason,
        note: impl Into<String>,
    ) -> Result<G::Turn, Error> {
        let verdict = Verdict::Reject { reason, note: note.into() };
        self.open.answer(operator.clone(), VerdictInput::given(verdict)).await
    }

    /// Asks a question and follows the graph's `ask` edge, which leads to a new draft.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, review) = (mara(), waiting(&agent, "A-9133").await?);
    /// // The graph says `pay { …, ask -> draft }`, which leads to another draft and another review.
    /// let turn = review.ask(&mara, "Is there a photo?").await?;
    /// assert!(matches!(turn, RefundAgentTurn::Pay(review) if review.draft().dollars == 99));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::decide`].
    // Not an `async fn`: for a graph that declares no `ask`, rustc would then report the same error three times.
    pub fn ask(
        self,
        operator: &Operator,
        question: impl Into<String>,
    ) -> BoxFuture<'static, Result<G::Turn, Error>>
    where
        A: Asks,
    {
        let verdict = Verdict::Ask { question: question.into() }.with_note(self.note);
        Box::pin(self.open.answer(operator.clone(), VerdictInput::given(verdict)))
    }
}

impl<G: Graph, D, A, E> fmt::Display for Review<G, D, A, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = &self.open.turn.found.open;
        write!(
            f,
            "`{}` waits before `{}` for a signature on `{}` ({})",
            self.thread(),
            open.activation.node,
            open.field,
            open.digest.short()
        )
    }
}

impl<G: Graph, D, A, E> fmt::Debug for Review<G, D, A, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<G: Graph> fmt::Debug for AnyReview<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyReview").field("thread", &self.turn.fold.thread).finish_non_exhaustive()
    }
}
