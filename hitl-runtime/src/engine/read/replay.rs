//! Replay of a journal for verification: checks that each entry can have been written.
//!
//! No node runs. Each entry is checked against the thread as the entries before it left it, and, if this program wrote
//! the entry, against this program's graph.

mod rules;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    str::FromStr,
};

use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use super::finding::{CLOCK_SKEW, Finding, FindingKind, UncheckedRange};
use crate::{
    Digest, Operator, Place, ThreadId, Timestamp,
    engine::{
        Engine,
        exec::{EditResult, context},
        routing,
        session::{
            LaneRules, ReviewRule, ReviewTerms, checked_draft, covered_and_shown, holds, locate_review,
        },
    },
    graph::{EdgeKind, ReadKind},
    journal::{
        Decision, Each, Entry, Event, Fold, FoldError, Lane, LaneId, LaneState, NodeRenames, OpenReviewState,
        Person, Proposal, Reason, Runs, Settlement, Transition, Unmigrated, Values,
    },
    node::NodeTable,
    review::{SignatureError, check_signature},
    state::Slots,
    store::Record,
};

/// The state of a replay, which reads a journal from the first entry to the last.
pub(super) struct Replay<'a> {
    engine: &'a Engine,
    fold: Fold,
    findings: Vec<Finding>,
    unchecked: Vec<UncheckedRange>,
    /// The start of the current range of entries that are not checked against the graph, and the reason.
    strange: Option<(Place, String)>,
    /// `true` if the replay has stopped and ignores all further entries.
    stopped: bool,
    latest: Timestamp,
}

impl<'a> Replay<'a> {
    pub(super) fn new(engine: &'a Engine, thread: &ThreadId) -> Self {
        Self {
            engine,
            fold: Fold::empty(engine.graph.state, thread.clone()),
            findings: Vec::new(),
            unchecked: Vec::new(),
            strange: None,
            stopped: false,
            latest: Timestamp::UNIX_EPOCH,
        }
    }

    /// Stops the replay at a place: all entries from there on count as unchecked.
    pub(super) fn stop(&mut self, place: Place, reason: &str) {
        if !std::mem::replace(&mut self.stopped, true) {
            self.close(place);
            self.strange = Some((place, reason.to_owned()));
        }
    }

    /// Ends the current range of unchecked entries before a place, and records it.
    fn close(&mut self, before: Place) {
        if let Some((from, reason)) = self.strange.take()
            && let Some(to) = before.checked_sub(1).filter(|to| *to >= from)
        {
            self.unchecked.push(UncheckedRange { from, to, reason });
        }
    }

    /// Ends the replay and returns its findings and the unchecked ranges.
    pub(super) fn end(mut self, last: Place) -> (Vec<Finding>, Vec<UncheckedRange>) {
        self.close(last.saturating_add(1));
        (self.findings, self.unchecked)
    }

    fn note(&mut self, kind: FindingKind, problem: impl Into<String>) {
        self.findings.push(Finding { place: self.fold.next, kind, problem: problem.into() });
    }

    /// Returns whether the next entries were written by this version of the program.
    fn is_own(&self) -> bool {
        self.engine.is_current_code(&self.fold)
    }

    pub(super) fn read(&mut self, record: &Record) {
        if self.stopped {
            return;
        }
        let place = record.place;
        let entry: Entry = match serde_json::from_slice(&record.body) {
            Ok(entry) => entry,
            Err(error) => {
                self.note(FindingKind::Unreadable, format!("it cannot be parsed as an entry: {error}"));
                return self.stop(place, "an earlier entry cannot be read");
            }
        };
        if self.fold.ended && !matches!(entry.event, Event::Adopted { .. }) {
            self.note(FindingKind::Route, "the thread ended before this entry");
            return self.stop(place, "the thread ended earlier");
        }
        self.times(&entry);
        let expected = self.before(&entry);
        let read = self.read_entry(&entry, record);
        if let Err(error) = read {
            let reason = match error {
                FoldError::Damaged(problem) => {
                    self.note(FindingKind::Unreadable, problem);
                    "an earlier entry is not a valid continuation of the journal".to_owned()
                }
                FoldError::Changed(error) => {
                    format!("the thread's values do not match this program's state: {error}")
                }
                FoldError::Unmigrated(Unmigrated { problem, .. }) => {
                    format!("this program's migration of the thread's values failed: {problem}")
                }
            };
            return self.stop(place, &reason);
        }
        // Findings take their place from `fold.next`, which `Fold::read` has advanced past this entry.
        self.fold.next = place;
        self.after(&entry, expected);
        self.fold.next = place.saturating_add(1);
    }

    /// Reads an entry, and decodes the values that it can have changed.
    fn read_entry(&mut self, entry: &Entry, record: &Record) -> Result<(), FoldError> {
        let lane = entry.event.lane();
        // A lane that reaches a join is merged into the lane that it came out of.
        let around = lane.map(|lane| self.fold.parents(lane)).unwrap_or_default();
        self.fold.read(record.place, record.hash, &record.body)?;
        match lane {
            Some(lane) => self.fold.decode([lane].into_iter().chain(around))?,
            None => self.fold.decode_all()?,
        }
        Ok(())
    }

    /// Checks times and leases. These checks do not depend on the program that wrote the entry.
    fn times(&mut self, entry: &Entry) {
        let now = entry.at;
        let is_back = now.saturating_add(CLOCK_SKEW) < self.latest;
        if is_back {
            let back = self.latest.saturating_since(now).as_millis();
            self.note(
                FindingKind::Time,
                format!("its time is {back} ms before the time of an earlier entry"),
            );
        }
        self.latest = self.latest.max(now);
        // A lease of a clock that was ahead is bounded by the time at which its entry was first seen, which is not in
        // the journal.
        let Some(lease) = entry.lease.as_ref().filter(|_| !is_back) else { return };
        let held = self.fold.lease.as_ref().filter(|held| held.runner != lease.runner);
        if held.is_some_and(|held| held.until > now.saturating_add(CLOCK_SKEW)) {
            self.note(FindingKind::Lease, "a runner claimed the thread during the lease of another runner");
        }
        if lease.until < now {
            self.note(FindingKind::Lease, "its lease expired before the entry was written");
        }
    }

    /// Checks an entry against the thread before it. Returns the next step that the graph prescribes, if only the
    /// thread before the entry can tell it.
    fn before(&mut self, entry: &Entry) -> Option<Transition> {
        if let Event::Ended {} = entry.event
            && !self.fold.is_at_end()
        {
            self.note(FindingKind::Route, "the thread had not reached its end");
        }
        if let Event::Migrated { print, version, renamed, .. } = &entry.event {
            self.migrated(print, *version, renamed);
        }
        // New code may open a review again while its thread is paused.
        let begins = matches!(entry.event, Event::Began { .. } | Event::Signed { .. });
        let is_step = begins
            || matches!(entry.event, Event::Paused { .. } | Event::Reminded { .. } | Event::Decided { .. });
        if let Some(said) = self.fold.settled_stop().filter(|_| is_step) {
            let problem = format!("the thread was {said}, so no further step is allowed");
            self.note(FindingKind::Route, problem);
        } else if let Some(stop) = &self.fold.stop
            && (begins || is_step && self.fold.is_cancelled())
        {
            self.note(FindingKind::Route, format!("{stop}, so this step is not allowed"));
        }
        let (Some(node), Some(id)) = (entry.event.node(), entry.event.lane()) else { return None };
        let at = self
            .fold
            .lanes
            .get(&id)
            .and_then(|lane| lane.at.activation())
            .map(|activation| activation.node.clone());
        if at.as_deref() != Some(node) {
            let there = at.map_or_else(|| "no node".to_owned(), |node| format!("`{node}`"));
            let problem = format!("it is about `{node}`, but lane {id} was at {there}");
            self.note(FindingKind::Route, problem);
            return None;
        }
        let known = if self.is_own() { self.engine.graph.node(node) } else { None };
        if self.is_own() && known.is_none() {
            self.note(FindingKind::Route, format!("the graph has no node `{node}`"));
        }
        match &entry.event {
            Event::Began { key, .. } => self.began(id, known, key),
            Event::Signed { .. } => self.signed_by_rule(id, known, &entry.event),
            Event::Paused { when, risk, .. } => self.opens(id, known, when.as_ref(), *risk),
            Event::Ran { run, wrote, to, .. } => {
                self.ran(id, known);
                self.counted(id, known, *run);
                self.wrote(known, wrote);
                let (number, _) = known.filter(|_| *to == Transition::Join)?;
                // Applying the entry removes the lane, so the next step must be computed here.
                let lane = self.fold.lanes.get(&id)?;
                let mut fields = Slots::clone(&lane.fields);
                wrote.iter().try_for_each(|(field, json)| fields.write(field, json.get())).ok()?;
                let runs = lane.runs.with(node, *run);
                return guarded(|| routing::after_node(self.engine.graph, number, &fields, &runs));
            }
            Event::Decided {
                verdict, digest, to, evidence, proposal, when, operator, unverified, ..
            } => {
                let signs = matches!(verdict, Decision::Edit { .. }) && proposal.is_none();
                self.has_condition(known, when.as_ref(), signs);
                let role = evidence.as_ref().map(|evidence| evidence.role.as_deref());
                let proposal = proposal.as_deref();
                let by = Person::of_act(operator, *unverified, evidence.as_deref());
                let by_requester = self.fold.requesters.may_include(&by);
                let at = entry.at;
                self.decided(id, known, Verdict { verdict, digest, to, role, proposal, at, by_requester });
            }
            Event::InDoubt { key, .. } => {
                let began = self.fold.lanes.get(&id).map(|lane| &lane.at);
                if !matches!(began, Some(LaneState::Began { key: began, .. }) if began == key) {
                    self.note(FindingKind::Unsigned, format!("`{node}` had not begun with this key"));
                }
            }
            Event::Settled { how, run, .. } => {
                match how {
                    Settlement::Happened { wrote } => {
                        self.counted(id, known, *run);
                        self.wrote(known, wrote);
                    }
                    Settlement::RunAgain | Settlement::Stop { .. } => self.has_number(node, *run, None),
                }
                let at = self.fold.lanes.get(&id).map(|lane| &lane.at);
                if !matches!(at, Some(LaneState::InDoubt { .. })) {
                    self.note(FindingKind::Route, format!("`{node}` was not in doubt"));
                }
            }
            _ => {}
        }
        None
    }

    /// Checks that an effect began after its verdict, with the idempotency key of this activation.
    fn began(&mut self, id: LaneId, known: Option<(usize, &'static NodeTable)>, key: &str) {
        let Some((_, entry)) = known else { return };
        let Some(lane) = self.fold.lanes.get(&id) else { return };
        let Some(activation) = lane.at.activation() else { return };
        let node = &activation.node;
        let expected = match &lane.at {
            LaneState::Began { key, .. } => key.clone(),
            _ => context(&self.fold, id, entry, activation).idempotency_key().to_owned(),
        };
        let mut wrong = Vec::new();
        let again = matches!(lane.at, LaneState::Began { .. });
        let may_begin = matches!(lane.at, LaneState::Ready { .. }) || again && entry.spec.idempotent;
        if !may_begin {
            wrong
                .push((FindingKind::Unsigned, format!("`{node}` began in a state in which it must not run")));
        }
        let approved = entry.spec.reads.iter().filter(|read| read.kind == ReadKind::Approved);
        for field in approved.map(|read| read.field) {
            let permitted = match lane.signatures.get(field) {
                Some(signature) if self.is_signed(id, lane, field) => check_signature(
                    self.engine.graph.spec,
                    &entry.spec,
                    Some(activation.entered),
                    field,
                    signature,
                    &LaneRules::new(self.engine.graph, &self.fold, lane, field),
                ),
                _ => Err(SignatureError::Missing { field }),
            };
            if let Err(error) = permitted {
                wrong.push((FindingKind::Unsigned, format!("`{node}` must not have begun: {error}")));
            }
        }
        if !entry.spec.effect {
            wrong.push((FindingKind::Route, format!("`{node}` is not an effect")));
        }
        if key != expected {
            wrong.push((FindingKind::Digest, format!("`{node}` began with a wrong idempotency key")));
        }
        if let Some(interrupt) = entry.spec.interrupt
            && !matches!(lane.at, LaneState::Began { .. })
            && !(activation.signed && self.is_signed(id, lane, interrupt.field))
        {
            let problem =
                format!("`{node}` began without a signature on this value of `{}`", interrupt.field);
            wrong.push((FindingKind::Unsigned, problem));
        }
        wrong.into_iter().for_each(|(kind, problem)| self.note(kind, problem));
    }

    fn is_signed(&self, id: LaneId, lane: &Lane, field: &str) -> bool {
        let signature = lane.signatures.get(field);
        signature.is_some_and(|signature| holds(&self.fold, id, field, signature))
    }

    /// Checks that a node writes each field that it declares, and no other field.
    fn wrote(&mut self, known: Option<(usize, &'static NodeTable)>, wrote: &Values) {
        let Some((_, entry)) = known else { return };
        let spec = &entry.spec;
        if wrote.len() != spec.writes.len() || !spec.writes.iter().all(|field| wrote.contains_key(*field)) {
            let fields: Vec<&str> = wrote.keys().map(String::as_str).collect();
            let problem = format!("`{}` does not write `{}`", spec.name, fields.join("`, `"));
            self.note(FindingKind::Route, problem);
        }
    }

    /// Checks that a node ran where it was allowed to: signed if it has a review, and begun if it is an effect.
    fn ran(&mut self, id: LaneId, known: Option<(usize, &'static NodeTable)>) {
        let Some((_, entry)) = known else { return };
        let Some(lane) = self.fold.lanes.get(&id) else { return };
        let Some(activation) = lane.at.activation() else { return };
        let node = entry.spec.name;
        if entry.spec.effect && !matches!(lane.at, LaneState::Began { .. }) {
            self.note(FindingKind::Unsigned, format!("effect `{node}` ran without having begun"));
        } else if !entry.spec.effect && !matches!(lane.at, LaneState::Ready { .. }) {
            self.note(FindingKind::Route, format!("`{node}` ran in a state in which it must not run"));
        } else if entry.spec.interrupt.is_some() && !activation.signed {
            self.note(FindingKind::Unsigned, format!("`{node}` ran before its review was signed"));
        }
    }

    /// Checks that an entry has the number of its run if the graph counts the runs of the node, and none otherwise.
    fn counted(&mut self, lane: LaneId, known: Option<(usize, &'static NodeTable)>, run: Option<u32>) {
        let Some((_, NodeTable { spec, .. })) = known else { return };
        let expected = self.fold.next_run(lane, Some(spec));
        self.has_number(spec.name, run, expected);
    }

    fn has_number(&mut self, node: &str, run: Option<u32>, expected: Option<u32>) {
        let word = |run: Option<u32>| run.map_or("no number".to_owned(), |run| format!("number {run}"));
        if run != expected {
            let problem =
                format!("the run of `{node}` has {}, but {} was expected", word(run), word(expected));
            self.note(FindingKind::Route, problem);
        }
    }

    /// Checks that a migration is one to other code, and that this program renames the nodes that it renames.
    fn migrated(&mut self, print: &str, version: Option<u32>, renamed: &NodeRenames) {
        if print == self.fold.print && version.is_none_or(|version| version == self.fold.version) {
            self.note(FindingKind::Route, "it is a migration to the code that wrote the entry before it");
        }
        if print != self.engine.print {
            return;
        }
        let known = self.engine.graph.spec.renamed;
        for (old, new) in renamed {
            if !known.iter().any(|(from, to)| (from, to) == (&old.as_str(), &new.as_str())) {
                self.note(FindingKind::Route, format!("the graph does not rename `{old}` to `{new}`"));
            }
        }
    }

    fn decided(&mut self, id: LaneId, known: Option<(usize, &'static NodeTable)>, said: Verdict<'_>) {
        let Some(LaneState::Paused(open)) = self.fold.lanes.get(&id).map(|lane| &lane.at) else { return };
        let open = open.clone();
        if *said.digest != open.digest {
            self.note(FindingKind::Digest, "its digest is not that of the open review");
        }
        if said.role.is_some_and(|role| role != open.role.as_deref()) {
            self.note(
                FindingKind::Unsigned,
                "the role of the verdict is not the role that the review requires",
            );
        }
        let signs = match said.verdict {
            Decision::Approve => true,
            Decision::Edit { .. } => said.proposal.is_none(),
            _ => false,
        };
        if open.not_requester && signs && said.by_requester != Some(false) {
            let problem = "the review takes no signature of the person who started the thread";
            self.note(FindingKind::Unsigned, problem);
        }
        self.in_time(&open, &said);
        let Some((number, _)) = known else { return };
        if let Decision::Edit { before, after, signed } = said.verdict {
            self.edited(id, &open, before.get(), after.get(), *signed);
        }
        let leads = |kind| routing::after_verdict(self.engine.graph, number, kind);
        let legal = match said.verdict {
            Decision::Approve => *said.to == Transition::Node(open.activation.node.clone()),
            Decision::Edit { after, .. } => self.edit_leads(id, &open, after, &said),
            Decision::Reject { reason: Reason::Expired, .. } => {
                leads(EdgeKind::Expire).or_else(|| leads(EdgeKind::Reject)).as_ref() == Some(said.to)
            }
            Decision::Reject { .. } => leads(EdgeKind::Reject).as_ref() == Some(said.to),
            Decision::Ask { .. } => leads(EdgeKind::Ask).as_ref() == Some(said.to),
        };
        if !legal {
            self.note(FindingKind::Route, format!("the graph has no transition to `{}` here", said.to));
        }
    }

    /// Returns whether an edit leads to the step that the graph prescribes for its draft as a new proposal.
    fn edit_leads(&self, id: LaneId, open: &OpenReviewState, after: &RawValue, said: &Verdict<'_>) -> bool {
        let Ok(found) = locate_review(self.engine.graph, &self.fold, id, open) else { return false };
        // A `match` guard is the user's code and may panic. The operator's roles do not affect the result that is
        // compared.
        let way = || self.engine.resolve_edit(&self.fold, &found, after, &Operator::new("verify"));
        match (catch_unwind(AssertUnwindSafe(way)), said.proposal) {
            (Ok(Ok(EditResult::Signs)), None) => *said.to == Transition::Node(open.activation.node.clone()),
            (Ok(Ok(EditResult::Proposes { proposal: Proposal::Made { from, .. }, to })), Some(made)) => {
                matches!(made, Proposal::Made { from: said, .. } if *said == from) && *said.to == to
            }
            _ => false,
        }
    }

    fn in_time(&mut self, open: &OpenReviewState, said: &Verdict<'_>) {
        let expired = matches!(said.verdict, Decision::Reject { reason: Reason::Expired, .. });
        match open.deadline {
            None if expired => self.note(FindingKind::Time, "the review expired, but had no deadline"),
            Some(deadline) if expired && said.at.saturating_add(CLOCK_SKEW) < deadline => {
                self.note(FindingKind::Time, "the review expired before its deadline");
            }
            Some(deadline) if !expired && said.at > deadline.saturating_add(CLOCK_SKEW) => {
                self.note(FindingKind::Time, "the review was decided after its deadline");
            }
            _ => {}
        }
    }

    fn edited(&mut self, id: LaneId, open: &OpenReviewState, before: &str, after: &str, signed: Digest) {
        let field = &open.field;
        let json = |text: &str| serde_json::from_str::<Value>(text).ok();
        let draft = self.fold.lanes.get(&id).and_then(|lane| lane.fields.read(field).ok().flatten());
        let draft = draft.and_then(json);
        let after = json(after);
        let digest = after.and_then(|after| ReviewTerms::from_open(open).digest(&self.fold, id, &after).ok());
        if draft.is_none() || draft != json(before) {
            self.note(FindingKind::Digest, "the draft before the edit is not the draft of the open review");
        }
        if digest != Some(signed) {
            self.note(FindingKind::Digest, "the signed digest is not that of the edited draft");
        }
    }

    /// Checks an entry against the thread after it.
    fn after(&mut self, entry: &Entry, expected: Option<Transition>) {
        let place = self.fold.next;
        if matches!(entry.event, Event::Started { .. } | Event::Migrated { .. }) {
            self.close(place);
            if !self.is_own() {
                let reason = if self.fold.graph == self.engine.graph.spec.name {
                    format!(
                        "the entries were written by another version of this program, with graph fingerprint {}",
                        self.fold.print
                    )
                } else {
                    format!("the entries belong to another graph, `{}`", self.fold.graph)
                };
                self.strange = Some((place, reason));
            }
        }
        if !self.is_own() {
            return;
        }
        match &entry.event {
            Event::Started { to: Some(to), input, .. } => {
                let inputs = self.engine.graph.state.spec.fields.iter().filter(|field| field.input);
                let inputs: Vec<&str> = inputs.map(|field| field.name).collect();
                if let Some(field) = input.keys().find(|field| !inputs.contains(&field.as_str())) {
                    self.note(FindingKind::Route, format!("`{field}` is not an input"));
                }
                let fields = self.fold.root().map(|lane| lane.fields.clone());
                let leads = fields.and_then(|fields| {
                    guarded(|| routing::after_start(self.engine.graph, &fields, &Runs::default()))
                });
                self.leads(leads, to);
            }
            Event::Started { to: None, .. } => {
                let signs = |lane: &Lane| {
                    !lane.signatures.is_empty()
                        || lane.at.activation().is_some_and(|activation| activation.signed)
                };
                if self.fold.lanes.values().any(|lane| signs(lane)) {
                    self.note(FindingKind::Unsigned, "the fork contains signatures of another thread");
                }
            }
            Event::Ran { node, lane, to, .. } => {
                let leads = expected.or_else(|| self.leads_from(node, *lane));
                self.leads(leads, to);
            }
            Event::Settled { node, lane, how: Settlement::Happened { .. }, to: Some(to), .. }
                if *to != Transition::Join =>
            {
                self.leads(self.leads_from(node, *lane), to);
            }
            Event::Paused { node, lane, field, digest, .. } => self.paused(node, *lane, field, *digest),
            _ => {}
        }
        if let (Some(snapshot), false) = (&entry.snapshot, place == 0) {
            self.snapshot(snapshot.get());
        }
    }

    /// Returns the next step of a lane after a node whose fields are written.
    fn leads_from(&self, node: &str, lane: LaneId) -> Option<Transition> {
        let (number, _) = self.engine.graph.node(node)?;
        let lane = self.fold.lanes.get(&lane)?;
        guarded(|| routing::after_node(self.engine.graph, number, &lane.fields, &lane.runs))
    }

    fn leads(&mut self, expected: Option<Transition>, to: &Transition) {
        if expected.as_ref() != Some(to) {
            self.note(FindingKind::Route, format!("the graph has no transition to `{to}` here"));
        }
    }

    fn paused(&mut self, node: &str, lane: LaneId, field: &str, digest: Digest) {
        let Some((_, entry)) = self.engine.graph.node(node) else { return };
        let (Some(interrupt), Some(reviewed)) = (entry.spec.interrupt, entry.reviewed) else {
            return self.note(FindingKind::Route, format!("`{node}` has no review"));
        };
        let draft = checked_draft(&self.fold, lane, interrupt.field, reviewed).ok();
        let Some(LaneState::Paused(open)) = self.fold.lanes.get(&lane).map(|lane| &lane.at) else { return };
        let terms = ReviewTerms::from_open(open);
        let computed = draft.and_then(|draft| terms.digest(&self.fold, lane, &draft).ok());
        let (covers, shows) = covered_and_shown(node, &interrupt);
        if open.covers != covers || open.shows != shows {
            let problem = format!(
                "the effects or fields that the review before `{node}` covers or shows are not the graph's"
            );
            return self.note(FindingKind::Digest, problem);
        }
        let fields = self.fold.lanes.get(&lane).map(|lane| &lane.fields);
        if !fields.is_some_and(|fields| ReviewRule::is_as_asked(open, self.engine.graph, entry, fields)) {
            let problem = format!("the review before `{node}` has a weaker rule than this program's");
            return self.note(FindingKind::Unsigned, problem);
        }
        if interrupt.field != field || computed != Some(digest) {
            self.note(FindingKind::Digest, format!("its digest is not that of `{field}`"));
        }
    }

    fn snapshot(&mut self, stored: &str) {
        // The counts of steps only guard against endless loops, and older versions of hitl counted in another way.
        let json = |text: &str| serde_json::from_str::<Value>(text).ok().map(comparable);
        let computed = self.fold.to_snapshot().ok().and_then(|frozen| json(frozen.get()));
        let (Some(mut computed), Some(stored)) = (computed, json(stored)) else {
            return self.note(FindingKind::Snapshot, "its snapshot cannot be computed");
        };
        if stored.get("asks").is_none() {
            // One of an older version of hitl.
            without_asked(&mut computed);
        }
        if stored.get("requesters").is_none() {
            without_requesters(&mut computed);
        }
        if computed == stored {
            return;
        }
        // The order of a hash set can change with each reading. If the snapshot is not stable, it is compared without
        // the order of lists.
        let again = (0..4).filter_map(|_| self.reread()).any(|again| again != computed);
        if again && unordered(computed) == unordered(stored) {
            return;
        }
        self.note(
            FindingKind::Snapshot,
            "its snapshot differs from the state that the entries before it give",
        );
    }

    /// Returns the snapshot of the same thread after each field was deserialized and serialized once more.
    fn reread(&self) -> Option<Value> {
        let frozen = self.fold.to_snapshot().ok()?;
        let mut again: Fold = Fold::empty(self.engine.graph.state, self.fold.thread.clone());
        again.restore(&frozen).ok()?;
        serde_json::from_str(again.to_snapshot().ok()?.get()).ok().map(comparable)
    }
}

/// A verdict as its journal entry records it.
struct Verdict<'a> {
    verdict: &'a Decision,
    digest: &'a Digest,
    to: &'a Transition,
    role: Option<Option<&'a str>>,
    proposal: Option<&'a Proposal>,
    at: Timestamp,
    by_requester: Option<bool>,
}

/// Calls a route function and catches its panics: a `match` guard is the user's code.
fn guarded(route: impl FnOnce() -> Result<Transition, String>) -> Option<Transition> {
    catch_unwind(AssertUnwindSafe(route)).ok()?.ok()
}

/// Returns a snapshot without its counts of steps, and with its positions as this version of hitl writes them: older
/// ones wrote them as text.
fn comparable(mut snapshot: Value) -> Value {
    if let Some(members) = snapshot.as_object_mut() {
        members.remove("steps");
    }
    for lane in lanes(&mut snapshot) {
        lane.remove("steps");
        let Some(at) = lane.get_mut("at") else { continue };
        if let Some(join) = at.pointer_mut("/forked/join") {
            rewrite_text::<Transition>(join);
        }
        if let Some(each) = at.pointer_mut("/looping/each") {
            rewrite_text::<Each>(each);
        }
    }
    snapshot
}

/// Returns the lanes of a snapshot.
fn lanes(snapshot: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let lanes = snapshot.get_mut("lanes").and_then(Value::as_object_mut);
    lanes.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut)
}

/// Removes from a snapshot what one of an older version of hitl does not have.
fn without_asked(snapshot: &mut Value) {
    let Some(members) = snapshot.as_object_mut() else { return };
    members.remove("asks");
    members.remove("forked");
    for lane in lanes(snapshot) {
        let Some(sources) = lane.get_mut("sources").and_then(Value::as_object_mut) else { continue };
        sources.remove("asked");
        if sources.is_empty() {
            lane.remove("sources");
        }
    }
}

/// Removes from a snapshot what one of an older version of hitl does not say about requesters.
fn without_requesters(snapshot: &mut Value) {
    let Some(members) = snapshot.as_object_mut() else { return };
    members.remove("requesters");
    for lane in lanes(snapshot) {
        if let Some(pending) = lane.get_mut("pending").and_then(Value::as_object_mut) {
            pending.remove("subject");
        }
        let signatures = lane.get_mut("signatures").and_then(Value::as_object_mut);
        for signature in signatures.into_iter().flat_map(|signatures| signatures.values_mut()) {
            signature.as_object_mut().and_then(|signature| signature.remove("by_requester"));
        }
    }
}

/// Replaces the text of a value of an older version by the JSON of this one.
fn rewrite_text<T: FromStr + Serialize>(value: &mut Value) {
    let read = value.as_str().and_then(|text| text.parse::<T>().ok());
    if let Some(json) = read.and_then(|read| serde_json::to_value(read).ok()) {
        *value = json;
    }
}

/// Sorts all lists in a value, so that values can be compared without the order of lists.
fn unordered(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(unordered).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, unordered(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_snapshot_of_an_older_version_is_comparable() {
        let snapshot = |each: Value, join: Value| {
            json!({ "steps": 3, "lanes": {
                "0": { "at": { "looping": { "each": each } }, "steps": 1 },
                "1": { "at": { "forked": { "join": join } } },
            } })
        };
        let text = "for order in &orders { look_up } into log -> report";
        let fields = json!({ "item": "order", "list": "orders", "keeps_list": true, "head": "look_up",
            "into": ["log"], "join": "report" });
        let older = comparable(snapshot(json!(text), json!("pay")));
        assert_eq!(older, comparable(snapshot(fields, json!("pay"))));
        assert_ne!(older, comparable(snapshot(json!(text.replace("&", "")), json!("pay"))));
    }
}
