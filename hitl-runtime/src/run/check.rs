//! Whether an old thread can go on in this program, asked before anybody needs it to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Agent, Difference, Graph,
    post::standing,
    refused::{differences, loose},
    review_rule::ReviewChange,
};
use crate::{
    Error, Standing, ThreadId,
    guard::contained,
    journal::{LaneId, OpenAt},
    store::Tail,
};

/// Whether a thread can go on in this program.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let check = agent.check("ticket-A-9133").await?;
/// // The very program that the thread began in.
/// assert!(check.can_go_on() && !check.new_code);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// The thread.
    pub thread: ThreadId,
    /// How it stands.
    pub standing: Standing,
    /// Whether it was last moved by other code, and has to be taken over from there.
    pub new_code: bool,
    /// The nodes before which a review is opened again if it goes on, because what is signed there has changed.
    pub reopened: Vec<String>,
    /// The changes for which they are opened again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ReviewChange>,
    /// What keeps it from going on.
    pub differences: Vec<Difference>,
}

impl Check {
    /// Whether it can.
    pub fn can_go_on(&self) -> bool {
        self.differences.is_empty()
    }
}

impl<G: Graph> Agent<G> {
    /// Holds a thread against this program's graph, state and invariants: all that would keep it from going on, and
    /// what would change if it did. Nothing runs and nothing is written.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::Standing;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// // Before a new version is deployed, with that version.
    /// let waiting = agent.store().threads(Some(Standing::Waiting), None, 100).await?;
    /// for (thread, _) in waiting.items {
    ///     let check = agent.check(thread).await?;
    ///     for difference in &check.differences {
    ///         println!("{} cannot go on: {difference}", check.thread);
    ///     }
    /// #   assert!(check.can_go_on());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownThread`], and [`Error::Damaged`] where the journal cannot be read at all.
    pub async fn check<T>(&self, thread: T) -> Result<Check, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let Some(tail) = self.tail(&thread).await? else {
            return Err(Error::UnknownThread { thread });
        };
        contained(&thread, self.held_against(&thread, &tail)).await
    }

    async fn held_against(&self, thread: &ThreadId, tail: &Tail) -> Result<Check, Error> {
        let fold = loose::<G>(thread, tail)?;
        let (standing, differences) = (standing(&fold), differences::<G>(&fold));
        let before: BTreeMap<LaneId, OpenAt> = fold.open().map(|(lane, open)| (lane, open.clone())).collect();
        let signer = |lane, field: &str| {
            let signature = fold.lanes.get(&lane)?.signatures.get(field)?;
            Some(signature.operator.clone())
        };
        let new_code = !fold.ended && !self.has_met(&fold);
        let (thread, reopened, changes) = (thread.clone(), Vec::new(), Vec::new());
        let mut check = Check { thread, standing, new_code, reopened, changes, differences };
        if new_code && check.can_go_on() {
            let post = self.post(&check.thread).await?;
            for (lane, open) in post.fold.open() {
                let changes = match before.get(&lane) {
                    Some(before) if before.digest == open.digest => continue,
                    Some(before) => ReviewChange::between(before, open),
                    None => {
                        let node = open.visit.node.clone();
                        let by = signer(lane, &open.field).unwrap_or_default();
                        vec![ReviewChange::SignedAgain { node, by }]
                    }
                };
                check.reopened.push(open.visit.node.clone());
                check.changes.extend(changes);
            }
        }
        Ok(check)
    }
}
