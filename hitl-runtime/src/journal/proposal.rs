//! Edits that are new proposals: the source of each field's value, and the edits that are pending until a review of
//! their field is decided.
//!
//! A lane records the [`Source`] of the last write to each field, so that an edit can send the lane back to it. Such an
//! edit leaves a [`Pending`] in its lane until a review of the field is decided. The invariants of a [`Pending`]:
//!
//! - It is for one value. Any write to the field ends it.
//! - It signs at most once, in the lane in which a review of the field opens first, and only if no other review has
//!   been opened since: a review of another field, or new code, ends its right to sign, and leaves only the proposer's
//!   name.
//! - It signs the review before the node whose review was edited, or before the node to which the edit's entry leads
//!   the lane, because the operator has seen the former and the preview names the latter. If a node that runs after the
//!   verdict leads to another review, that review must be decided separately.
//! - It signs nothing at or after the deadline of the edited review.
//! - Only the roles that the operator held at the time of the edit count.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    time::Duration,
};

use hitl_core::from_text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, value::RawValue};

use super::{
    Digest, Fold, FoldError, Lane, LaneId, Map, OpenReviewState, Person, Place, Requesters, Subject,
    TokenSubject, Transition, Values,
};
use crate::{
    Timestamp,
    graph::{ReviewRisk, RiskLevel},
    state::{FieldError, Slots},
};

/// The maximum time from a runner's check of the deadline to the timestamp of a signature by an edit.
const STAMPED_WITHIN: Duration = Duration::from_secs(60);

/// The source of a field's value, from which the lane continues after an edit of the field.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// The input.
    Start,
    /// A write of this node.
    After(String),
    /// A value that existed when the lane came to this node: the first node of a branch or an item, or the target of a
    /// join.
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

/// A [`Source`] that is borrowed: the source of a write is mostly the one of the write before it.
#[derive(Clone, Copy, Debug)]
pub(super) enum SourceRef<'a> {
    Start,
    After(&'a str),
    At(&'a str),
}

impl SourceRef<'_> {
    fn is(self, source: &Source) -> bool {
        match (self, source) {
            (Self::Start, Source::Start) => true,
            (Self::After(node), Source::After(other)) | (Self::At(node), Source::At(other)) => node == other,
            _ => false,
        }
    }

    fn into_source(self) -> Source {
        match self {
            Self::Start => Source::Start,
            Self::After(node) => Source::After(node.to_owned()),
            Self::At(node) => Source::At(node.to_owned()),
        }
    }
}

/// The relation of a verdict to an edit that is a new proposal.
///
/// ```
/// use hitl::journal::Proposal;
///
/// let made: Proposal = serde_json::from_str(r#"{"made": {"from": {"after": "draft"}, "roles": ["clerk"]}}"#)?;
/// assert!(matches!(made, Proposal::Made { roles, .. } if roles == ["clerk"]));
/// let signed: Proposal = serde_json::from_str(r#"{"signed": {"edit": 7}}"#)?;
/// assert!(matches!(signed, Proposal::Signed { edit, .. } if edit == 7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Proposal {
    /// The verdict is an edit that signed nothing but proposed a new draft. The lane went back to the source of the
    /// field.
    #[non_exhaustive]
    Made {
        /// The source that the lane went back to.
        from: Source,
        /// The roles that the operator held, of those that the graph's reviews of the field require.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        roles: Vec<String>,
        /// The deadline of the edited review. The edit signs nothing at or after it.
        #[serde(rename = "until_ms", default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// The risk that the edited review showed. The edit signs nothing of a higher one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        risk: Option<RiskLevel>,
        /// `true` if the edited review said that the action cannot be undone.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        irreversible: bool,
    },
    /// The verdict is an approval that the operator gave in advance with an edit.
    #[non_exhaustive]
    Signed {
        /// The place of the edit's entry.
        edit: Place,
    },
}

/// The operator whose edit proposed the draft of a review.
///
/// ```
/// use hitl::journal::Proposer;
///
/// let proposer: Proposer = serde_json::from_str(r#"{"operator": "carl", "edit": 4}"#)?;
/// println!("{} proposed it with the edit at place {}", proposer.operator, proposer.edit);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Proposer {
    /// The operator's name.
    pub operator: String,
    /// `true` if the operator's identity was not verified.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unverified: bool,
    /// The place of the edit's entry.
    pub edit: Place,
}

/// An edit that is a new proposal, until a review of its field is decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) field: String,
    pub(crate) by: Proposer,
    /// The place at which the edited review was opened.
    #[serde(default)]
    pub(crate) opened: Place,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<String>,
    /// The edited draft.
    pub(crate) draft: Box<RawValue>,
    /// The values that the edited review showed beside the draft. The edit does not sign a review that shows other
    /// ones, or that covers effects which are not in `covered`, because the operator has not seen those.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub(crate) shown: Values,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) covered: Vec<String>,
    /// The nodes whose reviews the edit may sign: the one whose review was edited, and the one to which the edit led.
    /// Empty in snapshots of an older version of hitl; the edit then signs nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) before: Vec<String>,
    /// The deadline of the edited review. The edit signs nothing at or after it.
    #[serde(rename = "until_ms", default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
    /// The risk that the edited review showed. The edit signs nothing of a higher one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) risk: Option<RiskLevel>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) irreversible: bool,
    /// `true` if the edit may sign the next review that opens.
    pub(crate) signs: bool,
    /// The subject of the operator's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<TokenSubject>,
}

/// The sources of a lane's fields. Writes and other events of the lane are numbered, so that their order is known, even
/// in a forked thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Sources {
    /// The last write to all fields that are not in `by_field`. `None` if an older version of hitl did not record it.
    #[serde(rename = "from", default)]
    others: Option<Write>,
    #[serde(rename = "by", default)]
    by_field: BTreeMap<String, Write>,
    /// The nodes that have finished after a person had signed, each with the number of that event. In a later round of
    /// a loop, an edit in the review before such a node goes back to that event and no further.
    #[serde(default)]
    done: BTreeMap<String, u64>,
    /// The fields whose current value a person has rejected.
    #[serde(default)]
    refused: BTreeSet<String>,
    /// The fields about whose current value a person has been asked, each with the place of the first review of it.
    #[serde(default)]
    asked: BTreeMap<String, Place>,
    /// The number of the event at which an effect last began, in this lane or in a branch that has been merged.
    #[serde(default)]
    acted: Option<u64>,
    /// The number of the last event, which is the greatest one in use.
    #[serde(skip)]
    last: u64,
}

/// The serialized form of [`Sources`].
#[derive(Serialize)]
pub(super) struct SourcesRef<'a> {
    #[serde(rename = "from", skip_serializing_if = "Option::is_none")]
    others: Option<&'a Write>,
    #[serde(rename = "by", skip_serializing_if = "BTreeMap::is_empty")]
    by_field: &'a BTreeMap<String, Write>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    done: &'a BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    refused: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    asked: &'a BTreeMap<String, Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acted: Option<u64>,
}

impl SourcesRef<'_> {
    /// Returns whether there is nothing to store.
    pub(super) fn is_empty(&self) -> bool {
        let Self { others, by_field, done, refused, asked, acted } = self;
        let has_no_field = by_field.is_empty() && refused.is_empty() && asked.is_empty();
        others.is_none() && has_no_field && done.is_empty() && acted.is_none()
    }
}

/// A write to a field: its source and its number. It is serialized as a short string, because a thread may have
/// thousands of lanes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Write(Source, u64);

/// The format is `3 draft` for a write of a node, `0 @assess` for a value that existed at a node, and `0 @` for the
/// input.
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

/// The error for a text that is not a [`Write`].
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
    /// Returns the sources of a lane whose values all have the source `by`.
    pub(super) fn beginning(by: Source) -> Self {
        Self { others: Some(Write(by, 0)), ..Self::default() }
    }

    /// Returns the sources of a branch or an item that starts at a node.
    pub(super) fn branch(&self, head: &str) -> Self {
        let (refused, asked) = (self.refused.clone(), self.asked.clone());
        Self { refused, asked, ..Self::beginning(Source::At(head.to_owned())) }
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn wrote(&mut self, field: &str, by: SourceRef<'_>) {
        let at = self.next();
        self.refused.remove(field);
        self.asked.remove(field);
        match self.by_field.get_mut(field) {
            Some(Write(source, last)) => {
                if !by.is(source) {
                    *source = by.into_source();
                }
                *last = at;
            }
            None => _ = self.by_field.insert(field.to_owned(), Write(by.into_source(), at)),
        }
    }

    /// Records that a person has rejected the current value of a field.
    pub(super) fn refuse(&mut self, field: &str) {
        self.refused.insert(field.to_owned());
    }

    /// Records that a person is asked about the current value of a field, by the review of this place.
    pub(super) fn ask(&mut self, field: &str, place: Place) {
        self.asked.entry(field.to_owned()).or_insert(place);
    }

    /// Forgets what persons were asked: a snapshot of an older version of hitl does not say it.
    pub(super) fn forget_asked(&mut self) {
        self.asked.clear();
    }

    /// Returns the fields about whose current values a person has been asked.
    pub(super) fn asked_fields(&self) -> impl Iterator<Item = &str> {
        self.asked.keys().map(String::as_str)
    }

    /// Records that a person has given a field a new value.
    pub(super) fn edited(&mut self, field: &str) {
        self.asked.remove(field);
    }

    /// Drops what persons were asked about the other fields.
    pub(super) fn keep_asked(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.asked.retain(|field, _| is_kept(field));
    }

    /// Adds what persons were asked in a merged branch.
    pub(super) fn ask_with(&mut self, branch: &Self) {
        branch.asked.iter().for_each(|(field, place)| self.ask(field, *place));
    }

    /// Records that an effect has begun.
    pub(super) fn act(&mut self) {
        self.acted = Some(self.next());
    }

    /// Drops everything that is not needed while a branch waits at its join: all but the last effect, and what persons
    /// were asked.
    pub(super) fn close(&mut self) {
        let Self { asked, acted, .. } = std::mem::take(self);
        *self = Self { asked, acted, ..Self::default() };
    }

    /// Returns the sources for a snapshot. If the lane is an item of a `for` that starts at `head`, omits the default
    /// source that [`begin_at`](Self::begin_at) restores.
    pub(super) fn within(&self, head: Option<&str>) -> SourcesRef<'_> {
        let begins =
            |write: &Write| matches!((write, head), (Write(Source::At(at), 0), Some(head)) if at == head);
        let Self { others, by_field, done, refused, asked, acted, last: _ } = self;
        let others = others.as_ref().filter(|others| !begins(others));
        SourcesRef { others, by_field, done, refused, asked, acted: *acted }
    }

    /// Restores what a snapshot omits: the last number and, for an item that starts at `head`, the default source.
    pub(super) fn begin_at(&mut self, head: Option<&str>) {
        let writes = self.by_field.values().map(|Write(_, at)| at);
        let all = writes.chain(self.done.values()).chain(&self.acted);
        self.last = all.copied().max().unwrap_or_default();
        let head = head.map(|head| Write(Source::At(head.to_owned()), 0));
        self.others = self.others.take().or(head);
    }

    /// Adds the effects of a merged branch to those of the lane.
    pub(super) fn act_with(&mut self, branch: &Self) {
        if branch.acted.is_some() {
            self.act();
        }
    }

    /// Records that a node has finished whose review was signed.
    pub(super) fn done(&mut self, node: &str) {
        let at = self.next();
        self.done.insert(node.to_owned(), at);
    }

    /// Returns the source to which an edit of a field goes back from the review before a node, and whether an effect
    /// has begun since. Returns `None` if the journal does not state the source.
    pub(crate) fn back_to(&self, field: &str, review: &str) -> Option<(Source, bool)> {
        let Write(by, at) = self.by_field.get(field).or(self.others.as_ref())?;
        let (by, at) = match self.done.get(review) {
            Some(done) if done > at => (Source::After(review.to_owned()), *done),
            _ => (by.clone(), *at),
        };
        Some((by, self.acted.is_some_and(|acted| acted > at)))
    }

    /// Returns the place of the first review in which a person was asked about the current value of a field. From there
    /// on, only a person signs it.
    pub(crate) fn asked_at(&self, field: &str) -> Option<Place> {
        self.asked.get(field).copied()
    }

    /// Returns whether a person has rejected the current value of a field.
    pub(crate) fn is_refused(&self, field: &str) -> bool {
        self.refused.contains(field)
    }
}

impl Pending {
    /// Returns the person who made the edit.
    pub(crate) fn person(&self) -> Person {
        Person::new(&self.by.operator, self.by.unverified, self.subject.clone())
    }

    /// Returns whether `wanted` is the digest of the edited draft in a review before `node`, with the shown values and
    /// covered effects of the edited review.
    pub(crate) fn digest_is(&self, fold: &Fold, node: &str, wanted: Digest) -> bool {
        let json = |raw: &RawValue| serde_json::from_str::<Value>(raw.get());
        let Ok(draft) = json(&self.draft) else { return false };
        let shown: Result<Map, _> = self
            .shown
            .iter()
            .map(|(field, raw)| Ok::<_, serde_json::Error>((field.clone(), json(raw)?)))
            .collect();
        let Ok(shown) = shown.map(Value::Object) else { return false };
        // The digest of a review that shows only unwritten fields differs from that of a review that shows none, so
        // both are compared.
        [Some(&shown), None].into_iter().any(|shown| {
            let is_whole = shown.is_some() || self.shown.is_empty();
            let subject = Subject {
                thread: fold.thread.as_str(),
                id: &fold.id,
                node,
                field: &self.field,
                place: self.opened.get(),
                requester: fold.requesters.name(),
                draft: &draft,
                covers: &self.covered,
                shown,
            };
            is_whole && subject.digest().is_ok_and(|digest| digest == wanted)
        })
    }

    /// Returns whether the edit may sign an open review at a time, in its operator's name. Verdicts, previews and the
    /// reading of entries that refer to the edit all use this rule.
    pub(crate) fn may_sign(
        &self,
        open: &OpenReviewState,
        requesters: &Requesters,
        fields: &Slots,
        now: Timestamp,
    ) -> Result<bool, FieldError> {
        Ok(self.signs
            && self.field == open.field
            && self.before.contains(&open.activation.node)
            && self.until.is_none_or(|until| now < until)
            && open.role.as_ref().is_none_or(|role| self.roles.contains(role))
            && open.shown_risk().is_within(ReviewRisk { level: self.risk, irreversible: self.irreversible })
            && (!open.not_requester || requesters.may_include(&self.person()) == Some(false))
            && self.has_seen(open, fields)?)
    }

    /// Returns whether the edit has just led back to the review of this field before this node, in which it was made.
    pub(crate) fn is_of_review(&self, field: &str, node: &str) -> bool {
        self.signs && self.field == field && self.before == [node]
    }

    /// Returns whether all that the edit may sign is allowed by its entry, which decided a review before `node` and led
    /// the lane to `to`.
    pub(crate) fn is_within(&self, node: &str, to: &Transition, until: Option<Timestamp>) -> bool {
        let led = |before: &String| before == node || matches!(to, Transition::Node(to) if to == before);
        self.before.iter().all(led) && until.is_none_or(|most| self.until.is_some_and(|until| until <= most))
    }

    /// Returns whether a review shows and covers only what the operator has seen.
    fn has_seen(&self, open: &OpenReviewState, fields: &Slots) -> Result<bool, FieldError> {
        let shown = fields.values_of(&open.shows)?;
        let same = |field: &String, json: &RawValue| {
            self.shown.get(field).is_some_and(|seen| seen.get() == json.get())
        };
        Ok(open.covers.iter().all(|node| self.covered.contains(node))
            && shown.len() == open.shows.len()
            && shown.iter().all(|(field, json)| same(field, json)))
    }
}

impl Lane {
    /// Returns whether a pending edit is by a person with a known subject.
    pub(super) fn is_proposed_by_subject(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.subject.is_some())
    }
}

impl Fold {
    /// Returns the sources under the field names of this program's version of the state. If the new name of a field is
    /// not found, an edit of it goes back further than necessary, which is safe because effects that have begun since
    /// are recorded.
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
            let asked = std::mem::take(&mut sources.asked).into_iter();
            let asked = asked.map(|(field, place)| Ok::<_, FoldError>((name(field)?, place)));
            sources.asked = asked.collect::<Result<_, _>>()?;
        }
        Ok(sources)
    }

    /// Stores an edit that is a new proposal. Its value is in the lane already.
    pub(super) fn propose(&mut self, id: LaneId, mut pending: Pending) -> Result<(), FoldError> {
        let lane = self.lane(id)?;
        // A draft that a person has rejected before must be reviewed again after an edit.
        pending.signs = !lane.sources.is_refused(&pending.field);
        lane.pending = Some(Box::new(pending));
        Ok(())
    }

    /// Applies the opening of a review: pending edits of other fields of the lane, and all those of its parent lanes,
    /// lose the right to sign.
    pub(super) fn opened(&mut self, id: LaneId, field: &str) {
        let mut around = Some(id);
        while let Some(lane) = around.and_then(|id| self.lanes.get_mut(id)) {
            let own = around == Some(id);
            if let Some(pending) = lane.pending.as_mut().filter(|pending| !own || pending.field != field) {
                pending.signs = false;
            }
            around = lane.parent;
        }
    }

    /// Applies the decision of a review of a field: removes the pending edit in all lanes, or, if the decision was a
    /// question (`asked`), ends its right to sign.
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

    /// Rejects a signature that refers to an edit which cannot sign the review.
    pub(super) fn may_sign(
        &self,
        id: LaneId,
        open: &OpenReviewState,
        person: &Person,
        edit: Place,
        at: Timestamp,
    ) -> Result<(), FoldError> {
        let lane = self.lanes.get(&id);
        let pending = lane.and_then(|lane| lane.pending.as_deref());
        let may = match (lane, pending) {
            (Some(lane), Some(pending)) => {
                pending.may_sign(open, &self.requesters, &lane.fields, at.saturating_sub(STAMPED_WITHIN))?
            }
            _ => false,
        };
        let its_own = |pending: &Pending| {
            let same = pending.person() == *person;
            // An entry of an older version of hitl does not have the subject.
            let same_name =
                person.subject.is_none() && Person { subject: None, ..pending.person() } == *person;
            pending.by.edit == edit && (same || same_name && !open.not_requester)
        };
        if may && pending.is_some_and(its_own) {
            return Ok(());
        }
        Err(FoldError::Damaged(format!("the edit at place {edit} cannot sign this review")))
    }

    /// Ends the right to sign of all pending edits, because the thread continues under new code.
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
    fn a_write_in_a_snapshot_round_trips() {
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
    fn a_later_write_clears_the_effects_since_the_last_write() {
        let mut sources = Sources::beginning(Source::Start);
        assert_eq!(sources.back_to("draft", "pay"), Some((Source::Start, false)));
        sources.wrote("draft", SourceRef::After("think"));
        sources.act();
        assert_eq!(sources.back_to("draft", "pay"), Some((Source::After("think".into()), true)));
        sources.done("pay");
        assert_eq!(sources.back_to("draft", "pay"), Some((Source::After("pay".into()), false)));
        assert_eq!(sources.back_to("draft", "other"), Some((Source::After("think".into()), true)));
        let json = serde_json::to_string(&sources.within(None)).unwrap();
        let mut read: Sources = serde_json::from_str(&json).unwrap();
        read.begin_at(None);
        assert_eq!(read, sources);
        sources.wrote("draft", SourceRef::After("think"));
        assert_eq!(sources.back_to("draft", "pay"), Some((Source::After("think".into()), false)));
        assert_eq!(Sources::default().back_to("draft", "pay"), None, "an older hitl did not say");
    }
}
