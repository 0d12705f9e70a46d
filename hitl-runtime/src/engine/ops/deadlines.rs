//! Deadlines and reminders of open reviews.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hitl_core::millis;

use crate::{
    Error, Incompatibility, Place, Reason,
    engine::{
        Engine,
        exec::RunError,
        routing,
        session::{LocatedReview, ThreadWriter, incompatible, locate_review},
    },
    graph::EdgeKind,
    journal::{Decision, Event, Fold, LaneId, OpenReviewState},
};

impl Engine {
    /// Returns the events that reject the reviews whose deadline has passed. A verdict in the same millisecond as the
    /// deadline is too late.
    pub(super) fn expiries(&self, fold: &Fold) -> Result<Vec<Event>, Error> {
        let now = self.clock.now();
        fold.open()
            .filter(|(_, open)| open.deadline.is_some_and(|deadline| deadline <= now))
            .map(|(lane, open)| self.expiry(fold, &locate_review(self.graph, fold, lane, open)?))
            .collect()
    }

    /// Appends expiries of which there are too many for one append, without the last ones, after which the thread runs.
    /// Returns `None` if it did: the thread must be read again.
    pub(super) async fn append_surplus(
        self: &Arc<Self>,
        writer: Box<ThreadWriter>,
        expiries: &mut Vec<Event>,
    ) -> Result<Option<Box<ThreadWriter>>, Error> {
        if expiries.len() <= ThreadWriter::FULL_ENTRIES {
            return Ok(Some(writer));
        }
        match self.append_only(writer, expiries.drain(..ThreadWriter::FULL_ENTRIES)).await {
            Err(RunError::Error(error)) => Err(error),
            _ => Ok(None),
        }
    }

    /// Returns the event that rejects an expired review. It follows the graph's `expire` edge or, without one, its
    /// `reject` edge.
    pub(super) fn expiry(&self, fold: &Fold, found: &LocatedReview) -> Result<Event, Error> {
        let open = &found.open;
        let to = routing::after_verdict(self.graph, found.node, EdgeKind::Expire)
            .or_else(|| routing::after_verdict(self.graph, found.node, EdgeKind::Reject))
            .ok_or_else(|| {
                let (graph, node) = (self.graph.spec.name, &open.activation.node);
                let problem = format!(
                    "`{graph}` declares neither `expire` nor `reject` for the review before `{node}`"
                );
                incompatible(&fold.thread, Incompatibility::NoWay { problem })
            })?;
        Ok(Event::Decided {
            node: open.activation.node.clone(),
            lane: found.lane,
            verdict: Decision::Reject { reason: Reason::Expired, note: String::new() },
            when: None,
            operator: "hitl".to_owned(),
            unverified: false,
            digest: open.digest,
            note: String::new(),
            to,
            proposal: None,
            evidence: None,
        })
    }

    /// Returns the reviews that have a reminder due and whose deadline has not passed, by the places at which they were
    /// opened.
    pub(super) fn forgotten(&self, fold: &Fold) -> BTreeMap<Place, (LaneId, OpenReviewState)> {
        let now = self.clock.now();
        fold.open()
            .filter(|(_, open)| open.deadline.is_none_or(|deadline| now < deadline))
            .filter(|(_, open)| open.reminder().is_some_and(|at| at <= now))
            .map(|(lane, open)| (open.place, (lane, open.clone())))
            .collect()
    }

    /// Returns the event for a reminder. One event stands for all reminders that were missed.
    pub(super) fn reminder(&self, lane: LaneId, open: &OpenReviewState) -> Event {
        let waited = millis::of(self.clock.now().saturating_since(open.opened));
        let times = waited / millis::of(open.remind.unwrap_or(Duration::MAX)).max(1);
        Event::Reminded { node: open.activation.node.clone(), lane, times }
    }
}
