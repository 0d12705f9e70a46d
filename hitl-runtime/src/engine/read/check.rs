//! The check of a thread's compatibility with this program, before the thread has to go on.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;

use crate::{
    Error, Incompatibility, ThreadId, ThreadStatus,
    engine::{
        Engine,
        session::{ReviewChange, incompatibilities, load_lenient, thread_status},
    },
    journal::{LaneId, OpenReviewState},
    store::Tail,
    user_code::contain_panics,
};

/// The compatibility of a thread with this program.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let check = agent.check("ticket-A-9133").await?;
/// // The program that the thread was started in.
/// assert!(check.can_go_on() && !check.new_code);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct CompatibilityReport {
    /// The thread.
    pub thread: ThreadId,
    /// The status of the thread.
    pub standing: ThreadStatus,
    /// `true` if other code moved the thread last, so that it has to be adapted to this program. Always `false` for a
    /// thread that has ended.
    pub new_code: bool,
    /// The nodes whose reviews are opened again if the thread goes on, because what is signed there, or its rule, has
    /// changed.
    pub reopened: Vec<String>,
    /// The changes for which the reviews are opened again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ReviewChange>,
    /// The reasons why the thread cannot go on; empty if it can.
    pub differences: Vec<Incompatibility>,
}

impl CompatibilityReport {
    /// Returns whether the thread can go on in this program.
    pub fn can_go_on(&self) -> bool {
        self.differences.is_empty()
    }
}

impl Engine {
    /// Checks if a thread can go on with this program.
    pub async fn check(self: &Arc<Self>, thread: &ThreadId) -> Result<CompatibilityReport, Error> {
        let Some(tail) = self.tail(thread).await? else {
            return Err(Error::UnknownThread { thread: thread.clone() });
        };
        contain_panics(thread, self.held_against(thread, &tail)).await
    }

    async fn held_against(
        self: &Arc<Self>,
        thread: &ThreadId,
        tail: &Tail,
    ) -> Result<CompatibilityReport, Error> {
        let fold = load_lenient(self.graph, thread, tail)?;
        let (standing, differences) = (thread_status(&fold), incompatibilities(self.graph, &fold));
        let before: BTreeMap<LaneId, OpenReviewState> =
            fold.open().map(|(lane, open)| (lane, open.clone())).collect();
        let signer = |lane, field: &str| {
            let signature = fold.lanes.get(&lane)?.signatures.get(field)?;
            Some(signature.by.to_string())
        };
        let new_code = !fold.ended && !self.is_current_code(&fold);
        let (thread, reopened, changes) = (thread.clone(), Vec::new(), Vec::new());
        let mut check = CompatibilityReport { thread, standing, new_code, reopened, changes, differences };
        if new_code && check.can_go_on() {
            let writer = self.load_writer(&check.thread).await?;
            for (lane, open) in writer.fold.open() {
                let changes = match before.get(&lane) {
                    Some(before) if before.digest == open.digest => continue,
                    Some(before) => ReviewChange::between(before, open),
                    None => {
                        let node = open.activation.node.clone();
                        let by = signer(lane, &open.field).unwrap_or_default();
                        vec![ReviewChange::SignedAgain { node, by }]
                    }
                };
                check.reopened.push(open.activation.node.clone());
                check.changes.extend(changes);
            }
        }
        Ok(check)
    }
}
