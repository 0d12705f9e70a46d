//! The meaning of verdicts and settlements: the change of a thread's state by a person.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Decision, Evidence, Fold, FoldError, LaneId, LaneState, Pending, Person, Proposal, Proposer, Question,
    Rejection, Settlement, Signature, Signer, Source, Timestamp, Transition, Values, lane_state::Feedback,
    lane_state::OpenReviewState, migrate, proposal::SourceRef,
};

impl Fold {
    /// Applies a verdict. `by` has the operator and the place of the verdict's entry, with the evidence of their identity.
    pub(super) fn decide(
        &mut self,
        id: LaneId,
        verdict: &Decision,
        (by, evidence): (Proposer, Option<&Evidence>),
        to: &Transition,
        proposal: Option<&Proposal>,
    ) -> Result<(), FoldError> {
        let place = by.edit;
        let person = Person::of_act(&by.operator, by.unverified, evidence);
        let mut by_requester = self.requesters.may_include(&person);
        match (proposal, verdict, self.lanes.get(&id).map(|lane| &lane.at)) {
            (None, ..) | (Some(Proposal::Made { .. }), Decision::Edit { .. }, _) => {}
            (Some(Proposal::Signed { edit }), Decision::Approve, Some(LaneState::Paused(open))) => {
                self.may_sign(id, open, &person, *edit, self.at)?;
                if evidence.is_none() && self.lanes.get(&id).is_some_and(|lane| lane.is_proposed_by_subject())
                {
                    // An older version of hitl has written the entry without the subject of the edit.
                    by_requester = None;
                }
            }
            _ => return Err(FoldError::Damaged("its verdict and its proposal do not match".to_owned())),
        }
        let named = match self.lanes.get(&id).map(|lane| &lane.at) {
            Some(LaneState::Paused(open)) => self.current_name(id, &open.field),
            _ => String::new(),
        };
        let lane = self.lane(id)?;
        // `arrive` sets the position below. On an error before that, the thread is unreadable and the fold is
        // discarded.
        let LaneState::Paused(open) = std::mem::replace(&mut lane.at, LaneState::Ended) else {
            return Err(FoldError::Damaged("it decides a review that is not open".to_owned()));
        };
        let OpenReviewState {
            activation,
            field,
            place: opened,
            digest: seen,
            role,
            covers,
            shows,
            deadline,
            risk,
            irreversible,
            ..
        } = *open;
        let (covered, shown) = (covers.clone(), lane.fields.values_of(&shows)?);
        let node = activation.node.clone();
        let sign = |digest| Signature {
            node: activation.node,
            place: opened,
            by: Signer::Operator(by.operator.clone()),
            role,
            digest,
            covers,
            shows,
            spent: BTreeMap::new(),
            risk,
            irreversible,
            by_requester,
        };
        // The rejection or question that led to the node stays available to its run.
        let mut feedback = activation.feedback;
        let mut signed = matches!(verdict, Decision::Approve | Decision::Edit { .. });
        if let Decision::Reject { .. } = verdict {
            lane.sources.refuse(&named);
        }
        if !signed {
            // A rejection or a question removes an earlier signature on the same field.
            Arc::make_mut(&mut lane.signatures).remove(&field);
        }
        self.answered(id, &field, matches!(verdict, Decision::Ask { .. }));
        let lane = self.lane(id)?;
        match verdict {
            Decision::Approve => {
                Arc::make_mut(&mut lane.signatures).insert(field, sign(seen));
            }
            Decision::Edit { after, .. }
                if let Some(Proposal::Made { from, roles, until, risk, irreversible }) = proposal =>
            {
                self.take(id, &Values::from([(field.clone(), after.clone())]), None)?;
                self.lane(id)?.sources.edited(&named);
                let (roles, draft) = (roles.clone(), after.clone());
                let stays = *from == Source::At(node.clone()) && *to == Transition::Node(node.clone());
                let mut before = vec![node];
                if let Transition::Node(to) = to
                    && !before.contains(to)
                {
                    before.push(to.clone());
                }
                let until = until.iter().chain(&deadline).min().copied();
                self.propose(
                    id,
                    Pending {
                        field,
                        by,
                        opened,
                        roles,
                        draft,
                        shown,
                        covered,
                        before,
                        until,
                        risk: *risk,
                        irreversible: *irreversible,
                        signs: true,
                        subject: person.subject,
                    },
                )?;
                signed = false;
                // A lane that stays before its node keeps what led to it.
                feedback = feedback.filter(|_| stays);
            }
            Decision::Edit { after, signed, .. } => {
                self.take(id, &Values::from([(field.clone(), after.clone())]), None)?;
                Arc::make_mut(&mut self.lane(id)?.signatures).insert(field, sign(*signed));
            }
            Decision::Reject { reason, note } => {
                feedback = Some(Box::new(Feedback::Rejection(Rejection {
                    reason: *reason,
                    note: note.clone(),
                    operator: by.operator,
                    draft: migrate::draft(lane, &field)?,
                })));
            }
            Decision::Ask { question } => {
                feedback = Some(Box::new(Feedback::Question(Question {
                    text: question.clone(),
                    operator: by.operator,
                    draft: migrate::draft(lane, &field)?,
                })));
            }
        }
        self.arrive(id, to, place, signed, feedback)
    }

    pub(super) fn settle(
        &mut self,
        id: LaneId,
        how: &Settlement,
        operator: &str,
        run: Option<u32>,
        to: Option<&Transition>,
        time: Timestamp,
    ) -> Result<(), FoldError> {
        let place = self.next;
        let at = &mut self.lane(id)?.at;
        if !matches!(at, LaneState::InDoubt { .. }) {
            return Err(FoldError::Damaged("it settles an effect that is not in doubt".to_owned()));
        }
        let activation = at.take_activation()?;
        match how {
            Settlement::Happened { wrote } => {
                let to = to.ok_or_else(|| {
                    FoldError::Damaged("it does not record where the thread continues".to_owned())
                })?;
                let lane = self.lane(id)?;
                lane.runs.record(&activation.node, run);
                if activation.signed {
                    lane.sources.done(&activation.node);
                }
                self.take(id, wrote, Some(SourceRef::After(&activation.node)))?;
                self.arrive(id, to, place, false, None)
            }
            Settlement::RunAgain => {
                self.lane(id)?.at = LaneState::Ready { activation, again: None };
                Ok(())
            }
            Settlement::Stop { note } => {
                let error = if note.is_empty() {
                    format!("stopped by {operator}")
                } else {
                    format!("stopped by {operator}: {note}")
                };
                self.lane(id)?.at = LaneState::Failed { activation, since: time, error, stopped: true };
                Ok(())
            }
        }
    }
}
