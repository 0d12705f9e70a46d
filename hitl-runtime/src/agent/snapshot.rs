//! The state of a thread at one place of its journal, in the graph's own types.

use std::fmt;

use super::Graph;
use crate::{
    Error, Place, ThreadStatus,
    engine::{RootFields, thread_status, unreadable},
    journal::{Fold, FoldError},
    state::State,
    user_code::contain_panics_sync,
};

/// The state of a thread after the entry at a place.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{Snapshot, ThreadStatus};
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let Snapshot { place, standing, fields, .. } = agent.snapshot("ticket-A-9133").await?;
/// assert_eq!((place.get(), standing), (2, ThreadStatus::Waiting));
/// assert_eq!(fields.draft.map(|draft| draft.dollars), Some(149));
/// assert_eq!(fields.outcome, None);
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
pub struct Snapshot<S: State> {
    /// The place of the last entry that the snapshot includes.
    pub place: Place,
    /// The status of the thread after that entry.
    pub standing: ThreadStatus,
    /// The fields that were written by then, each an `Option`. Inside a fork these are the fields as they were before
    /// the fork.
    pub fields: S::Fields,
}

impl<S: State> Snapshot<S> {
    pub(super) fn new<G: Graph<State = S>>(fold: Fold) -> Result<Self, Error> {
        let (thread, standing) = (fold.thread.clone(), thread_status(&fold));
        let root = RootFields::new(fold)?;
        let place = root.place;
        let fields = contain_panics_sync(&thread, || fields::<G>(root))?;
        Ok(Self { place, standing, fields })
    }
}

/// Decodes the fields of a thread.
pub(super) fn fields<G: Graph>(root: RootFields) -> Result<<G::State as State>::Fields, Error> {
    let RootFields { thread, place, fields } = root;
    G::State::fields(fields).map_err(|e| unreadable(G::TABLE, &thread, place, FoldError::Changed(e)))
}

impl<S: State> fmt::Debug for Snapshot<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("place", &self.place)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}
