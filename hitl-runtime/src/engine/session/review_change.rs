//! The changes that new code makes to open reviews.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

use crate::{Timestamp, graph::RiskLevel, journal::OpenReviewState};

/// A change that new code makes to an open review, which is then reopened.
///
/// It serializes as its `code`, its text as `message`, and the `node` that waits.
///
/// ```
/// use hitl::ReviewChange;
///
/// let change = ReviewChange::Role {
///     node: "pay".into(),
///     from: Some("clerk".into()),
///     to: Some("director".into()),
/// };
/// assert_eq!(change.to_string(), "the role that the review before `pay` requires changes from `clerk` to `director`");
/// assert_eq!((change.code(), change.node()), ("role_changed", "pay"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReviewChange {
    /// Another role is required.
    Role {
        /// The node that waits.
        node: String,
        /// The role that the review required when it was opened.
        from: Option<String>,
        /// The role that is required now.
        to: Option<String>,
    },
    /// The review expires earlier.
    Deadline {
        /// The node that waits.
        node: String,
        /// The old deadline.
        from: Option<Timestamp>,
        /// The new deadline.
        to: Option<Timestamp>,
    },
    /// Reminders of the review have another interval.
    Reminder {
        /// The node that waits.
        node: String,
        /// The old interval.
        from: Option<Duration>,
        /// The new interval.
        to: Option<Duration>,
    },
    /// The review takes an edit and took none before, or the other way round.
    Edits {
        /// The node that waits.
        node: String,
        /// `true` if the review takes an edit now.
        to: bool,
    },
    /// The action has another risk.
    RiskLevel {
        /// The node that waits.
        node: String,
        /// The old risk.
        from: Option<RiskLevel>,
        /// The new risk.
        to: Option<RiskLevel>,
    },
    /// The action can be undone now and could not before, or the other way round.
    Reversible {
        /// The node that waits.
        node: String,
        /// `true` if it can be undone now.
        to: bool,
    },
    /// The person who started the thread may no longer sign.
    Requester {
        /// The node that waits.
        node: String,
    },
    /// The signed content has changed: the draft, or the shown fields or covered effects.
    Signed {
        /// The node that waits.
        node: String,
    },
    /// The draft is already signed and must be signed again, because the old rule was weaker.
    SignedAgain {
        /// The node that waits.
        node: String,
        /// The name of the operator who signed it.
        by: String,
    },
}

impl ReviewChange {
    /// Returns every difference between an open review and its reopened form.
    pub(in crate::engine) fn between(before: &OpenReviewState, after: &OpenReviewState) -> Vec<Self> {
        if before.digest == after.digest {
            return Vec::new();
        }
        let node = || after.activation.node.clone();
        let mut changes = Vec::new();
        if before.role != after.role {
            changes.push(Self::Role { node: node(), from: before.role.clone(), to: after.role.clone() });
        }
        if before.deadline != after.deadline {
            let (from, to) = (before.deadline, after.deadline);
            changes.push(Self::Deadline { node: node(), from, to });
        }
        if before.remind != after.remind {
            let (from, to) = (before.remind, after.remind);
            changes.push(Self::Reminder { node: node(), from, to });
        }
        if before.edit != after.edit {
            changes.push(Self::Edits { node: node(), to: after.edit });
        }
        if before.risk != after.risk {
            changes.push(Self::RiskLevel { node: node(), from: before.risk, to: after.risk });
        }
        if before.irreversible != after.irreversible {
            changes.push(Self::Reversible { node: node(), to: !after.irreversible });
        }
        if before.not_requester != after.not_requester {
            changes.push(Self::Requester { node: node() });
        }
        if changes.is_empty() {
            changes.push(Self::Signed { node: node() });
        }
        changes
    }

    /// Returns a stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Role { .. } => "role_changed",
            Self::Deadline { .. } => "deadline_changed",
            Self::Reminder { .. } => "reminder_changed",
            Self::Edits { .. } => "edit_changed",
            Self::RiskLevel { .. } => "risk_changed",
            Self::Reversible { .. } => "reversible_changed",
            Self::Requester { .. } => "requester_changed",
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
            | Self::RiskLevel { node, .. }
            | Self::Reversible { node, .. }
            | Self::Requester { node }
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
                write!(f, "the role that the review before `{node}` requires changes from {from} to {to}")
            }
            Self::Deadline { node, .. } => write!(f, "the review before `{node}` expires earlier"),
            Self::Reminder { node, .. } => {
                write!(f, "the reminder interval of the review before `{node}` changes")
            }
            Self::Edits { node, to: true } => {
                write!(f, "the review before `{node}` now accepts an edit")
            }
            Self::Edits { node, to: false } => {
                write!(f, "the review before `{node}` no longer accepts an edit")
            }
            Self::RiskLevel { node, from, to } => {
                let word = |risk: &Option<RiskLevel>| risk.map_or("none", RiskLevel::as_str);
                let (from, to) = (word(from), word(to));
                write!(f, "the risk of what is signed before `{node}` changes from {from} to {to}")
            }
            Self::Reversible { node, to: true } => {
                write!(f, "what is signed before `{node}` can now be undone")
            }
            Self::Reversible { node, to: false } => {
                write!(f, "what is signed before `{node}` can no longer be undone")
            }
            Self::Requester { node } => {
                write!(f, "who started the thread may no longer sign before `{node}`")
            }
            Self::Signed { node } => {
                write!(f, "the signed content of the review before `{node}` has changed")
            }
            Self::SignedAgain { node, by } => {
                write!(f, "{by} signed before `{node}` under a weaker rule, so a new signature is required")
            }
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
