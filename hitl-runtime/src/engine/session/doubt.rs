//! Effects in doubt, and failures: a thread that a person must look at.

use crate::{
    Digest, Timestamp,
    engine::Engine,
    journal::{Activation, Fold, LaneId, LaneState},
};

/// An effect in doubt, possibly not yet recorded as such in the journal.
pub(crate) struct EffectInDoubt {
    pub(crate) lane: LaneId,
    pub(crate) activation: Activation,
    pub(crate) key: String,
    /// The identifier of this doubt. The next attempt of the same effect, with the same key, has another one.
    pub(crate) digest: Digest,
    pub(crate) error: String,
    pub(crate) since: Timestamp,
    /// `true` if the journal records the doubt.
    pub(crate) written: bool,
}

/// The error of an effect that is in doubt because its lease has run out. A runner that is suspended for longer than
/// its lease looks like a dead one, and continues with the effect when it wakes.
pub(in crate::engine) const UNRENEWED: &str =
    "its runner has not renewed its lease and may still be running, so the outcome of the effect is unknown";

/// Returns every effect of a thread that is in doubt.
pub(in crate::engine) fn effects_in_doubt(
    engine: &Engine,
    fold: &Fold,
) -> impl Iterator<Item = EffectInDoubt> {
    let orphaned = !fold.is_leased(engine.clock.now());
    let graph = engine.graph;
    // In a thread that a person has closed, not even an idempotent effect begins again.
    let closed = fold.is_closed();
    fold.lanes.iter().filter_map(move |(lane, stands)| {
        let (activation, key, place, error, since, written) = match &stands.at {
            LaneState::InDoubt { activation, key, place, since, error } => {
                (activation, key, place, error.clone(), *since, true)
            }
            LaneState::Began { activation, key, place }
                if orphaned && (closed || !graph.is_idempotent(&activation.node)) =>
            {
                let error = UNRENEWED.to_owned();
                (activation, key, place, error, fold.at, false)
            }
            _ => return None,
        };
        // The key identifies the thread and the activation. With the place of the attempt it identifies the doubt.
        let digest = Digest::of(format!("doubt\0{key}\0{place}").as_bytes());
        Some(EffectInDoubt {
            lane: *lane,
            activation: activation.clone(),
            key: key.clone(),
            digest,
            error,
            since,
            written,
        })
    })
}

/// The reason why a thread does not go on by itself.
pub(in crate::engine) struct Failure {
    /// The node that failed, or the first one that the thread is at.
    pub(in crate::engine) node: String,
    pub(in crate::engine) error: String,
    /// `true` if a person has closed the thread.
    pub(in crate::engine) stopped: bool,
}

/// Returns the failure of a thread. The one of a person comes first.
pub(in crate::engine) fn failure(fold: &Fold) -> Option<Failure> {
    if let Some(stop) = fold.stop.as_ref().filter(|_| fold.is_cancelled()) {
        let activation = fold.lanes.values().find_map(|lane| lane.at.activation());
        let node = activation.map_or_else(|| "end".to_owned(), |activation| activation.node.clone());
        return Some(Failure { node, error: stop.to_string(), stopped: true });
    }
    let failed = fold.lanes.values().filter_map(|lane| match &lane.at {
        LaneState::Failed { activation, error, stopped, .. } => {
            Some(Failure { node: activation.node.clone(), error: error.clone(), stopped: *stopped })
        }
        _ => None,
    });
    failed.clone().find(|failure| failure.stopped).or_else(|| failed.clone().next())
}
