//! The rule of an open review: who may sign it, by when, and what for. New code may ask for more than the code that
//! opened it, and a journal may say less than the program asks for.

use std::fmt;

use serde::{Serialize, Serializer};

use super::terms;
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

    /// Whether an open review asks for all that the program asks for before this node, and covers and shows the same: what
    /// the journal says of a review is not taken for what the program says.
    pub(super) fn is_as_asked(open: &OpenAt, node: &str, interrupt: &InterruptSpec) -> bool {
        let latest = interrupt.expires_ms.map(|span| open.opened_ms.saturating_add(span));
        interrupt.field == open.field
            && interrupt.edit == open.edit
            && interrupt.remind_ms == open.remind_ms
            && interrupt.role.is_none_or(|role| open.role.as_deref() == Some(role))
            && latest.is_none_or(|latest| open.deadline_ms.is_some_and(|deadline| deadline <= latest))
            && terms::are(&open.covers, &open.shows, node, interrupt)
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
    /// The review takes an edit and took none, or the other way round.
    Edits {
        /// The node that waits.
        node: String,
        /// Whether it takes one now.
        to: bool,
    },
    /// Something else is signed: the draft, or what is shown or covered beside it.
    Signed {
        /// The node that waits.
        node: String,
    },
    /// What was signed already is signed again, because less was asked for then.
    SignedAgain {
        /// The node that waits.
        node: String,
        /// The name of the operator who signed it.
        by: String,
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
        if before.edit != after.edit {
            changes.push(Self::Edits { node: node(), to: after.edit });
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
            Self::Edits { .. } => "edit_changed",
            Self::Signed { .. } => "signed_changed",
            Self::SignedAgain { .. } => "signed_again",
        }
    }

    /// Returns the node that waits.
    pub fn node(&self) -> &str {
        match self {
            Self::Role { node, .. }
            | Self::Deadline { node, .. }
            | Self::Reminder { node, .. }
            | Self::Edits { node, .. }
            | Self::Signed { node }
            | Self::SignedAgain { node, .. } => node,
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
            Self::Edits { node, to: true } => {
                write!(f, "the review before `{node}` takes an edit, and took none")
            }
            Self::Edits { node, to: false } => write!(f, "the review before `{node}` takes no edit any more"),
            Self::Signed { node } => write!(f, "what is signed before `{node}` has changed"),
            Self::SignedAgain { node, by } => write!(
                f,
                "what {by} has signed before `{node}` was signed under a weaker rule, and is to be signed again"
            ),
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
