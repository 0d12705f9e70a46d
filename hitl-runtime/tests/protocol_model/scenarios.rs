//! The worlds that the model explores, each small enough to be explored completely.

use super::{
    journal::{Draft, Event, Resolution, Right, Stop, Verdict},
    rules::Protocol,
    thread::{Budget, Thread},
    world::World,
};

/// A state that must be reachable: its name, and its condition.
pub type Possible = (&'static str, fn(&World, &Thread) -> bool);

const NOTHING: Budget = Budget {
    starts: 1,
    resumes: 2,
    verdicts: 1,
    settlements: 0,
    deletions: 0,
    crashes: 0,
    lapses: 0,
    deadlines: 0,
    renewals: 0,
    faults: 0,
    errors: 0,
    refusals: 0,
    stops: 0,
    lifts: 0,
};

/// People and the deadline compete for one review and the next.
pub fn decisions() -> World {
    World {
        protocol: Protocol::default(),
        budget: Budget { verdicts: 2, deadlines: 1, crashes: 1, lapses: 1, faults: 1, ..NOTHING },
        possible: &[
            ("an approval wins", |_, thread| wins(thread, Verdict::Approve)),
            ("an edit wins", |_, thread| wins(thread, Verdict::Edit(Draft::Edited))),
            ("a rejection wins", |_, thread| wins(thread, Verdict::Reject)),
            ("a question wins", |_, thread| wins(thread, Verdict::Ask)),
            ("the deadline wins", |_, thread| wins(thread, Verdict::Expire)),
            ("it ends with one payment", |_, thread| ends(thread) && thread.world.len() == 1),
            ("it ends with none", |_, thread| ends(thread) && thread.world.is_empty()),
            ("two decide at once", |_, thread| {
                let mut runners = thread.runners.iter().flatten();
                runners.all(|runner| {
                    matches!(runner.post[..], [Event::Decided { .. }, ..]) && runner.place() == 3
                })
            }),
            OVERTAKEN,
        ],
    }
}

/// An effect with an unknown outcome.
pub fn doubts() -> World {
    World {
        protocol: Protocol::default(),
        budget: Budget { settlements: 2, crashes: 1, lapses: 1, errors: 2, refusals: 1, ..NOTHING },
        possible: &[
            ("it happened", |_, thread| settled(thread, Resolution::Happened)),
            ("it is run again, and paid twice on a person's word", |_, thread| thread.world.len() == 2),
            ("it is stopped", |_, thread| settled(thread, Resolution::Stop)),
            ("it is in doubt twice", |_, thread| {
                thread.journal.iter().filter(|entry| entry.event == Event::InDoubt).count() == 2
            }),
            ("an effect that vouches that it did nothing is tried again", |_, thread| {
                thread
                    .journal
                    .windows(2)
                    .any(|pair| (pair[0].event, pair[1].event) == (Event::Failed, Event::Resumed))
            }),
            OVERTAKEN,
        ],
    }
}

/// A node runs beside the branch that waits for a person.
pub fn beside() -> World {
    World {
        protocol: Protocol { side: true, ..Protocol::default() },
        budget: Budget {
            resumes: 1,
            settlements: 1,
            crashes: 1,
            lapses: 1,
            faults: 1,
            renewals: 1,
            ..NOTHING
        },
        possible: &[
            ("a person decides while a runner has the thread", |_, thread| {
                thread.journal.iter().any(|entry| entry.right == Right::Guest)
            }),
            ("a runner goes on with what a person decided meanwhile", |_, thread| {
                let guest = |entry: &super::journal::Entry| entry.right == Right::Guest;
                thread.journal.windows(2).any(|pair| guest(&pair[0]) && pair[1].right == Right::Holder)
            }),
            ("a lost answer is found in the journal", |_, thread| {
                let mut runners = thread.runners.iter().flatten();
                runners.any(|runner| {
                    runner.unsure
                        && thread.entry(runner.place()).is_some_and(|entry| entry.by == runner.runner_id)
                })
            }),
            ("it ends with one payment", |_, thread| ends(thread) && thread.world.len() == 1),
            OVERTAKEN,
        ],
    }
}

/// One review, one doubt and one lease: small enough to be explored completely without the rule `Lease`.
pub fn small() -> World {
    World {
        protocol: Protocol::default(),
        budget: Budget { settlements: 1, lapses: 1, errors: 1, ..NOTHING },
        possible: &[OVERTAKEN],
    }
}

/// The effect may be repeated with the same key.
pub fn idempotent() -> World {
    World {
        protocol: Protocol { idempotent: true, ..Protocol::default() },
        budget: Budget { crashes: 1, lapses: 1, faults: 1, errors: 1, ..NOTHING },
        possible: &[(
            "it is paid again, with the same key",
            |_, thread| matches!(thread.world[..], [first, second] if first.key == second.key),
        )],
    }
}

/// Edits that turn the draft into one that a clerk may not sign.
pub fn edits() -> World {
    World {
        protocol: Protocol { large: Some(Draft::Large), ..Protocol::default() },
        budget: Budget { verdicts: 2, crashes: 1, lapses: 1, resumes: 1, ..NOTHING },
        possible: &[
            ("a clerk's edit waits for a director", |_, thread| {
                let large = |entry: &super::journal::Entry| matches!(entry.event, Event::Paused(digest) if digest.draft == Draft::Large);
                thread.journal.last().is_some_and(large)
            }),
            ("a director's edit signs what it leads to", |_, thread| {
                let decided = |entry: &&super::journal::Entry| matches!(entry.event, Event::Decided { .. });
                ends(thread) && thread.world.len() == 1 && thread.journal.iter().filter(decided).count() == 2
            }),
        ],
    }
}

/// People stop the thread or all threads while others decide, here or in a front.
pub fn stops() -> World {
    World {
        protocol: Protocol { stops: true, ..Protocol::default() },
        budget: Budget { stops: 1, lifts: 1, settlements: 1, crashes: 1, lapses: 1, ..NOTHING },
        possible: &[
            ("a pause is lifted, and it is paid once", |world, thread| {
                let lifted = thread.journal.iter().any(|entry| entry.event == Event::Unpaused);
                lifted && ends(thread) && thread.world.len() == 1 && world.protocol.stops
            }),
            (
                "a stop of all threads keeps a begun effect from its call, and it is paid once after it",
                |_, thread| {
                    let withheld = thread.journal.iter().any(|entry| entry.event == Event::Withheld);
                    withheld && ends(thread) && thread.world.len() == 1
                },
            ),
            ("a verdict is recorded while the thread is paused", |world, thread| {
                let fold = thread.fold(&world.protocol);
                fold.stop == Some(Stop::Pause)
                    && matches!(thread.journal.last(), Some(entry) if matches!(entry.event, Event::Decided { .. }))
            }),
            ("a thread is cancelled while its effect is under way", |_, thread| {
                let events = || thread.journal.iter().map(|entry| entry.event);
                events().any(|event| event == Event::Stopped(Stop::Cancel)) && thread.world.len() == 1
            }),
            ("a front records, and another process pays", |_, thread| {
                thread.journal.windows(2).any(|pair| {
                    let is_recorded =
                        matches!(pair[0].event, Event::Decided { .. }) && pair[0].right == Right::Guest;
                    is_recorded && pair[1].event == Event::Resumed
                }) && ends(thread)
            }),
        ],
    }
}

/// A stop of an effect that may be repeated with the same key.
pub fn idempotent_stops() -> World {
    World {
        protocol: Protocol { stops: true, idempotent: true, ..Protocol::default() },
        budget: Budget { stops: 1, lifts: 1, crashes: 1, lapses: 1, ..NOTHING },
        possible: &[("it begins again after the pause", |_, thread| {
            let began = thread.journal.iter().filter(|entry| entry.event == Event::Began).count();
            let lifted = thread.journal.iter().any(|entry| entry.event == Event::Unpaused);
            lifted && began == 2 && ends(thread)
        })],
    }
}

/// A thread is deleted, and another one gets its name.
pub fn namesakes() -> World {
    World {
        protocol: Protocol::default(),
        budget: Budget { starts: 2, verdicts: 1, deletions: 1, lapses: 1, ..NOTHING },
        possible: &[("the namesake ends, and a runner of the other one lives on", |_, thread| {
            thread.generation > 0
                && ends(thread)
                && thread.runners.iter().flatten().any(|runner| runner.generation == 0)
        })],
    }
}

const OVERTAKEN: Possible = ("a runner lives on that has lost the thread", |_, thread| {
    let mut runners = thread.runners.iter().flatten();
    runners.any(|runner| {
        let last = thread.journal.last();
        runner.asked.is_none()
            && last.is_some_and(|last| last.right == Right::Claim && last.by != runner.runner_id)
    })
});

fn wins(thread: &Thread, wanted: Verdict) -> bool {
    thread
        .journal
        .iter()
        .any(|entry| matches!(entry.event, Event::Decided { verdict, .. } if verdict == wanted))
}

fn settled(thread: &Thread, wanted: Resolution) -> bool {
    thread.journal.iter().any(|entry| matches!(entry.event, Event::Settled { how, .. } if how == wanted))
}

fn ends(thread: &Thread) -> bool {
    thread.journal.iter().any(|entry| entry.event == Event::Ended)
}
