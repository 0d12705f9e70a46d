//! Adaptation of stored threads to this program. A thread that other code moved last is migrated, or is rejected as
//! incompatible before anything runs.
//!
//! The thread is first changed in memory only, which is enough for reading it. The entries for the change are stored
//! together with the next entry of the thread, in one append, so that the change needs no append of its own.

use std::sync::Arc;

use super::{
    compatibility::check_compatibility,
    open_review::{checked_draft, unsignable},
    review_rule::ReviewRule,
    review_terms::{self, ReviewTerms},
    thread_writer::ThreadWriter,
};
use crate::{
    Error,
    journal::{Event, LaneId, OpenReviewState, Proposer},
    node::NodeTable,
    state::Slots,
    user_code::UserCodeError,
};

impl ThreadWriter {
    /// Adapts the thread to this program: migrates it if other code moved it last, and opens reviews again whose draft
    /// or rule has changed.
    pub(in crate::engine) fn adapt(&mut self) -> Result<(), Error> {
        let engine = Arc::clone(&self.engine);
        if engine.is_current_code(&self.fold) {
            return if self.fold.ended { Ok(()) } else { self.reopen_all(LastCode::This) };
        }
        self.keep_stored_lease_end();
        let found = check_compatibility(self.engine.graph, &self.fold);
        if !found.differences.is_empty() {
            let thread = self.fold.thread.clone();
            return Err(Error::GraphChanged { thread, differences: found.differences });
        }
        if self.fold.ended {
            return Ok(());
        }
        let known = self.engine.graph.state.spec.version;
        self.push(Event::Migrated {
            print: engine.print.clone(),
            version: (self.fold.version != known).then_some(known),
            renamed: found.renamed,
            void: found.void,
        })?;
        self.reopen_all(LastCode::Other)?;
        if self.fold.is_closed() {
            return Ok(());
        }
        found.again.into_iter().try_for_each(|lane| self.ask_again(lane))
    }

    /// Opens reviews again where needed. After other code every open review is compared with this program; otherwise
    /// only those whose rule is not this program's, for example because the journal was edited.
    fn reopen_all(&mut self, last_code: LastCode) -> Result<(), Error> {
        let is_due =
            |lane, open: &OpenReviewState| last_code == LastCode::Other || !self.is_as_asked(lane, open);
        let open = self.fold.open().filter(|(lane, open)| is_due(*lane, open));
        let open: Vec<(LaneId, OpenReviewState)> = open.map(|(id, open)| (id, open.clone())).collect();
        if last_code == LastCode::This && !open.is_empty() {
            self.keep_stored_lease_end();
        }
        open.into_iter().try_for_each(|(lane, open)| self.reopen(lane, &open))
    }

    /// Opens the review before a lane's node, because its signature was given under a weaker rule and is now void.
    fn ask_again(&mut self, lane: LaneId) -> Result<(), Error> {
        let activation = self.fold.lanes.get(&lane).and_then(|lane| lane.at.activation());
        let Some((_, entry)) = activation.and_then(|activation| self.engine.graph.node(&activation.node))
        else {
            return Ok(());
        };
        let Some(interrupt) = entry.spec.interrupt else { return Ok(()) };
        let rule = self.rule(lane, |fields| {
            ReviewRule::new(self.engine.graph, entry, fields, self.engine.clock.now())
        })?;
        let proposed = self.fold.proposer(lane, interrupt.field);
        self.open(lane, entry, rule, proposed)
    }

    /// Opens a review again if what is signed there, or its rule, has changed. So a node runs only on what was signed,
    /// under the rule of this program: an open review with a weaker rule never counts, be it from older code or written
    /// into the journal by an attacker.
    fn reopen(&mut self, lane: LaneId, open: &OpenReviewState) -> Result<(), Error> {
        let Some((_, entry)) = self.engine.graph.node(&open.activation.node) else { return Ok(()) };
        let (Some(interrupt), Some(reviewed)) = (entry.spec.interrupt, entry.reviewed) else { return Ok(()) };
        if self.is_as_asked(lane, open) {
            let draft = checked_draft(&self.fold, lane, interrupt.field, reviewed)?;
            let digest = ReviewTerms::from_open(open).digest(&self.fold, lane, &draft);
            let digest = digest.map_err(|e| unsignable(&self.fold.thread, interrupt.field, e))?;
            if digest == open.digest {
                return Ok(());
            }
        }
        let rule =
            self.rule(lane, |fields| ReviewRule::in_program(open, self.engine.graph, entry, fields))?;
        self.open(lane, entry, rule, open.proposed.clone())
    }

    /// Returns a rule that is evaluated on the fields of a lane.
    fn rule(
        &self,
        lane: LaneId,
        evaluate: impl FnOnce(&Slots) -> Result<ReviewRule, UserCodeError>,
    ) -> Result<ReviewRule, Error> {
        let evaluated = match self.fold.lanes.get(&lane) {
            Some(lane) => evaluate(&lane.fields),
            None => evaluate(&Slots::empty(self.engine.graph.state)),
        };
        evaluated.map_err(|error| error.into_error(&self.fold.thread))
    }

    /// Returns whether an open review has the rule of this program. Also `true` if this program has no such review.
    fn is_as_asked(&self, lane: LaneId, open: &OpenReviewState) -> bool {
        let entry = self.engine.graph.node(&open.activation.node);
        let lane = self.fold.lanes.get(&lane);
        let both = entry.zip(lane);
        both.is_none_or(|((_, entry), lane)| {
            ReviewRule::is_as_asked(open, self.engine.graph, entry, &lane.fields)
        })
    }

    /// Opens a review with the draft and the terms of this program.
    fn open(
        &mut self,
        lane: LaneId,
        entry: &NodeTable,
        rule: ReviewRule,
        proposed: Option<Proposer>,
    ) -> Result<(), Error> {
        let (Some(interrupt), Some(reviewed)) = (entry.spec.interrupt, entry.reviewed) else { return Ok(()) };
        let (node, field) = (entry.spec.name, interrupt.field);
        let draft = checked_draft(&self.fold, lane, field, reviewed)?;
        let (covers, shows) = review_terms::covered_and_shown(node, &interrupt);
        let terms = ReviewTerms { node, field, place: self.fold.next, covers: &covers, shows: &shows };
        let digest = terms.digest(&self.fold, lane, &draft);
        let digest = digest.map_err(|e| unsignable(&self.fold.thread, field, e))?;
        self.push(Event::Paused {
            node: node.to_owned(),
            lane,
            field: field.to_owned(),
            digest,
            role: rule.role,
            deadline: rule.deadline,
            remind: rule.remind,
            proposed,
            covers,
            shows,
            edit: interrupt.edit,
            when: None,
            risk: rule.risk.level,
            irreversible: rule.risk.irreversible,
            not_requester: rule.not_requester,
        })
    }
}

/// The code that moved a thread last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastCode {
    This,
    Other,
}
