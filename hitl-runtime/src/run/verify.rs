//! A journal is as it was written, and what it says can have happened.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{Agent, Graph, authenticate::Authentication, replay::Replay};
use crate::{
    Digest, Error, Place, StoreError, ThreadId,
    journal::{JournalKeys, MacError, genesis, link},
};

/// The last entry of a journal. Kept where nobody can write to the store, it proves later that the journal up to there
/// is still the one that it was.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::Head;
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let kept = serde_json::to_string(&agent.verify(&"ticket-A-9133".try_into()?).await?)?;
///
/// // A year later.
/// let head: Head = serde_json::from_str(&kept)?;
/// let now = agent.holds(&head).await?;
/// assert!(now.place >= head.place);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The thread.
    pub thread: ThreadId,
    /// The place of its last entry.
    pub place: Place,
    /// The hash of that entry, and so of all before it.
    pub hash: Digest,
}

/// What [`Agent::audit`] found in a journal.
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
    pub head: Head,
    /// What is wrong, in the order of the places.
    pub findings: Vec<Finding>,
    /// The parts whose meaning this program cannot check, because another version of it wrote them. Their hashes and MACs
    /// are checked all the same.
    pub unchecked: Vec<Unchecked>,
}

/// One thing that is wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The entry.
    pub place: Place,
    /// The kind of problem.
    pub kind: FindingKind,
    /// What is wrong, for people.
    pub problem: String,
}

/// The kinds of [`Finding`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// Its hash does not follow from the entry before it, or an entry is missing.
    Chain,
    /// It is not the journal whose head was kept, or its end was cut off.
    Head,
    /// It was not written by a holder of the journal keys.
    Unauthenticated,
    /// It cannot be read, or cannot follow what was before.
    Unreadable,
    /// Its snapshot is not what the entries before it say.
    Snapshot,
    /// A digest is not that of the draft.
    Digest,
    /// A node or an effect ran that nobody had signed, or that had not begun.
    Unsigned,
    /// It leads where the graph does not, or is about a node that the thread was not at.
    Route,
    /// A time goes backwards by more than [`CLOCK_SKEW_MS`], or is on the wrong side of a deadline.
    Time,
    /// A runner took the thread while another one had it.
    Lease,
}

/// Entries whose meaning could not be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unchecked {
    /// The first of them.
    pub from: Place,
    /// The last of them.
    pub to: Place,
    /// Why not.
    pub reason: String,
}

/// How far the clocks of two processes may be apart, in milliseconds, before `verify` says that time goes backwards.
pub const CLOCK_SKEW_MS: u64 = 5 * 60 * 1000;

impl Audit {
    /// The head, if nothing is wrong.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Damaged`], which say the first finding.
    pub fn sound(&self) -> Result<Head, Error> {
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
    /// Verifies a thread's journal as [`Agent::audit`] does, and gives its head.
    ///
    /// The chain of hashes shows a change to some of the journal; the replay shows entries that cannot have been written
    /// by this program; journal keys show entries that a stranger wrote. None of them shows that its end was cut off: for
    /// that, keep the head elsewhere, and give it to [`Agent::holds`].
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
    /// [`Error::Damaged`] or [`Error::Unauthenticated`] at the first entry that was flipped, removed, swapped, put in or
    /// made up; [`Error::UnknownThread`].
    pub async fn verify(&self, thread: &ThreadId) -> Result<Head, Error> {
        self.audit(thread, None).await?.sound()
    }

    /// Verifies a thread's journal as [`Agent::verify`] does, and against a head that was kept elsewhere.
    ///
    /// # Errors
    /// [`Error::Damaged`] also where the journal was written anew or cut short since the head was taken;
    /// [`Error::UnknownThread`] where it is gone.
    pub async fn holds(&self, kept: &Head) -> Result<Head, Error> {
        self.audit(&kept.thread, Some(kept)).await?.sound()
    }

    /// Reads a thread's whole journal and lists all that is wrong with it.
    ///
    /// - Each entry's hash follows from the one before, and none is missing. With `kept`, a head that was kept elsewhere,
    ///   the journal is still the one that it was.
    /// - Where the agent has journal keys, each entry bears a MAC of one of them, and a verdict one of a key for verdicts.
    /// - Each entry can follow those before it: each snapshot is what they say, each digest is computed anew, each node
    ///   with a review ran behind its verdict, each step is one of the graph's, times do not go backwards by more than
    ///   [`CLOCK_SKEW_MS`], and no runner took the thread from another one.
    ///
    /// The last point needs the program that wrote the entries: see [`Audit::unchecked`].
    ///
    /// # Errors
    /// [`Error::UnknownThread`], and when the store or the vault of a key fails. Findings are no errors.
    pub async fn audit(&self, thread: &ThreadId, kept: Option<&Head>) -> Result<Audit, Error> {
        let audit: BoxFuture<'_, _> = Box::pin(self.audit_as(thread, kept, self.inner.keys.as_ref()));
        audit.await
    }

    /// The same by other keys than the agent's, or by none.
    pub(super) async fn audit_as(
        &self,
        thread: &ThreadId,
        kept: Option<&Head>,
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
                    let problem = format!("its hash was {then} when its head was kept: it was written anew");
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
            let problem = format!("its head was kept at place {}: the end was cut off", kept.place);
            note(place, FindingKind::Head, problem);
        }
        let (replayed, unchecked) = replay.end(place);
        findings.extend(replayed);
        // The sort is stable, and a hash that is wrong explains what else is wrong there.
        findings.sort_by_key(|finding| finding.place);
        Ok(Audit { head: Head { thread: thread.clone(), place, hash }, findings, unchecked })
    }
}

/// How an entry is not authentic; a vault that does not answer is an error, and no finding.
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
