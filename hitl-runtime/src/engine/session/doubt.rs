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
    // In a thread that a person has stopped, not even an idempotent effect begins again.
    let stopped = fold.stop().is_some();
    fold.lanes.iter().filter_map(move |(lane, stands)| {
        let (activation, key, place, error, since, written) = match &stands.at {
            LaneState::InDoubt { activation, key, place, since, error } => {
                (activation, key, place, error.clone(), *since, true)
            }
            LaneState::Began { activation, key, place }
                if orphaned && (stopped || !graph.is_idempotent(&activation.node)) =>
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

/// Returns the failed node, its error, and whether a person has stopped the thread. A stopped node comes first.
pub(in crate::engine) fn failure(fold: &Fold) -> Option<(&Activation, &str, bool)> {
    let failed = fold.lanes.values().filter_map(|lane| match &lane.at {
        LaneState::Failed { activation, error, stopped, .. } => Some((activation, error.as_str(), *stopped)),
        _ => None,
    });
    failed.clone().find(|(.., stopped)| *stopped).or_else(|| failed.clone().next())
}
