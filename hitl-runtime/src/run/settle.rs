//! Settlement of in-doubt effects: a person records how an effect ended.

use super::{
    Agent, Graph, GraphTable, Incompatibility, agent::Engine, decide::may_decide, executor, for_each,
    lenient_load::incompatible, route, run_to_completion, start::RetryScope, thread_state::effects_in_doubt,
    write_checks,
};
use crate::{
    Digest, Error, Operator, ThreadId,
    graph::{InterruptSpec, Point, ReadKind},
    journal::{Activation, Event, Evidence, Fold, LaneId, Settlement, Transition, Values},
    review::applicable_reviews,
    state::Slots,
};
use std::sync::Arc;

impl<G: Graph> Agent<G> {
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
    pub async fn settle<T>(
        &self,
        thread: T,
        digest: Digest,
        operator: &Operator,
        how: Settlement,
    ) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let (agent, operator, name) = (self.clone(), operator.clone(), thread.clone());
        let settled = async move { agent.inner.settle_in_place(&thread, digest, &operator, &how).await };
        self.turn_of(&name, run_to_completion::finish_for(name.clone(), settled).await?)
    }
}

impl Engine {
    async fn settle_in_place(
        self: &Arc<Self>,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        how: &Settlement,
    ) -> Result<Fold, Error> {
        loop {
            let writer = self.load_writer(thread).await?;
            let fold = &writer.fold;
            let Some(doubt) = effects_in_doubt(self, fold).find(|doubt| doubt.digest == digest) else {
                return Err(Error::NotInDoubt { thread: thread.clone() });
            };
            let asked = RequiredRoles::new(self.graph, fold, doubt.lane, &doubt.activation);
            let roles = asked.of_whom(thread, &doubt.activation.node, operator, how)?;
            if let (Settlement::RunAgain, Some((_, said))) = (how, fold.stop()) {
                return Err(has_stopped(thread, &doubt.activation.node, said));
            }
            let to = match how {
                Settlement::Happened { wrote } => {
                    Some(self.happened(fold, doubt.lane, &doubt.activation.node, wrote)?)
                }
                Settlement::RunAgain | Settlement::Stop { .. } => None,
            };
            if !doubt.written {
                self.take_up(thread, RetryScope::Orphans).await?;
                continue;
            }
            let event = Event::Settled {
                node: doubt.activation.node,
                lane: doubt.lane,
                how: how.clone(),
                operator: operator.name().to_owned(),
                unverified: operator.is_unverified(),
                to,
                evidence: Some(Evidence::of_roles(operator, &roles)),
            };
            match self.append_and_run(writer, [event]).await {
                Err(executor::RunError::Conflict(_)) => {}
                end => return self.fold_after(end).await,
            }
        }
    }

    /// Validates the fields of an effect that happened, and returns the next step of its lane.
    fn happened(&self, fold: &Fold, lane: LaneId, node: &str, wrote: &Values) -> Result<Transition, Error> {
        let invalid = |field: &str, message: String| Error::Invalid {
            thread: fold.thread.clone(),
            field: field.to_owned(),
            violations: vec![crate::Violation { path: String::new(), message }],
        };
        let Some((index, entry)) = route::node(self.graph, node) else {
            return Err(invalid(node, "the graph has no such node".to_owned()));
        };
        for field in entry.spec.writes {
            if !wrote.contains_key(*field) {
                return Err(invalid(
                    field,
                    format!("`{node}` writes it; give the value that it would have written"),
                ));
            }
        }
        let Some(lane) = fold.lanes.get(&lane) else {
            return Err(Error::NotInDoubt { thread: fold.thread.clone() });
        };
        let written = |field: &str| wrote.get(field).map(|json| json.get());
        for_each::fits(self.graph, Point::Node(index), &lane.fields, written)
            .map_err(|e| invalid(&e.field, e.problem))?;
        let mut fields = Slots::clone(&lane.fields);
        for (field, json) in wrote {
            if !entry.spec.writes.contains(&field.as_str()) {
                return Err(invalid(field, format!("`{node}` does not write it; leave it out")));
            }
            fields.write(field, json.get()).map_err(|e| invalid(field, e.problem))?;
            write_checks::check(self.graph, &lane.fields, field, json.get())
                .map_err(|problem| invalid(field, problem))?;
        }
        route::after_node(self.graph, index, &fields)
            .map_err(|problem| incompatible(&fold.thread, Incompatibility::NoWay { problem }))
    }
}

/// The roles that an operator needs to settle an effect.
pub(super) struct RequiredRoles {
    /// All of these are required for [`Settlement::Happened`], and for every settlement if `any` is empty.
    pub(super) all: Vec<String>,
    /// One of these is required in every other case. Empty if the effect runs on a signature that was given in a role,
    /// or if the graph requires no role.
    pub(super) any: Vec<String>,
}

impl RequiredRoles {
    pub(super) fn new(
        graph: &'static GraphTable,
        fold: &Fold,
        lane: LaneId,
        activation: &Activation,
    ) -> Self {
        let own = effect_roles(graph, fold, lane, activation);
        if !own.is_empty() {
            return Self { all: own, any: Vec::new() };
        }
        let node = route::current(graph, &activation.node).map(|(number, _)| number);
        let ahead = node.map(|node| reachable(graph, node)).unwrap_or_default();
        Self { all: roles_of(graph, |node| ahead.contains(&node)), any: roles_of(graph, |_| true) }
    }

    /// Checks an operator's roles for a settlement, and returns the roles in which they settle.
    fn of_whom(
        self,
        thread: &ThreadId,
        node: &str,
        operator: &Operator,
        how: &Settlement,
    ) -> Result<Vec<String>, Error> {
        may_decide(thread, node, None, operator)?;
        let needs_all = self.any.is_empty() || matches!(how, Settlement::Happened { .. });
        if needs_all && !self.all.is_empty() {
            self.all.iter().try_for_each(|role| may_decide(thread, node, Some(role), operator))?;
            return Ok(self.all);
        }
        match self.any.iter().find(|role| operator.has_role(role)).or(self.any.first()) {
            Some(role) => may_decide(thread, node, Some(role), operator).map(|()| vec![role.clone()]),
            None => Ok(Vec::new()),
        }
    }
}

/// Returns the roles that the selected nodes' reviews require, each once.
fn roles_of(graph: &'static GraphTable, is_meant: impl Fn(usize) -> bool) -> Vec<String> {
    let reviews = graph.spec.nodes.iter().enumerate().filter(|(node, _)| is_meant(*node));
    let mut roles: Vec<String> = Vec::new();
    for role in reviews.filter_map(|(_, node)| node.interrupt?.role) {
        if !roles.iter().any(|known| known == role) {
            roles.push(role.to_owned());
        }
    }
    roles
}

/// Returns whether an operator holds a role that a review of the graph requires, and so may settle an effect that needs
/// no role of its own.
#[cfg(feature = "agentcore")]
pub(crate) fn may_settle<G: Graph>(operator: &Operator) -> bool {
    roles_of(G::TABLE, |_| true).iter().any(|role| operator.has_role(role))
}

/// Returns the nodes that are reachable from a node.
fn reachable(graph: &'static GraphTable, from: usize) -> Vec<usize> {
    let (mut reached, mut next) = (Vec::new(), vec![from]);
    while let Some(node) = next.pop() {
        for edge in graph.spec.edges.iter().filter(|edge| edge.from == Point::Node(node)) {
            if let Point::Node(to) = edge.to
                && !reached.contains(&to)
            {
                reached.push(to);
                next.push(to);
            }
        }
    }
    reached
}

/// Returns the error for a thread that a person has stopped.
fn has_stopped(thread: &ThreadId, node: &str, said: &str) -> Error {
    Error::BadVerdict {
        thread: thread.clone(),
        node: node.to_owned(),
        problem: format!("the thread was {said}, so it cannot continue"),
    }
}

/// Rejects a verdict on a review of a thread that a person has stopped.
pub(super) fn is_not_stopped(fold: &Fold, digest: Digest) -> Result<(), Error> {
    let Some((_, said)) = fold.stop() else { return Ok(()) };
    match fold.paused().find(|(_, open)| open.digest == digest) {
        Some((_, open)) => Err(has_stopped(&fold.thread, &open.activation.node, said)),
        None => Ok(()),
    }
}

/// Returns the roles that an operator must hold to settle an effect. For each field that the effect takes as signed,
/// this is the role required by the review that gave the signature (the effect's own review or an earlier one in its
/// lane), or, if that review no longer requires a role, the role in which the field was signed.
fn effect_roles(
    graph: &'static GraphTable,
    fold: &Fold,
    lane: LaneId,
    activation: &Activation,
) -> Vec<String> {
    let Some((_, entry)) = route::current(graph, &activation.node) else { return Vec::new() };
    let spec = &entry.spec;
    let signatures = fold.lanes.get(&lane).map(|lane| &lane.signatures);
    let own = spec.interrupt.map(|interrupt| interrupt.field);
    let approved = spec.reads.iter().filter(|read| read.kind == ReadKind::Approved).map(|read| read.field);
    let mut roles: Vec<String> = Vec::new();
    for field in own.into_iter().chain(approved.filter(|field| own != Some(*field))) {
        let signature = signatures.and_then(|signatures| signatures.get(field));
        let own = spec.interrupt.filter(|interrupt| interrupt.field == field);
        let mut reviews: Vec<InterruptSpec> = match (own, signature) {
            (Some(own), _) => vec![own],
            (None, Some(signature)) => applicable_reviews(graph.spec, spec, field, signature).collect(),
            (None, None) => Vec::new(),
        };
        if reviews.is_empty() {
            // That review no longer exists: require the role of a current review of the field.
            let all = graph.spec.nodes.iter().filter_map(|node| node.interrupt);
            reviews.extend(all.filter(|review| review.field == field).take(1));
        }
        let mut asked: Vec<String> =
            reviews.iter().filter_map(|review| review.role.map(str::to_owned)).collect();
        if asked.is_empty() {
            asked.extend(signature.and_then(|signature| signature.role.clone()));
        }
        asked.retain(|role| !roles.contains(role));
        roles.append(&mut asked);
    }
    roles
}
