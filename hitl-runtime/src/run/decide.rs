//! Decisions: a verdict is checked against its open review and appended at the next place. After a conflict it is
//! checked again.

use serde_json::{Value, value::to_raw_value};
use std::sync::Arc;

use super::{
    Agent, Graph, Incompatibility,
    agent::Engine,
    executor,
    lenient_load::incompatible,
    repropose::{EditResult, Preview, takes_no_edit},
    review_terms::ReviewTerms,
    route, run_to_completion,
    settle::is_not_stopped,
    thread_state::{self, LocatedReview, locate_review},
    thread_writer::ThreadWriter,
};
use crate::{
    Digest, Error, Operator, Reason, ThreadId, Verdict,
    graph::EdgeKind,
    journal::{Decision, Event, Evidence, Fold, Transition},
    review::{Edit, EditError, apply_edit},
    user_code::contain_panics,
};

/// A thread as the operator saw it.
pub(crate) struct SeenReview {
    pub(crate) writer: Box<ThreadWriter>,
    pub(crate) found: LocatedReview,
    /// The draft under review, if its invariants have been checked.
    pub(crate) draft: Option<Value>,
}

/// A verdict from the public API, or an edit that gives the whole draft.
pub(crate) enum VerdictInput {
    Given(Verdict),
    /// The edited draft, as JSON.
    Edited(String),
}

impl<G: Graph> Agent<G> {
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
    pub async fn decide<T>(
        &self,
        thread: T,
        digest: Digest,
        operator: &Operator,
        verdict: Verdict,
    ) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let answer = VerdictInput::Given(verdict);
        let fold = self.inner.answer(thread.clone(), digest, operator.clone(), answer, None).await?;
        self.turn_of(&thread, fold)
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
    pub async fn preview<T>(
        &self,
        thread: T,
        digest: Digest,
        operator: &Operator,
        verdict: Verdict,
    ) -> Result<Preview, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        contain_panics(&thread, self.inner.preview_in_place(&thread, digest, operator, verdict)).await
    }
}

impl Engine {
    /// Decides a review, and runs the thread on. `seen` is the thread as the operator saw it, if it is loaded already;
    /// it is reloaded only after a conflict.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        thread: ThreadId,
        digest: Digest,
        operator: Operator,
        answer: VerdictInput,
        seen: Option<SeenReview>,
    ) -> Result<Fold, Error> {
        let agent = self.clone();
        let name = thread.clone();
        let decided = async move { agent.answer_in_place(&thread, digest, &operator, &answer, seen).await };
        run_to_completion::finish_for(name, decided).await
    }

    async fn answer_in_place(
        self: &Arc<Self>,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        answer: &VerdictInput,
        mut seen: Option<SeenReview>,
    ) -> Result<Fold, Error> {
        loop {
            let SeenReview { writer, found, draft } = match seen.take() {
                Some(seen) => seen,
                None => self.read_review(thread, digest).await?,
            };
            let now = self.clock.now_ms();
            let late = found.open.deadline_ms.filter(|deadline| *deadline <= now);
            // `Expired` is returned only after the expiry is appended: until then, a process whose clock is behind may
            // decide.
            let event = match late {
                Some(_) => self.expiry(&writer.fold, &found)?,
                None => self.decision(&writer.fold, &found, draft, operator, answer)?,
            };
            match (self.append_and_run(writer, [event]).await, late) {
                (Err(executor::RunError::Conflict(_)), _) => {}
                (end, None) => return self.fold_after(end).await,
                (end, Some(deadline_ms)) => {
                    self.fold_after(end).await?;
                    let node = found.open.activation.node;
                    return Err(Error::Expired { thread: thread.clone(), node, deadline_ms });
                }
            }
        }
    }

    /// Appends events that move a thread from outside, and runs the thread unless another runner has it.
    pub(super) async fn append_and_run(
        self: &Arc<Self>,
        mut writer: Box<ThreadWriter>,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Fold, executor::RunError> {
        let now = self.clock.now_ms();
        let leased = writer.fold.is_leased(now);
        if let Some(until_ms) = writer.leased_until_ms(now).filter(|_| writer.is_pending()) {
            // The lease holder runs other code, which could not go on after this program's migration of the thread.
            return Err(Error::OtherCode { thread: writer.fold.thread.clone(), until_ms }.into());
        }
        // A program that can only record verdicts does not claim the thread; a runner takes it up in its next sweep.
        if !leased && self.may_run() {
            writer.claim()?;
        }
        for event in events {
            writer.push(event)?;
        }
        if writer.claims() {
            return executor::run(writer).await;
        }
        let thread = writer.fold.thread.clone();
        if writer.flush(false).await? { Ok(writer.fold) } else { Err(executor::RunError::Conflict(thread)) }
    }

    /// Loads a thread and finds its open review with this digest.
    async fn read_review(self: &Arc<Self>, thread: &ThreadId, digest: Digest) -> Result<SeenReview, Error> {
        let writer = self.load_writer(thread).await?;
        let found = self.find(&writer.fold, digest).await?;
        Ok(SeenReview { writer, found, draft: None })
    }

    /// Finds the open review with this digest. The error says who decided it, or that the digest is stale.
    async fn find(&self, fold: &Fold, digest: Digest) -> Result<LocatedReview, Error> {
        if let Some((lane, open)) = fold.open().find(|(_, open)| open.digest == digest) {
            return locate_review(self.graph, fold, lane, open);
        }
        is_not_stopped(fold, digest)?;
        Err(self.closed(fold, digest).await?)
    }

    /// Returns the error for a review that is not open: who decided it if it was ever decided, or else that it is
    /// stale.
    async fn closed(&self, fold: &Fold, wanted: Digest) -> Result<Error, Error> {
        let (mut from, mut reopened) = (0, false);
        loop {
            let page = self.history(&fold.thread, from, 256).await?;
            for entry in &page {
                match &entry.event {
                    Event::Decided { node, verdict, operator, digest, .. } if *digest == wanted => {
                        return Ok(Error::AlreadyDecided {
                            thread: fold.thread.clone(),
                            node: node.clone(),
                            by: operator.clone(),
                            verdict: verdict.name().to_owned(),
                            at_ms: entry.at_ms,
                        });
                    }
                    // A review without a verdict is closed only by new code, which has opened it again.
                    Event::Paused { digest, .. } if *digest == wanted => reopened = true,
                    _ => {}
                }
            }
            match page.last() {
                Some(last) => from = last.place + 1,
                None => {
                    let open = fold.open().map(|(_, open)| open.digest).collect();
                    return Ok(Error::Stale { thread: fold.thread.clone(), digest: wanted, open, reopened });
                }
            }
        }
    }

    /// Checks a verdict completely and returns its event. The thread is not changed.
    fn decision(
        &self,
        fold: &Fold,
        found: &LocatedReview,
        draft: Option<Value>,
        operator: &Operator,
        answer: &VerdictInput,
    ) -> Result<Event, Error> {
        let thread = || fold.thread.clone();
        let open = &found.open;
        let node = open.activation.node.clone();
        let bad = |problem: &str| Error::BadVerdict {
            thread: thread(),
            node: open.activation.node.clone(),
            problem: problem.to_owned(),
        };
        may_decide(&fold.thread, &node, open.role.as_deref(), operator)?;
        // The journal's rule may be weaker than this program's, so the role that this program requires is checked too.
        let interrupt = self.graph.spec.nodes[found.node].interrupt;
        may_decide(&fold.thread, &node, interrupt.and_then(|interrupt| interrupt.role), operator)?;
        let here = Transition::Node(node.clone());
        let draft =
            || draft.map_or_else(|| thread_state::draft(fold, found.lane, &open.field, found.reviewed), Ok);
        let is_edit = matches!(answer, VerdictInput::Edited(_) | VerdictInput::Given(Verdict::Edit { .. }));
        if is_edit && (!open.edit || interrupt.is_some_and(|interrupt| !interrupt.edit)) {
            return Err(bad(takes_no_edit()));
        }
        let (verdict, mut to) = match answer {
            VerdictInput::Given(Verdict::Approve) => {
                let digest = ReviewTerms::from_open(open).digest(fold, found.lane, &draft()?).ok();
                if digest != Some(open.digest) {
                    let field = open.field.clone();
                    return Err(incompatible(&fold.thread, Incompatibility::Redrafted { node, field }));
                }
                (Decision::Approve, here)
            }
            VerdictInput::Given(Verdict::Edit { patch }) => {
                (self.edit(fold, found, draft()?, Edit::Patch(patch))?, here)
            }
            VerdictInput::Edited(whole) => (self.edit(fold, found, draft()?, Edit::Whole(whole))?, here),
            VerdictInput::Given(Verdict::Reject { reason: Reason::Expired, .. }) => {
                return Err(bad("the reason `expired` is reserved for deadlines; give another one"));
            }
            VerdictInput::Given(Verdict::Reject { reason, note }) => {
                let to = route::after_verdict(self.graph, found.node, EdgeKind::Reject)
                    .ok_or_else(|| bad("the graph declares no `reject` here"))?;
                (Decision::Reject { reason: *reason, note: note.clone() }, to)
            }
            VerdictInput::Given(Verdict::Ask { question }) => {
                let to = route::after_verdict(self.graph, found.node, EdgeKind::Ask)
                    .ok_or_else(|| bad("the graph declares no `ask` here"))?;
                if question.trim().is_empty() {
                    return Err(bad("the question is empty"));
                }
                (Decision::Ask { question: question.clone() }, to)
            }
        };
        let mut proposal = None;
        if let Decision::Edit { after, .. } = &verdict
            && let EditResult::Proposes { proposal: made, to: again } =
                self.resolve_edit(fold, found, after, operator)?
        {
            (proposal, to) = (Some(Box::new(made)), again);
        }
        Ok(Event::Decided {
            node,
            lane: found.lane,
            verdict,
            operator: operator.name().to_owned(),
            unverified: operator.is_unverified(),
            digest: open.digest,
            to,
            proposal,
            evidence: Some(Evidence::of(operator, open.role.as_deref())),
        })
    }

    async fn preview_in_place(
        self: &Arc<Self>,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: Verdict,
    ) -> Result<Preview, Error> {
        let writer = self.load_writer(thread).await?;
        let fold = &writer.fold;
        let found = self.find(fold, digest).await?;
        if let Some(deadline_ms) = found.open.deadline_ms
            && deadline_ms <= self.clock.now_ms()
        {
            let (thread, node) = (thread.clone(), found.open.activation.node);
            return Err(Error::Expired { thread, node, deadline_ms });
        }
        let event = self.decision(fold, &found, None, operator, &VerdictInput::Given(verdict))?;
        match &event {
            Event::Decided { verdict: Decision::Approve, .. } => {
                let draft = thread_state::draft(fold, found.lane, &found.open.field, found.reviewed)?;
                Ok(Preview { draft: Some(draft), again: None })
            }
            Event::Decided { verdict: Decision::Edit { after, .. }, .. } => {
                let draft = serde_json::from_str(after.get()).ok();
                Ok(Preview { draft, again: self.reproposal(writer, &found, event)? })
            }
            _ => Ok(Preview { draft: None, again: None }),
        }
    }

    /// Checks an edited draft like a draft that a node has written, and returns the decision.
    fn edit(
        &self,
        fold: &Fold,
        found: &LocatedReview,
        before: Value,
        edit: Edit<'_>,
    ) -> Result<Decision, Error> {
        let open = &found.open;
        let thread = || fold.thread.clone();
        let invalid = |violations| Error::Invalid { thread: thread(), field: open.field.clone(), violations };
        let whole = |message: String| invalid(vec![crate::Violation { path: String::new(), message }]);
        let after = apply_edit(&before, edit, found.reviewed).map_err(|error| match error {
            EditError::UnknownKey { path, near } => {
                Error::UnknownKey { thread: thread(), field: open.field.clone(), path, near }
            }
            EditError::NotAnObject => whole("an edit must be a JSON object of the keys to change".to_owned()),
            EditError::Invalid(violations) => invalid(violations),
            EditError::Unchanged => Error::Unchanged { thread: thread(), field: open.field.clone() },
        })?;
        let signed = ReviewTerms::from_open(open)
            .digest(fold, found.lane, &after)
            .map_err(|e| thread_state::unsignable(&fold.thread, &open.field, e))?;
        let raw = |value: &Value| to_raw_value(value).map_err(|e| whole(e.to_string()));
        Ok(Decision::Edit { before: raw(&before)?, after: raw(&after)?, signed })
    }
}

/// Checks that the operator has a valid name and the required role.
pub(super) fn may_decide(
    thread: &ThreadId,
    node: &str,
    role: Option<&str>,
    operator: &Operator,
) -> Result<(), Error> {
    if let Some(problem) = operator.name_problem() {
        return Err(Error::BadOperator {
            thread: thread.clone(),
            operator: operator.name().to_owned(),
            problem: problem.to_owned(),
        });
    }
    match role.filter(|role| !operator.has_role(role)) {
        Some(role) => Err(Error::RoleMissing {
            thread: thread.clone(),
            node: node.to_owned(),
            role: role.to_owned(),
            operator: operator.name().to_owned(),
        }),
        None => Ok(()),
    }
}
