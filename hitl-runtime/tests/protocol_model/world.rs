//! The transitions of the model that `stateright` explores.

use stateright::{Model, Property};

use super::{
    fold::LaneState,
    journal::{Draft, Event, Node, Person, Resolution, SeenEntry, Stop, Verdict, Wrote},
    promises,
    request::Request,
    rules::{Protocol, Rule},
    runner::{Attempt, End, Runner},
    scenarios::Possible,
    thread::{Budget, Payment, Thread},
};

/// The protocol, and what may happen to it.
#[derive(Clone, Debug)]
pub struct World {
    pub protocol: Protocol,
    pub budget: Budget,
    /// The states that must be reachable, so that no promise is kept only because nothing happens.
    pub possible: &'static [Possible],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A process gets a request, and reads the thread.
    Ask(Request),
    /// The store responds to the runner of this number.
    Answer(usize, Answer),
    /// A runner reads whether its effect is stopped, and calls it if not.
    Call(usize),
    /// A runner's effect takes place.
    Pay(usize),
    /// An attempt ends; the numbers are those of the runner and of the attempt.
    End(usize, usize, End),
    Renew(usize),
    Crash(usize),
    LapseLease,
    PassDeadline,
    Delete,
    /// All threads are stopped, or that stop is lifted.
    StopAll,
    LiftAll,
}

/// The outcome of an append, and the response to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Stored,
    Taken,
    /// An error; nothing is stored.
    Failed,
    /// An error; the entries are stored, and the response was lost.
    StoredButFailed,
    /// A conflict with itself: the entries are stored, the response was lost, and the store's own retry finds the place
    /// taken.
    StoredButTaken,
    /// An error; only the first entry is stored.
    PartlyStored,
}

impl Model for World {
    type State = Thread;
    type Action = Action;

    fn init_states(&self) -> Vec<Thread> {
        vec![Thread::new(self.budget)]
    }

    fn actions(&self, thread: &Thread, actions: &mut Vec<Action>) {
        if thread.runners.iter().any(Option::is_none) {
            actions.extend(requests(&self.protocol, thread).into_iter().map(Action::Ask));
        }
        for (at, runner) in thread.runners.iter().enumerate() {
            if let Some(runner) = runner {
                self.moves(thread, at, runner, actions);
            }
        }
        let (fold, budget) = (thread.fold(&self.protocol), thread.budget);
        let may = [
            (Action::LapseLease, budget.lapses > 0 && fold.lease.is_some() && !thread.lapsed),
            (
                Action::PassDeadline,
                budget.deadlines > 0 && matches!(fold.main, LaneState::Paused { .. }) && !thread.overdue,
            ),
            (Action::Delete, budget.deletions > 0 && !thread.journal.is_empty()),
            (Action::StopAll, budget.stops > 0 && !thread.all_stopped && !thread.journal.is_empty()),
            (Action::LiftAll, budget.lifts > 0 && thread.all_stopped),
        ];
        actions.extend(may.into_iter().filter(|(_, may)| *may).map(|(action, _)| action));
    }

    fn next_state(&self, thread: &Thread, action: Action) -> Option<Thread> {
        let mut next = thread.clone();
        self.happen(&mut next, action)?;
        // The order of the runners is irrelevant, so states that differ only in it are merged.
        next.runners.sort();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let possible = self.possible.iter().map(|(name, holds)| Property::sometimes(name, *holds));
        promises::all().into_iter().chain(possible).collect()
    }
}

/// Returns the requests that people and programs may make. A person may decide a review or settle a doubt at any time
/// after they saw it.
fn requests(world: &Protocol, thread: &Thread) -> Vec<Request> {
    let mut requests = Vec::new();
    if thread.budget.starts > 0 {
        requests.push(Request::Start);
    }
    if thread.budget.resumes > 0 {
        requests.push(Request::Resume);
    }
    if thread.budget.stops > 0 {
        requests.extend([Stop::Pause, Stop::Cancel].map(Request::Stop));
    }
    if thread.budget.lifts > 0 {
        requests.push(Request::Unpause);
    }
    for (place, entry) in (0..).zip(&thread.journal) {
        let saw = SeenEntry { generation: thread.generation, place };
        match entry.event {
            Event::Paused(digest) if thread.budget.verdicts > 0 => {
                let edits = [Draft::Edited, Draft::Invalid].into_iter().chain(world.large);
                let verdicts = [Verdict::Approve, Verdict::Reject, Verdict::Ask].into_iter();
                let verdicts = verdicts.chain(edits.map(Verdict::Edit));
                let by = [Person::Clerk].into_iter().chain(world.large.map(|_| Person::Director));
                let all = verdicts.flat_map(|verdict| by.clone().map(move |by| (verdict, by)));
                for (verdict, by) in all {
                    requests.push(Request::Answer { verdict, digest, saw, by });
                    if world.stops {
                        requests.push(Request::Record { verdict, digest, saw, by });
                    }
                }
            }
            Event::Began if thread.budget.settlements > 0 => {
                let hows = [Resolution::Happened, Resolution::RunAgain, Resolution::Stop];
                requests.extend(hows.map(|how| Request::Settle { how, saw }));
            }
            _ => {}
        }
    }
    requests
}

impl World {
    /// Adds the actions that are possible for a runner.
    fn moves(&self, thread: &Thread, at: usize, runner: &Runner, actions: &mut Vec<Action>) {
        let budget = thread.budget;
        if budget.crashes > 0 {
            actions.push(Action::Crash(at));
        }
        if runner.running.iter().any(|this| may_pay(&self.protocol, this)) {
            actions.push(Action::Pay(at));
        }
        if runner.running.iter().any(|this| may_call(&self.protocol, this)) {
            actions.push(Action::Call(at));
        }
        if !runner.post.is_empty() {
            actions.extend(self.answers(thread, runner).into_iter().map(|answer| Action::Answer(at, answer)));
            return;
        }
        if budget.renewals > 0 {
            actions.push(Action::Renew(at));
        }
        for (number, this) in runner.running.iter().enumerate() {
            actions.extend(ends(thread, this).into_iter().map(|end| Action::End(at, number, end)));
        }
    }

    fn answers(&self, thread: &Thread, runner: &Runner) -> Vec<Answer> {
        let taken = !thread.takes(&self.protocol, runner);
        let faulty = thread.budget.faults > 0;
        let partly = !self.protocol.has(Rule::AtomicAppend) && runner.post.len() > 1;
        let may = [
            (Answer::Stored, !taken),
            (Answer::Taken, taken),
            (Answer::Failed, faulty),
            (Answer::StoredButFailed, faulty && !taken),
            (Answer::StoredButTaken, faulty && !taken),
            (Answer::PartlyStored, faulty && !taken && partly),
        ];
        may.into_iter().filter(|(_, may)| *may).map(|(answer, _)| answer).collect()
    }

    fn happen(&self, thread: &mut Thread, action: Action) -> Option<()> {
        match action {
            Action::Ask(request) => self.ask(thread, request)?,
            Action::Answer(at, answer) => self.answer(thread, at, answer)?,
            Action::Pay(at) => self.pay(thread, at)?,
            Action::Call(at) => self.call(thread, at)?,
            Action::StopAll => {
                thread.budget.stops -= 1;
                thread.all_stopped = true;
            }
            Action::LiftAll => {
                thread.budget.lifts -= 1;
                thread.all_stopped = false;
            }
            Action::End(at, number, end) => {
                match end {
                    End::Error => thread.budget.errors -= 1,
                    End::NotDone => thread.budget.refusals -= 1,
                    End::Wrote(_) | End::Withheld => {}
                }
                thread.runners[at] = thread.runners[at].take()?.end(&self.protocol, number, end);
            }
            Action::Renew(at) => {
                thread.budget.renewals -= 1;
                thread.runners[at].as_mut()?.push(&self.protocol, Event::Renewed);
            }
            Action::Crash(at) => {
                thread.budget.crashes -= 1;
                thread.runners[at] = None;
            }
            Action::LapseLease => {
                thread.budget.lapses -= 1;
                thread.lapsed = true;
            }
            Action::PassDeadline => {
                thread.budget.deadlines -= 1;
                thread.overdue = true;
            }
            Action::Delete => {
                thread.budget.deletions -= 1;
                thread.delete();
            }
        }
        Some(())
    }

    fn ask(&self, thread: &mut Thread, request: Request) -> Option<()> {
        let runner = Runner::new(&self.protocol, thread, request)?;
        match request {
            Request::Start => thread.budget.starts -= 1,
            Request::Answer { .. } | Request::Record { .. } => thread.budget.verdicts -= 1,
            Request::Stop(_) => thread.budget.stops -= 1,
            Request::Unpause => thread.budget.lifts -= 1,
            Request::Settle { .. } => thread.budget.settlements -= 1,
            Request::Resume => thread.budget.resumes -= 1,
        }
        *thread.runners.iter_mut().find(|runner| runner.is_none())? = Some(runner);
        Some(())
    }

    fn answer(&self, thread: &mut Thread, at: usize, answer: Answer) -> Option<()> {
        let mut runner = thread.runners[at].take()?;
        if !matches!(answer, Answer::Stored | Answer::Taken) {
            thread.budget.faults -= 1;
        }
        let many = match answer {
            Answer::Stored | Answer::StoredButFailed | Answer::StoredButTaken => runner.post.len(),
            Answer::PartlyStored => 1,
            Answer::Taken | Answer::Failed => 0,
        };
        thread.write(&self.protocol, &runner, many);
        thread.runners[at] = match answer {
            Answer::Stored => runner.on_stored(),
            Answer::Taken | Answer::StoredButTaken => runner.on_conflict(&self.protocol, thread),
            // A caller gets the error; a runner that holds the thread retries.
            _ if runner.asked.is_some() => None,
            _ => {
                runner.unsure = true;
                Some(runner)
            }
        };
        Some(())
    }

    /// Reads whether the effect is stopped: it ends if so, and is called otherwise.
    fn call(&self, thread: &mut Thread, at: usize) -> Option<()> {
        let is_stopped = thread.is_stopped(&self.protocol);
        let is_all_stopped = thread.all_stopped;
        let runner = thread.runners[at].as_mut()?;
        runner.knows_all_stopped = is_all_stopped;
        let number = runner.running.iter().position(|this| may_call(&self.protocol, this))?;
        if is_stopped {
            thread.runners[at] = thread.runners[at].take()?.end(&self.protocol, number, End::Withheld);
        } else {
            runner.running[number].called = true;
        }
        Some(())
    }

    fn pay(&self, thread: &mut Thread, at: usize) -> Option<()> {
        let is_stopped = thread.is_stopped(&self.protocol);
        let runner = thread.runners[at].as_mut()?;
        let this = runner.running.iter_mut().find(|this| may_pay(&self.protocol, this))?;
        this.done = true;
        let stopped = is_stopped && !this.called;
        let activation = Some(this.activation.entered).filter(|_| self.protocol.has(Rule::KeyPerActivation));
        thread.world.push(Payment {
            generation: runner.generation,
            by: runner.runner_id,
            draft: this.draft,
            began: this.began,
            key: activation.or(this.began).unwrap_or_default(),
            stopped,
        });
        Some(())
    }
}

fn may_pay(protocol: &Protocol, this: &Attempt) -> bool {
    let is_called = this.called || !protocol.stops || !protocol.has(Rule::StopReadBeforeCall);
    this.activation.node == Node::Pay && !this.done && is_called
}

fn may_call(protocol: &Protocol, this: &Attempt) -> bool {
    let reads = protocol.stops && protocol.has(Rule::StopReadBeforeCall);
    this.activation.node == Node::Pay && reads && !this.called
}

/// Returns the possible ends of an attempt.
fn ends(thread: &Thread, this: &Attempt) -> Vec<End> {
    let asked = thread.journal.iter().any(|entry| matches!(entry.event, Event::Ran(Wrote::Draft(_))));
    let may = match this.activation.node {
        Node::Side => vec![(End::Wrote(Wrote::Side), true)],
        Node::Draft => {
            let proposes = |draft| End::Wrote(Wrote::Draft(draft));
            vec![(proposes(Draft::First), true), (proposes(Draft::Second), asked)]
        }
        Node::Pay => vec![
            (End::Wrote(Wrote::Receipt), this.done),
            (End::Error, thread.budget.errors > 0),
            (End::NotDone, thread.budget.refusals > 0 && !this.done),
        ],
    };
    may.into_iter().filter(|(_, may)| *may).map(|(end, _)| end).collect()
}
