//! Edits as new proposals: an edited draft follows the path that it would have followed if the node had written it.
//!
//! An edit signs the open review directly if no `match` or node between the field's last write and the review depends
//! on the field, or if the `match`es on the path, evaluated again, lead straight back to the same review. Otherwise the
//! edit signs nothing: its entry records the proposal ([`Proposal::Made`]), its operator and their roles, and the lane
//! goes back to where the field was last written and continues from there. A guard that counts runs sees the runs so
//! far, so it may now lead past a node that ran before. Nodes on the path run again. None of them is
//! an effect: the graph's proof excludes it, and for threads that began under other code the lane's own record of
//! effects does.
//!
//! If a review of the field then opens with the edited draft unchanged, the same append may approve it in the
//! operator's name ([`Proposal::Signed`]), so that one verdict is enough. The conditions are: the operator may sign
//! that review, has seen the fields that it shows and the effects that it covers, the edited review's deadline has not
//! passed, and the review is before the same node as the edited one or before the node to which the edit led directly.
//! The node that follows once other nodes have run is not known at the verdict; a model may choose it. Otherwise the
//! review stays open, with its own digest, role and deadline, and names the person who proposed the draft. All of this
//! is in the journal, so that any process can continue.
//!
//! A preview runs the same code in memory, so that it cannot differ from the verdict.

use serde_json::{Value, value::RawValue};

use crate::{
    Error, Operator,
    engine::{
        Engine,
        routing::{self, for_each},
        session::{LocatedReview, edited, may_decide, required_role, risk, unreadable},
    },
    graph::{EditOutcome, Point, edit_outcome},
    journal::{
        Act, Decision, Event, Evidence, Fold, FoldError, LaneId, LaneState, OpenReviewState, Proposal, Runs,
        Source, Transition,
    },
    node::GraphTable,
    state::{FieldError, Slots},
};

/// The outcome of an edit of an open review.
pub(in crate::engine) enum EditResult {
    /// The edit signs the open review.
    Signs,
    /// The edit is a new proposal, and the lane continues at `to`.
    Proposes { proposal: Proposal, to: Transition },
}

impl Engine {
    /// Returns the outcome of an edit whose draft is valid: it signs the open review, or becomes a new proposal.
    pub(in crate::engine) fn resolve_edit(
        &self,
        fold: &Fold,
        found: &LocatedReview,
        after: &RawValue,
        operator: &Operator,
    ) -> Result<EditResult, Error> {
        let open = &found.open;
        let refused = |problem: String| Error::BadVerdict {
            thread: fold.thread.clone(),
            node: open.activation.node.clone(),
            problem,
        };
        let field = open.field.as_str();
        // The role that this review requires for the edited draft, and the risk: an edit may choose others.
        let entry = &self.graph.nodes[found.node];
        let fields = fold.lanes.get(&found.lane).map(|lane| edited(&lane.fields, field, after)).transpose();
        let fields = fields.map_err(|error| refused(error.to_string()))?;
        let role = fields.as_ref().map(|fields| required_role(entry, fields)).transpose();
        let role = role.map_err(|error| refused(error.to_string()))?.flatten();
        let has_role = open.role.as_deref() == role;
        let risk = fields.as_ref().map(|fields| risk(self.graph, entry, fields)).transpose();
        let risk = risk.map_err(|error| refused(error.to_string()))?.unwrap_or_default();
        // A person who must hold another role, or was shown a lower risk, has not signed the edited draft.
        let may_sign = (has_role || role.is_none()) && risk.is_within(open.shown_risk());
        match edit_outcome(self.graph.spec, found.node) {
            EditOutcome::Signs if may_sign => return Ok(EditResult::Signs),
            EditOutcome::Signs => {
                let from = Source::At(entry.spec.name.to_owned());
                let to = Transition::Node(open.activation.node.clone());
                return Ok(self.proposes(open, from, to, operator));
            }
            // The graph's proof admits such a path only for a review that takes no edit.
            EditOutcome::Refused(_) => return Err(refused(takes_no_edit().to_owned())),
            EditOutcome::Reruns => {}
        }
        let Some(lane) = fold.lanes.get(&found.lane) else {
            return Err(refused(format!("lane {} is not open", found.lane)));
        };
        let lost = || {
            refused(format!(
                "an edit of `{field}` returns to the point where it was written, but the thread was written by other \
                 code and does not record that point; reject the draft, or have it written again"
            ))
        };
        let (from, has_acted) = lane.sources.back_to(field, &open.activation.node).ok_or_else(lost)?;
        let point = point_of(self.graph, &from, found.node, field).ok_or_else(lost)?;
        if has_acted {
            return Err(refused(format!(
                "an edit of `{field}` returns to {from}, but an effect has begun since then and would run a second \
                 time; approve or reject the draft as it is"
            )));
        }
        let to = self.transition_from(fold, found.lane, point, field, after).map_err(|e| match e {
            EditRouteError::Fields(error) => {
                unreadable(self.graph, &fold.thread, fold.next.saturating_sub(1), FoldError::Changed(error))
            }
            EditRouteError::Lost(problem) => refused(problem),
        })?;
        if to == Transition::Node(open.activation.node.clone()) && may_sign {
            return Ok(EditResult::Signs);
        }
        Ok(self.proposes(open, from, to, operator))
    }

    /// Returns the result of an edit that is a new proposal.
    fn proposes(
        &self,
        open: &OpenReviewState,
        from: Source,
        to: Transition,
        operator: &Operator,
    ) -> EditResult {
        let held = roles_of(self.graph, &open.field).filter(|role| operator.has_role(role));
        let mut roles: Vec<String> = held.map(str::to_owned).collect();
        roles.sort_unstable();
        roles.dedup();
        let (until, risk, irreversible) = (open.deadline, open.risk, open.irreversible);
        EditResult::Proposes { proposal: Proposal::Made { from, roles, until, risk, irreversible }, to }
    }

    /// Returns the step that the graph prescribes from a point if a field has this value.
    fn transition_from(
        &self,
        fold: &Fold,
        lane: LaneId,
        point: ReturnPoint,
        field: &str,
        after: &RawValue,
    ) -> Result<Transition, EditRouteError> {
        let point = match point {
            ReturnPoint::After(point) => point,
            ReturnPoint::At(node) => return Ok(Transition::Node(node.to_owned())),
        };
        let (mut fields, runs) = match fold.lanes.get(&lane) {
            Some(lane) => (Slots::clone(&lane.fields), lane.runs.clone()),
            None => (Slots::empty(self.graph.state), Runs::default()),
        };
        fields.replace(field, after.get())?;
        for_each::fits(self.graph, point, &fields, |_| None)
            .map_err(|e| EditRouteError::Lost(e.to_string()))?;
        let to = match point {
            Point::Node(node) => routing::after_node(self.graph, node, &fields, &runs),
            Point::Start | Point::End => routing::after_start(self.graph, &fields, &runs),
        };
        to.map_err(EditRouteError::Lost)
    }

    /// Returns the approval of a review that has just opened, if a pending edit may sign it.
    pub(super) fn signature_of_edit(&self, fold: &Fold, id: LaneId, draft: &Value) -> Option<Event> {
        if self.keys.as_ref().is_some_and(|keys| !keys.sign_for(Act::Verdict)) {
            // The review stays open for a process whose keys may record verdicts.
            return None;
        }
        let lane = fold.lanes.get(&id)?;
        let LaneState::Paused(open) = &lane.at else { return None };
        let pending = lane.pending.as_deref()?;
        if !pending.may_sign(open, &fold.requesters, &lane.fields, self.clock.now()).unwrap_or(false) {
            return None;
        }
        let proposed: Value = serde_json::from_str(pending.draft.get()).ok()?;
        let name = pending.by.operator.as_str();
        let operator = if pending.by.unverified { Operator::claimed(name) } else { Operator::new(name) };
        let operator = pending.roles.iter().fold(operator, |operator, role| operator.role(role.as_str()));
        let may = may_decide(&fold.thread, &open.activation.node, open.role.as_deref(), &operator);
        if may.is_err() || proposed != *draft {
            return None;
        }
        Some(Event::Decided {
            node: open.activation.node.clone(),
            lane: id,
            verdict: Decision::Approve,
            operator: name.to_owned(),
            unverified: pending.by.unverified,
            digest: open.digest,
            note: String::new(),
            when: None,
            to: Transition::Node(open.activation.node.clone()),
            proposal: Some(Box::new(Proposal::Signed { edit: pending.by.edit })),
            // The entry of the edit contains the rest of the evidence.
            evidence: pending.subject.clone().map(|subject| {
                let evidence =
                    Evidence::default().with_issuer(subject.issuer).with_subject(Some(subject.subject));
                Box::new(Evidence { role: open.role.clone(), ..evidence })
            }),
        })
    }
}

/// Returns the error text for an edit of a review that takes no edit.
pub(in crate::engine) fn takes_no_edit() -> &'static str {
    "the graph declares that this review accepts no edit (`edit = false`); approve the draft as it is, or reject it"
}

/// The point of this program's graph to which a lane goes back.
enum ReturnPoint {
    After(Point),
    At(&'static str),
}

enum EditRouteError {
    /// The fields cannot be read.
    Fields(FieldError),
    /// The graph has no next step.
    Lost(String),
}

impl From<FieldError> for EditRouteError {
    fn from(error: FieldError) -> Self {
        Self::Fields(error)
    }
}

/// Returns the point of this program's graph that a source denotes, if the point writes the field and lies in the
/// review's own branch.
fn point_of(graph: &'static GraphTable, source: &Source, review: usize, field: &str) -> Option<ReturnPoint> {
    let beside = |node: usize| graph.spec.enclosing_branches(node) == graph.spec.enclosing_branches(review);
    match source {
        Source::Start => {
            let is_input = graph.state.spec.field(field).is_some_and(|field| field.input);
            (is_input && graph.spec.enclosing_branches(review).is_empty())
                .then_some(ReturnPoint::After(Point::Start))
        }
        Source::After(node) => {
            let (node, entry) = graph.current(node)?;
            let writes = node == review || entry.spec.writes.contains(&field);
            (beside(node) && writes).then_some(ReturnPoint::After(Point::Node(node)))
        }
        Source::At(node) => {
            let (node, entry) = graph.current(node)?;
            beside(node).then_some(ReturnPoint::At(entry.spec.name))
        }
    }
}

/// Returns the roles that the graph's reviews of a field can require.
fn roles_of(graph: &'static GraphTable, field: &str) -> impl Iterator<Item = &'static str> {
    let interrupts = graph.spec.nodes.iter().filter_map(|node| node.interrupt.as_ref());
    let reviews = interrupts.filter(move |interrupt| interrupt.field == field);
    reviews.filter_map(|interrupt| interrupt.role.as_ref()).flat_map(|role| role.all().iter().copied())
}
