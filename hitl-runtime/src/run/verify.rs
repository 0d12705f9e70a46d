//! Verification of journals: that a journal is unchanged, and that its entries can have been written.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{Agent, Graph, authenticate::Authentication, replay::Replay};
use crate::{
    Digest, Error, Place, StoreError, ThreadId,
    journal::{JournalKeys, MacError, genesis, link},
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
/// let kept = serde_json::to_string(&agent.verify(&"ticket-A-9133".try_into()?).await?)?;
///
/// // A year later.
/// let head: JournalHead = serde_json::from_str(&kept)?;
/// let now = agent.verify_against(&head).await?;
/// assert!(now.place >= head.place);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalHead {
    /// The thread.
    pub thread: ThreadId,
    /// The place of its last entry.
    pub place: Place,
    /// The hash of that entry, which covers all entries before it.
    pub hash: Digest,
}

/// The result of [`Agent::audit`].
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let audit = agent.audit(&"ticket-A-9133".try_into()?, None).await?;
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

/// A problem of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The place of the entry.
    pub place: Place,
    /// The kind of problem.
    pub kind: FindingKind,
    /// The description of the problem, for people.
    pub problem: String,
}

/// The kinds of [`Finding`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The hash of an entry does not follow from the entry before it, or an entry is missing.
    Chain,
    /// The journal is not the one whose head was kept, or its end was cut off.
    Head,
    /// The entry was not written by a holder of the journal keys.
    Unauthenticated,
    /// The entry cannot be read, or cannot follow the entries before it.
    Unreadable,
    /// The snapshot of the entry differs from the state that the entries before it produce.
    Snapshot,
    /// A digest does not match the draft.
    Digest,
    /// A node or an effect ran without a signature, or an effect ran without having begun.
    Unsigned,
    /// The entry leads to a step that the graph does not have there, or is about a node that the thread was not at.
    Route,
    /// A time goes backwards by more than [`CLOCK_SKEW_MS`], or is on the wrong side of a deadline.
    Time,
    /// A runner took the thread over while another runner held its lease.
    Lease,
}

/// Entries whose meaning could not be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UncheckedRange {
    /// The first place.
    pub from: Place,
    /// The last place.
    pub to: Place,
    /// The reason.
    pub reason: String,
}

/// The tolerated difference between the clocks of two processes, in milliseconds. Verification reports only larger
/// deviations of times, deadlines and leases.
pub const CLOCK_SKEW_MS: u64 = 5 * 60 * 1000;

impl Audit {
    /// Returns the head if there are no findings.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Damaged`], with the first finding.
    pub fn sound(&self) -> Result<JournalHead, Error> {
        let Some(Finding { place, kind, problem }) = self.findings.first() else {
            return Ok(self.head.clone());
        };
        let (thread, place, problem) = (self.head.thread.clone(), *place, problem.clone());
        Err(match kind {
            FindingKind::Unauthenticated => Error::Unauthenticated { thread, place, problem },
            _ => Error::Damaged { thread, place, problem },
        })
    }
}

impl<G: Graph> Agent<G> {
    /// Verifies a thread's journal as [`Agent::audit`] does, and returns its head.
    ///
    /// The hash chain reveals a change to a part of the journal; the replay reveals entries that this program cannot
    /// have written; journal keys reveal entries that were written without the keys. None of them reveals that the end
    /// of the journal was cut off: for that, keep the head elsewhere, and pass it to [`Agent::verify_against`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let head = agent.verify(&"ticket-A-9133".try_into()?).await?;
    /// println!("whole up to place {}; keep {} where nobody can write to the store", head.place, head.hash);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Unauthenticated`] at the first entry that was changed, removed, swapped, inserted
    /// or forged; [`Error::UnknownThread`].
    pub async fn verify(&self, thread: &ThreadId) -> Result<JournalHead, Error> {
        self.audit(thread, None).await?.sound()
    }

    /// Verifies a thread's journal as [`Agent::verify`] does, and compares it with a head that was kept elsewhere.
    ///
    /// # Errors
    /// As [`Agent::verify`]; [`Error::Damaged`] also if the journal was rewritten or truncated since the head was
    /// taken; [`Error::UnknownThread`] if it is gone.
    pub async fn verify_against(&self, kept: &JournalHead) -> Result<JournalHead, Error> {
        self.audit(&kept.thread, Some(kept)).await?.sound()
    }

    /// Reads a thread's whole journal and reports all problems.
    ///
    /// - Each entry's hash follows from the entry before it, and no entry is missing. With `kept`, a head that was kept
    ///   elsewhere, the journal is still the one that the head belongs to.
    /// - If the agent has journal keys, each entry has a MAC under one of them, and a verdict has one under a key for
    ///   verdicts.
    /// - Each entry can follow those before it: each snapshot equals the replayed state, each digest equals the
    ///   recomputed one, each node with a review ran after its verdict, each step is one of the graph's, times do not
    ///   go backwards by more than [`CLOCK_SKEW_MS`], and no runner took the thread while another one held its lease.
    ///
    /// The last check needs the program that wrote the entries: see [`Audit::unchecked`].
    ///
    /// # Errors
    /// [`Error::UnknownThread`], and an error if the store or the vault of a key fails. Findings are not errors.
    pub async fn audit(&self, thread: &ThreadId, kept: Option<&JournalHead>) -> Result<Audit, Error> {
        let audit: BoxFuture<'_, _> = Box::pin(self.audit_as(thread, kept, self.inner.keys.as_ref()));
        audit.await
    }

    /// Audits with keys other than the agent's, or without keys.
    pub(super) async fn audit_as(
        &self,
        thread: &ThreadId,
        kept: Option<&JournalHead>,
        keys: Option<&JournalKeys>,
    ) -> Result<Audit, Error> {
        let mut replay = Replay::new(self, thread);
        let mut authentication = keys.map(|keys| Authentication::new(keys, thread, None));
        let mut findings = Vec::new();
        let mut note = |place, kind, problem: String| findings.push(Finding { place, kind, problem });
        let (mut hash, mut next) = (genesis(thread.as_str()), 0);
        loop {
            let records = self.inner.store.entries(thread, next, 256).await?;
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
                replay.read(&record);
                (hash, next) = (record.hash, place.saturating_add(1));
            }
            if let Some((place, error)) = forged {
                note(place, FindingKind::Unauthenticated, refusal(error)?);
            }
        }
        let Some(place) = u64::checked_sub(next, 1) else {
            return Err(Error::UnknownThread { thread: thread.clone() });
        };
        if let Some(Err((place, error))) = authentication.map(Authentication::end) {
            note(place, FindingKind::Unauthenticated, refusal(error)?);
        }
        if let Some(kept) = kept.filter(|kept| place < kept.place) {
            let problem = format!("the kept head is at place {}: the end was cut off", kept.place);
            note(place, FindingKind::Head, problem);
        }
        let (replayed, unchecked) = replay.end(place);
        findings.extend(replayed);
        // The sort is stable, so a wrong hash comes before the other findings of its place, which it may explain.
        findings.sort_by_key(|finding| finding.place);
        Ok(Audit { head: JournalHead { thread: thread.clone(), place, hash }, findings, unchecked })
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
