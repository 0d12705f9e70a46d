//! How doubt ends: a person says how an effect did.

use super::{
    Agent, Difference, Graph, Outlook, decide::may_decide, detach, drive, each, graph::GraphFold,
    refused::changed, route, start::Anew, turn::doubts, written,
};
use crate::{
    Digest, Error, Operator, ThreadId,
    graph::{Point, ReadKind},
    journal::{Event, Evidence, Fold, LaneId, Settlement, To, Values, Visit},
    review::permits,
    state::State,
};

impl<G: Graph> Agent<G> {
    /// Says how an effect ended that nobody saw the end of. The digest names the doubt, as [`InDoubt::digest`](super::InDoubt::digest)
    /// gives it: if the effect is run again and its end is unseen again, that is another doubt.
    ///
    /// Whoever may sign the effect may say how it ended: the operator holds the role that the review before it asks
    /// for, where there is one.
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
            let role = effect_role::<G, G::State>(fold, doubt.lane, &doubt.visit);
            may_decide(thread, &doubt.visit.node, role, operator)?;
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
                evidence: Some(Evidence::of(operator, role)),
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

/// The role that the review before an effect asks for: its own, or the earlier one whose signature it runs on in its lane.
pub(super) fn effect_role<G: Graph, S: State>(
    fold: &Fold<S>,
    lane: LaneId,
    visit: &Visit,
) -> Option<&'static str> {
    let spec = route::current::<G>(&visit.node)?.1.spec;
    if let Some(interrupt) = spec.interrupt {
        return interrupt.role;
    }
    let signatures = &fold.lanes.get(&lane)?.signatures;
    spec.reads.iter().filter(|read| read.kind == ReadKind::Approved).find_map(|read| {
        let signature = signatures.get(read.field)?;
        permits(G::SPEC, &spec, Some(visit.entered), read.field, signature).ok()?;
        let signed_before = route::current::<G>(&signature.node).and_then(|(_, entry)| entry.spec.interrupt);
        // Where that review is no more, whoever may sign the field now may speak for it.
        let reviews = G::SPEC.nodes.iter().filter_map(|node| node.interrupt);
        signed_before.or_else(|| reviews.into_iter().find(|review| review.field == read.field))?.role
    })
}
