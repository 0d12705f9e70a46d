//! Whether a journal is as it was written.

use serde::{Deserialize, Serialize};

use super::{Agent, Graph};
use crate::{
    Digest, Error, Place, ThreadId,
    journal::{genesis, link},
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

impl<G: Graph> Agent<G> {
    /// Walks a thread's hash chain from its first entry, and gives its head.
    ///
    /// The chain shows a change to some of the journal. It cannot show that all of it was written anew, or that its
    /// end was cut off: for that, keep the head elsewhere, and give it to [`Agent::holds`].
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
    /// [`Error::Damaged`] at the first entry that was flipped, removed, swapped or put in.
    pub async fn verify(&self, thread: &ThreadId) -> Result<Head, Error> {
        self.walk(thread, |_, _| Ok(())).await
    }

    /// Walks a thread's hash chain as [`Agent::verify`] does, and holds it against a head that was kept elsewhere.
    ///
    /// # Errors
    /// [`Error::Damaged`] also where the journal was written anew or cut short since the head was taken;
    /// [`Error::UnknownThread`] where it is gone.
    pub async fn holds(&self, kept: &Head) -> Result<Head, Error> {
        let damaged =
            |place: Place, problem: String| Error::Damaged { thread: kept.thread.clone(), place, problem };
        let head = self
            .walk(&kept.thread, |place, hash| {
                if place == kept.place && hash != kept.hash {
                    return Err(damaged(
                        place,
                        format!("its hash was {} when its head was kept: it was written anew", kept.hash),
                    ));
                }
                Ok(())
            })
            .await?;
        if head.place < kept.place {
            let problem = format!("its head was kept at place {}: the end was cut off", kept.place);
            return Err(damaged(head.place, problem));
        }
        Ok(head)
    }

    async fn walk(
        &self,
        thread: &ThreadId,
        look: impl Fn(Place, Digest) -> Result<(), Error>,
    ) -> Result<Head, Error> {
        let mut hash = genesis(thread.as_str());
        let mut next = 0;
        loop {
            let records = self.inner.store.entries(thread, next, 256).await?;
            if records.is_empty() {
                return match u64::checked_sub(next, 1) {
                    Some(place) => Ok(Head { thread: thread.clone(), place, hash }),
                    None => Err(Error::UnknownThread { thread: thread.clone() }),
                };
            }
            for record in records {
                let damaged = |problem: &str| Error::Damaged {
                    thread: thread.clone(),
                    place: record.place.min(next),
                    problem: problem.to_owned(),
                };
                if record.place != next {
                    return Err(damaged("an entry is missing"));
                }
                hash = link(hash, &record.body);
                if hash != record.hash {
                    return Err(damaged("its hash does not follow from the entry before it"));
                }
                look(next, hash)?;
                next += 1;
            }
        }
    }
}
