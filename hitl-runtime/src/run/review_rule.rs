//! The rule of an open review: who may sign it and by when. New code may ask for more than the code that opened it.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{graph::InterruptSpec, journal::OpenAt};

/// Who may sign a review, by when, and how often it is brought up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReviewRule {
    pub(super) role: Option<String>,
    pub(super) deadline_ms: Option<u64>,
    pub(super) remind_ms: Option<u64>,
}

impl ReviewRule {
    /// Returns the rule of a review that opens at `opened_ms`.
    pub(super) fn new(interrupt: &InterruptSpec, opened_ms: u64) -> Self {
        Self {
            role: interrupt.role.map(str::to_owned),
            deadline_ms: interrupt.expires_ms.map(|span| opened_ms.saturating_add(span)),
            remind_ms: interrupt.remind_ms,
        }
    }

    /// Returns the rule that an open review was opened under.
    pub(super) fn opened(open: &OpenAt) -> Self {
        Self { role: open.role.clone(), deadline_ms: open.deadline_ms, remind_ms: open.remind_ms }
    }

    /// Returns the rule of an open review in a program that asks for `interrupt`: the stricter of both.
    ///
    /// The program's role counts, and the old one where the program asks for none. The deadline is the earlier one of
    /// the old deadline and the program's span, counted from when the review was opened.
    pub(super) fn in_program(open: &OpenAt, interrupt: &InterruptSpec) -> Self {
        let asked = Self::new(interrupt, open.opened_ms);
        Self {
            role: asked.role.or_else(|| open.role.clone()),
            deadline_ms: open.deadline_ms.into_iter().chain(asked.deadline_ms).min(),
            remind_ms: asked.remind_ms,
        }
    }
}

/// A change that new code makes to an open review, which is opened again for it.
///
/// It serializes as its `code`, its sentence as `message`, and the `node` that waits.
///
/// ```
/// use hitl::ReviewChange;
///
/// let change = ReviewChange::Role {
///     node: "pay".into(),
///     from: Some("clerk".into()),
///     to: Some("director".into()),
/// };
/// assert_eq!(change.to_string(), "the review before `pay` asks for the role `director`, and asked for `clerk`");
/// assert_eq!((change.code(), change.node()), ("role_changed", "pay"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReviewChange {
    /// Another role is asked for.
    Role {
        /// The node that waits.
        node: String,
        /// The role that the review was opened for.
        from: Option<String>,
        /// The role that is asked for now.
        to: Option<String>,
    },
    /// The review expires earlier.
    Deadline {
        /// The node that waits.
        node: String,
        /// When it was to expire, in milliseconds since the epoch.
        from_ms: Option<u64>,
        /// When it expires now, in milliseconds since the epoch.
        to_ms: Option<u64>,
    },
    /// The review is brought up at another interval.
    Reminder {
        /// The node that waits.
        node: String,
        /// The old interval in milliseconds.
        from_ms: Option<u64>,
        /// The new interval in milliseconds.
        to_ms: Option<u64>,
    },
    /// Something else is signed: the draft, or what is shown or covered beside it.
    Signed {
        /// The node that waits.
        node: String,
    },
}

impl ReviewChange {
    /// Returns every difference between an open review as it was and as it is opened again.
    pub(super) fn between(before: &OpenAt, after: &OpenAt) -> Vec<Self> {
        if before.digest == after.digest {
            return Vec::new();
        }
        let node = || after.visit.node.clone();
        let mut changes = Vec::new();
        if before.role != after.role {
            changes.push(Self::Role { node: node(), from: before.role.clone(), to: after.role.clone() });
        }
        if before.deadline_ms != after.deadline_ms {
            let (from_ms, to_ms) = (before.deadline_ms, after.deadline_ms);
            changes.push(Self::Deadline { node: node(), from_ms, to_ms });
        }
        if before.remind_ms != after.remind_ms {
            let (from_ms, to_ms) = (before.remind_ms, after.remind_ms);
            changes.push(Self::Reminder { node: node(), from_ms, to_ms });
        }
        if changes.is_empty() {
            changes.push(Self::Signed { node: node() });
        }
        changes
    }

    /// Returns a stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Role { .. } => "role_changed",
            Self::Deadline { .. } => "deadline_changed",
            Self::Reminder { .. } => "reminder_changed",
            Self::Signed { .. } => "signed_changed",
        }
    }

    /// Returns the node that waits.
    pub fn node(&self) -> &str {
        match self {
            Self::Role { node, .. }
            | Self::Deadline { node, .. }
            | Self::Reminder { node, .. }
            | Self::Signed { node } => node,
        }
    }
}

impl fmt::Display for ReviewChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role { node, from, to } => {
                let role = |role: &Option<String>| match role {
                    Some(role) => format!("`{role}`"),
                    None => "none".to_owned(),
                };
                let (from, to) = (role(from), role(to));
                write!(f, "the review before `{node}` asks for the role {to}, and asked for {from}")
            }
            Self::Deadline { node, .. } => write!(f, "the review before `{node}` expires earlier"),
            Self::Reminder { node, .. } => {
                write!(f, "the review before `{node}` is brought up at another interval")
            }
            Self::Signed { node } => write!(f, "what is signed before `{node}` has changed"),
        }
    }
}

impl Serialize for ReviewChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Change<'a> {
            code: &'static str,
            message: String,
            node: &'a str,
        }
        Change { code: self.code(), message: self.to_string(), node: self.node() }.serialize(serializer)
    }
}
