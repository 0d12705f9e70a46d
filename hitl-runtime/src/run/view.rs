//! Threads as JSON, for command lines, HTTP and forms.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Agent, Graph, Incompatibility,
    item::{self, ItemView},
    lenient_load::{incompatibilities, load_lenient},
    settle::RequiredRoles,
    thread_state::{self, locate_review},
    thread_writer::{ThreadWriter, thread_status},
};
use crate::{
    Digest, Error, Place, ThreadId, ThreadStatus,
    graph::{EdgeKind, Point},
    journal::{Fold, LaneId, OpenReviewState, shown},
    store::Tail,
    unicode,
    user_code::contain_panics_sync,
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
#[derive(Clone, Debug, Serialize)]
pub struct ThreadView {
    /// The thread's name.
    pub thread: ThreadId,
    /// The graph that it runs on.
    pub graph: String,
    /// The status of the thread.
    pub standing: ThreadStatus,
    /// The place of its last entry.
    pub place: Place,
    /// The time at which its last entry was written, in milliseconds since the epoch.
    pub at_ms: u64,
    /// The nodes that the thread is at, each once; more than one inside a fork.
    pub nodes: Vec<String>,
    /// `true` if the thread runs and its runner's lease has run out, so that `resume` takes it over.
    pub stalled: bool,
    /// The end of its runner's lease unless it is renewed, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// The incompatibilities between the thread and this program. If there are any, the view shows the thread as far as
    /// this program can read it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Incompatibility>,
    /// The open reviews.
    pub reviews: Vec<ReviewView>,
    /// The node that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
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
#[derive(Clone, Debug, Serialize)]
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
    /// The verdicts that the graph offers: `approve`, `edit` unless the review takes none, `reject`, and `ask` if it is
    /// declared. Empty if the thread is incompatible with this program.
    pub verdicts: Vec<&'static str>,
    /// The time at which the review was opened, in milliseconds since the epoch.
    pub opened_ms: u64,
    /// The deadline of the review, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
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
#[derive(Clone, Debug, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
pub struct InDoubtView {
    /// The effect.
    pub node: String,
    /// The digest that identifies this doubt for a settlement.
    pub digest: Digest,
    /// The idempotency key that the effect began with.
    pub key: String,
    /// The reason for the doubt: the effect's error, or that its runner lost its lease.
    pub error: String,
    /// The time since which the effect is in doubt, in milliseconds since the epoch.
    pub since_ms: u64,
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

impl<G: Graph> Agent<G> {
    /// Returns a view of a thread. It runs nothing and writes nothing. A thread that is incompatible with this program
    /// is shown as far as the program can read it, with its incompatibilities.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let view = agent.view("ticket-A-9133").await?;
    /// println!("{}", serde_json::to_string_pretty(&view)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::thread`].
    pub async fn view<T>(&self, thread: T) -> Result<ThreadView, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let Some(tail) = self.inner.tail(&thread).await? else {
            return Err(Error::UnknownThread { thread });
        };
        contain_panics_sync(&thread, || self.seen(&thread, &tail))
    }

    fn seen(&self, thread: &ThreadId, tail: &Tail) -> Result<ThreadView, Error> {
        match self.inner.read_tail(thread, tail).and_then(|fold| self.whole(fold)) {
            // Show what can be read all the same.
            Err(Error::GraphChanged { .. } | Error::Invalid { .. } | Error::UserCodeFailed { .. }) => {
                self.refused(&load_lenient(G::TABLE, thread, tail)?)
            }
            view => view,
        }
    }

    /// Returns the view of a thread that is compatible with this program.
    fn whole(&self, fold: Fold) -> Result<ThreadView, Error> {
        let mut writer = ThreadWriter::new(&self.inner, fold);
        writer.adapt()?;
        let fold = writer.into_fold();
        let mut reviews = Vec::new();
        for (lane, open) in fold.open() {
            let found = locate_review(G::TABLE, &fold, lane, open)?;
            let asks = G::SPEC
                .edges
                .iter()
                .any(|edge| edge.from == Point::Node(found.node) && edge.kind == EdgeKind::Ask);
            let edits = G::SPEC.nodes[found.node].interrupt.is_none_or(|interrupt| interrupt.edit);
            reviews.push(ReviewView {
                draft: thread_state::draft(&fold, lane, &open.field, found.reviewed)?,
                schema: found
                    .reviewed
                    .schema_of(&open.field)
                    .map_err(|broken| broken.into_error(&fold.thread))?,
                verdicts: [("approve", true), ("edit", edits), ("reject", true), ("ask", asks)]
                    .into_iter()
                    .filter_map(|(verdict, is_there)| is_there.then_some(verdict))
                    .collect(),
                unsigned: G::SPEC.nodes[found.node]
                    .interrupt
                    .map_or(Vec::new(), |rule| rule.unsigned.to_vec()),
                ..review(&fold, lane, open)
            });
        }
        let fields = known_fields(&fold)?;
        Ok(self.shown(&fold, reviews, fields, Vec::new()))
    }

    /// Returns the view of an incompatible thread, as far as this program can read it. It offers no verdicts, because
    /// none would be accepted.
    fn refused(&self, fold: &Fold) -> Result<ThreadView, Error> {
        let mut fields = known_fields(fold)?;
        if let Some(lane) = fold.root() {
            fields.extend(lane.fields.unknown().map(|(field, json)| (field.to_owned(), value(json))));
        }
        let review = |(lane, open): (LaneId, &OpenReviewState)| {
            let json = fold
                .lanes
                .get(&lane)
                .and_then(|lane| lane.fields.read(&open.field).ok().flatten().map(str::to_owned));
            ReviewView { draft: json.as_deref().map_or(Value::Null, value), ..review(fold, lane, open) }
        };
        let reviews = fold.open().map(review).collect();
        Ok(self.shown(fold, reviews, fields, incompatibilities(G::TABLE, fold)))
    }

    fn shown(
        &self,
        fold: &Fold,
        reviews: Vec<ReviewView>,
        fields: Map<String, Value>,
        differences: Vec<Incompatibility>,
    ) -> ThreadView {
        let output = fold.ended.then(|| {
            let outputs = fold.state.spec.fields.iter().filter(|field| field.output);
            outputs
                .filter_map(|field| {
                    fields.get(field.name).map(|value| (field.name.to_owned(), value.clone()))
                })
                .collect()
        });
        let now = self.inner.clock.now_ms();
        let active = fold.runs();
        let doubt = thread_state::effects_in_doubt(&self.inner, fold).next();
        let asked =
            doubt.as_ref().map(|doubt| RequiredRoles::new(G::TABLE, fold, doubt.lane, &doubt.activation));
        let (roles, any_role) = asked.map(|asked| (asked.all, asked.any)).unwrap_or_default();
        ThreadView {
            thread: fold.thread.clone(),
            graph: fold.graph.clone(),
            standing: if doubt.is_some() { ThreadStatus::InDoubt } else { thread_status(fold) },
            place: fold.next.saturating_sub(1),
            at_ms: fold.at_ms,
            nodes: nodes(fold),
            stalled: active && !fold.is_leased(now),
            until_ms: fold.leased_until_ms().filter(|_| active),
            differences,
            failure: thread_state::failure(fold).map(|(activation, error, stopped)| FailureView {
                node: activation.node.clone(),
                error: error.to_owned(),
                stopped,
            }),
            in_doubt: doubt.map(|doubt| InDoubtView {
                role: roles.first().cloned(),
                roles: if roles.len() > 1 { roles } else { Vec::new() },
                any_role,
                writes: super::route::node(G::TABLE, &doubt.activation.node)
                    .map(|(_, entry)| entry.spec.writes.to_vec())
                    .unwrap_or_default(),
                run_again: format!(
                    "requires that it did not happen, and that the runner that began it is known to be dead; \
                     both runs have the idempotency key {}",
                    doubt.key
                ),
                node: doubt.activation.node,
                digest: doubt.digest,
                key: doubt.key,
                error: doubt.error,
                since_ms: doubt.since_ms,
            }),
            marks: marked(fold, &reviews),
            output,
            fields,
            reviews,
        }
    }
}

/// Returns the names in a view that could be mistaken for others, with their warnings.
fn marked(fold: &Fold, reviews: &[ReviewView]) -> BTreeMap<String, Vec<String>> {
    let proposers = || reviews.iter().filter_map(|review| review.proposed_by.as_deref());
    let people: Vec<&str> = proposers().chain(fold.requester.as_deref()).collect();
    let of_people = proposers().map(|name| (name, unicode::marks(name, people.iter().copied())));
    let of_thread = [(fold.thread.as_str(), unicode::marks(fold.thread.as_str(), []))];
    let all = of_thread.into_iter().chain(of_people).filter(|(_, marks)| !marks.is_empty());
    all.map(|(name, marks)| (name.to_owned(), marks)).collect()
}

/// Returns the view of an open review, without the parts that need this program's graph: draft, schema, verdicts and
/// unsigned fields.
fn review(fold: &Fold, lane: LaneId, open: &OpenReviewState) -> ReviewView {
    ReviewView {
        node: open.activation.node.clone(),
        field: open.field.clone(),
        draft: Value::Null,
        digest: open.digest,
        schema: Value::Null,
        role: open.role.clone(),
        proposed_by: open.proposed.as_ref().map(|proposer| proposer.operator.clone()),
        verdicts: Vec::new(),
        opened_ms: open.opened_ms,
        deadline_ms: open.deadline_ms,
        covers: open.covers.clone(),
        shown: shown_with(fold, lane, open),
        unsigned: Vec::new(),
        items: item::items(fold, lane, open),
    }
}

/// Returns the fields that are shown beside a draft. If they cannot be read, the result is empty: the digest then does
/// not match, so that the draft cannot be signed.
pub(super) fn shown_with(fold: &Fold, lane: LaneId, open: &OpenReviewState) -> Map<String, Value> {
    let shown = fold.lanes.get(&lane).map(|lane| shown(&lane.fields, &open.shows));
    match shown {
        Some(Ok(Some(Value::Object(shown)))) => shown,
        _ => Map::new(),
    }
}

/// Returns the nodes that a thread is at, each once: several items of a `for` may be at the same node.
fn nodes(fold: &Fold) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = fold
        .lanes
        .values()
        .filter_map(|lane| lane.at.activation())
        .map(|activation| activation.node.as_str());
    all.filter(|node| seen.insert(*node)).map(str::to_owned).collect()
}

/// Returns every field that is written; inside a fork, as it was before the fork.
fn known_fields(fold: &Fold) -> Result<Map<String, Value>, Error> {
    let damaged = |problem: String| Error::Damaged {
        thread: fold.thread.clone(),
        place: fold.next.saturating_sub(1),
        problem,
    };
    let root = fold.root().ok_or_else(|| damaged("the thread has no state".to_owned()))?;
    let fields = root.fields.values(|_| true).map_err(|e| match e.as_user_code_error() {
        Some(broken) => broken.into_error(&fold.thread),
        None => damaged(e.to_string()),
    })?;
    Ok(fields.into_iter().map(|(field, json)| (field, value(json.get()))).collect())
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}
