//! The rules of the protocol, each of which can be taken out of the model.

/// A rule. The table of the [module](super) names its implementation, and the promises that break without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// An append names the place that it fills, and fails if that is taken.
    AppendNamesPlace,
    /// An append names the entry that it follows, and fails in another thread of the same name.
    AppendNamesPredecessor,
    /// An append stores all of its entries or none.
    AtomicAppend,
    /// A runner that finds the place taken reads the thread again, and decides again.
    RereadOnConflict,
    /// A runner that finds the place taken continues only if it still holds the lease.
    StopWithoutLease,
    /// Each claim has a unique name, even within one process.
    UniqueClaimName,
    /// A thread with a valid lease is not taken over.
    Lease,
    /// An attempt starts after the entry that announces it is stored.
    StoreBeforeAttempt,
    /// After a lost response, the journal decides whether the append is stored.
    ReadEntryAfterFailure,
    /// The end of an attempt is appended only if the thread is still in the same activation.
    SameActivation,
    /// A verdict applies only to the review whose digest it names.
    DigestMatches,
    /// A digest names the place of its review.
    DigestNamesPlace,
    /// A digest names the id of its thread, in addition to the thread's name.
    DigestNamesThread,
    /// An edit is checked against the invariants, as the draft was.
    EditChecked,
    /// An effect runs on the edited draft.
    EditRuns,
    /// An edit goes to the review that the edited draft leads to.
    EditFollowsGraph,
    /// An edit that was proposed again signs only if its operator may sign the edited draft.
    EditSignsIfPermitted,
    /// A review past its deadline accepts no verdict.
    Deadline,
    /// `Began` is written before an effect.
    BeganFirst,
    /// An effect whose runner is gone is in doubt.
    OrphanIsDoubt,
    /// An effect that ends in an error is in doubt.
    ErrorIsDoubt,
    /// `resume` does not run an effect in doubt.
    DoubtWaits,
    /// `resume` does not run an effect that a person stopped.
    StopIsFinal,
    /// A settlement applies only to the doubt that its author saw.
    SettlesItsDoubt,
    /// No node begins in a thread that is stopped.
    StopFences,
    /// Just before the call of an effect, the stops are read again.
    StopReadBeforeCall,
    /// A cancelled thread takes no verdict, and no effect in doubt of it runs again.
    CancelCloses,
    /// An idempotency key belongs to one activation of a node, across all its attempts.
    KeyPerActivation,
}

/// The protocol, with all rules or without one of them, on one of the graphs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Protocol {
    pub without: Option<Rule>,
    /// `true` if a second branch runs beside the one that waits for its review.
    pub side: bool,
    /// `true` if the effect is declared `idempotent`.
    pub idempotent: bool,
    /// `true` if people stop the thread, or all threads.
    pub stops: bool,
    /// An edited draft that a clerk may not sign. If there is one, there is a director, too.
    pub large: Option<super::journal::Draft>,
}

impl Protocol {
    pub fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}
