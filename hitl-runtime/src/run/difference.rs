//! What stands between an old thread and new code.

use serde::{Serialize, Serializer};

use crate::{Violation, prose::list};

/// One reason why a thread cannot go on in this program.
///
/// It serializes as its `code`, its sentence as `message`, and the `node` and the `field` where it is about one.
///
/// ```
/// use hitl::Difference;
///
/// let gone = Difference::NodeGone {
///     node: "execute".into(),
///     graph: "RefundAgent".into(),
///     near: Some("executed".into()),
/// };
/// assert_eq!((gone.code(), gone.node()), ("node_gone", Some("execute")));
/// println!("{gone}"); // … if that is the same one, write `renamed execute -> executed;` in `graph!`
/// assert_eq!(serde_json::to_value(&gone)?["code"], "node_gone");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// The thread was started on another graph.
    #[error("it runs on the graph `{graph}`, and this program's is `{this}`")]
    OtherGraph {
        /// The thread's.
        graph: String,
        /// The program's.
        this: String,
    },
    /// A later version of the state has written to the thread.
    #[error(
        "it is from the future: version {version} of `{state}` has written to it, and this program knows version {known}; run the newer program"
    )]
    FromTheFuture {
        /// The state.
        state: String,
        /// The thread's version.
        version: u32,
        /// The program's.
        known: u32,
    },
    /// The thread stands at a node that is no more.
    #[error("it stands at node `{node}`, which `{graph}` no longer has; {}", renamed(node, near.as_deref()))]
    NodeGone {
        /// The node.
        node: String,
        /// The program's graph.
        graph: String,
        /// A node of it that may be the same.
        near: Option<String>,
    },
    /// The thread's branches are to meet at a node that is no more.
    #[error("its branches are to meet at node `{node}`, which `{graph}` no longer has; {}", renamed(node, near.as_deref()))]
    JoinGone {
        /// The node.
        node: String,
        /// The program's graph.
        graph: String,
        /// A node of it that may be the same.
        near: Option<String>,
    },
    /// A node was moved into a fork's branch, out of one, or to another fork.
    #[error("node `{node}` {problem} when the thread came there")]
    Misplaced {
        /// The node.
        node: String,
        /// Where it is, and where it was.
        problem: String,
    },
    /// Something has written a field that is no more.
    #[error(
        "`{state}` has no field `{field}` any more, and the thread has written it{}; say what becomes of it: {}",
        near.as_ref().map(|near| format!(" (is it `{near}` now?)")).unwrap_or_default(),
        migration(*version)
    )]
    FieldGone {
        /// The field.
        field: String,
        /// The state.
        state: String,
        /// A field of it that may be the same.
        near: Option<String>,
        /// The version of the state that wrote it, and the program's.
        version: (u32, u32),
    },
    /// A value is not of its field's type.
    #[error("`{field}` does not fit its type: {}; {}", at(path, problem), migration(*version))]
    TypeChanged {
        /// The field.
        field: String,
        /// The path inside its value; empty for the value as a whole.
        path: String,
        /// What is wrong there.
        problem: String,
        /// The version of the state that wrote it, and the program's.
        version: (u32, u32),
    },
    /// Code of a field's type failed on what the thread has written: it panicked, or gave no JSON.
    #[error("the {place} {problem}")]
    Broken {
        /// The field.
        field: String,
        /// The code, such as ``deserializer of `draft` ``.
        place: String,
        /// What happened there: `panicked: …` or `failed: …`.
        problem: String,
    },
    /// The function behind `#[state(migrate = …)]` refused.
    #[error("the migration of `{state}` from version {from} failed: {problem}")]
    Unmigrated {
        /// The state.
        state: String,
        /// The version that it was given.
        from: u32,
        /// What it said.
        problem: String,
    },
    /// What is to be signed breaks its invariants.
    #[error("`{field}`, which is to be signed before `{node}`, breaks its invariants: {}", list(violations))]
    InvariantTightened {
        /// The field.
        field: String,
        /// The node that waits for the signature.
        node: String,
        /// What is wrong with it.
        violations: Vec<Violation>,
    },
    /// A node ahead reads what nothing writes.
    #[error("node `{node}` reads `{field}`, which some way there from here leaves unwritten; add it: {}", migration(*version))]
    Unwritten {
        /// The node.
        node: String,
        /// The field.
        field: String,
        /// The version of the state that the thread has, and the program's.
        version: (u32, u32),
    },
    /// Some way ahead ends without an output.
    #[error("some way to the end from here leaves the output `{field}` unwritten; add it: {}", migration(*version))]
    OutputUnwritten {
        /// The field.
        field: String,
        /// The version of the state that the thread has, and the program's.
        version: (u32, u32),
    },
    /// A node ahead takes a field as signed, and it is not.
    #[error("node `{node}` takes `{field}` as signed, and {}", unsigned(signed_by.as_deref()))]
    Unsigned {
        /// The node.
        node: String,
        /// The field.
        field: String,
        /// Who signed what the migration has made another value of.
        signed_by: Option<String>,
    },
    /// A node ahead runs on a signature that was given under a weaker rule than this program's.
    #[error(
        "node `{node}` takes `{field}` as signed, and {signed_by} signed it under a weaker rule than this program's; \
         finish the thread with the program that it was signed in"
    )]
    WeaklySigned {
        /// The node.
        node: String,
        /// The field.
        field: String,
        /// The name of the operator who signed it.
        signed_by: String,
    },
    /// Nobody saw how an effect ended that is no effect any more.
    #[error(
        "nobody saw how `{node}` ended, and it is no effect any more; settle it with the program that began it"
    )]
    NotAnEffect {
        /// The node.
        node: String,
    },
    /// A review is open that the graph no longer asks for.
    #[error(
        "a person is asked before `{node}`, and nothing stops there any more; decide it with the program that asked"
    )]
    NoReview {
        /// The node.
        node: String,
    },
    /// A node takes what a verdict brings, and none led to it.
    #[error("node `{node}` takes the {what} that led to it, and none did")]
    Unbrought {
        /// The node.
        node: String,
        /// `rejection` or `question`.
        what: &'static str,
    },
    /// A draft has another JSON form than when it was shown.
    #[error(
        "`{field}` reads otherwise in this program than when its review before `{node}` was opened; edit it, or reject it"
    )]
    Redrafted {
        /// The node.
        node: String,
        /// The field.
        field: String,
    },
    /// The graph does not say where the thread goes on.
    #[error("{problem}")]
    NoWay {
        /// What is missing.
        problem: String,
    },
}

impl Difference {
    /// A stable word for programs.
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

    /// The node that it is about.
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

    /// The field that it is about.
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

impl Serialize for Difference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            code: &'static str,
            message: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            node: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            field: Option<&'a str>,
        }
        let message = self.to_string();
        Told { code: self.code(), message, node: self.node(), field: self.field() }.serialize(serializer)
    }
}

fn renamed(node: &str, near: Option<&str>) -> String {
    match near {
        Some(near) => {
            format!(
                "it has a node `{near}`: if that is the same one, write `renamed {node} -> {near};` in `graph!`"
            )
        }
        None => format!("if it has another name now, write `renamed {node} -> …;` in `graph!`"),
    }
}

/// What to do about a value, by the version that wrote it and the program's.
fn migration((from, to): (u32, u32)) -> String {
    if from < to {
        format!("its `migrate` is where that is done, from version {from}")
    } else {
        format!("`#[state(version = {}, migrate = …)]` is where that is done", to.saturating_add(1))
    }
}

fn at(path: &str, problem: &str) -> String {
    if path.is_empty() { problem.to_owned() } else { format!("{path}: {problem}") }
}

fn unsigned(by: Option<&str>) -> String {
    match by {
        Some(by) => format!("what {by} has signed is not what the migration makes of it"),
        None => "on some way there from here nobody signs it".to_owned(),
    }
}
