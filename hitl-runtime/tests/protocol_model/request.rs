//! Requests of programs and people, and the plan of a process that has just read the thread.

use super::{
    fold::LaneState,
    journal::{Digest, Draft, Event, Node, Person, Resolution, SeenEntry, Stop, Verdict},
    rules::{Protocol, Rule},
    thread::Thread,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    Start,
    Resume,
    Answer {
        verdict: Verdict,
        digest: Digest,
        saw: SeenEntry,
        by: Person,
    },
    Settle {
        how: Resolution,
        saw: SeenEntry,
    },
    /// A verdict that a front records, which runs nothing.
    Record {
        verdict: Verdict,
        digest: Digest,
        saw: SeenEntry,
        by: Person,
    },
    Stop(Stop),
    Unpause,
}

/// The first entries of a request. `claims`: `true` if it takes the thread over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Plan {
    pub events: Vec<Event>,
    pub claims: bool,
}

impl Thread {
    /// Returns the plan for a request, or `None` if there is nothing to do or the request is refused.
    pub fn plan(&self, protocol: &Protocol, request: Request) -> Option<Plan> {
        match request {
            Request::Start => self.is_new().then(|| Plan { events: vec![Event::Started], claims: true }),
            Request::Resume => self.take_over(protocol),
            Request::Answer { verdict, digest, saw, by } => self.answer(protocol, verdict, digest, saw, by),
            Request::Settle { how, saw } => self.settle(protocol, how, saw),
            Request::Record { verdict, digest, saw, by } => {
                let plan = self.answer(protocol, verdict, digest, saw, by)?;
                Some(Plan { claims: false, ..plan })
            }
            Request::Stop(stop) => self.order(Event::Stopped(stop)),
            Request::Unpause if self.fold(protocol).stop.is_none() => None,
            Request::Unpause => self.order(Event::Unpaused),
        }
    }

    fn is_new(&self) -> bool {
        self.journal.is_empty()
    }

    /// Returns the plan for an order to the thread, also to one that a runner holds.
    fn order(&self, event: Event) -> Option<Plan> {
        let fold = self.fold(&Protocol::default());
        let is_late = matches!(event, Event::Stopped(_)) && fold.is_at_end();
        let is_over = self.is_new() || fold.ended || fold.stop == Some(Stop::Cancel) || is_late;
        (!is_over).then(|| Plan { events: vec![event], claims: false })
    }

    /// Returns whether a process may become the runner: of a stopped thread only to record that its effect is in doubt.
    fn may_claim(&self, protocol: &Protocol) -> bool {
        let fold = self.fold(protocol);
        let is_closed = fold.stop == Some(Stop::Cancel);
        let is_in_doubt = fold.lane(Node::Pay).has_begun() && (is_closed || !protocol.idempotent);
        is_in_doubt || fold.is_at_end() || !(protocol.has(Rule::StopFences) && self.is_stopped(protocol))
    }

    fn is_leased(&self, protocol: &Protocol) -> bool {
        protocol.has(Rule::Lease) && self.fold(protocol).lease.is_some() && !self.lapsed
    }

    /// Returns the plan for a person's entry, which takes the thread over unless a runner holds it.
    fn word(&self, protocol: &Protocol, event: Event) -> Plan {
        Plan { events: vec![event], claims: !self.is_leased(protocol) && self.may_claim(protocol) }
    }

    /// Takes over a thread that no runner holds, retries failures, and rejects a review past its deadline.
    fn take_over(&self, protocol: &Protocol) -> Option<Plan> {
        let fold = self.fold(protocol);
        let mut events = Vec::new();
        if let LaneState::Paused { place, .. } = fold.main
            && self.overdue
            && fold.stop != Some(Stop::Cancel)
        {
            let saw = SeenEntry { generation: self.generation, place };
            events.push(Event::Decided { verdict: Verdict::Expire, saw, late: true, by: Person::Nobody });
        }
        let may_run = self.may_claim(protocol);
        let is_closed = fold.stop == Some(Stop::Cancel);
        if may_run && (fold.runs(protocol) || fold.is_at_end() || !is_closed && fold.is_retryable(protocol)) {
            events.push(Event::Resumed);
        }
        (!events.is_empty() && !self.is_leased(protocol)).then_some(Plan { events, claims: true })
    }

    fn answer(
        &self,
        protocol: &Protocol,
        verdict: Verdict,
        seen: Digest,
        saw: SeenEntry,
        by: Person,
    ) -> Option<Plan> {
        let fold = self.fold(protocol);
        let LaneState::Paused { digest, .. } = fold.main else { return None };
        if fold.stop == Some(Stop::Cancel) && protocol.has(Rule::CancelCloses) {
            return None;
        }
        if digest != seen && protocol.has(Rule::DigestMatches) {
            return None;
        }
        if self.overdue && protocol.has(Rule::Deadline) {
            return self.take_over(protocol);
        }
        if verdict == Verdict::Edit(Draft::Invalid) && protocol.has(Rule::EditChecked) {
            return None;
        }
        if !by.may_sign(digest.draft) {
            return None;
        }
        Some(self.word(protocol, Event::Decided { verdict, saw, late: self.overdue, by }))
    }

    fn settle(&self, protocol: &Protocol, how: Resolution, saw: SeenEntry) -> Option<Plan> {
        let fold = self.fold(protocol);
        let LaneState::InDoubt { began, .. } = fold.main else { return None };
        let is_closed = fold.stop == Some(Stop::Cancel) && protocol.has(Rule::CancelCloses);
        if how == Resolution::RunAgain && is_closed {
            return None;
        }
        let its_own = saw == SeenEntry { generation: self.generation, place: began };
        (its_own || !protocol.has(Rule::SettlesItsDoubt))
            .then(|| self.word(protocol, Event::Settled { how, saw }))
    }
}
