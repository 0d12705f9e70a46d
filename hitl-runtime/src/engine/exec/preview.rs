//! Previews of verdicts: where the thread would be after one.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::executor::{self, Opening};
use crate::{
    Error,
    engine::{
        Engine,
        session::{LocatedReview, ThreadWriter},
    },
    journal::{Event, LaneState, Proposal, Signature, Source, Transition},
};

/// The result of [`Agent::preview`](crate::Agent::preview): the effects that a verdict would have.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let (mara, digest) = (mara(), waiting(&agent, "A-9133").await?.digest());
/// let edit = Verdict::Edit { patch: serde_json::json!({ "dollars": 99 }) };
/// let preview = agent.preview("ticket-A-9133", digest, &mara, edit).await?;
/// assert_eq!(preview.draft, Some(serde_json::json!({ "order": "A-9133", "dollars": 99 })));
/// // Nothing between `draft` and `pay` depends on the draft: the edit signs the open review.
/// assert_eq!(preview.again, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Preview {
    /// The draft that would be signed or proposed; `None` for a verdict that does neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Value>,
    /// The new proposal, if the verdict is an edit that would not sign the open review directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Reproposal>,
}

/// The path of an edit that becomes a new proposal.
///
/// ```
/// use hitl::{Reproposal, Verdict};
///
/// /// The text that a form shows before it sends an edit.
/// fn warning(again: Option<&Reproposal>) -> String {
///     again.map_or("this signs it".to_owned(), ToString::to_string)
/// }
/// assert_eq!(warning(None), "this signs it");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Reproposal {
    /// The field that is proposed.
    pub field: String,
    /// The point at which the field was last written, and to which the thread goes back.
    pub from: Source,
    /// The step that follows with the edited draft: a node, a fork, the end. Nodes between it and the review run again.
    #[schemars(schema_with = "name_or_object")]
    pub to: Transition,
    /// The review that opens there, if no node runs before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<NextReview>,
    /// The node before which no review opens, because its condition is false with the edited draft, so that the rule
    /// signs; `None` if a node runs before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_rule: Option<String>,
    /// Set if nodes run before any review opens: the node whose review the edit may then sign. It is the node of the
    /// edited review, and the edit signs only if that review's deadline has not passed, its rule is met, and it shows
    /// the same fields. Any other review stays open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_only: Option<String>,
    /// The error with which the node fails to which the edit leads: its review can neither open nor be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
    /// `true` if nodes run before any review opens, and a review of the graph has a condition: a rule may sign then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_unasked: bool,
}

/// Returns the schema of a [`Transition`]: a node and the end are their names, and every other transition is an object
/// with its kind as the only member.
fn name_or_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "anyOf": [{ "type": "string" }, { "type": "object", "maxProperties": 1 }] })
}

/// The review that an edit leads to.
///
/// ```
/// # use hitl::NextReview;
/// fn who(opens: &NextReview) -> &str {
///     if opens.signs { "you" } else { opens.role.as_deref().unwrap_or("somebody") }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct NextReview {
    /// The node that waits.
    pub node: String,
    /// The role that its operator must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `true` if the edit would also sign this review. Otherwise the review stays open.
    pub signs: bool,
}

impl fmt::Display for Reproposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, from, to, opens, by_rule, signs_only, fails, may_be_unasked } = self;
        write!(
            f,
            "the edit is a new proposal of `{field}`: the thread returns to {from} and continues to `{to}`"
        )?;
        match opens {
            Some(NextReview { node, signs: true, .. }) => {
                write!(f, ", where it signs the review before `{node}`")
            }
            Some(NextReview { node, role: Some(role), .. }) => {
                write!(f, ", where the review before `{node}` waits for a signature of role `{role}`")
            }
            Some(NextReview { node, .. }) => {
                write!(f, ", where the review before `{node}` waits for a signature")
            }
            None if let Some(error) = fails => write!(f, ", where it fails: {error}"),
            None if let Some(node) = by_rule => {
                write!(f, ", where `{node}` runs without a review, because its condition is false")
            }
            None => {
                f.write_str(", and a later review requires a signature of its own")?;
                if let Some(node) = signs_only {
                    write!(f, ", unless it is the one before `{node}` again")?;
                }
                if *may_be_unasked { f.write_str(", or its condition is false") } else { Ok(()) }
            }
        }
    }
}

impl Engine {
    /// Returns, for a preview, the path of an edit that becomes a new proposal; `event` is its entry. It applies the
    /// edit in memory with the same code as the verdict, up to the first node that would run. `None` if the event is
    /// not such an edit.
    pub(in crate::engine) fn reproposal(
        self: &Arc<Self>,
        mut writer: Box<ThreadWriter>,
        found: &LocatedReview,
        event: Event,
    ) -> Result<Option<Reproposal>, Error> {
        let Event::Decided { to, proposal, .. } = &event else { return Ok(None) };
        let Some(Proposal::Made { from, .. }) = proposal.as_deref() else { return Ok(None) };
        let (field, from, to, id) = (found.open.field.clone(), from.clone(), to.clone(), found.lane);
        let leads = Reproposal {
            field,
            from,
            to: to.clone(),
            opens: None,
            by_rule: None,
            signs_only: None,
            fails: None,
            may_be_unasked: false,
        };
        writer.push(event)?;
        let lane = writer.fold.lanes.get(&id);
        let signs_only = lane.and_then(|lane| lane.pending.as_deref()).filter(|pending| pending.signs);
        let signs_only = signs_only.map(|_| found.open.activation.node.clone());
        let next = match lane.map(|lane| &lane.at) {
            Some(LaneState::Ready { activation, .. }) => {
                self.graph.node(&activation.node).map(|(_, entry)| (entry, activation.clone()))
            }
            _ => None,
        };
        let Some((entry, activation, interrupt)) =
            next.and_then(|(entry, activation)| Some((entry, activation, entry.spec.interrupt?)))
        else {
            // A path that leads to the end opens no review.
            let is_over = matches!(to, Transition::End);
            return Ok(Some(Reproposal {
                signs_only: signs_only.filter(|_| !is_over),
                may_be_unasked: !is_over
                    && self.graph.nodes.iter().any(|node| node.expressions.when.is_some()),
                ..leads
            }));
        };
        executor::pause(&mut writer, id, entry, &activation, Opening::First)?;
        let at = writer.fold.lanes.get(&id).map(|lane| &lane.at);
        let signs = matches!(at, Some(LaneState::Ready { activation, .. }) if activation.signed);
        let signature = writer.fold.lanes.get(&id).and_then(|lane| lane.signatures.get(interrupt.field));
        if signs && signature.is_some_and(Signature::is_of_rule) {
            let by_rule = Some(activation.node);
            return Ok(Some(Reproposal { by_rule, ..leads }));
        }
        let role = match at {
            Some(LaneState::Failed { error, .. }) => {
                let fails = Some(error.clone());
                return Ok(Some(Reproposal { fails, ..leads }));
            }
            Some(LaneState::Paused(open)) => open.role.clone(),
            // It is signed already.
            _ => signature.and_then(|signature| signature.role.clone()),
        };
        let opens = Some(NextReview { node: activation.node, role, signs });
        Ok(Some(Reproposal { opens, ..leads }))
    }
}
