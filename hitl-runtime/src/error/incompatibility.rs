//! The reasons why a thread is incompatible with this program.

use hitl_core::text::list;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::Violation;

/// A reason why a thread is incompatible with this program and cannot go on in it.
///
/// It serializes as its `code`, its text as `message`, and its `node` and `field` if it has them.
///
/// ```
/// use hitl::Incompatibility;
///
/// let gone = Incompatibility::NodeGone {
///     node: "execute".into(),
///     graph: "RefundAgent".into(),
///     near: Some("executed".into()),
/// };
/// assert_eq!((gone.code(), gone.node()), ("node_gone", Some("execute")));
/// println!("{gone}"); // … if `executed` is that node, write `renamed execute -> executed;` in `graph!`
/// assert_eq!(serde_json::to_value(&gone)?["code"], "node_gone");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Incompatibility {
    /// The thread was started on another graph.
    #[error(
        "the thread was started on graph `{graph}`, but this program's graph is `{this}`; use the program of `{graph}`"
    )]
    OtherGraph {
        /// The graph of the thread.
        graph: String,
        /// The graph of this program.
        this: String,
    },
    /// A newer version of the state has written to the thread.
    #[error(
        "version {version} of `{state}` has written to the thread, but this program knows only version {known}; run the newer program"
    )]
    FromTheFuture {
        /// The name of the state.
        state: String,
        /// The version of the state in the thread.
        version: u32,
        /// The version of the state in this program.
        known: u32,
    },
    /// The thread is at a node that the graph no longer has.
    #[error("the thread is at node `{node}`, which `{graph}` no longer has; {}", renamed(node, near.as_deref()))]
    NodeGone {
        /// The node.
        node: String,
        /// The graph of this program.
        graph: String,
        /// A node of the graph with a similar name, which may be the same node.
        near: Option<String>,
    },
    /// The join of the thread's branches is a node that the graph no longer has.
    #[error("the thread's branches join at node `{node}`, which `{graph}` no longer has; {}", renamed(node, near.as_deref()))]
    JoinGone {
        /// The node.
        node: String,
        /// The graph of this program.
        graph: String,
        /// A node of the graph with a similar name, which may be the same node.
        near: Option<String>,
    },
    /// The node was moved into a branch of a fork, out of one, or to another fork.
    #[error("node `{node}` {problem} when the thread arrived at it")]
    Misplaced {
        /// The node.
        node: String,
        /// The node's present and former position.
        problem: String,
    },
    /// The thread has a value in a field that the state no longer has.
    #[error(
        "`{state}` no longer has the field `{field}`, which the thread has written{}; rename or remove it {}",
        near.as_ref().map(|near| format!(" (is it `{near}` now?)")).unwrap_or_default(),
        migration(*version)
    )]
    FieldGone {
        /// The field.
        field: String,
        /// The name of the state.
        state: String,
        /// A field of the state with a similar name, which may be the same field.
        near: Option<String>,
        /// The version of the state that wrote the field, and this program's version.
        version: (u32, u32),
    },
    /// A value does not have its field's type.
    #[error("`{field}` does not match its type: {}; convert it {}", at(path, problem), migration(*version))]
    TypeChanged {
        /// The field.
        field: String,
        /// The path inside the value; empty for the whole value.
        path: String,
        /// The problem at this path.
        problem: String,
        /// The version of the state that wrote the field, and this program's version.
        version: (u32, u32),
    },
    /// Code of a field's type failed on the thread's value: it panicked, or did not produce JSON.
    #[error("the {place} {problem}")]
    Broken {
        /// The field.
        field: String,
        /// The code that failed, such as ``deserializer of `draft` ``.
        place: String,
        /// The failure: `panicked: …` or `failed: …`.
        problem: String,
    },
    /// The function behind `#[state(migrate = …)]` returned an error.
    #[error("the migration of `{state}` from version {from} failed: {problem}")]
    Unmigrated {
        /// The name of the state.
        state: String,
        /// The version that the function was to migrate from.
        from: u32,
        /// The error text of the function.
        problem: String,
    },
    /// A draft that is to be signed breaks its invariants.
    #[error("`{field}`, which is to be signed before `{node}`, breaks its invariants: {}", list(violations))]
    InvariantTightened {
        /// The field.
        field: String,
        /// The node whose review asks for the signature.
        node: String,
        /// The broken invariants.
        violations: Vec<Violation>,
    },
    /// A node on the remaining path reads a field that some path to it does not write.
    #[error("node `{node}` reads `{field}`, which some path from the thread's position does not write; add it {}", migration(*version))]
    Unwritten {
        /// The node.
        node: String,
        /// The field.
        field: String,
        /// The version of the state in the thread, and in this program.
        version: (u32, u32),
    },
    /// Some path to the end does not write an output.
    #[error("some path from the thread's position to the end does not write the output `{field}`; add it {}", migration(*version))]
    OutputUnwritten {
        /// The field.
        field: String,
        /// The version of the state in the thread, and in this program.
        version: (u32, u32),
    },
    /// A node on the remaining path requires a signed field, and some path to it does not sign the field.
    #[error("node `{node}` requires a signed `{field}`, but {}", unsigned(signed_by.as_deref()))]
    Unsigned {
        /// The node.
        node: String,
        /// The field.
        field: String,
        /// The operator who signed the value that the migration has changed, if that is the reason.
        signed_by: Option<String>,
    },
    /// A node on the remaining path would run on a signature that was given under a weaker rule than this program's.
    #[error(
        "node `{node}` requires a signed `{field}`, but {signed_by} signed it under a weaker rule than this program's; \
         finish the thread with the program in which it was signed"
    )]
    WeaklySigned {
        /// The node.
        node: String,
        /// The field.
        field: String,
        /// The name of the operator who signed it.
        signed_by: String,
    },
    /// An effect of unknown outcome began at a node that is no effect any more.
    #[error(
        "effect `{node}` is in doubt, but this program does not declare it as an effect; settle it with the program that began it"
    )]
    NotAnEffect {
        /// The node.
        node: String,
    },
    /// A review is open that the graph no longer declares.
    #[error(
        "a review is open before `{node}`, but this program declares none there; decide it with the program that opened it"
    )]
    NoReview {
        /// The node.
        node: String,
    },
    /// A node requires a rejection or a question, and the thread did not come there through one.
    #[error("node `{node}` requires a {what}, but the thread did not arrive through one")]
    Unbrought {
        /// The node.
        node: String,
        /// `rejection` or `question`.
        what: &'static str,
    },
    /// A draft no longer has the JSON that it had when its review was opened.
    #[error(
        "the JSON of `{field}` differs in this program from the draft in the review before `{node}`; edit or reject it"
    )]
    Redrafted {
        /// The node.
        node: String,
        /// The field.
        field: String,
    },
    /// The graph declares no edge for the thread to go on.
    #[error("{problem}")]
    NoWay {
        /// The missing edge, as a sentence.
        problem: String,
    },
}

impl Incompatibility {
    /// Returns a stable identifier for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherGraph { .. } => "other_graph",
            Self::FromTheFuture { .. } => "from_the_future",
            Self::NodeGone { .. } => "node_gone",
            Self::JoinGone { .. } => "join_gone",
            Self::Misplaced { .. } => "misplaced",
            Self::FieldGone { .. } => "field_gone",
            Self::TypeChanged { .. } => "type_changed",
            Self::Broken { .. } => "broken",
            Self::Unmigrated { .. } => "unmigrated",
            Self::InvariantTightened { .. } => "invariant_tightened",
            Self::Unwritten { .. } => "unwritten",
            Self::OutputUnwritten { .. } => "output_unwritten",
            Self::Unsigned { .. } => "unsigned",
            Self::WeaklySigned { .. } => "weakly_signed",
            Self::NotAnEffect { .. } => "not_an_effect",
            Self::NoReview { .. } => "no_review",
            Self::Unbrought { .. } => "unbrought",
            Self::Redrafted { .. } => "redrafted",
            Self::NoWay { .. } => "no_way",
        }
    }

    /// Returns the node that the incompatibility is about.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::NodeGone { node, .. }
            | Self::JoinGone { node, .. }
            | Self::Misplaced { node, .. }
            | Self::InvariantTightened { node, .. }
            | Self::Unwritten { node, .. }
            | Self::Unsigned { node, .. }
            | Self::WeaklySigned { node, .. }
            | Self::NotAnEffect { node }
            | Self::NoReview { node }
            | Self::Unbrought { node, .. }
            | Self::Redrafted { node, .. } => Some(node),
            _ => None,
        }
    }

    /// Returns the field that the incompatibility is about.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::FieldGone { field, .. }
            | Self::TypeChanged { field, .. }
            | Self::Broken { field, .. }
            | Self::InvariantTightened { field, .. }
            | Self::Unwritten { field, .. }
            | Self::OutputUnwritten { field, .. }
            | Self::Unsigned { field, .. }
            | Self::WeaklySigned { field, .. }
            | Self::Redrafted { field, .. } => Some(field),
            _ => None,
        }
    }
}

/// An incompatibility between a thread and the program, in JSON.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Difference<'a> {
    /// The stable code of its kind, for programs.
    code: &'static str,
    /// The problem and its solution, for people.
    message: String,
    /// The node that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    /// The field that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Serialize for Incompatibility {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = self.to_string();
        Difference { code: self.code(), message, node: self.node(), field: self.field() }
            .serialize(serializer)
    }
}

fn renamed(node: &str, near: Option<&str>) -> String {
    match near {
        Some(near) => {
            format!("if `{near}` is that node, write `renamed {node} -> {near};` in `graph!`")
        }
        None => format!("if it was renamed, write `renamed {node} -> …;` in `graph!`"),
    }
}

/// Returns the advice for a value, by the version that wrote it and this program's version.
fn migration((from, to): (u32, u32)) -> String {
    if from < to {
        format!("in `migrate`, for version {from}")
    } else {
        format!("with `#[state(version = {}, migrate = …)]`", to.saturating_add(1))
    }
}

fn at(path: &str, problem: &str) -> String {
    if path.is_empty() { problem.to_owned() } else { format!("{path}: {problem}") }
}

fn unsigned(by: Option<&str>) -> String {
    match by {
        Some(by) => format!("the migration changed the value that {by} signed"),
        None => "some path from the thread's position does not sign it".to_owned(),
    }
}
