//! The checks of what a rule signed, and of the conditions in entries.
//!
//! A condition is evaluated again only where it has signed. A condition that depends on more than the signed values may
//! have another value by now: asking a person is always allowed, so the value in the entry of a review is not compared.

use super::{FindingKind, Replay};
use crate::{
    engine::session::{ReviewTerms, checked_draft, condition, covered_and_shown, required_role, risk},
    graph::RiskLevel,
    journal::{Condition, Event, LaneId, LaneState, Signer},
    node::NodeTable,
};

/// A node of this program's graph, with its number.
type Known = Option<(usize, &'static NodeTable)>;

impl Replay<'_> {
    /// Checks that a rule signed what its review would have asked about, and that its condition is false.
    pub(super) fn signed_by_rule(&mut self, id: LaneId, known: Known, event: &Event) {
        let Event::Signed { field, digest, by, role: said, covers, shows, .. } = event else { return };
        let Some((_, entry)) = known else { return };
        let Some(lane) = self.fold.lanes.get(&id) else { return };
        let node = entry.spec.name;
        let rule =
            entry.spec.interrupt.and_then(|interrupt| Some((interrupt, interrupt.when?, entry.reviewed?)));
        let Some((interrupt, when, reviewed)) = rule else {
            let problem = format!("`{node}` has no review with a condition, so no rule signs before it");
            return self.note(FindingKind::Unsigned, problem);
        };
        let mut wrong = Vec::new();
        if !matches!(lane.at, LaneState::Ready { .. }) {
            let problem = format!("a rule signed before `{node}`, which was not next");
            wrong.push((FindingKind::Unsigned, problem));
        }
        if *by != Signer::Rule(when.text.to_owned()) {
            let problem = format!("{by} is not the rule of the review before `{node}`");
            wrong.push((FindingKind::Unsigned, problem));
        }
        match condition(entry, &lane.fields) {
            Ok(Some(Condition { value: false, .. })) => {}
            Ok(_) => {
                let problem = format!(
                    "a rule signed before `{node}`, but its condition is true for these values now; if it depends on \
                     more than the signed values, it may have been false then"
                );
                wrong.push((FindingKind::Unsigned, problem));
            }
            Err(error) => {
                wrong.push((FindingKind::Unsigned, format!("a rule signed before `{node}`, but {error}")));
            }
        }
        if !matches!(risk(self.engine.graph, entry, &lane.fields), Ok(risk) if !risk.is_high()) {
            let problem = format!("a rule signed before `{node}`, but a person signs what is of high risk");
            wrong.push((FindingKind::Unsigned, problem));
        }
        if !self.fold.may_sign_by_rule(lane, interrupt.field) {
            let problem = format!("a rule signed before `{node}` what only a person may sign");
            wrong.push((FindingKind::Unsigned, problem));
        }
        if required_role(entry, &lane.fields).ok().is_none_or(|role| role != said.as_deref()) {
            let problem =
                format!("the role in the signature of the rule before `{node}` is not that of its review");
            wrong.push((FindingKind::Unsigned, problem));
        }
        let of_graph = covered_and_shown(node, &interrupt);
        if (covers, shows) != (&of_graph.0, &of_graph.1) {
            let problem =
                format!("the effects or fields that a rule signed for before `{node}` are not the graph's");
            wrong.push((FindingKind::Digest, problem));
        }
        let terms = ReviewTerms { node, field: interrupt.field, place: self.fold.next, covers, shows };
        let draft = checked_draft(&self.fold, id, interrupt.field, reviewed).ok();
        let computed = draft.and_then(|draft| terms.digest(&self.fold, id, &draft).ok());
        if field != interrupt.field || computed != Some(*digest) {
            wrong.push((FindingKind::Digest, format!("its digest is not that of `{field}`")));
        }
        wrong.into_iter().for_each(|(kind, problem)| self.note(kind, problem));
    }

    /// Checks the condition with which a review opens. If it is false, only a person may sign for another reason.
    pub(super) fn opens(
        &mut self,
        id: LaneId,
        known: Known,
        when: Option<&Condition>,
        said: Option<RiskLevel>,
    ) {
        let Some(condition) = when else { return };
        self.has_condition(known, when, true);
        let (Some((_, entry)), Some(lane)) = (known, self.fold.lanes.get(&id)) else { return };
        let field = entry.spec.interrupt.map_or("", |interrupt| interrupt.field);
        if !condition.value && said != Some(RiskLevel::High) && self.fold.may_sign_by_rule(lane, field) {
            let problem = format!("the review before `{}` opened, although {condition}", entry.spec.name);
            self.note(FindingKind::Route, problem);
        }
    }

    /// Checks that an entry has the condition of the review before its node if it is `expected`, and none otherwise.
    pub(super) fn has_condition(&mut self, known: Known, when: Option<&Condition>, expected: bool) {
        let Some((_, entry)) = known else { return };
        let spec = entry.spec.interrupt.and_then(|interrupt| interrupt.when).filter(|_| expected);
        if spec.map(|spec| spec.text) != when.map(|when| when.expr.as_str()) {
            let text =
                |expr: Option<&str>| expr.map_or("no condition".to_owned(), |expr| format!("`{expr}`"));
            let said = text(when.map(|when| when.expr.as_str()));
            let known = text(spec.map(|spec| spec.text));
            let problem =
                format!("the condition of `{}` is {known}, but the entry has {said}", entry.spec.name);
            self.note(FindingKind::Route, problem);
        }
    }
}
