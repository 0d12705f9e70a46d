//! Which verdicts were previewed through a channel that answers one request at a time, so that the evidence of the verdict
//! can say so.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use super::{Agent, Graph};
use crate::{Digest, Operator, ThreadId, Verdict};

/// The previews that this process has answered and whose verdicts have not come yet.
#[derive(Default)]
pub(crate) struct Previews(Mutex<HashSet<Digest>>);

impl Previews {
    /// So many are remembered. One that is forgotten counts as none, which says less than happened, and never more.
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

impl<G: Graph> Agent<G> {
    /// Notes that an operator was shown what this very verdict does.
    pub(crate) fn note_preview(
        &self,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: &Verdict,
    ) {
        self.inner.previews.note(preview(thread, digest, operator, verdict));
    }

    /// The operator, whose evidence says that they were shown what this very verdict does, if they were.
    pub(crate) fn previewed(
        &self,
        thread: &ThreadId,
        digest: Digest,
        operator: &Operator,
        verdict: &Verdict,
    ) -> Operator {
        if !self.inner.previews.has(preview(thread, digest, operator, verdict)) {
            return operator.clone();
        }
        let mut evidence = operator.evidence().cloned().unwrap_or_default();
        evidence.previewed = true;
        operator.clone().with_evidence(evidence)
    }
}

/// One operator's look at one verdict on one review. The review's digest names the thread's state.
fn preview(thread: &ThreadId, digest: Digest, operator: &Operator, verdict: &Verdict) -> Digest {
    let verdict = serde_json::to_string(verdict).unwrap_or_default();
    let name = operator.name();
    let length = (name.len() as u64).to_be_bytes();
    let parts =
        [thread.as_str().as_bytes(), b"\0", digest.as_bytes(), &length, name.as_bytes(), verdict.as_bytes()];
    Digest::of_parts(&parts)
}
