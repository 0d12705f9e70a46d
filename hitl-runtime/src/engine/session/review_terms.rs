//! The terms of a review, which the signature covers besides the draft: the node and the field, the covered effects,
//! and the shown fields.

use serde_json::Value;

use crate::{
    Digest, Place,
    graph::InterruptSpec,
    journal::{DigestError, Fold, LaneId, OpenReviewState, Signature, Subject, shown},
};

/// The terms of one review.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct ReviewTerms<'a> {
    pub(in crate::engine) node: &'a str,
    pub(in crate::engine) field: &'a str,
    /// The place at which the review was opened.
    pub(in crate::engine) place: Place,
    pub(in crate::engine) covers: &'a [String],
    pub(in crate::engine) shows: &'a [String],
}

impl<'a> ReviewTerms<'a> {
    /// Returns the terms of an open review.
    pub(in crate::engine) fn from_open(open: &'a OpenReviewState) -> Self {
        let OpenReviewState { activation, field, place, covers, shows, .. } = open;
        Self { node: &activation.node, field, place: *place, covers, shows }
    }

    /// Returns the terms under which a field was signed.
    pub(super) fn from_signature(field: &'a str, signature: &'a Signature) -> Self {
        let Signature { node, place, covers, shows, .. } = signature;
        Self { node, field, place: *place, covers, shows }
    }

    /// Returns the digest of a draft under these terms, with the lane's values of the shown fields.
    ///
    /// # Errors
    /// If the draft or a shown field has no canonical JSON.
    pub(in crate::engine) fn digest(
        &self,
        fold: &Fold,
        lane: LaneId,
        draft: &Value,
    ) -> Result<Digest, DigestError> {
        let shown = match fold.lanes.get(&lane) {
            Some(lane) => shown(&lane.fields, self.shows)
                .map_err(|error| DigestError { path: error.field, problem: error.problem })?,
            None => None,
        };
        let Self { node, field, place, covers, .. } = *self;
        let (thread, id) = (fold.thread.as_str(), &*fold.id);
        let (requester, shown) = (fold.requesters.name(), shown.as_ref());
        let place = place.get();
        Subject { thread, id, node, field, place, requester, draft, covers, shown }.digest()
    }
}

/// Returns whether the review before a node covers and shows exactly these.
pub(in crate::engine) fn are(
    covers: &[String],
    shows: &[String],
    node: &str,
    interrupt: &InterruptSpec,
) -> bool {
    let others = interrupt.covers.iter().filter(|name| **name != node);
    covers.iter().eq(others) && shows.iter().eq(interrupt.shows)
}

/// Returns the effects that the review before a node covers and the fields that it shows, for the journal. The node
/// itself is always covered and left out.
pub(in crate::engine) fn covered_and_shown(
    node: &str,
    interrupt: &InterruptSpec,
) -> (Vec<String>, Vec<String>) {
    let covers = interrupt.covers.iter().filter(|name| **name != node);
    let shows = interrupt.shows.iter();
    (covers.map(|name| (*name).to_owned()).collect(), shows.map(|name| (*name).to_owned()).collect())
}
