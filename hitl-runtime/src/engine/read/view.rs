//! The view of a thread: its fields, its open reviews, and what a person can do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    item,
    required_roles::RequiredRoles,
    thread_view::{FailureView, InDoubtView, ReviewView, ThreadView},
};
use crate::{
    Error, Incompatibility, ThreadId, ThreadStatus,
    engine::{
        Engine,
        session::{
            Failure, ThreadWriter, checked_draft, effects_in_doubt, failure, incompatibilities, load_lenient,
            locate_review, thread_status,
        },
    },
    graph::{EdgeKind, Point},
    journal::{Fold, LaneId, OpenReviewState, shown},
    store::Tail,
    unicode,
    user_code::contain_panics_sync,
};

impl Engine {
    /// Returns a thread for display.
    pub async fn view(self: &Arc<Self>, thread: &ThreadId) -> Result<ThreadView, Error> {
        let Some(tail) = self.tail(thread).await? else {
            return Err(Error::UnknownThread { thread: thread.clone() });
        };
        // While the journal of stops cannot be trusted, nothing runs. That is reported there, and hides no thread.
        if let Err(error @ Error::Store(_)) = self.read_stops().await {
            return Err(error);
        }
        contain_panics_sync(thread, || self.seen(thread, &tail))
    }

    /// Returns a thread for display, as a move has left it.
    pub fn view_of(self: &Arc<Self>, fold: Fold) -> Result<ThreadView, Error> {
        let thread = fold.thread.clone();
        contain_panics_sync(&thread, || self.whole(fold))
    }

    fn seen(self: &Arc<Self>, thread: &ThreadId, tail: &Tail) -> Result<ThreadView, Error> {
        match self.read_tail(thread, tail).and_then(|fold| self.whole(fold)) {
            // Show what can be read all the same.
            Err(Error::GraphChanged { .. } | Error::Invalid { .. } | Error::UserCodeFailed { .. }) => {
                self.refused(&load_lenient(self.graph, thread, tail)?)
            }
            view => view,
        }
    }

    /// Returns the view of a thread that is compatible with this program.
    fn whole(self: &Arc<Self>, fold: Fold) -> Result<ThreadView, Error> {
        let mut writer = ThreadWriter::new(self, fold);
        writer.adapt()?;
        let fold = writer.into_fold();
        let mut reviews = Vec::new();
        for (lane, open) in fold.open() {
            let found = locate_review(self.graph, &fold, lane, open)?;
            let asks = self
                .graph
                .spec
                .edges
                .iter()
                .any(|edge| edge.from == Point::Node(found.node) && edge.kind == EdgeKind::Ask);
            let edits = self.graph.spec.nodes[found.node].interrupt.is_none_or(|interrupt| interrupt.edit);
            reviews.push(ReviewView {
                draft: checked_draft(&fold, lane, &open.field, found.reviewed)?,
                schema: found
                    .reviewed
                    .schema_of(&open.field)
                    .map_err(|broken| broken.into_error(&fold.thread))?,
                verdicts: [("approve", true), ("edit", edits), ("reject", true), ("ask", asks)]
                    .into_iter()
                    .filter_map(|(verdict, is_there)| is_there.then_some(verdict))
                    .collect(),
                unsigned: self.graph.spec.nodes[found.node]
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
        Ok(self.shown(fold, reviews, fields, incompatibilities(self.graph, fold)))
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
        let now = self.clock.now();
        let active = fold.needs_runner();
        let stop = fold.stop.as_deref().cloned().or_else(|| self.stops.known(&fold.graph));
        let stop = stop.filter(|_| !fold.ended);
        let doubt = effects_in_doubt(self, fold).next();
        let asked =
            doubt.as_ref().map(|doubt| RequiredRoles::new(self.graph, fold, doubt.lane, &doubt.activation));
        let (roles, any_role) = asked.map(|asked| (asked.all, asked.any)).unwrap_or_default();
        ThreadView {
            thread: fold.thread.clone(),
            graph: fold.graph.clone(),
            standing: if doubt.is_some() { ThreadStatus::InDoubt } else { thread_status(fold) },
            place: fold.next.saturating_sub(1),
            at: fold.at,
            nodes: nodes(fold),
            stalled: active && !fold.is_leased(now) && stop.is_none(),
            until: fold.leased_until().filter(|_| active),
            differences,
            failure: failure(fold).map(|Failure { node, error, stopped }| FailureView {
                node,
                error,
                stopped,
            }),
            stop,
            in_doubt: doubt.map(|doubt| InDoubtView {
                role: roles.first().cloned(),
                roles: if roles.len() > 1 { roles } else { Vec::new() },
                any_role,
                writes: self
                    .graph
                    .node(&doubt.activation.node)
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
                since: doubt.since,
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
    let people: Vec<&str> = proposers().chain(fold.requesters.name()).collect();
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
        when: open.when.clone(),
        risk: open.risk,
        irreversible: open.irreversible,
        not_requester: open.not_requester,
        verdicts: Vec::new(),
        opened: open.opened,
        deadline: open.deadline,
        covers: open.covers.clone(),
        shown: shown_with(fold, lane, open),
        unsigned: Vec::new(),
        items: item::items_of_review(fold, lane, open),
    }
}

/// Returns the fields that are shown beside a draft. If they cannot be read, the result is empty: the digest then does
/// not match, so that the draft cannot be signed.
pub(crate) fn shown_with(fold: &Fold, lane: LaneId, open: &OpenReviewState) -> Map<String, Value> {
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
