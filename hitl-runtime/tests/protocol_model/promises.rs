//! The promises of the protocol. The numbers are those of the promises that the runtime makes.

use stateright::Property;

use super::{
    fold::{Fold, LaneState},
    journal::{Draft, Event, Place, Resolution, Right, Stop, Verdict},
    thread::{Payment, Thread},
    world::World,
};

pub const DECIDED_ONCE: &str = "2: a review is decided while it is open, and so once";
pub const DECIDED_AT_ALL: &str = "2: a review ends by a decision";
pub const DECIDED_IN_TIME: &str = "2: a person decides in time, and the deadline after it";
pub const DECIDED_AS_SEEN: &str = "3: a verdict decides the review that its author saw";
pub const SIGNED: &str = "3: what runs is what was signed";
pub const VALID: &str = "4: what runs keeps its invariants";
pub const MAY_SIGN: &str = "4: what runs was signed by one who may sign it, whoever edited it";
pub const HOLDER: &str = "5: a runner that lost the thread does not write";
pub const NO_THEFT: &str = "5: nobody takes a thread whose lease stands";
pub const NO_STRANGER: &str = "5: a runner of a deleted thread does not write into its namesake";
pub const ANNOUNCED: &str = "6: an effect happens at most once for each time it began";
pub const NOT_BLINDLY: &str = "6: an effect is repeated only on a person's word";
pub const SETTLED_AS_SEEN: &str = "6: a person's word settles the doubt that they saw";

pub const NOT_BEGUN: &str = "7: no effect begins in a stopped thread";
pub const NOT_CALLED: &str = "7: no effect is called while a stop is in force";
pub const CLOSED: &str = "7: a cancelled thread takes no verdict";

pub fn all() -> Vec<Property<World>> {
    vec![
        Property::always(DECIDED_ONCE, |world, thread| {
            steps(world, thread)
                .all(|step| !step.decides() || matches!(step.before.main, LaneState::Paused { .. }))
        }),
        Property::always(DECIDED_AT_ALL, |world, thread| {
            steps(world, thread).all(|step| {
                let open = matches!(step.before.main, LaneState::Paused { .. });
                !open || step.decides() || step.before.main == step.after.main
            })
        }),
        Property::always(DECIDED_IN_TIME, |_, thread: &Thread| {
            thread.journal.iter().all(|entry| match entry.event {
                Event::Decided { verdict, late, .. } => late == (verdict == Verdict::Expire),
                _ => true,
            })
        }),
        Property::always(DECIDED_AS_SEEN, |world, thread| {
            steps(world, thread).all(|step| match (step.event, step.before.main) {
                (Event::Decided { saw, .. }, LaneState::Paused { place, .. }) => {
                    (saw.generation, saw.place) == (thread.generation, place)
                }
                _ => true,
            })
        }),
        Property::always(SIGNED, |_, thread| {
            payments(thread).all(|payment| match payment.began {
                Some(began) => signed(thread, began) == Some(payment.draft),
                None => true,
            })
        }),
        Property::always(VALID, |_, thread| payments(thread).all(|payment| payment.draft != Draft::Invalid)),
        Property::always(MAY_SIGN, |_, thread| {
            payments(thread).all(|payment| {
                let before = payment.began.map_or(0, usize::from);
                let decided = thread.journal.iter().take(before).rev().find_map(|entry| match entry.event {
                    Event::Decided { by, .. } => Some(by),
                    _ => None,
                });
                payment.began.is_none() || decided.is_some_and(|by| by.may_sign(payment.draft))
            })
        }),
        Property::always(HOLDER, |_, thread| no_entry_has(thread, Right::Usurper)),
        Property::always(NO_THEFT, |_, thread| no_entry_has(thread, Right::Theft)),
        Property::always(NO_STRANGER, |_, thread| no_entry_has(thread, Right::Stranger)),
        Property::always(ANNOUNCED, |_, thread| {
            payments(thread).all(|payment| {
                let entry = payment.began.and_then(|began| thread.entry(began));
                let same = payments(thread).filter(|other| other.began == payment.began);
                entry.is_some_and(|entry| (entry.event, entry.by) == (Event::Began, payment.by))
                    && same.count() == 1
            })
        }),
        Property::always(NOT_BLINDLY, |world: &World, thread| {
            let mut keys: Vec<Place> = payments(thread).map(|payment| payment.key).collect();
            if world.protocol.idempotent {
                // The receiver of the effect deduplicates by key.
                keys.sort_unstable();
                keys.dedup();
            }
            let again = |event: &Event| matches!(event, Event::Settled { how: Resolution::RunAgain, .. });
            keys.len() <= 1 + thread.journal.iter().filter(|entry| again(&entry.event)).count()
        }),
        Property::always(NOT_BEGUN, |world, thread| {
            steps(world, thread).all(|step| step.event != Event::Began || step.before.stop.is_none())
        }),
        Property::always(NOT_CALLED, |_, thread| payments(thread).all(|payment| !payment.stopped)),
        Property::always(CLOSED, |world, thread| {
            steps(world, thread).all(|step| !step.decides() || step.before.stop != Some(Stop::Cancel))
        }),
        Property::always(SETTLED_AS_SEEN, |world, thread| {
            steps(world, thread).all(|step| match (step.event, step.before.main) {
                (Event::Settled { saw, .. }, LaneState::InDoubt { began, .. }) => {
                    (saw.generation, saw.place) == (thread.generation, began)
                }
                (event, _) => !matches!(event, Event::Settled { .. }),
            })
        }),
    ]
}

/// An entry, and the state of the thread before and after it.
struct Step {
    before: Fold,
    event: Event,
    after: Fold,
}

impl Step {
    fn decides(&self) -> bool {
        matches!(self.event, Event::Decided { .. })
    }
}

fn steps(world: &World, thread: &Thread) -> impl Iterator<Item = Step> {
    let mut after = Fold::EMPTY;
    thread.journal.iter().map(move |entry| {
        let before = after;
        after.apply(&world.protocol, entry.event, entry.lease);
        Step { before, event: entry.event, after }
    })
}

/// Returns the payments of this thread, without those of deleted threads of the same name.
fn payments(thread: &Thread) -> impl Iterator<Item = &Payment> {
    thread.world.iter().filter(|payment| payment.generation == thread.generation)
}

/// Returns the draft whose signature is valid at a place.
fn signed(thread: &Thread, before: Place) -> Option<Draft> {
    let (mut open, mut signed) = (None, None);
    for entry in thread.journal.iter().take(before.into()) {
        match entry.event {
            Event::Paused(digest) => (open, signed) = (Some(digest.draft), None),
            Event::Decided { verdict: Verdict::Approve, .. } => signed = open,
            Event::Decided { verdict: Verdict::Edit(draft), .. } => signed = Some(draft),
            Event::Decided { .. } => signed = None,
            _ => {}
        }
    }
    signed
}

fn no_entry_has(thread: &Thread, right: Right) -> bool {
    thread.journal.iter().all(|entry| entry.right != right)
}
