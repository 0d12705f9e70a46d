//! A thread as JSON: what command lines, HTTP and forms show.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Agent, Difference, Graph,
    graph::GraphFold,
    item::{self, ItemView},
    post::{Post, standing},
    refused::{LooseFold, differences, loose},
    settle::Asked,
    turn::{self, found},
};
use crate::{
    Digest, Error, Place, Standing, ThreadId,
    graph::{EdgeKind, Point},
    guard::contained_now,
    journal::{Fold, LaneId, OpenAt, shown, values},
    state::{Fields, State},
    store::Tail,
    unicode,
};

/// A thread, whatever its graph.
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
    /// Its name.
    pub thread: ThreadId,
    /// The graph that it runs on.
    pub graph: String,
    /// How it stands.
    pub standing: Standing,
    /// The place of its last entry.
    pub place: Place,
    /// When its last entry was written, in milliseconds since the epoch.
    pub at_ms: u64,
    /// The nodes that it stands at, each once; more than one inside a fork.
    pub nodes: Vec<String>,
    /// Whether its runner has given no sign of life for so long that `resume` takes it up.
    pub stalled: bool,
    /// Until when its runner holds it unless it gives a sign of life, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// What keeps it from going on in this program. It is then shown as far as this program can read it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// The open reviews.
    pub reviews: Vec<ReviewView>,
    /// The node that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureView>,
    /// The effect that nobody saw the end of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_doubt: Option<InDoubtView>,
    /// The outputs by field, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Map<String, Value>>,
    /// Every field that is written.
    pub fields: Map<String, Value>,
    /// What is to be said beside a name in this view that could pass for another one: the thread's own, that of who
    /// proposed a draft. Whoever shows such a name shows this.
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
    /// Its value: the very arguments that the node will get.
    pub draft: Value,
    /// What a verdict must name.
    pub digest: Digest,
    /// The JSON Schema of the draft.
    pub schema: Value,
    /// The role that the operator must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Who proposed the draft by an edit at another review. Left out where a node proposed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<String>,
    /// The verdicts that the graph has: `approve`, `edit` unless the review takes none, `reject`, and `ask` where it is
    /// declared. None where the thread cannot go on.
    pub verdicts: Vec<&'static str>,
    /// When it was opened, in milliseconds since the epoch.
    pub opened_ms: u64,
    /// When it expires, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// The later effects that will run on the same signature, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<String>,
    /// The fields that are signed with the draft though nobody edits them, with their values. A field that nothing has
    /// written is left out.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub shown: Map<String, Value>,
    /// The fields that the node, or one that is covered, reads though nobody signs them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsigned: Vec<&'static str>,
    /// The items of the `for`s that it stands in, the outermost first. They are not signed.
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
    /// What it said.
    pub error: String,
    /// Whether a person stopped it, so that it cannot be resumed.
    pub stopped: bool,
}

/// An effect that nobody saw the end of.
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
    /// Names this doubt, for a settlement.
    pub digest: Digest,
    /// The idempotency key that it was begun with.
    pub key: String,
    /// What is known of its end.
    pub error: String,
    /// Since when, in milliseconds since the epoch.
    pub since_ms: u64,
    /// The fields that it would have written.
    pub writes: Vec<&'static str>,
    /// The conditions of the answer `run_again`, and the idempotency key that both runs bear.
    pub run_again: String,
    /// The role that whoever settles it must hold; the first one, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The roles that whoever settles it must hold, each of them, where there are several: of each signature that it runs
    /// on, or, where it runs on none that was given in a role, of each review that can come after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The roles of which one is enough to run it again or to stop it, where it runs on no signature that was given in a
    /// role: those that the graph's reviews ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any_role: Vec<String>,
}

impl<G: Graph> Agent<G> {
    /// A thread as JSON. Nothing moves. One that cannot go on in this program is shown as far as the program can read it,
    /// with what stands in its way.
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
        let Some(tail) = self.tail(&thread).await? else {
            return Err(Error::UnknownThread { thread });
        };
        contained_now(&thread, || self.seen(&thread, &tail))
    }

    fn seen(&self, thread: &ThreadId, tail: &Tail) -> Result<ThreadView, Error> {
        match self.read_tail(thread, tail).and_then(|fold| self.whole(fold)) {
            // What it knows is there to be seen all the same.
            Err(Error::GraphChanged { .. } | Error::Invalid { .. } | Error::UserCodeFailed { .. }) => {
                self.refused(&loose::<G>(thread, tail)?)
            }
            view => view,
        }
    }

    /// A thread that can go on.
    fn whole(&self, fold: GraphFold<G>) -> Result<ThreadView, Error> {
        let mut post = Post::new(self, fold);
        post.admit()?;
        let fold = post.seen();
        let mut reviews = Vec::new();
        for (lane, open) in fold.open() {
            let found = found::<G>(&fold, lane, open)?;
            let asks = G::SPEC
                .edges
                .iter()
                .any(|edge| edge.from == Point::Node(found.node) && edge.kind == EdgeKind::Ask);
            let edits = G::SPEC.nodes[found.node].interrupt.is_none_or(|interrupt| interrupt.edit);
            reviews.push(ReviewView {
                draft: turn::draft::<G>(&fold, lane, &open.field, found.reviewed)?,
                schema: found.reviewed.schema_of(&open.field).map_err(|broken| broken.of(&fold.thread))?,
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

    /// A thread that cannot, as far as this program can read it. No verdict is offered: none would be taken.
    fn refused(&self, fold: &LooseFold<G>) -> Result<ThreadView, Error> {
        let mut fields = known_fields(fold)?;
        if let Some(lane) = fold.root() {
            let raw = lane.fields.raw().iter();
            fields.extend(raw.map(|(field, json)| (field.clone(), value(json))));
        }
        let review = |(lane, open): (LaneId, &OpenAt)| {
            let json = fold.lanes.get(&lane).and_then(|lane| lane.fields.read(&open.field).ok().flatten());
            ReviewView { draft: json.as_deref().map_or(Value::Null, value), ..review(fold, lane, open) }
        };
        let reviews = fold.open().map(review).collect();
        Ok(self.shown(fold, reviews, fields, differences::<G>(fold)))
    }

    fn shown<S: State>(
        &self,
        fold: &Fold<S>,
        reviews: Vec<ReviewView>,
        fields: Map<String, Value>,
        differences: Vec<Difference>,
    ) -> ThreadView {
        let output = fold.ended.then(|| {
            let outputs = S::SPEC.fields.iter().filter(|field| field.output);
            outputs
                .filter_map(|field| {
                    fields.get(field.name).map(|value| (field.name.to_owned(), value.clone()))
                })
                .collect()
        });
        let now = self.inner.clock.now_ms();
        let active = fold.runs();
        let doubt = turn::doubts(self, fold).next();
        let asked = doubt.as_ref().map(|doubt| Asked::of::<G, S>(fold, doubt.lane, &doubt.visit));
        let (roles, any_role) = asked.map(|asked| (asked.all, asked.any)).unwrap_or_default();
        ThreadView {
            thread: fold.thread.clone(),
            graph: fold.graph.clone(),
            standing: if doubt.is_some() { Standing::InDoubt } else { standing(fold) },
            place: fold.next.saturating_sub(1),
            at_ms: fold.at_ms,
            nodes: nodes(fold),
            stalled: active && !fold.is_leased(now),
            until_ms: fold.leased_until_ms().filter(|_| active),
            differences,
            failure: turn::failure(fold).map(|(visit, error, stopped)| FailureView {
                node: visit.node.clone(),
                error: error.to_owned(),
                stopped,
            }),
            in_doubt: doubt.map(|doubt| InDoubtView {
                role: roles.first().cloned(),
                roles: if roles.len() > 1 { roles } else { Vec::new() },
                any_role,
                writes: super::route::node::<G>(&doubt.visit.node)
                    .map(|(_, entry)| entry.spec.writes.to_vec())
                    .unwrap_or_default(),
                run_again: format!(
                    "presumes that it did not happen, and that the runner which began it is known to be dead: \
                     both runs bear the idempotency key {}",
                    doubt.key
                ),
                node: doubt.visit.node,
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

/// The names in a view that could pass for others, with what is said of them.
fn marked<S: State>(fold: &Fold<S>, reviews: &[ReviewView]) -> BTreeMap<String, Vec<String>> {
    let proposers = || reviews.iter().filter_map(|review| review.proposed_by.as_deref());
    let people: Vec<&str> = proposers().chain(fold.requester.as_deref()).collect();
    let of_people = proposers().map(|name| (name, unicode::marks(name, people.iter().copied())));
    let of_thread = [(fold.thread.as_str(), unicode::marks(fold.thread.as_str(), []))];
    let all = of_thread.into_iter().chain(of_people).filter(|(_, marks)| !marks.is_empty());
    all.map(|(name, marks)| (name.to_owned(), marks)).collect()
}

/// What the journal itself says of an open review.
fn review<S: State>(fold: &Fold<S>, lane: LaneId, open: &OpenAt) -> ReviewView {
    ReviewView {
        node: open.visit.node.clone(),
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

/// What is shown beside a draft. What cannot be read is left out: its digest does not hold, so that nobody signs it.
pub(super) fn shown_with<S: State>(fold: &Fold<S>, lane: LaneId, open: &OpenAt) -> Map<String, Value> {
    let shown = fold.lanes.get(&lane).map(|lane| shown(&*lane.fields, &open.shows));
    match shown {
        Some(Ok(Some(Value::Object(shown)))) => shown,
        _ => Map::new(),
    }
}

/// The nodes that a thread stands at. The items of a `for` may all stand at one.
fn nodes<S: State>(fold: &Fold<S>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = fold.lanes.values().filter_map(|lane| lane.at.visit()).map(|visit| visit.node.as_str());
    all.filter(|node| seen.insert(*node)).map(str::to_owned).collect()
}

/// Every field that is written; inside a fork, as it was before.
fn known_fields<S: State>(fold: &Fold<S>) -> Result<Map<String, Value>, Error> {
    let damaged = |problem: String| Error::Damaged {
        thread: fold.thread.clone(),
        place: fold.next.saturating_sub(1),
        problem,
    };
    let root = fold.root().ok_or_else(|| damaged("it has no state".to_owned()))?;
    let fields = values(&S::SPEC, &*root.fields).map_err(|e| match e.as_broken() {
        Some(broken) => broken.of(&fold.thread),
        None => damaged(e.to_string()),
    })?;
    Ok(fields.into_iter().map(|(field, json)| (field, value(json.get()))).collect())
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}
