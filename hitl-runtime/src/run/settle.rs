//! How doubt ends: a person says how an effect did.

use super::{
    Agent, Difference, Graph, Outlook, decide::may_decide, detach, drive, each, graph::GraphFold,
    refused::changed, route, start::Anew, turn::doubts, written,
};
use crate::{
    Digest, Error, Operator, ThreadId,
    graph::{InterruptSpec, Point, ReadKind},
    journal::{Event, Evidence, Fold, LaneId, Settlement, To, Values, Visit},
    review::reviews_of,
    state::State,
};

impl<G: Graph> Agent<G> {
    /// Says how an effect ended that nobody saw the end of. The digest names the doubt, as [`InDoubt::digest`](super::InDoubt::digest)
    /// gives it: if the effect is run again and its end is unseen again, that is another doubt.
    ///
    /// Whoever may sign the effect may say how it ended: the operator holds the role that the review before it asks
    /// for, where there is one. An effect that runs on several signatures needs an operator who holds the role of each:
    /// whoever vouches for it vouches for all that was signed.
    ///
    /// What an effect without such a role is said to have written may decide who signs later. That it happened
    /// ([`Settlement::Happened`]) needs every role that a review which can come after it asks for, and one at least of
    /// those that the graph's reviews ask for; so does each other settlement. In a graph that asks for no role anybody
    /// settles.
    ///
    /// [`Settlement::Stop`] stops the whole thread: no node begins any more, and its open reviews are closed.
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
    /// [`Error::NotInDoubt`] when no effect with this digest is in doubt; [`Error::RoleMissing`]; [`Error::Invalid`] when
    /// what it is said to have written is not what its node writes; [`Error::GraphChanged`] and [`Error::OtherCode`] for
    /// threads that began under other code.
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
        let settled = async move { agent.settle_in_place(&thread, digest, &operator, &how).await };
        self.turn_of(&name, detach::finish_for(name.clone(), settled).await?)
    }

    async fn settle_in_place(
        &self,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        how: &Settlement,
    ) -> Result<Outlook<G>, Error> {
        loop {
            let post = self.post(thread).await?;
            let fold = &post.fold;
            let Some(doubt) = doubts(self, fold).find(|doubt| doubt.digest == digest) else {
                return Err(Error::NotInDoubt { thread: thread.clone() });
            };
            let asked = Asked::of::<G, G::State>(fold, doubt.lane, &doubt.visit);
            let roles = asked.of_whom(thread, &doubt.visit.node, operator, how)?;
            if let (Settlement::RunAgain, Some((_, said))) = (how, fold.stop()) {
                return Err(has_stopped(thread, &doubt.visit.node, said));
            }
            let to = match how {
                Settlement::Happened { wrote } => {
                    Some(self.happened(fold, doubt.lane, &doubt.visit.node, wrote)?)
                }
                Settlement::RunAgain | Settlement::Stop { .. } => None,
            };
            if !doubt.written {
                self.take_up(thread, Anew::Orphans).await?;
                continue;
            }
            let event = Event::Settled {
                node: doubt.visit.node,
                lane: doubt.lane,
                how: how.clone(),
                operator: operator.name().to_owned(),
                unverified: operator.is_unverified(),
                to,
                evidence: Some(Evidence::of_roles(operator, &roles)),
            };
            match self.append_and_run(post, [event]).await {
                Err(drive::Stopped::Taken(_)) => {}
                end => return self.outlook_of(end).await,
            }
        }
    }

    /// Where a lane goes on whose effect a person vouches for.
    fn happened(&self, fold: &GraphFold<G>, lane: LaneId, node: &str, wrote: &Values) -> Result<To, Error> {
        let invalid = |field: &str, message: String| Error::Invalid {
            thread: fold.thread.clone(),
            field: field.to_owned(),
            violations: vec![crate::Violation { path: String::new(), message }],
        };
        let Some((index, entry)) = route::node::<G>(node) else {
            return Err(invalid(node, "the graph has no such node".to_owned()));
        };
        for field in entry.spec.writes {
            if !wrote.contains_key(*field) {
                return Err(invalid(field, format!("`{node}` writes it: say what it would have written")));
            }
        }
        let Some(lane) = fold.lanes.get(&lane) else {
            return Err(Error::NotInDoubt { thread: fold.thread.clone() });
        };
        let written = |field: &str| wrote.get(field).map(|json| json.get());
        each::fits::<G>(Point::Node(index), &lane.fields, written)
            .map_err(|e| invalid(&e.field, e.problem))?;
        let mut fields =
            crate::journal::copy(&G::State::SPEC, &*lane.fields).map_err(|e| invalid(&e.field, e.problem))?;
        for (field, json) in wrote {
            if !entry.spec.writes.contains(&field.as_str()) {
                return Err(invalid(field, format!("`{node}` does not write it")));
            }
            crate::state::Fields::write(&mut fields, field, json.get())
                .map_err(|e| invalid(field, e.problem))?;
            written::check::<G>(&lane.fields, field, json.get())
                .map_err(|problem| invalid(field, problem))?;
        }
        route::after_node::<G>(index, &fields)
            .map_err(|problem| changed(&fold.thread, Difference::NoWay { problem }))
    }
}

/// The roles that are asked of whoever settles an effect.
pub(super) struct Asked {
    /// Each of them, for saying that it happened.
    pub(super) all: Vec<String>,
    /// One of them, where the effect runs on no signature that was given in a role.
    pub(super) any: Vec<String>,
}

impl Asked {
    pub(super) fn of<G: Graph, S: State>(fold: &Fold<S>, lane: LaneId, visit: &Visit) -> Self {
        let own = effect_roles::<G, S>(fold, lane, visit);
        if !own.is_empty() {
            return Self { all: own, any: Vec::new() };
        }
        let node = route::current::<G>(&visit.node).map(|(number, _)| number);
        let ahead = node.map(reachable::<G>).unwrap_or_default();
        Self { all: roles_of::<G>(|node| ahead.contains(&node)), any: roles_of::<G>(|_| true) }
    }

    /// The roles in which an operator settles it so.
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
        match self.any.iter().find(|role| operator.holds(role)).or(self.any.first()) {
            Some(role) => may_decide(thread, node, Some(role), operator).map(|()| vec![role.clone()]),
            None => Ok(Vec::new()),
        }
    }
}

/// The roles that reviews of the graph ask for, each once.
fn roles_of<G: Graph>(is_meant: impl Fn(usize) -> bool) -> Vec<String> {
    let reviews = G::SPEC.nodes.iter().enumerate().filter(|(node, _)| is_meant(*node));
    let mut roles: Vec<String> = Vec::new();
    for role in reviews.filter_map(|(_, node)| node.interrupt?.role) {
        if !roles.iter().any(|known| known == role) {
            roles.push(role.to_owned());
        }
    }
    roles
}

/// Whether an operator holds a role that some review of the graph asks for, and so may end the doubt about an effect that
/// needs no role of its own.
#[cfg(feature = "agentcore")]
pub(crate) fn may_settle<G: Graph>(operator: &Operator) -> bool {
    roles_of::<G>(|_| true).iter().any(|role| operator.holds(role))
}

/// The nodes that can come after a node.
fn reachable<G: Graph>(from: usize) -> Vec<usize> {
    let (mut reached, mut next) = (Vec::new(), vec![from]);
    while let Some(node) = next.pop() {
        for edge in G::SPEC.edges.iter().filter(|edge| edge.from == Point::Node(node)) {
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

/// The error for whoever would move a thread on that a person has stopped.
fn has_stopped(thread: &ThreadId, node: &str, said: &str) -> Error {
    Error::BadVerdict {
        thread: thread.clone(),
        node: node.to_owned(),
        problem: format!("the thread was {said}; it goes no further"),
    }
}

/// Refuses a verdict on a review that waits in a thread which a person has stopped.
pub(super) fn is_not_stopped<S: State>(fold: &Fold<S>, digest: Digest) -> Result<(), Error> {
    let Some((_, said)) = fold.stop() else { return Ok(()) };
    match fold.paused().find(|(_, open)| open.digest == digest) {
        Some((_, open)) => Err(has_stopped(&fold.thread, &open.visit.node, said)),
        None => Ok(()),
    }
}

/// The roles that whoever settles an effect must hold: of each field that it takes as signed, the one that the review
/// asks for whose signature it runs on, its own or an earlier one in its lane; and where that review asks for none any
/// more, the one that it was signed in.
fn effect_roles<G: Graph, S: State>(fold: &Fold<S>, lane: LaneId, visit: &Visit) -> Vec<String> {
    let Some((_, entry)) = route::current::<G>(&visit.node) else { return Vec::new() };
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
            (None, Some(signature)) => reviews_of(G::SPEC, spec, field, signature).collect(),
            (None, None) => Vec::new(),
        };
        if reviews.is_empty() {
            // Where that review is no more, whoever may sign the field now may speak for it.
            let all = G::SPEC.nodes.iter().filter_map(|node| node.interrupt);
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
