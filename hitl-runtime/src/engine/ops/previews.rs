//! Previewed verdicts of channels that answer one request at a time, so that the evidence of a verdict can say that it
//! was previewed.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use crate::{Digest, Operator, ThreadId, Verdict, engine::Engine};

/// The previews that this process has answered.
#[derive(Default)]
pub(in crate::engine) struct Previews(Mutex<HashSet<Digest>>);

impl Previews {
    /// The capacity. When it is reached, all previews are forgotten. A forgotten preview counts as not shown, so the
    /// evidence never says more than happened.
    const MOST: usize = 10_000;

    fn note(&self, preview: Digest) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= Self::MOST {
            noted.clear();
        }
        noted.insert(preview);
    }

    fn has(&self, preview: Digest) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&preview)
    }
}

impl Engine {
    /// Records that an operator was shown the effects of exactly this verdict.
    pub fn note_preview(&self, thread: &ThreadId, digest: Digest, operator: &Operator, verdict: &Verdict) {
        self.previews.note(preview(thread, digest, operator, verdict));
    }

    /// Returns the operator, with evidence of the preview if they were shown the effects of exactly this verdict.
    pub fn previewed(
        &self,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: &Verdict,
    ) -> Operator {
        if !self.previews.has(preview(thread, digest, operator, verdict)) {
            return operator.clone();
        }
        let mut evidence = operator.evidence().cloned().unwrap_or_default();
        evidence.previewed = true;
        operator.clone().with_evidence(evidence)
    }
}

/// Returns a key for one operator's preview of one verdict on one review. The review's digest covers the thread's
/// state.
fn preview(thread: &ThreadId, digest: Digest, operator: &Operator, verdict: &Verdict) -> Digest {
    let verdict = serde_json::to_string(verdict).unwrap_or_default();
    let name = operator.name();
    let length = (name.len() as u64).to_be_bytes();
    let parts =
        [thread.as_str().as_bytes(), b"\0", digest.as_bytes(), &length, name.as_bytes(), verdict.as_bytes()];
    Digest::of_parts(&parts)
}
