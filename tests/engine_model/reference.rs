//! The reference model: the same world as a plain struct, without journal, digests or stores.

use super::{
    agent::{CallLog, Conditions, Node},
    moves::{Edit, Fork, Move, Person, Settle, VerdictCase},
};

pub const THREADS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug, Default)]
pub struct Reference {
    pub now_hours: u64,
    pub conditions: Conditions,
    pub threads: [Option<Thread>; THREADS.len()],
    /// All reviews and all doubts that ever existed, in their order.
    pub reviews: Vec<Review>,
    pub doubts: Vec<Doubt>,
    pub call_log: CallLog,
    /// The review in which each payment and each letter was signed.
    pub paid_for: Vec<usize>,
    pub sent_for: Vec<usize>,
    /// The refusal that the last move should get, if any.
    pub refusal: Option<Refusal>,
    /// `true` if the last move has written anything, whether or not it was refused.
    pub wrote: bool,
    /// `true` if the process died in the last move.
    pub died: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub code: &'static str,
    /// The first operator, and the verdict.
    pub first: Option<(String, String)>,
}

impl From<&'static str> for Refusal {
    fn from(code: &'static str) -> Self {
        Self { code, first: None }
    }
}

/// The state of a branch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LaneState {
    /// A node is next; if it is a signed effect, with the review in which it was signed.
    Ready(Node, Option<usize>),
    Open(usize),
    Doubt(usize),
    Failed {
        node: Node,
        signed: Option<usize>,
        stopped: bool,
    },
    /// The thread is in a fork, or the branch is at its join.
    Inactive,
    Ended,
}

#[derive(Clone, Debug)]
pub struct Lane {
    pub at: LaneState,
    pub log: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Thread {
    pub wish: u32,
    pub is_fork: bool,
    /// `true` if a process died that ran the thread, and its lease has not expired.
    pub is_held: bool,
    /// The thread at its start, for a fork from there.
    initial: Option<Box<Thread>>,
    /// The main branch; inside the fork, the branches of `send` and `tidy` as well.
    pub lanes: Vec<Lane>,
    pub dollars: u32,
    pub note: String,
    pub letter: String,
    /// The question or the rejection of the last verdict.
    pub payload: String,
    /// The edit that proposed the offer.
    pub proposed: Option<Proposed>,
}

/// An edit of an offer. It signs the next review only before the node whose review was edited, and only until that
/// review's deadline.
#[derive(Clone, Copy, Debug)]
pub struct Proposed {
    pub by: Person,
    pub node: Node,
    pub until_hours: u64,
}

#[derive(Clone, Debug)]
pub struct Review {
    pub thread: usize,
    pub node: Node,
    pub deadline_hours: u64,
    pub decided: Option<(String, &'static str)>,
    pub signed_by: String,
    pub proposed_by: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Doubt {
    pub thread: usize,
    pub node: Node,
    /// The review in which the effect was signed; the idempotency key is the same for all of its runs.
    pub signed: usize,
    /// `true` if the runner itself recorded the doubt. The doubt of a dead runner is visible once its lease has
    /// expired.
    pub is_written: bool,
    pub settled: Option<(String, &'static str)>,
}

impl Thread {
    fn new(wish: u32) -> Self {
        let lane = Lane { at: LaneState::Ready(Node::Look, None), log: Vec::new() };
        let text = String::new;
        Self {
            wish,
            is_fork: false,
            is_held: false,
            initial: None,
            lanes: vec![lane],
            dollars: 0,
            note: text(),
            letter: "dear customer".to_owned(),
            payload: text(),
            proposed: None,
        }
    }

    pub fn is_ended(&self) -> bool {
        self.lanes[0].at == LaneState::Ended
    }

    /// Returns whether a person has stopped the thread, after which no branch of it begins a node.
    pub fn is_stopped(&self) -> bool {
        self.lanes.iter().any(|lane| matches!(lane.at, LaneState::Failed { stopped: true, .. }))
    }

    /// Returns whether the thread is past the signature of its payment.
    fn is_signed(&self) -> bool {
        self.lanes[0].log.first().is_some_and(|line| !line.starts_with("cancelled"))
    }
}

impl Reference {
    pub fn play(&mut self, this: &Move) {
        (self.wrote, self.died) = (false, false);
        let answer = match this {
            Move::Start { thread, wish } => self.start(*thread, *wish),
            Move::Decide { thread, review, by, verdict_case } => {
                self.decide(*thread, *review, *by, verdict_case)
            }
            Move::Settle { thread, doubt, by, how } => self.settle(*thread, *doubt, *by, *how),
            Move::Resume(thread) => self.ensure_exists(*thread).map(|()| self.take_over(*thread)),
            Move::Fork { from, at, to } => self.fork(*from, *at, *to),
            Move::Sweep => {
                let there = (0..THREADS.len()).filter(|thread| self.threads[*thread].is_some());
                there.collect::<Vec<_>>().into_iter().for_each(|thread| self.sweep_thread(thread));
                Ok(())
            }
            Move::Pass { hours } => {
                self.now_hours += hours;
                self.threads.iter_mut().flatten().for_each(|thread| thread.is_held = false);
                Ok(())
            }
            Move::Change(conditions) => {
                self.conditions = *conditions;
                Ok(())
            }
            Move::Reopen => Ok(()),
        };
        self.refusal = answer.err().filter(|_| !self.died);
    }

    /// Returns the effect of a thread that readers see in doubt.
    pub fn doubt(&self, thread: &Thread) -> Option<usize> {
        thread.lanes.iter().find_map(|lane| match lane.at {
            LaneState::Doubt(doubt) if self.doubts[doubt].is_written || !thread.is_held => Some(doubt),
            _ => None,
        })
    }

    /// Returns whether a process runs the thread, or died while it ran it.
    pub fn is_running(&self, thread: &Thread) -> bool {
        thread.lanes.iter().any(|lane| match lane.at {
            LaneState::Ready(..) => !thread.is_stopped(),
            LaneState::Doubt(doubt) => !self.doubts[doubt].is_written,
            _ => false,
        })
    }

    /// Returns whether a sweep is allowed next. It takes up threads concurrently, so their order must not be
    /// observable.
    pub fn may_sweep(&self) -> bool {
        let running = self.threads.iter().flatten().filter(|thread| self.is_running(thread));
        self.conditions.dies_at.is_none() && running.count() < 2
    }

    fn ensure_exists(&self, thread: usize) -> Result<(), Refusal> {
        if self.threads[thread].is_some() { Ok(()) } else { Err("unknown_thread".into()) }
    }

    pub fn thread(&mut self, thread: usize) -> &mut Thread {
        self.threads[thread].as_mut().unwrap()
    }

    fn start(&mut self, thread: usize, wish: u32) -> Result<(), Refusal> {
        match &self.threads[thread] {
            Some(there) if there.is_fork || there.wish != wish => Err("thread_exists".into()),
            Some(_) => Ok(()),
            None => {
                self.insert_thread(thread, Thread::new(wish));
                Ok(())
            }
        }
    }

    fn insert_thread(&mut self, name: usize, mut thread: Thread) {
        self.wrote = true;
        thread.initial = Some(Box::new(thread.clone()));
        self.threads[name] = Some(thread);
        self.run(name);
    }

    fn decide(
        &mut self,
        thread: usize,
        review: usize,
        by: Person,
        verdict_case: &VerdictCase,
    ) -> Result<(), Refusal> {
        self.ensure_exists(thread)?;
        let found = self.reviews.get(review).filter(|review| review.thread == thread).cloned();
        let Some(found) = found else { return Err("stale".into()) };
        if found.decided.is_some() {
            let first = found.decided.map(|(by, verdict)| (by, verdict.to_owned()));
            return Err(Refusal { code: "already_decided", first });
        }
        if found.deadline_hours <= self.now_hours {
            self.expire(review);
            self.run(thread);
            return Err("expired".into());
        }
        by.may(found.node)?;
        let ready = |node| LaneState::Ready(node, None);
        let (verdict, to) = match verdict_case {
            VerdictCase::Approve => ("approve", LaneState::Ready(found.node, Some(review))),
            VerdictCase::Edit(edit) => {
                self.edit(thread, found.node, edit)?;
                if found.node.pays() {
                    // The edited offer is rated as the node's own offer was, which decides who signs it.
                    let (node, until_hours) = (found.node, found.deadline_hours);
                    self.thread(thread).proposed = Some(Proposed { by, node, until_hours });
                    ("edit", ready(Node::Rate))
                } else {
                    ("edit", LaneState::Ready(found.node, Some(review)))
                }
            }
            VerdictCase::Reject => {
                self.thread(thread).payload = format!("{}: other", by.name());
                ("reject", ready(if found.node.pays() { Node::Cancel } else { Node::Skip }))
            }
            VerdictCase::RejectAsExpired => return Err("bad_verdict".into()),
            VerdictCase::Ask(question) => {
                if !found.node.pays() || question.trim().is_empty() {
                    return Err("bad_verdict".into());
                }
                self.thread(thread).payload.clone_from(question);
                ("ask", ready(Node::Draft))
            }
        };
        self.decided(review, by.name(), verdict, to);
        self.run(thread);
        Ok(())
    }

    fn edit(&mut self, thread: usize, node: Node, edit: &Edit) -> Result<(), Refusal> {
        let thread = self.thread(thread);
        match (edit, node) {
            (Edit::To(to), node) if node.pays() && *to == thread.dollars => return Err("unchanged".into()),
            (Edit::To(to), Node::Send) if thread.letter == to.to_string() => return Err("unchanged".into()),
            (Edit::Nothing, _) => return Err("unchanged".into()),
            (Edit::Misspelled, _) => return Err("unknown_key".into()),
            (Edit::To(0) | Edit::WrongType, _) => return Err("invalid".into()),
            (Edit::To(number), node) if node.pays() => thread.dollars = *number,
            (Edit::To(number), _) => thread.letter = number.to_string(),
        }
        Ok(())
    }

    pub fn decided(&mut self, review: usize, by: &str, verdict: &'static str, to: LaneState) {
        self.wrote = true;
        let found = &mut self.reviews[review];
        found.decided = Some((by.to_owned(), verdict));
        found.signed_by = by.to_owned();
        let (thread, node) = (found.thread, found.node);
        if node.pays() && verdict != "edit" {
            self.thread(thread).proposed = None;
        }
        self.turn(thread, LaneState::Open(review), to);
    }

    fn turn(&mut self, thread: usize, from: LaneState, to: LaneState) {
        self.thread(thread).lanes.iter_mut().filter(|lane| lane.at == from).for_each(|lane| lane.at = to);
    }

    fn settle(&mut self, thread: usize, doubt: usize, by: Person, how: Settle) -> Result<(), Refusal> {
        self.ensure_exists(thread)?;
        if self.threads[thread].as_ref().and_then(|thread| self.doubt(thread)) != Some(doubt) {
            return Err("not_in_doubt".into());
        }
        let Doubt { node, signed, .. } = self.doubts[doubt];
        by.may(node)?;
        // The review before `send` asks for no role, and no review comes after it: one role of the graph is needed.
        if matches!(by, Person::Eve) {
            return Err("role_missing".into());
        }
        if matches!(how, Settle::HappenedWrongly) {
            return Err("invalid".into());
        }
        if !self.doubts[doubt].is_written {
            self.sweep_thread(thread);
            if self.died {
                return Ok(());
            }
        }
        let how = match how {
            Settle::Happened | Settle::HappenedWrongly => {
                let lane = if node.pays() { 0 } else { 1 };
                self.thread(thread).lanes[lane].log.push("it happened".into());
                self.follow_edge(thread, node);
                "happened"
            }
            Settle::RunAgain => {
                self.turn(thread, LaneState::Doubt(doubt), LaneState::Ready(node, Some(signed)));
                "run_again"
            }
            Settle::Stop => {
                self.turn(
                    thread,
                    LaneState::Doubt(doubt),
                    LaneState::Failed { node, signed: Some(signed), stopped: true },
                );
                "stop"
            }
        };
        self.wrote = true;
        self.doubts[doubt].settled = Some((by.name().to_owned(), how));
        self.run(thread);
        Ok(())
    }

    /// Retries what has failed, and does what `sweep_thread` does.
    fn take_over(&mut self, thread: usize) {
        let rests = self.thread(thread).is_held || self.thread(thread).is_stopped();
        let lanes = if rests { Vec::new() } else { self.thread(thread).lanes.clone() };
        for lane in lanes {
            if let LaneState::Failed { node, signed, stopped: false } = lane.at {
                self.turn(thread, lane.at, LaneState::Ready(node, signed));
            }
        }
        self.sweep_thread(thread);
    }

    /// Rejects overdue reviews, and continues after the death of a process.
    fn sweep_thread(&mut self, name: usize) {
        for lane in self.thread(name).lanes.clone() {
            match lane.at {
                LaneState::Open(review) if self.reviews[review].deadline_hours <= self.now_hours => {
                    self.expire(review);
                }
                _ => {}
            }
        }
        let thread = self.threads[name].as_ref().unwrap();
        self.wrote |= !thread.is_held && self.is_running(thread);
        self.run(name);
    }

    fn expire(&mut self, review: usize) {
        let Review { thread, node, .. } = self.reviews[review];
        self.thread(thread).payload = "hitl: expired".to_owned();
        let to = if node.pays() { Node::Cancel } else { Node::Skip };
        self.decided(review, "hitl", "reject", LaneState::Ready(to, None));
    }

    fn fork(&mut self, from: usize, at: Fork, to: usize) -> Result<(), Refusal> {
        self.ensure_exists(from)?;
        let old = self.thread(from).clone();
        let mut new = match at {
            Fork::Start => *old.initial.unwrap(),
            Fork::Head => old,
        };
        if new
            .lanes
            .iter()
            .any(|lane| matches!(lane.at, LaneState::Doubt(_) | LaneState::Failed { signed: Some(_), .. }))
            && new.lanes.len() == 1
        {
            return Err("effect_under_way".into());
        }
        if new.is_signed() {
            return Err("signature_not_carried".into());
        }
        if self.threads[to].is_some() {
            return Err("thread_exists".into());
        }
        (new.is_fork, new.is_held, new.proposed) = (true, false, None);
        let lane = &mut new.lanes[0];
        lane.at = match lane.at {
            LaneState::Open(review) => LaneState::Ready(self.reviews[review].node, None),
            LaneState::Failed { node, .. } => LaneState::Ready(node, None),
            at => at,
        };
        self.insert_thread(to, new);
        Ok(())
    }
}
