//! The rules of the protocol, each of which can be taken out of the model.

/// A rule. The table of the [module](super) says where it lives in the source, and what breaks without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// An append names the place that it fills, and fails if that is taken.
    Fence,
    /// An append names the entry that it follows, and fails in a namesake of its thread.
    FenceNamesEntry,
    /// Of the entries of one append all are stored or none.
    AllOrNone,
    /// Whoever finds the place taken reads the thread anew and decides anew what to do.
    LookAgain,
    /// A runner that finds the place taken goes on only if the lease is still its own.
    HoldOn,
    /// Each drive has a name of its own, even in one process.
    OwnName,
    /// A thread whose lease stands is not taken up.
    Lease,
    /// What an entry announces begins once the entry is stored.
    StoredFirst,
    /// Of an append whose answer was lost, the journal says whether it is there.
    LookWhose,
    /// The end of a try is written only where the thread still stands at that try.
    SameVisit,
    /// A verdict is about the review whose digest it names.
    DigestMatches,
    /// A digest names the place of its review.
    DigestNamesPlace,
    /// A digest names its thread, and not only the thread's name.
    DigestNamesThread,
    /// An edit is held against the invariants, as the draft was.
    EditChecked,
    /// What an edit made is what runs.
    EditRuns,
    /// An edit goes to the review that its draft leads to.
    EditTakesItsWay,
    /// An edit that was proposed anew signs only what its operator may sign.
    EditSignsItsOwn,
    /// A review whose time is over takes no verdict.
    Deadline,
    /// `Began` is written before an effect.
    BeganFirst,
    /// An effect whose runner is gone is in doubt.
    OrphanIsDoubt,
    /// An effect that ends in an error is in doubt.
    ErrorIsDoubt,
    /// What is in doubt is not resumed.
    DoubtWaits,
    /// What a person stopped is not resumed.
    StopIsFinal,
    /// A settlement is about the doubt that its author saw.
    SettlesItsDoubt,
    /// An idempotency key belongs to one coming to a node, however often the node begins.
    KeyOfVisit,
}

/// The protocol, whole or without one of its rules, on one of the graphs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Protocol {
    pub without: Option<Rule>,
    /// Whether a node runs beside the lane that waits for its review.
    pub side: bool,
    /// Whether the effect is declared `idempotent`.
    pub idempotent: bool,
    /// What an edit may make that is more than a clerk may sign; then there is a director, too.
    pub large: Option<super::journal::Draft>,
}

impl Protocol {
    pub fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }
}
