//! Journal entries, and the right by which each one was appended.

pub type Place = u8;

/// One runner's hold on a thread, from its claim until the thread rests.
pub type RunnerId = u8;

/// The number that distinguishes a thread from deleted threads of the same name.
pub type Generation = u8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Draft {
    First,
    /// The draft that the node may propose after a question.
    Second,
    /// An operator's edit that everyone may sign.
    Edited,
    /// An operator's edit that a clerk may not sign.
    Large,
    /// An operator's edit that breaks the invariants of the draft.
    Invalid,
}

/// The digest that a verdict names. A field is `None` if the rule that adds it is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    pub draft: Draft,
    pub place: Option<Place>,
    pub generation: Option<Generation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    Approve,
    Edit(Draft),
    Reject,
    Ask,
    /// The rejection at the deadline.
    Expire,
}

/// The author of a decision. Only a director may sign a `Large` draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Person {
    Clerk,
    Director,
    /// The deadline, which decides without a person.
    Nobody,
}

impl Person {
    pub fn may_sign(self, draft: Draft) -> bool {
        draft != Draft::Large || self == Self::Director
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resolution {
    Happened,
    RunAgain,
    Stop,
}

/// A stop of the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stop {
    Pause,
    Cancel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    Draft,
    /// The effect, which a person signs.
    Pay,
    /// The node of the other branch.
    Side,
}

/// The value that a node wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wrote {
    Draft(Draft),
    Receipt,
    Side,
}

/// The `Paused` or `Began` entry that a person saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeenEntry {
    pub generation: Generation,
    pub place: Place,
}

/// A simplified `journal::Event`. Real entries have neither `saw` nor `late`, which the promises are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    Started,
    Ran(Wrote),
    Paused(Digest),
    Decided {
        verdict: Verdict,
        saw: SeenEntry,
        late: bool,
        by: Person,
    },
    Began,
    Failed,
    /// A failure after which the node begins again: `Event::Failed` with a time.
    Withheld,
    InDoubt,
    Settled {
        how: Resolution,
        saw: SeenEntry,
    },
    Resumed,
    Stopped(Stop),
    Unpaused,
    /// The runner of a stopped thread ends its lease: `Event::Renewed` with a lease until now.
    Released,
    Renewed,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry {
    pub event: Event,
    /// The runner that holds the thread from this entry on, by its name in the journal.
    pub lease: Option<RunnerId>,
    /// The author of the entry, and its right to append it. Real entries have neither; the promises are about them.
    pub by: RunnerId,
    pub right: Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// A claim of a thread that no runner holds.
    Claim,
    /// A claim of a thread while another runner's lease is valid.
    Theft,
    /// An entry of the runner that holds the thread.
    Holder,
    /// An entry of a runner that has lost the thread.
    Usurper,
    /// An entry of a person, appended while a runner holds the thread.
    Guest,
    /// An entry of a runner of a deleted thread of the same name.
    Stranger,
}
