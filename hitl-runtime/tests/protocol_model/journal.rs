//! What entries say, and by what right they stand there.

pub type Place = u8;

/// A runner's hold on a thread, from its claim to its rest.
pub type Drive = u8;

/// Tells a thread from a deleted one of the same name.
pub type Life = u8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Draft {
    First,
    /// What the node may propose once it was asked a question.
    Second,
    /// What an operator made of it, which is as much as anybody may sign.
    Edited,
    /// What an operator made of it, which is more than a clerk may sign.
    Large,
    /// What breaks its invariants.
    Invalid,
}

/// What a verdict names. A part is left out where the rule is that puts it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    pub draft: Draft,
    pub place: Option<Place>,
    pub life: Option<Life>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    Approve,
    Edit(Draft),
    Reject,
    Ask,
    /// The deadline's own.
    Expire,
}

/// Who decides. What is `Large` is a director's to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Person {
    Clerk,
    Director,
    /// The deadline.
    Nobody,
}

impl Person {
    pub fn may_sign(self, draft: Draft) -> bool {
        draft != Draft::Large || self == Self::Director
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum How {
    Happened,
    RunAgain,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Node {
    Draft,
    /// The effect, which a person signs.
    Pay,
    /// What runs beside them.
    Side,
}

/// What a node wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wrote {
    Draft(Draft),
    Receipt,
    Side,
}

/// The `Paused` or the `Began` that a person had before their eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seen {
    pub life: Life,
    pub place: Place,
}

/// `journal::Event`. What a person saw, and whether they were late, no entry says; the promises are about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    Started,
    Ran(Wrote),
    Paused(Digest),
    Decided { verdict: Verdict, saw: Seen, late: bool, by: Person },
    Began,
    Failed,
    InDoubt,
    Settled { how: How, saw: Seen },
    Resumed,
    Renewed,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry {
    pub event: Event,
    /// Who has the thread from here on, by the name that the journal knows.
    pub lease: Option<Drive>,
    /// Who wrote it, and by what right. No entry says so; the promises are about it.
    pub by: Drive,
    pub right: Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// It claims a thread that nobody has.
    Claim,
    /// It claims a thread whose runner's lease still stands.
    Theft,
    /// It comes from the runner that has the thread.
    Holder,
    /// It comes from a runner that no longer has the thread.
    Usurper,
    /// It is a person's word, written while a runner has the thread.
    Guest,
    /// It comes from a runner of another thread, which had this one's name.
    Stranger,
}
