//! A thread as it is shown: over HTTP, in the command line, and to programs that know no graph types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::item::ItemView;
use crate::{
    Digest, Incompatibility, Place, ThreadId, ThreadStatus, Timestamp,
    error::Difference,
    graph::RiskLevel,
    journal::{Condition, Stop},
};

/// A serializable view of a thread of any graph.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?.approve(&mara()).await?;
/// let view = agent.view("ticket-A-9133").await?;
/// assert_eq!(view.graph, "RefundAgent");
/// assert_eq!(view.standing.as_str(), "ended");
/// assert_eq!(view.fields["draft"]["dollars"], 149);
/// assert_eq!(view.output.map(|output| output.len()), Some(1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ThreadView {
    /// The thread's name.
    pub thread: ThreadId,
    /// The graph that it runs on.
    pub graph: String,
    /// The status of the thread.
    pub standing: ThreadStatus,
    /// The place of its last entry.
    pub place: Place,
    /// The time at which its last entry was written.
    #[serde(rename = "at_ms")]
    pub at: Timestamp,
    /// The nodes that the thread is at, each once; more than one inside a fork.
    pub nodes: Vec<String>,
    /// `true` if the thread runs and its runner's lease has run out, so that `resume` takes it over.
    pub stalled: bool,
    /// The end of its runner's lease unless it is renewed.
    #[serde(rename = "until_ms", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The incompatibilities between the thread and this program. If there are any, the view shows the thread as far as
    /// this program can read it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Difference<'static>>")]
    pub differences: Vec<Incompatibility>,
    /// The open reviews.
    pub reviews: Vec<ReviewView>,
    /// The node that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
    /// The stop of the thread, its graph or its store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// The effect that is in doubt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_doubt: Option<InDoubtView>,
    /// The outputs by field, once the thread has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Map<String, Value>>,
    /// Every field that is written.
    pub fields: Map<String, Value>,
    /// Warnings about names in this view that could be mistaken for others: the thread's own name, and the names of
    /// people who proposed a draft. A user interface that shows such a name must show its warnings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub marks: BTreeMap<String, Vec<String>>,
}

/// An open review.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let view = agent.view("ticket-A-9133").await?;
/// let open = &view.reviews[0];
/// assert_eq!((open.node.as_str(), open.field.as_str()), ("pay", "draft"));
/// assert_eq!(open.draft, serde_json::json!({ "order": "A-9133", "dollars": 149 }));
/// assert_eq!(open.schema["properties"]["dollars"]["description"], "US dollars.");
/// assert_eq!(open.verdicts, ["approve", "edit", "reject", "ask"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ReviewView {
    /// The node that will run once the draft is signed.
    pub node: String,
    /// The field to be signed.
    pub field: String,
    /// The value of the field: exactly the argument that the node will get.
    pub draft: Value,
    /// The digest that a verdict must name.
    pub digest: Digest,
    /// The JSON Schema of the draft.
    pub schema: Value,
    /// The role that the operator must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The name of the person who proposed the draft by an edit at another review. Left out if a node proposed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<String>,
    /// The condition of the review, and its value: why a person is asked. If it is false, one was asked about this
    /// draft before, or the thread is a fork. Left out if the review has no condition, or new code opened it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// The risk of the action, the highest one of its effects. Left out if the program declares none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<RiskLevel>,
    /// `true` if the program declares that the action cannot be undone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub irreversible: bool,
    /// `true` if the person who started the thread may not sign. They may reject or ask.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_requester: bool,
    /// The verdicts that the graph offers: `approve`, `edit` unless the review takes none, `reject`, and `ask` if it is
    /// declared. Empty if the thread is incompatible with this program.
    pub verdicts: Vec<&'static str>,
    /// The time at which the review was opened.
    #[serde(rename = "opened_ms")]
    pub opened: Timestamp,
    /// The deadline of the review.
    #[serde(rename = "deadline_ms", skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The later effects that will run on the same signature, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<String>,
    /// The fields that are signed with the draft but cannot be edited, with their values. A field that is not written
    /// is left out.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub shown: Map<String, Value>,
    /// The fields that the node or a covered effect reads and that no signature covers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsigned: Vec<&'static str>,
    /// The items of the `for`s around the review, the outermost first. They are not signed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemView>,
}

impl ReviewView {
    /// Creates a view of a review of a draft, in which everything else is empty, for a test of a user interface.
    ///
    /// ```
    /// use hitl::{Digest, ReviewView};
    ///
    /// let mut open = ReviewView::new("pay", "draft", serde_json::json!({ "dollars": 149 }), Digest::of(b""));
    /// open.role = Some("refund-approver".into());
    /// ```
    pub fn new(
        node: impl Into<String>,
        field: impl Into<String>,
        draft: impl Into<Value>,
        digest: Digest,
    ) -> Self {
        Self {
            node: node.into(),
            field: field.into(),
            draft: draft.into(),
            digest,
            schema: Value::Null,
            role: None,
            proposed_by: None,
            when: None,
            risk: None,
            irreversible: false,
            not_requester: false,
            verdicts: Vec::new(),
            opened: Timestamp::UNIX_EPOCH,
            deadline: None,
            covers: Vec::new(),
            shown: Map::new(),
            unsigned: Vec::new(),
            items: Vec::new(),
        }
    }
}

/// A node that failed.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = agent.start("ticket-1", TicketInput { message: "it arrived broken".to_owned() }).await?;
/// let failure = agent.view("ticket-1").await?.failure;
/// let said = failure.map(|failure| (failure.node, failure.error));
/// assert_eq!(said, Some(("draft".to_owned(), "the message names no order".to_owned())));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct FailureView {
    /// The node.
    pub node: String,
    /// The error of the node.
    pub error: String,
    /// `true` if a person stopped the thread, so that it cannot be resumed.
    pub stopped: bool,
}

/// An effect that is in doubt.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = in_doubt(&agent).await?;
/// if let Some(doubt) = agent.view("ticket-A-0000").await?.in_doubt {
///     println!("did `{}` happen? Look for {} at the bank.", doubt.node, doubt.key);
///     println!("If it did, say what it would have written: {:?}", doubt.writes);
/// #   assert_eq!((doubt.node.as_str(), doubt.writes), ("pay", vec!["outcome"]));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct InDoubtView {
    /// The effect.
    pub node: String,
    /// The digest that identifies this doubt for a settlement.
    pub digest: Digest,
    /// The idempotency key that the effect began with.
    pub key: String,
    /// The reason for the doubt: the effect's error, or that its runner lost its lease.
    pub error: String,
    /// The time since which the effect is in doubt.
    #[serde(rename = "since_ms")]
    pub since: Timestamp,
    /// The fields that the node would have written.
    pub writes: Vec<&'static str>,
    /// The conditions of the settlement `run_again`, and the idempotency key that both runs have.
    pub run_again: String,
    /// The role that an operator must hold to settle the effect; the first one, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// All roles that an operator must hold to settle the effect, if there are several: the role of each signature that
    /// the effect runs on, or, if it runs on no signature that was given in a role, the role of each review that can
    /// come after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The roles of which an operator needs one to run the effect again or to stop the thread, if the effect runs on no
    /// signature that was given in a role: all roles that the graph's reviews require.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any_role: Vec<String>,
}
