//! Verification of journals: that a journal is unchanged, and that its entries can have been written.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{
    finding::{Finding, FindingKind, UncheckedRange},
    replay::Replay,
};
use crate::{
    Digest, Error, Place, StoreError, ThreadId,
    engine::{
        Engine,
        session::{Authentication, StopsReplay},
    },
    journal::{Entry, Event, JournalKeys, MacError, genesis, link},
    store::Record,
};

/// The identity of a journal's last entry. If it is kept out of reach of everyone who can write to the store, it proves
/// later that the journal up to that entry is unchanged.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::JournalHead;
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let kept = serde_json::to_string(&agent.verify("ticket-A-9133").await?)?;
///
/// // A year later.
/// let head: JournalHead = serde_json::from_str(&kept)?;
/// let now = agent.verify_against(&head).await?;
/// assert!(now.place >= head.place);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JournalHead {
    /// The thread.
    pub thread: ThreadId,
    /// The place of its last entry.
    pub place: Place,
    /// The hash of that entry, which covers all entries before it.
    pub hash: Digest,
}

impl JournalHead {
    /// Creates a head from its parts, as they were kept elsewhere.
    pub fn new(thread: ThreadId, place: impl Into<Place>, hash: Digest) -> Self {
        Self { thread, place: place.into(), hash }
    }
}

/// The result of [`Agent::audit`](crate::Agent::audit).
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let audit = agent.audit("ticket-A-9133", None).await?;
/// assert!(audit.findings.is_empty() && audit.unchecked.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Audit {
    /// The last entry.
    pub head: JournalHead,
    /// The problems, in the order of their places.
    pub findings: Vec<Finding>,
    /// The ranges of entries whose meaning this program cannot check, because another version of it wrote them or
    /// because an earlier entry is damaged. Their hashes and MACs are checked all the same.
    pub unchecked: Vec<UncheckedRange>,
}

impl Audit {
    /// Returns the head if there are no findings.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Damaged`], with the first finding.
    pub fn sound(&self) -> Result<JournalHead, Error> {
        match self.findings.first() {
            Some(first) => Err(first.error(&self.head.thread)),
            None => Ok(self.head.clone()),
        }
    }
}

impl Engine {
    /// Checks the journal of a thread with the engine's keys, and against a head that was kept.
    pub async fn audit(
        self: &Arc<Self>,
        thread: &ThreadId,
        kept: Option<&JournalHead>,
    ) -> Result<Audit, Error> {
        let audit: BoxFuture<'_, _> = Box::pin(self.audit_as(thread, kept, self.keys.as_ref()));
        audit.await
    }

    /// Audits with keys other than the agent's, or without keys.
    pub(in crate::engine) async fn audit_as(
        self: &Arc<Self>,
        thread: &ThreadId,
        kept: Option<&JournalHead>,
        keys: Option<&JournalKeys>,
    ) -> Result<Audit, Error> {
        let mut replay = Replay::new(self, thread);
        let mut stops = thread.is_reserved().then(|| StopsReplay::new(thread));
        let mut authentication = keys.map(|keys| Authentication::new(keys, thread, None));
        let mut findings = Vec::new();
        let mut note = |place, kind, problem: String| findings.push(Finding { place, kind, problem });
        let (mut hash, mut next) = (genesis(thread.as_str()), Place::START);
        loop {
            let records = self.store.entries(thread, next, 256).await?;
            if records.is_empty() {
                break;
            }
            let mut forged = None;
            if let Some(mut going) = authentication.take() {
                match going.read(&records).await {
                    Ok(()) => authentication = Some(going),
                    Err(error) => forged = Some(error),
                }
            }
            for record in records {
                let place = record.place;
                if place != next {
                    note(place.min(next), FindingKind::Chain, "an entry is missing".to_owned());
                    replay.stop(next, "an entry is missing");
                } else if link(hash, &record.body) != record.hash {
                    let problem = "its hash does not follow from the entry before it";
                    note(place, FindingKind::Chain, problem.to_owned());
                    replay.stop(place, problem);
                }
                if kept.is_some_and(|kept| kept.place == place && kept.hash != record.hash) {
                    let then = kept.map(|kept| kept.hash.to_string()).unwrap_or_default();
                    let problem =
                        format!("its hash was {then} when the head was kept: the entry was rewritten");
                    note(place, FindingKind::Head, problem);
                }
                match &mut stops {
                    Some(stops) => {
                        if let Err(problem) = stops.read(&record) {
                            note(place, FindingKind::Unreadable, problem);
                        }
                    }
                    None => replay.read(&record),
                }
                if let Some(problem) = self.wrong_stop(&record).await? {
                    note(place, FindingKind::Route, problem);
                }
                (hash, next) = (record.hash, place.saturating_add(1));
            }
            if let Some((place, error)) = forged {
                note(place, FindingKind::Unauthenticated, refusal(error)?);
            }
        }
        let Some(place) = next.checked_sub(1) else {
            return Err(Error::UnknownThread { thread: thread.clone() });
        };
        if let Some(Err((place, error))) = authentication.map(Authentication::end) {
            note(place, FindingKind::Unauthenticated, refusal(error)?);
        }
        if let Some(kept) = kept.filter(|kept| place < kept.place) {
            let problem = format!("the kept head is at place {}: the end was cut off", kept.place);
            note(place, FindingKind::Head, problem);
        }
        let (replayed, unchecked) = if stops.is_some() { Default::default() } else { replay.end(place) };
        findings.extend(replayed);
        // The sort is stable, so a wrong hash comes before the other findings of its place, which it may explain.
        findings.sort_by_key(|finding| finding.place);
        Ok(Audit { head: JournalHead { thread: thread.clone(), place, hash }, findings, unchecked })
    }
}

impl Engine {
    /// Returns the problem of an entry that cancels a thread with its graph or its store, if there is no such stop.
    async fn wrong_stop(&self, record: &Record) -> Result<Option<String>, Error> {
        let stop =
            |record: &Record| match serde_json::from_slice::<Entry>(&record.body).map(|entry| entry.event) {
                Ok(Event::Stopped { kind, scope, follows, operator, .. }) => {
                    Some((follows, (kind, scope, operator)))
                }
                _ => None,
            };
        let Some((Some(place), found)) = stop(record) else { return Ok(None) };
        let stops = self.store.entries(self.stops_journal(), place, 1).await?;
        let there = stops.first().filter(|record| record.place == place).and_then(stop);
        let is_there = there.is_some_and(|(follows, there)| follows.is_none() && there == found);
        Ok((!is_there).then(|| format!("entry {place} of the journal of stops is no such stop")))
    }
}

/// Returns the problem of an entry that is not authentic. A vault that is unavailable is an error and not a finding.
fn refusal(error: MacError) -> Result<String, Error> {
    match error {
        MacError::Refused(problem) => Ok(problem),
        MacError::NoKey(problem) => Ok(problem.to_owned()),
        MacError::Unavailable { key, problem } => Err(Error::Store(StoreError::Failed {
            location: format!("the journal key `{key}`"),
            problem,
            source: None,
        })),
    }
}
