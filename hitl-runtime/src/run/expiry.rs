//! What nobody signs in time.

use super::{
    Agent, Graph,
    agent::GraphFold,
    post::Post,
    route,
    turn::{Found, found},
};
use crate::{
    Error, Reason,
    graph::EdgeKind,
    journal::{Decision, Event},
};

impl<G: Graph> Agent<G> {
    /// The reviews whose time has run out.
    pub(crate) fn overdue(&self, fold: &GraphFold<G>) -> Result<Vec<Found>, Error> {
        let now = self.inner.clock.now_ms();
        fold.open()
            .filter(|(_, open)| open.deadline_ms.is_some_and(|deadline| deadline <= now))
            .map(|(lane, open)| found::<G>(fold, lane, open))
            .collect()
    }

    /// What nobody signed in time is rejected.
    pub(crate) fn expire(&self, post: &mut Post<G>, found: &Found) -> Result<(), Error> {
        let open = &found.open;
        let to =
            route::after_verdict::<G>(found.node, EdgeKind::Reject).ok_or_else(|| Error::GraphChanged {
                thread: post.fold.thread.clone(),
                problem: format!(
                    "`{}` says nothing of a rejection before `{}`",
                    G::SPEC.name,
                    open.visit.node
                ),
            })?;
        post.push(Event::Decided {
            node: open.visit.node.clone(),
            lane: found.lane,
            verdict: Decision::Reject { reason: Reason::Expired, note: String::new() },
            operator: "hitl".to_owned(),
            digest: open.digest,
            to,
        })
    }
}
