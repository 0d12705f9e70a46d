//! What a review is of, beside the draft itself: the node and the field, the effects that the signature covers, and the
//! fields that are shown.

use serde_json::Value;

use crate::{
    Digest, Place,
    graph::InterruptSpec,
    journal::{DigestError, Fold, LaneId, OpenAt, Signature, Subject, shown},
    state::State,
};

/// The terms of one review.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) node: &'a str,
    pub(crate) field: &'a str,
    /// Where it was opened.
    pub(crate) place: Place,
    pub(crate) covers: &'a [String],
    pub(crate) shows: &'a [String],
}

impl<'a> Terms<'a> {
    /// Those that an open review was opened under.
    pub(crate) fn of_open(open: &'a OpenAt) -> Self {
        let OpenAt { visit, field, place, covers, shows, .. } = open;
        Self { node: &visit.node, field, place: *place, covers, shows }
    }

    /// Those that a field was signed under.
    pub(crate) fn of_signature(field: &'a str, signature: &'a Signature) -> Self {
        let Signature { node, place, covers, shows, .. } = signature;
        Self { node, field, place: *place, covers, shows }
    }

    /// Returns the digest of a draft under these terms, with what the lane holds of the fields that are shown.
    ///
    /// # Errors
    /// When the draft, or what is shown, has no canonical JSON.
    pub(crate) fn digest<S: State>(
        &self,
        fold: &Fold<S>,
        lane: LaneId,
        draft: &Value,
    ) -> Result<Digest, DigestError> {
        let shown = match fold.lanes.get(&lane) {
            Some(lane) => shown(&*lane.fields, self.shows)
                .map_err(|error| DigestError { path: error.field, problem: error.problem })?,
            None => None,
        };
        let Self { node, field, place, covers, .. } = *self;
        let (thread, id) = (fold.thread.as_str(), &*fold.id);
        let (requester, shown) = (fold.requester.as_deref(), shown.as_ref());
        Subject { thread, id, node, field, place, requester, draft, covers, shown }.digest()
    }
}

/// Whether these are what the review before a node covers and shows.
pub(crate) fn are(covers: &[String], shows: &[String], node: &str, interrupt: &InterruptSpec) -> bool {
    let others = interrupt.covers.iter().filter(|name| **name != node);
    covers.iter().eq(others) && shows.iter().eq(interrupt.shows)
}

/// What the review before a node covers and shows, for the journal. The node itself is covered anyhow.
pub(crate) fn of(node: &str, interrupt: &InterruptSpec) -> (Vec<String>, Vec<String>) {
    let covers = interrupt.covers.iter().filter(|name| **name != node);
    let shows = interrupt.shows.iter();
    (covers.map(|name| (*name).to_owned()).collect(), shows.map(|name| (*name).to_owned()).collect())
}
