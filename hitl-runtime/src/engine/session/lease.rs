//! Bounds for leases that were set by processes whose clocks are ahead.
//!
//! A lease ends at a time of its runner's clock. If that clock is an hour ahead and the process dies, the lease would
//! block the thread for an hour. The entry that set the lease was written by the same clock, so the difference of the
//! two times is the *term* of the lease. If the entry's time is in the future, the lease ends at the latest one term
//! after this process first saw it: the runner wrote it before it was seen, and renews it as another lease within a
//! third of the term.
//!
//! So this rule never takes a thread from a live runner whose clock runs at the same rate as ours. A runner that was
//! suspended for longer than its term can lose the thread; the journal then fences it: its next append fails with a
//! conflict, and an effect begins only after its `began` entry is appended.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{Error, ThreadId, ThreadStatus, Timestamp, engine::Engine, journal::Fold};

/// The difference between two clocks above which one of them counts as wrong.
pub(super) const SKEW: Duration = Duration::from_secs(10);

/// The leases from the future that this process has seen, and the time at which it first saw each.
#[derive(Default)]
pub(in crate::engine) struct Sightings(Mutex<HashMap<ThreadId, Sighting>>);

struct Sighting {
    runner: String,
    until: Timestamp,
    first: Timestamp,
}

impl Sightings {
    /// The capacity. When it is reached, all sightings are forgotten, and a forgotten lease counts as seen for the
    /// first time again.
    const MOST: usize = 10_000;

    /// Returns the time at which this process first saw a lease, and records it if it is new.
    fn first(&self, thread: &ThreadId, runner: &str, until: Timestamp, now: Timestamp) -> Timestamp {
        let mut seen = self.held();
        match seen.get(thread) {
            Some(known) if (known.runner.as_str(), known.until) == (runner, until) => known.first,
            known => {
                if known.is_none() && seen.len() >= Self::MOST {
                    seen.clear();
                }
                let sighting = Sighting { runner: runner.to_owned(), until, first: now };
                seen.insert(thread.clone(), sighting);
                now
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

impl Engine {
    /// Bounds the lease of a thread that was just read, if the lease was set by a clock that is ahead.
    pub(in crate::engine) fn bound_lease(&self, fold: &mut Fold) {
        let (now, sightings) = (self.clock.now(), &self.sightings);
        let (Some(lease), Some(from)) = (&fold.lease, fold.lease_from) else { return };
        if from <= now.saturating_add(SKEW) {
            return sightings.forget(&fold.thread);
        }
        let term = lease.until.saturating_since(from);
        let first = sightings.first(&fold.thread, &lease.runner, lease.until, now);
        fold.lease_ends = Some(first.saturating_add(term));
    }

    /// Returns the threads that the index lists as running and due later than any lease of this agent could end. Their
    /// leases may have been set by a clock that is ahead, and the index would report them as due only when that clock's
    /// time has come.
    pub(in crate::engine) async fn far_ahead(&self) -> Result<Vec<ThreadId>, Error> {
        /// The largest number of threads that one pass compares.
        const MOST: usize = 10_000;
        const PAGE: usize = 500;
        let (mut running, mut after) = (std::collections::BTreeSet::new(), None::<String>);
        loop {
            let page = self.store.threads(Some(ThreadStatus::Running), after.as_deref(), PAGE).await?;
            running.extend(page.items.into_iter().map(|(thread, _)| thread));
            after = page.next;
            if after.is_none() || running.len() >= MOST {
                break;
            }
        }
        let by = self.clock.now().saturating_add(self.lease).saturating_add(SKEW);
        let (mut compared, mut after) = (0, None::<String>);
        while !running.is_empty() {
            let page = self.store.due(by, after.as_deref(), PAGE).await?;
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
