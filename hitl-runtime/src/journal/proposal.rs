//! Edits that are new proposals: where a field's value came from, and what an edit of it still has to say.
//!
//! A lane knows of each field where it was last written ([`Source`]), so that an edit can go back there. An edit that went
//! back leaves a [`Pending`] in its lane until a review of the field has been decided. Its invariants:
//!
//! - It is for one value. Whatever writes to the field ends it.
//! - It signs once, in whichever lane a review of the field opens first, and only while nothing else has been asked of a
//!   person: a review of another field, or new code, ends its right to sign, and leaves only the name of who proposed it.
//! - Only the roles that the operator held when they edited count.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Fold, FoldError, LaneId, OpenAt, Place};
use crate::state::State;

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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<String>,
    /// The edited draft.
    pub(crate) draft: Box<RawValue>,
    /// Whether the review that opens next may be signed by it.
    pub(crate) signs: bool,
}

/// Where the fields of a lane were last written. What happens to it is numbered, so that it says what came before what,
/// also in a thread that was forked off another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sources {
    /// Of the fields that are not listed. None where an older hitl did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    others: Option<Write>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
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
    /// The number of what happened last.
    #[serde(default)]
    last: u64,
}

/// A write to a field, and when it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Write {
    by: Source,
    at: u64,
}

impl Sources {
    /// Those of a lane that begins here.
    pub(super) fn beginning(by: Source) -> Self {
        Self { others: Some(Write { by, at: 0 }), ..Self::default() }
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
        self.by_field.insert(field.to_owned(), Write { by, at });
    }

    /// A person has refused to sign a field's value.
    pub(super) fn refuse(&mut self, field: &str) {
        self.refused.insert(field.to_owned());
    }

    /// An effect has begun.
    pub(super) fn act(&mut self) {
        self.acted = Some(self.next());
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
        let Write { by, at } = self.by_field.get(field).or(self.others.as_ref())?;
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

impl<S: State> Fold<S> {
    /// An edit has been proposed anew: its value is in the lane already.
    pub(super) fn propose(
        &mut self,
        id: LaneId,
        field: &str,
        by: Proposer,
        roles: &[String],
        draft: &RawValue,
    ) -> Result<(), FoldError> {
        let lane = self.lane(id)?;
        // Where somebody has refused the draft on its way, whoever edits it does not overrule them unseen.
        let signs = !lane.sources.is_refused(field);
        let (field, draft) = (field.to_owned(), draft.to_owned());
        lane.pending = Some(Box::new(Pending { field, by, roles: roles.to_vec(), draft, signs }));
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
    ) -> Result<(), FoldError> {
        let pending = self.lanes.get(&id).and_then(|lane| lane.pending.as_deref());
        let signs = pending.is_some_and(|pending| {
            pending.signs
                && pending.field == open.field
                && (pending.by.edit, pending.by.operator.as_str()) == (edit, operator)
                && open.role.as_ref().is_none_or(|role| pending.roles.contains(role))
        });
        if signs {
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
