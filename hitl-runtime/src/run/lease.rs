//! Leases of processes whose clocks are ahead.
//!
//! A lease ends at a time by its runner's clock. If that clock is an hour ahead and the process dies, the lease would
//! block the thread for an hour. The entry that set the lease was written by the same clock, so the two give the *term*
//! for which it was set. Where that entry is from the future, the lease ends at the latest one term after this process
//! first saw it: the runner wrote it before it was seen, and renews it within a third of its term, as another lease.
//!
//! So no runner that lives and whose clock runs at the rate of ours loses a thread to this rule. If one does, because it
//! was halted for longer than its term, the journal fences it: its next append finds its place taken, and an effect
//! begins only after its `began` is appended.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Agent, Graph, graph::GraphFold};
use crate::{Error, Standing, ThreadId};

/// How far two clocks may differ before one of them counts as wrong.
pub(super) const SKEW: Duration = Duration::from_secs(10);

/// The leases from the future that this process has seen, and when it first saw each.
#[derive(Default)]
pub(crate) struct Sightings(Mutex<HashMap<ThreadId, Sighting>>);

struct Sighting {
    runner: String,
    until_ms: u64,
    first_ms: u64,
}

impl Sightings {
    /// So many are remembered; one that is forgotten is seen for the first time again.
    const MOST: usize = 10_000;

    /// When this lease was first seen.
    fn first(&self, thread: &ThreadId, runner: &str, until_ms: u64, now_ms: u64) -> u64 {
        let mut seen = self.held();
        match seen.get(thread) {
            Some(known) if (known.runner.as_str(), known.until_ms) == (runner, until_ms) => known.first_ms,
            known => {
                if known.is_none() && seen.len() >= Self::MOST {
                    seen.clear();
                }
                let sighting = Sighting { runner: runner.to_owned(), until_ms, first_ms: now_ms };
                seen.insert(thread.clone(), sighting);
                now_ms
            }
        }
    }

    fn forget(&self, thread: &ThreadId) {
        let mut seen = self.held();
        if !seen.is_empty() {
            seen.remove(thread);
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<ThreadId, Sighting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<G: Graph> Agent<G> {
    /// Bounds the lease of a thread that was just read, where a clock that is ahead has set it.
    pub(super) fn bound_lease(&self, fold: &mut GraphFold<G>) {
        let (now, sightings) = (self.inner.clock.now_ms(), &self.inner.sightings);
        let (Some(lease), Some(from_ms)) = (&fold.lease, fold.lease_from_ms) else { return };
        if from_ms <= now.saturating_add(ms(SKEW)) {
            return sightings.forget(&fold.thread);
        }
        let term = lease.until_ms.saturating_sub(from_ms);
        let first = sightings.first(&fold.thread, &lease.runner, lease.until_ms, now);
        fold.lease_ends_ms = Some(first.saturating_add(term));
    }

    /// The threads that count as running and are due later than any lease of this agent ends: a clock that is ahead may
    /// have set theirs, and the index would name them only when that clock's time has come.
    pub(super) async fn far_ahead(&self) -> Result<Vec<ThreadId>, Error> {
        /// More threads than this are not compared in one look.
        const MOST: usize = 10_000;
        const PAGE: usize = 500;
        let (mut running, mut after) = (std::collections::BTreeSet::new(), None::<String>);
        loop {
            let page = self.inner.store.threads(Some(Standing::Running), after.as_deref(), PAGE).await?;
            running.extend(page.items.into_iter().map(|(thread, _)| thread));
            after = page.next;
            if after.is_none() || running.len() >= MOST {
                break;
            }
        }
        let by_ms = self.now_ms().saturating_add(ms(self.inner.lease)).saturating_add(ms(SKEW));
        let (mut compared, mut after) = (0, None::<String>);
        while !running.is_empty() {
            let page = self.inner.store.due(by_ms, after.as_deref(), PAGE).await?;
            compared += page.items.len();
            for thread in &page.items {
                running.remove(thread);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
            if compared >= MOST {
                return Ok(Vec::new());
            }
        }
        Ok(running.into_iter().collect())
    }
}

pub(super) fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
