//! Edits that are new proposals: where a field's value came from, and what an edit of it still has to say.
//!
//! A lane knows of each field where it was last written ([`Source`]), so that an edit can go back there. An edit that went
//! back leaves a [`Pending`] in its lane until a review of the field has been decided. Its invariants:
//!
//! - It is for one value. Whatever writes to the field ends it.
//! - It signs once, in whichever lane a review of the field opens first, and only while nothing else has been asked of a
//!   person: a review of another field, or new code, ends its right to sign, and leaves only the name of who proposed it.
//! - It signs the review before the node whose review was edited, or before the node to which the edit's entry leads the
//!   lane: the operator has seen the one, and the preview names the other. What nodes that run after the verdict lead to
//!   is a review of its own.
//! - It signs nothing from the deadline of the edited review on.
//! - Only the roles that the operator held when they edited count.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, value::RawValue};

use super::{Digest, Fold, FoldError, LaneId, Map, OpenAt, Place, Subject, To, Values, digest::from_text};
use crate::state::{FieldError, Fields, State};

/// A signature by an edit is stamped after its runner has looked at the clock: not longer than this.
const STAMPED_WITHIN_MS: u64 = 60_000;

/// Where a field's value came from, and so where an edit of it goes on from.
///
/// ```
/// use hitl::journal::Source;
///
/// let source: Source = serde_json::from_str(r#"{"after": "draft"}"#)?;
/// assert_eq!(source, Source::After("draft".into()));
/// assert_eq!(source.to_string(), "`draft`");
/// assert_eq!(Source::Start.to_string(), "the start");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// It came with the input.
    Start,
    /// This node wrote it.
    After(String),
    /// It was there when the lane came to this node: the head of a branch or of an item, or the join of a fork.
    At(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start => f.write_str("the start"),
            Self::After(node) | Self::At(node) => write!(f, "`{node}`"),
        }
    }
}

/// What a verdict has to do with an edit that is a new proposal.
///
/// ```
/// use hitl::journal::Proposal;
///
/// let made: Proposal = serde_json::from_str(r#"{"made": {"from": {"after": "draft"}, "roles": ["clerk"]}}"#)?;
/// assert!(matches!(made, Proposal::Made { roles, .. } if roles == ["clerk"]));
/// let signed: Proposal = serde_json::from_str(r#"{"signed": {"edit": 7}}"#)?;
/// assert!(matches!(signed, Proposal::Signed { edit: 7 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proposal {
    /// The edit signed nothing: it was proposed anew, and the lane went back to where the field had been written.
    Made {
        /// Where the lane went back to.
        from: Source,
        /// The roles that the operator held, of those that the graph's reviews of the field ask for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        roles: Vec<String>,
        /// The deadline of the review that was edited, from which on the edit signs nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<u64>,
    },
    /// The verdict is the one that the operator gave with an edit.
    Signed {
        /// The place of the edit.
        edit: Place,
    },
}

/// Who proposed, by an edit, what a review asks to be signed.
///
/// ```
/// use hitl::journal::Proposer;
///
/// let proposer: Proposer = serde_json::from_str(r#"{"operator": "carl", "edit": 4}"#)?;
/// println!("{} proposed it with the edit at place {}", proposer.operator, proposer.edit);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposer {
    /// The operator.
    pub operator: String,
    /// Whether the operator's name had not been verified.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
    /// The place of the edit.
    pub edit: Place,
}

/// An edit that has been proposed anew, until a review of its field is decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) field: String,
    pub(crate) by: Proposer,
    /// Where the review was opened that it was made at.
    #[serde(default)]
    pub(crate) opened: Place,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<String>,
    /// The edited draft.
    pub(crate) draft: Box<RawValue>,
    /// What was shown beside the draft where it was edited, and the effects that its review covered: a review that shows
    /// or covers anything else is another one than the operator saw.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub(crate) shown: Values,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) covered: Vec<String>,
    /// The nodes whose review it may sign: the one whose review was edited, and the one to which the edit led. Empty where
    /// an older hitl did not say: it signs nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) before: Vec<String>,
    /// The deadline of the edited review, from which on the edit signs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until_ms: Option<u64>,
    /// Whether the review that opens next may be signed by it.
    pub(crate) signs: bool,
}

/// Where the fields of a lane were last written. What happens to it is numbered, so that it says what came before what,
/// also in a thread that was forked off another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sources {
    /// Of the fields that are not listed. None where an older hitl did not say.
    #[serde(rename = "from", default, skip_serializing_if = "Option::is_none")]
    others: Option<Write>,
    #[serde(rename = "by", default, skip_serializing_if = "BTreeMap::is_empty")]
    by_field: BTreeMap<String, Write>,
    /// The nodes that have run once a person had signed, and when: in a loop the next round starts afresh.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    done: BTreeMap<String, u64>,
    /// The fields whose value somebody has refused to sign.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    refused: BTreeSet<String>,
    /// When an effect last began, here or in a branch that has come back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acted: Option<u64>,
    /// The number of what happened last: the greatest there is.
    #[serde(skip)]
    last: u64,
}

/// A write to a field, and when it was. There may be one in each of a thousand lanes, so that it is kept as a short text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Write(Source, u64);

/// `3 draft` after a node, `0 @assess` at one, `0 @` at the start.
impl Serialize for Write {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(by, at) = self;
        match by {
            Source::Start => serializer.collect_str(&format_args!("{at} @")),
            Source::At(node) => serializer.collect_str(&format_args!("{at} @{node}")),
            Source::After(node) => serializer.collect_str(&format_args!("{at} {node}")),
        }
    }
}

/// The text says no write.
#[derive(Debug, thiserror::Error)]
#[error("not a write")]
struct ParseWriteError;

impl FromStr for Write {
    type Err = ParseWriteError;

    fn from_str(text: &str) -> Result<Self, ParseWriteError> {
        let (at, node) = text.split_once(' ').ok_or(ParseWriteError)?;
        let source = match (node.strip_prefix('@'), node) {
            (Some(""), _) => Source::Start,
            (Some(node), _) => Source::At(node.to_owned()),
            (None, "") => return Err(ParseWriteError),
            (None, node) => Source::After(node.to_owned()),
        };
        Ok(Self(source, at.parse().map_err(|_| ParseWriteError)?))
    }
}

impl<'de> Deserialize<'de> for Write {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

impl Sources {
    /// Those of a lane that begins here.
    pub(super) fn beginning(by: Source) -> Self {
        Self { others: Some(Write(by, 0)), ..Self::default() }
    }

    /// Those of a branch or an item that begins at a node.
    pub(super) fn branch(&self, head: &str) -> Self {
        Self { refused: self.refused.clone(), ..Self::beginning(Source::At(head.to_owned())) }
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn wrote(&mut self, field: &str, by: Source) {
        let at = self.next();
        self.refused.remove(field);
        self.by_field.insert(field.to_owned(), Write(by, at));
    }

    /// A person has refused to sign a field's value.
    pub(super) fn refuse(&mut self, field: &str) {
        self.refused.insert(field.to_owned());
    }

    /// An effect has begun.
    pub(super) fn act(&mut self) {
        self.acted = Some(self.next());
    }

    /// All that is left of them once a branch waits at its join.
    pub(super) fn close(&mut self) {
        *self = Self { acted: self.acted, ..Self::default() };
    }

    /// As a snapshot keeps them of an item of a `for` that begins at a node: that is where it begins.
    pub(super) fn within(&self, head: Option<&str>) -> Self {
        let mut sources = self.clone();
        let begins =
            |write: &Write| matches!((write, head), (Write(Source::At(at), 0), Some(head)) if at == head);
        sources.others.take_if(|others| begins(others));
        sources
    }

    /// Back from that.
    pub(super) fn begin_at(&mut self, head: Option<&str>) {
        let writes = self.by_field.values().map(|Write(_, at)| at);
        let all = writes.chain(self.done.values()).chain(&self.acted);
        self.last = all.copied().max().unwrap_or_default();
        let head = head.map(|head| Write(Source::At(head.to_owned()), 0));
        self.others = self.others.take().or(head);
    }

    /// Whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// A branch has come back: its effects are the lane's own.
    pub(super) fn act_with(&mut self, branch: &Self) {
        if branch.acted.is_some() {
            self.act();
        }
    }

    /// A node has run that a person had signed.
    pub(super) fn done(&mut self, node: &str) {
        let at = self.next();
        self.done.insert(node.to_owned(), at);
    }

    /// Where an edit of a field goes back to from the review before a node, and whether an effect has begun since. None
    /// where the journal does not say.
    pub(crate) fn back_to(&self, field: &str, review: &str) -> Option<(Source, bool)> {
        let Write(by, at) = self.by_field.get(field).or(self.others.as_ref())?;
        let (by, at) = match self.done.get(review) {
            Some(done) if done > at => (Source::After(review.to_owned()), *done),
            _ => (by.clone(), *at),
        };
        Some((by, self.acted.is_some_and(|acted| acted > at)))
    }

    /// Whether somebody has refused to sign the value that a field has.
    pub(crate) fn is_refused(&self, field: &str) -> bool {
        self.refused.contains(field)
    }
}

impl Pending {
    /// Whether this is the digest of the edited draft, with what was shown and covered beside it before a node.
    pub(crate) fn digest_is<S: State>(&self, fold: &Fold<S>, node: &str, wanted: Digest) -> bool {
        let json = |raw: &RawValue| serde_json::from_str::<Value>(raw.get());
        let Ok(draft) = json(&self.draft) else { return false };
        let shown: Result<Map, _> = self
            .shown
            .iter()
            .map(|(field, raw)| Ok::<_, serde_json::Error>((field.clone(), json(raw)?)))
            .collect();
        let Ok(shown) = shown.map(Value::Object) else { return false };
        // A review that shows fields of which none is written differs from one that shows none.
        [Some(&shown), None].into_iter().any(|shown| {
            let is_whole = shown.is_some() || self.shown.is_empty();
            let subject = Subject {
                thread: fold.thread.as_str(),
                id: &fold.id,
                node,
                field: &self.field,
                place: self.opened,
                requester: fold.requester.as_deref(),
                draft: &draft,
                covers: &self.covered,
                shown,
            };
            is_whole && subject.digest().is_ok_and(|digest| digest == wanted)
        })
    }

    /// Returns whether the edit may sign an open review at a time, in its operator's name. A verdict signs by this rule, a
    /// preview says so by it, and an entry that refers to the edit is read by it.
    pub(crate) fn may_sign<F: Fields>(
        &self,
        open: &OpenAt,
        fields: &F,
        now_ms: u64,
    ) -> Result<bool, FieldError> {
        Ok(self.signs
            && self.field == open.field
            && self.before.contains(&open.visit.node)
            && self.until_ms.is_none_or(|until_ms| now_ms < until_ms)
            && open.role.as_ref().is_none_or(|role| self.roles.contains(role))
            && self.has_seen(open, fields)?)
    }

    /// Returns whether the edit's entry, of a review before `node` and leading `to`, allows all that this may sign.
    pub(crate) fn is_within(&self, node: &str, to: &To, until_ms: Option<u64>) -> bool {
        let led = |before: &String| before == node || matches!(to, To::Node(to) if to == before);
        self.before.iter().all(led)
            && until_ms.is_none_or(|most| self.until_ms.is_some_and(|until_ms| until_ms <= most))
    }

    /// Whether a review shows and covers nothing that the operator has not seen.
    fn has_seen<F: Fields>(&self, open: &OpenAt, fields: &F) -> Result<bool, FieldError> {
        let shown = values_of(&open.shows, fields)?;
        let same = |field: &String, json: &RawValue| {
            self.shown.get(field).is_some_and(|seen| seen.get() == json.get())
        };
        Ok(open.covers.iter().all(|node| self.covered.contains(node))
            && shown.len() == open.shows.len()
            && shown.iter().all(|(field, json)| same(field, json)))
    }
}

/// The values of these fields that are written.
pub(super) fn values_of<F: Fields>(names: &[String], fields: &F) -> Result<Values, FieldError> {
    let mut values = Values::new();
    for name in names {
        if let Some(json) = fields.read(name)? {
            let json = RawValue::from_string(json).map_err(|e| FieldError::value(name, e))?;
            values.insert(name.clone(), json);
        }
    }
    Ok(values)
}

impl<S: State> Fold<S> {
    /// The same by the names that this program's version of the state has for its fields. Where a field's new name is not
    /// found out, an edit of it goes back further than it need, which the record of effects keeps harmless.
    pub(super) fn updated_sources(&self, mut sources: Sources, wrote: &Values) -> Result<Sources, FoldError> {
        if self.is_older() {
            let name = |field: String| match wrote.get(&field) {
                Some(json) => self.new_name(&field, Ok(json.clone())),
                None => Ok(field),
            };
            let by_field = std::mem::take(&mut sources.by_field).into_iter();
            let by_field = by_field.map(|(field, write)| Ok::<_, FoldError>((name(field)?, write)));
            sources.by_field = by_field.collect::<Result<_, _>>()?;
            sources.refused =
                std::mem::take(&mut sources.refused).into_iter().map(name).collect::<Result<_, _>>()?;
        }
        Ok(sources)
    }

    /// Keeps an edit that has been proposed anew; its value is in the lane already.
    pub(super) fn propose(&mut self, id: LaneId, mut pending: Pending) -> Result<(), FoldError> {
        let lane = self.lane(id)?;
        // Where somebody has refused the draft on its way, whoever edits it does not overrule them unseen.
        pending.signs = !lane.sources.is_refused(&pending.field);
        lane.pending = Some(Box::new(pending));
        Ok(())
    }

    /// A review has opened. Edits that are pending have been looked at in vain, unless it is of what they are of.
    pub(super) fn opened(&mut self, id: LaneId, field: &str) {
        let mut around = Some(id);
        while let Some(lane) = around.and_then(|id| self.lanes.get_mut(&id)) {
            let own = around == Some(id);
            if let Some(pending) = lane.pending.as_mut().filter(|pending| !own || pending.field != field) {
                pending.signs = false;
            }
            around = lane.parent;
        }
    }

    /// A review of a field has been decided: whatever edit it goes back to has had its answer.
    pub(super) fn answered(&mut self, id: LaneId, field: &str, asked: bool) {
        let Some(lane) = self.lanes.get(&id) else { return };
        let Some(pending) = lane.pending.as_ref().filter(|pending| pending.field == field) else { return };
        let edit = pending.by.edit;
        for lane in self.lanes.values_mut() {
            if asked && let Some(pending) = lane.pending.as_mut().filter(|pending| pending.by.edit == edit) {
                pending.signs = false;
            }
            lane.pending.take_if(|pending| !asked && pending.by.edit == edit);
        }
    }

    /// Refuses a signature that refers to an edit which could not give it.
    pub(super) fn may_sign(
        &self,
        id: LaneId,
        open: &OpenAt,
        operator: &str,
        edit: Place,
        at_ms: u64,
    ) -> Result<(), FoldError> {
        let lane = self.lanes.get(&id);
        let pending = lane.and_then(|lane| lane.pending.as_deref());
        let may = match (lane, pending) {
            (Some(lane), Some(pending)) => {
                pending.may_sign(open, &*lane.fields, at_ms.saturating_sub(STAMPED_WITHIN_MS))?
            }
            _ => false,
        };
        let its_own = |pending: &Pending| (pending.by.edit, pending.by.operator.as_str()) == (edit, operator);
        if may && pending.is_some_and(its_own) {
            return Ok(());
        }
        Err(FoldError::Damaged(format!("the edit at place {edit} cannot sign this review")))
    }

    /// New code is met: an edit that was made under other code signs nothing under this one.
    pub(super) fn disarm(&mut self) {
        for lane in self.lanes.values_mut() {
            if let Some(pending) = &mut lane.pending {
                pending.signs = false;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_snapshot_keeps_of_a_write_reads_back() {
        for (write, text) in [
            (Write(Source::Start, 0), "0 @"),
            (Write(Source::At("assess".into()), 0), "0 @assess"),
            (Write(Source::After("draft".into()), 12), "12 draft"),
        ] {
            assert_eq!(serde_json::to_value(&write).unwrap(), text);
            assert_eq!(text.parse::<Write>().unwrap(), write);
        }
        for text in ["", "draft", "x draft", "3 "] {
            assert!(text.parse::<Write>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_effect_since_the_last_write_is_known_and_a_later_write_ends_it() {
        let mut sources = Sources::beginning(Source::Start);
        assert_eq!(sources.back_to("draft", "pay"), Some((Source::Start, false)));
        sources.wrote("draft", Source::After("think".into()));
        sources.act();
        assert_eq!(sources.back_to("draft", "pay"), Some((Source::After("think".into()), true)));
        sources.done("pay");
        assert_eq!(sources.back_to("draft", "pay"), Some((Source::After("pay".into()), false)));
        assert_eq!(sources.back_to("draft", "other"), Some((Source::After("think".into()), true)));
        let json = serde_json::to_string(&sources).unwrap();
        let mut read: Sources = serde_json::from_str(&json).unwrap();
        read.begin_at(None);
        assert_eq!(read, sources);
        sources.wrote("draft", Source::After("think".into()));
        assert_eq!(sources.back_to("draft", "pay"), Some((Source::After("think".into()), false)));
        assert_eq!(Sources::default().back_to("draft", "pay"), None, "an older hitl did not say");
    }
}
