//! One thread: its journal in the store, the clock, the world, and the runners that work on it.

use super::{
    fold::Fold,
    journal::{Draft, Entry, Event, Generation, Place, Right, RunnerId},
    rules::{Protocol, Rule},
    runner::Runner,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Thread {
    pub generation: Generation,
    pub journal: Vec<Entry>,
    /// `true` if the lease has expired, and (`overdue`) if the deadline of the open review has passed.
    pub lapsed: bool,
    pub overdue: bool,
    /// `true` if all threads are stopped.
    pub all_stopped: bool,
    pub world: Vec<Payment>,
    pub runners: [Option<Runner>; 2],
    pub budget: Budget,
}

/// An effect that took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Payment {
    pub generation: Generation,
    pub by: RunnerId,
    pub draft: Draft,
    pub began: Option<Place>,
    /// The idempotency key: the place that it is derived from.
    pub key: Place,
    /// `true` if a stop was in force when it was called.
    pub stopped: bool,
}

/// The number of times that each event may still happen, which keeps the model finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    pub starts: u8,
    pub resumes: u8,
    pub verdicts: u8,
    pub settlements: u8,
    pub deletions: u8,
    pub crashes: u8,
    pub lapses: u8,
    pub deadlines: u8,
    pub renewals: u8,
    /// Faults of the store.
    pub faults: u8,
    /// Failures of the effect: errors that leave its outcome unknown, and errors that guarantee that it did not take
    /// place.
    pub errors: u8,
    pub refusals: u8,
    /// Stops of the thread or of all threads, and the ends of such stops.
    pub stops: u8,
    pub lifts: u8,
}

impl Thread {
    pub fn new(budget: Budget) -> Self {
        Self {
            generation: 0,
            journal: Vec::new(),
            lapsed: false,
            overdue: false,
            all_stopped: false,
            world: Vec::new(),
            runners: [None, None],
            budget,
        }
    }

    pub fn fold(&self, protocol: &Protocol) -> Fold {
        Fold::of(protocol, &self.journal)
    }

    /// Returns whether a stop is in force.
    pub fn is_stopped(&self, protocol: &Protocol) -> bool {
        self.all_stopped || self.fold(protocol).stop.is_some()
    }

    pub fn entry(&self, place: Place) -> Option<&Entry> {
        self.journal.get(usize::from(place))
    }

    /// Returns a name that no entry and no runner has.
    pub fn new_runner_id(&self) -> RunnerId {
        let used = |runner_id| {
            self.journal.iter().any(|entry| entry.by == runner_id)
                || self.runners.iter().flatten().any(|runner| runner.runner_id == runner_id)
        };
        (1..).find(|runner_id| !used(*runner_id)).unwrap_or_default()
    }

    /// Returns whether the store accepts the entries of a runner.
    pub fn takes(&self, protocol: &Protocol, runner: &Runner) -> bool {
        let follows = runner.generation == self.generation || !protocol.has(Rule::AppendNamesPredecessor);
        let next = usize::from(runner.place()) == self.journal.len();
        (follows && next) || !protocol.has(Rule::AppendNamesPlace)
    }

    /// Stores the first `many` entries of a runner.
    pub fn write(&mut self, protocol: &Protocol, runner: &Runner, many: usize) {
        let mut fold = self.fold(protocol);
        let right = self.right(&fold, runner);
        for event in runner.post.iter().take(many) {
            let name = runner.claims.then(|| runner.name(protocol));
            fold.apply(protocol, *event, name);
            let lease = name.filter(|_| fold.lease.is_some());
            self.lapsed &= lease.is_none();
            self.overdue &= !matches!(event, Event::Paused(_) | Event::Decided { .. });
            self.journal.push(Entry { event: *event, lease, by: runner.runner_id, right });
        }
    }

    fn right(&self, fold: &Fold, runner: &Runner) -> Right {
        // Compares `by` and not the name, because without the rule `UniqueClaimName` all runners have one name.
        let last = self.journal.iter().rfind(|entry| entry.lease.is_some() && fold.lease.is_some());
        let own = last.is_some_and(|entry| entry.by == runner.runner_id);
        match &runner.asked {
            _ if runner.generation != self.generation => Right::Stranger,
            Some(_) if !runner.claims => Right::Guest,
            Some(_) if last.is_some() && !own && !self.lapsed => Right::Theft,
            Some(_) => Right::Claim,
            None if own => Right::Holder,
            None => Right::Usurper,
        }
    }

    /// Deletes the thread, and frees its name.
    pub fn delete(&mut self) {
        self.generation += 1;
        self.journal.clear();
        (self.lapsed, self.overdue) = (false, false);
    }
}
