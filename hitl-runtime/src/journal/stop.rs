//! Stops: an operator's order that nothing more begins in a thread, in a graph or in a whole store.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Timestamp;
use hitl_core::unicode::escape_hidden;

/// The kind of a stop.
///
/// ```
/// use hitl::journal::StopKind;
///
/// assert_eq!(StopKind::Pause.to_string(), "paused");
/// assert_eq!(serde_json::to_string(&StopKind::Cancel)?, r#""cancel""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopKind {
    /// Nothing begins until an operator lifts the pause.
    Pause,
    /// Nothing begins any more, and open reviews are closed.
    Cancel,
}

/// Writes what has become of the thread: `paused` or `cancelled`.
impl fmt::Display for StopKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pause => "paused",
            Self::Cancel => "cancelled",
        })
    }
}

/// The part of a store that a stop is about.
///
/// ```
/// use hitl::journal::StopScope;
///
/// assert_eq!(serde_json::to_string(&StopScope::Graph("RefundAgent".into()))?, r#"{"graph":"RefundAgent"}"#);
/// assert_eq!(StopScope::Store.to_string(), "the store");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StopScope {
    /// The thread in whose journal the stop is.
    #[default]
    Thread,
    /// All threads of a graph.
    Graph(String),
    /// All threads of the store.
    Store,
}

impl StopScope {
    pub(super) fn is_thread(&self) -> bool {
        *self == Self::Thread
    }
}

impl fmt::Display for StopScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thread => f.write_str("the thread"),
            Self::Graph(graph) => write!(f, "graph `{}`", escape_hidden(graph)),
            Self::Store => f.write_str("the store"),
        }
    }
}

/// A stop that is in force.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{Scope, journal::StopKind};
///
/// # let front = RefundAgent::new(MemoryStore::new()).front();
/// front.pause(Scope::Graph, &mara(), "the model invents orders").await?;
/// let stop = &front.stops().await?[0];
/// assert_eq!((stop.kind, stop.operator.as_str()), (StopKind::Pause, "mara"));
/// assert_eq!(stop.to_string(), "graph `RefundAgent` was paused by mara: the model invents orders");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Stop {
    /// The part of the store that is stopped.
    #[serde(default, skip_serializing_if = "StopScope::is_thread")]
    pub scope: StopScope,
    /// The kind of the stop.
    pub kind: StopKind,
    /// The operator who stopped it.
    pub operator: String,
    /// `true` if the operator's identity was not verified.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
    /// The roles in which it was stopped, also once more while it was stopped. To lift the stop takes all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The operator's reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The time of the stop.
    #[serde(rename = "since_ms")]
    pub since: Timestamp,
}

impl Stop {
    /// Returns the stop that is in force if this one is given while another one is. The first pause holds, and a
    /// cancellation holds against every pause. To lift it takes the roles of all of them: else an operator of one role could
    /// lift what one of another role has stopped.
    pub(crate) fn over(mut self, before: Option<&Self>) -> Self {
        let Some(before) = before else { return self };
        let mut roles = before.roles.clone();
        roles.extend(std::mem::take(&mut self.roles).into_iter().filter(|role| !before.roles.contains(role)));
        let replaces = before.kind == StopKind::Pause && self.kind == StopKind::Cancel;
        Self { roles, ..if replaces { self } else { before.clone() } }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {} by {}", self.scope, self.kind, escape_hidden(&self.operator))?;
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", escape_hidden(&self.reason)) }
    }
}
