//! Decisions: a verdict is checked against its open review and appended at the next place. After a conflict it is
//! checked again.

use std::sync::Arc;

use serde_json::{Value, value::to_raw_value};

use crate::{
    Digest, Error, Incompatibility, NotedVerdict, Operator, Place, Reason, ThreadId, Verdict,
    engine::{
        Engine,
        exec::{EditResult, RunError, finish_for, takes_no_edit},
        read::ReviewTurn,
        routing,
        session::{
            LocatedReview, ReviewRule, ReviewTerms, ThreadWriter, checked_draft, condition, edited,
            has_been_cancelled, incompatible, is_not_stopped, locate_review, may_decide, may_sign,
            required_role, unsignable,
        },
    },
    graph::EdgeKind,
    journal::{Decision, Event, Evidence, Fold, StopKind, Transition},
    review::{Edit, EditError, apply_edit},
};

/// A thread as the operator saw it.
struct SeenReviews {
    writer: Box<ThreadWriter>,
    /// The reviews to decide, each with its draft if the draft's invariants have been checked.
    found: Vec<(LocatedReview, Option<Value>)>,
}

/// A verdict with its note, and the spelling of its edit.
#[derive(Debug)]
pub struct VerdictInput {
    spelling: Spelling,
    note: String,
}

#[derive(Debug)]
enum Spelling {
    /// A verdict. The patch of an edit is that of the draft.
    Given(Verdict),
    /// A verdict. The patch of an edit has the field under review as its only member.
    ByField(Verdict),
    /// An edit that gives the whole draft, as JSON.
    Edited(String),
}

/// A verdict on one review, and the operator who gives it.
#[derive(Debug)]
pub struct GivenVerdict {
    /// The digest of the review.
    pub digest: Digest,
    /// The operator.
    pub operator: Operator,
    /// The verdict.
    pub verdict: VerdictInput,
}

impl GivenVerdict {
    /// The maximum number of verdicts of one call: they are one append, and a store takes one of a limited size.
    pub const MOST: usize = ThreadWriter::FULL_ENTRIES;

    /// Checks the number of the verdicts of one call.
    pub fn are_few(given: &[Self]) -> Result<(), Error> {
        match given.len() {
            1..=Self::MOST => Ok(()),
            0 => Err(Error::InvalidInput { problem: "there is no verdict; give at least one".to_owned() }),
            _ => {
                let problem =
                    format!("there are more than {} verdicts; give them in several calls", Self::MOST);
                Err(Error::InvalidInput { problem })
            }
        }
    }
}

/// The action after a verdict.
#[derive(Clone, Copy)]
enum Then {
    /// The thread runs, unless another runner has it.
    Run,
    /// Nothing: a runner continues the thread.
    Rest,
}

impl VerdictInput {
    /// Creates a verdict whose edit has the patch of the draft.
    pub fn given(verdict: impl Into<NotedVerdict>) -> Self {
        let (verdict, note) = verdict.into().into_parts();
        Self { spelling: Spelling::Given(verdict), note }
    }

    /// Creates a verdict whose edit has a patch with the field under review as its only member.
    pub fn by_field(verdict: impl Into<NotedVerdict>) -> Self {
        let (verdict, note) = verdict.into().into_parts();
        Self { spelling: Spelling::ByField(verdict), note }
    }

    /// Creates an edit that gives the whole draft, as JSON.
    pub(crate) fn edited(whole: String, note: String) -> Self {
        Self { spelling: Spelling::Edited(whole), note }
    }

    /// Returns whether the verdict signs, or proposes what it may sign: an approval or an edit.
    fn signs(&self) -> bool {
        match &self.spelling {
            Spelling::Given(verdict) | Spelling::ByField(verdict) => {
                matches!(verdict, Verdict::Approve | Verdict::Edit { .. })
            }
            Spelling::Edited(_) => true,
        }
    }

    fn is_edit(&self) -> bool {
        match &self.spelling {
            Spelling::Given(verdict) | Spelling::ByField(verdict) => matches!(verdict, Verdict::Edit { .. }),
            Spelling::Edited(_) => true,
        }
    }
}

impl Engine {
    /// Decides an open review.
    pub async fn decide(
        self: &Arc<Self>,
        thread: ThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: impl Into<NotedVerdict>,
    ) -> Result<Fold, Error> {
        self.answer(thread, digest, operator.clone(), VerdictInput::given(verdict)).await
    }

    /// Decides an open review, on the thread as it is stored.
    pub async fn answer(
        self: &Arc<Self>,
        thread: ThreadId,
        digest: Digest,
        operator: Operator,
        answer: VerdictInput,
    ) -> Result<Fold, Error> {
        self.answer_all(thread, vec![GivenVerdict { digest, operator, verdict: answer }]).await
    }

    /// Decides open reviews of a thread, all of them or none.
    pub async fn answer_all(
        self: &Arc<Self>,
        thread: ThreadId,
        given: Vec<GivenVerdict>,
    ) -> Result<Fold, Error> {
        self.answer_to_end(thread, given, None, Then::Run).await
    }

    /// Records verdicts on open reviews of a thread, all of them or none, and runs nothing.
    pub async fn record_all(
        self: &Arc<Self>,
        thread: ThreadId,
        given: Vec<GivenVerdict>,
    ) -> Result<Fold, Error> {
        self.answer_to_end(thread, given, None, Then::Rest).await
    }

    /// Decides an open review on the thread as the caller has seen it, unless another writer has changed it since.
    pub(crate) async fn answer_turn(
        self: &Arc<Self>,
        turn: Box<ReviewTurn>,
        operator: Operator,
        answer: VerdictInput,
    ) -> Result<Fold, Error> {
        let ReviewTurn { fold, found, draft } = *turn;
        let (thread, digest) = (fold.thread.clone(), found.open.digest);
        // If several reviews are open, their turns share the thread, and each is decided on the thread as it is stored
        // then. So is one whose thread was converted to this program's code, which is not stored yet.
        let seen = Arc::try_unwrap(fold).ok().filter(|fold| fold.is_stored).map(|fold| SeenReviews {
            writer: ThreadWriter::new(self, fold),
            found: vec![(found, Some(draft))],
        });
        let given = vec![GivenVerdict { digest, operator, verdict: answer }];
        self.answer_to_end(thread, given, seen, Then::Run).await
    }

    /// Decides open reviews, to the end even if the caller drops the future.
    async fn answer_to_end(
        self: &Arc<Self>,
        thread: ThreadId,
        given: Vec<GivenVerdict>,
        seen: Option<SeenReviews>,
        then: Then,
    ) -> Result<Fold, Error> {
        let (engine, name) = (Arc::clone(self), thread.clone());
        let span = self.thread_span("decide", &thread);
        let decided = async move { engine.answer_in_place(&thread, &given, seen, then).await };
        finish_for(name, span, decided).await
    }

    async fn answer_in_place(
        self: &Arc<Self>,
        thread: &ThreadId,
        given: &[GivenVerdict],
        mut seen: Option<SeenReviews>,
        then: Then,
    ) -> Result<Fold, Error> {
        loop {
            if let Some(placed) = self.read_placed_stop().await?
                && placed.stop.kind == StopKind::Cancel
                && self.cancel_with(thread, &placed).await?
            {
                // A thread that the cancellation did not find.
                return Err(has_been_cancelled(thread, &placed.stop));
            }
            let SeenReviews { writer, found } = match seen.take() {
                Some(seen) => seen,
                None => Box::pin(self.read_reviews(thread, given)).await?,
            };
            let now = self.clock.now();
            let late = found.iter().find_map(|(found, _)| {
                let deadline = found.open.deadline.filter(|deadline| *deadline <= now)?;
                Some((self.expiry(&writer.fold, found), found.open.activation.node.clone(), deadline))
            });
            // `Expired` is returned only after the expiry is appended: until then, a process whose clock is behind may
            // decide.
            let (events, late) = match late {
                Some((expiry, node, deadline)) => (vec![expiry?], Some((node, deadline))),
                None => (self.decisions(&writer.fold, found, given)?, None),
            };
            let end = match then {
                Then::Run => self.append_and_run(writer, events).await,
                Then::Rest => self.append_only(writer, events).await,
            };
            match (end, late) {
                (Err(RunError::Conflict(_)), _) => {}
                (end, None) => return self.fold_after(end).await,
                (end, Some((node, deadline))) => {
                    self.fold_after(end).await?;
                    return Err(Error::Expired { thread: thread.clone(), node, deadline });
                }
            }
        }
    }

    /// Checks all verdicts completely, and returns their events. The thread is not changed.
    fn decisions(
        &self,
        fold: &Fold,
        found: Vec<(LocatedReview, Option<Value>)>,
        given: &[GivenVerdict],
    ) -> Result<Vec<Event>, Error> {
        let each = found.into_iter().zip(given);
        each.map(|((found, draft), given)| {
            self.decision(fold, &found, draft, &given.operator, &given.verdict)
        })
        .collect()
    }

    /// Loads a thread and finds its open reviews with these digests.
    async fn read_reviews(
        self: &Arc<Self>,
        thread: &ThreadId,
        given: &[GivenVerdict],
    ) -> Result<SeenReviews, Error> {
        let writer = self.load_writer(thread).await?;
        let mut found: Vec<(LocatedReview, Option<Value>)> = Vec::with_capacity(given.len());
        for GivenVerdict { digest, .. } in given {
            let review = self.find_review(&writer.fold, *digest).await?;
            if found.iter().any(|(before, _)| before.lane == review.lane) {
                let (thread, node) = (thread.clone(), review.open.activation.node);
                let problem = "it is given more than once in this call".to_owned();
                return Err(Error::BadVerdict { thread, node, problem });
            }
            found.push((review, None));
        }
        Ok(SeenReviews { writer, found })
    }

    /// Finds the open review with this digest. The error says who decided it, or that the digest is stale.
    pub(super) async fn find_review(&self, fold: &Fold, digest: Digest) -> Result<LocatedReview, Error> {
        if let Some((lane, open)) = fold.open().find(|(_, open)| open.digest == digest) {
            return locate_review(self.graph, fold, lane, open);
        }
        is_not_stopped(fold, digest)?;
        Err(self.closed(fold, digest).await?)
    }

    /// Returns the error for a review that is not open: who decided it if it was ever decided, or else that it is
    /// stale.
    async fn closed(&self, fold: &Fold, wanted: Digest) -> Result<Error, Error> {
        let (mut from, mut reopened) = (Place::START, false);
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
                            at: entry.at,
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
    pub(super) fn decision(
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
        let (entry, lane) = (&self.graph.nodes[found.node], fold.lanes.get(&found.lane));
        let lane = lane.ok_or_else(|| bad(&format!("lane {} is not open", found.lane)))?;
        let required = required_role(entry, &lane.fields).map_err(|error| error.into_error(&fold.thread))?;
        if required != open.role.as_deref() {
            may_decide(&fold.thread, &node, required, operator)?;
        }
        if (open.not_requester || entry.spec.excludes_requester()) && answer.signs() {
            may_sign(fold, &node, operator)?;
        }
        let here = Transition::Node(node.clone());
        let draft = || draft.map_or_else(|| checked_draft(fold, found.lane, &open.field, found.reviewed), Ok);
        if answer.is_edit() && (!open.edit || interrupt.is_some_and(|interrupt| !interrupt.edit)) {
            return Err(bad(takes_no_edit()));
        }
        let edit = |draft, edit| self.edit(fold, found, draft, edit);
        let (verdict, mut to) = match &answer.spelling {
            Spelling::Edited(whole) => (edit(draft()?, Edit::Whole(whole))?, here),
            Spelling::ByField(Verdict::Edit { patch }) => {
                let members = patch.as_object().filter(|members| members.len() == 1);
                let inner = members
                    .and_then(|members| members.get(&open.field))
                    .ok_or_else(|| Error::InvalidPatch { thread: thread(), field: open.field.clone() })?;
                (edit(draft()?, Edit::Patch(inner))?, here)
            }
            Spelling::Given(verdict) | Spelling::ByField(verdict) => match verdict {
                Verdict::Approve => {
                    let digest = ReviewTerms::from_open(open).digest(fold, found.lane, &draft()?).ok();
                    if digest != Some(open.digest) {
                        let field = open.field.clone();
                        return Err(incompatible(&fold.thread, Incompatibility::Redrafted { node, field }));
                    }
                    (Decision::Approve, here)
                }
                Verdict::Edit { patch } => (edit(draft()?, Edit::Patch(patch))?, here),
                Verdict::Reject { reason: Reason::Expired, .. } => {
                    return Err(bad("the reason `expired` is reserved for deadlines; give another one"));
                }
                Verdict::Reject { reason, note } => {
                    let to = routing::after_verdict(self.graph, found.node, EdgeKind::Reject)
                        .ok_or_else(|| bad("the graph declares no `reject` here"))?;
                    (Decision::Reject { reason: *reason, note: note.clone() }, to)
                }
                Verdict::Ask { question } => {
                    let to = routing::after_verdict(self.graph, found.node, EdgeKind::Ask)
                        .ok_or_else(|| bad("the graph declares no `ask` here"))?;
                    if question.trim().is_empty() {
                        return Err(bad("the question is empty"));
                    }
                    (Decision::Ask { question: question.clone() }, to)
                }
            },
        };
        let mut proposal = None;
        if let Decision::Edit { after, .. } = &verdict
            && let EditResult::Proposes { proposal: made, to: again } =
                self.resolve_edit(fold, found, after, operator)?
        {
            (proposal, to) = (Some(Box::new(made)), again);
        }
        let when = match (&verdict, &proposal) {
            (Decision::Edit { after, .. }, None) => {
                let fields =
                    edited(&lane.fields, &open.field, after).map_err(|error| bad(&error.to_string()))?;
                let rule = ReviewRule::new(self.graph, entry, &fields, open.opened);
                let rule = rule.map_err(|error| bad(&error.to_string()))?;
                if rule.deadline.is_some_and(|deadline| deadline <= self.clock.now()) {
                    return Err(bad("with this draft the review would have expired already; reject it"));
                }
                condition(entry, &fields).map_err(|error| bad(&error.to_string()))?
            }
            _ => None,
        };
        Ok(Event::Decided {
            node,
            lane: found.lane,
            verdict,
            operator: operator.name().to_owned(),
            unverified: operator.is_unverified(),
            digest: open.digest,
            note: answer.note.clone(),
            when,
            to,
            proposal,
            evidence: Some(Evidence::of(operator, open.role.as_deref())),
        })
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
            .map_err(|e| unsignable(&fold.thread, &open.field, e))?;
        let raw = |value: &Value| to_raw_value(value).map_err(|e| whole(e.to_string()));
        Ok(Decision::Edit { before: raw(&before)?, after: raw(&after)?, signed })
    }
}
