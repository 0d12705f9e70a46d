//! The protocol by which processes and people move one thread, as a model that [`stateright`] walks through whole.
//!
//! **Modelled:** one thread, its journal in a store that appends at a place; two runners, each of which knows the
//! thread as it last read it, and may die between any two steps; answers of the store that fail or get lost; leases
//! and deadlines that run out when they like; people who decide and settle at any time after they saw a review or a
//! doubt; an effect that may take place and not be told of; a thread that is deleted and its name taken again. The
//! moves are those of `run::{start, drive, post, decide, expiry, settle}`, on one lane or two; [`program`] plays scripts
//! on both and compares the journals.
//! **Not modelled:** clocks that differ, roles, hashes, snapshots, automatic retries, time travel, what people are told,
//! a third runner, and whatever is deeper than the bounds of the [`scenarios`]. An effect may stand still between its
//! `Began` and its call; no store can call it back, so a person's *it did not happen* may be overtaken by it.
//!
//! The promises are in [`promises`]. All of them hold in all of the scenarios; and each of the rules, taken out alone,
//! breaks those of the last column, which the tests below find.
//!
//! | rule | where it lives (in `hitl-runtime/src`) | without it |
//! |---|---|---|
//! | `Fence` | `store`: `append` compares the place | two decisions of one review, usurpers, effects that are not announced |
//! | `FenceNamesEntry` | **nowhere yet**: a place alone cannot tell a namesake | a runner of a deleted thread writes into its namesake |
//! | `AllOrNone` | `store`: one append is one transaction | nothing here; it keeps the index of reviews true |
//! | `LookAgain` | the loops around `Stopped::Taken` in `run/{decide,settle,start}.rs` | a review is decided twice |
//! | `HoldOn` | `run/drive.rs`: `Post::holds` after `Post::reset` | a runner that was overtaken writes on |
//! | `OwnName` | `run/post.rs`: a token for each `Post::claim` | the same, where both are in one process |
//! | `Lease` | `run/start.rs`: `take_up` leaves a leased thread alone | a healthy runner loses its thread, and nothing worse |
//! | `StoredFirst` | `run/drive.rs`: tries run after `Post::flush` | an effect runs that another runner's journal knows nothing of |
//! | `LookWhose` | `run/post.rs`: `flush` after a failure reads the entry at its place | a runner builds on an entry that is another's |
//! | `SameVisit` | `run/drive.rs`: `record` compares the visit | an open review is replaced by another, undecided |
//! | `DigestMatches` | `run/decide.rs`: `find` | a late verdict decides a review that its author never saw |
//! | `DigestNamesPlace` | `journal/digest.rs`: `Subject::place` | the same, where the drafts are alike |
//! | `DigestNamesThread` | `journal/digest.rs`: `Subject::id` | the same, in a namesake |
//! | `EditChecked` | `run/decide.rs`: `edit` | what breaks its invariants runs |
//! | `EditRuns` | `journal/fold.rs`: `decide` puts the edit into its field | what runs is not what was signed |
//! | `EditTakesItsWay` | `run/repropose.rs`: `way` | a clerk edits a draft into what only a director may sign, and it runs |
//! | `EditSignsItsOwn` | `run/repropose.rs`: `signature_of_edit` | the same |
//! | `Deadline` | `run/decide.rs`: `answer_in_place` compares the time | a person decides after the time was over |
//! | `BeganFirst` | `run/drive.rs`: `advance` pushes `Began` | a second payment without a person's word |
//! | `OrphanIsDoubt` | `run/drive.rs`: `advance` at `At::Began` | the same |
//! | `ErrorIsDoubt` | `run/step.rs`: `End::Unknown` | the same |
//! | `DoubtWaits` | `journal/fold.rs`: `Resumed` changes only `At::Failed` | the same |
//! | `StopIsFinal` | `journal/fold.rs`: and only what nobody stopped | the same |
//! | `SettlesItsDoubt` | **nowhere yet**: `settle` knows a doubt by its key, which the next one shares | a word about one doubt repeats the effect in the next |
//! | `KeyOfVisit` | `run/drive.rs`: `key` | an idempotent effect is paid twice |
//!
//! The place is the fence; the lease only saves work. Without `Lease` any `resume` interrupts a runner that is alive,
//! and still no effect is repeated: what the runner had begun stands in doubt.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod drive;
mod fold;
mod journal;
mod program;
mod promises;
mod request;
mod rules;
mod scenarios;
mod thread;
mod world;

use std::collections::BTreeSet;

use promises::*;
use rules::Rule::{self, *};
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use world::World;

type Scenario = fn() -> World;

/// What breaks where a rule is taken out, and a scenario in which it does.
const BREAKS: &[(Rule, Scenario, &[&str])] = &[
    (Fence, scenarios::decisions, &[DECIDED_ONCE, HOLDER, NO_THEFT, ANNOUNCED]),
    (FenceNamesEntry, scenarios::namesakes, &[NO_STRANGER]),
    (LookAgain, scenarios::decisions, &[DECIDED_ONCE]),
    (HoldOn, scenarios::decisions, &[HOLDER]),
    (OwnName, scenarios::decisions, &[HOLDER]),
    (Lease, scenarios::decisions, &[NO_THEFT]),
    (StoredFirst, scenarios::decisions, &[ANNOUNCED, SIGNED, NOT_BLINDLY]),
    (LookWhose, scenarios::beside, &[HOLDER]),
    (SameVisit, scenarios::beside, &[DECIDED_AT_ALL]),
    (DigestMatches, scenarios::decisions, &[DECIDED_AS_SEEN]),
    (DigestNamesPlace, scenarios::decisions, &[DECIDED_AS_SEEN]),
    (DigestNamesThread, scenarios::namesakes, &[DECIDED_AS_SEEN]),
    (EditChecked, scenarios::decisions, &[VALID]),
    (EditRuns, scenarios::decisions, &[SIGNED]),
    (EditTakesItsWay, scenarios::edits, &[MAY_SIGN]),
    (EditSignsItsOwn, scenarios::edits, &[MAY_SIGN]),
    (Deadline, scenarios::decisions, &[DECIDED_IN_TIME]),
    (BeganFirst, scenarios::doubts, &[NOT_BLINDLY]),
    (OrphanIsDoubt, scenarios::doubts, &[NOT_BLINDLY]),
    (ErrorIsDoubt, scenarios::doubts, &[NOT_BLINDLY]),
    (DoubtWaits, scenarios::doubts, &[NOT_BLINDLY]),
    (StopIsFinal, scenarios::doubts, &[NOT_BLINDLY]),
    (SettlesItsDoubt, scenarios::doubts, &[SETTLED_AS_SEEN]),
    (KeyOfVisit, scenarios::idempotent, &[NOT_BLINDLY]),
];

#[test]
fn with_all_its_rules_the_protocol_keeps_every_promise() {
    let scenarios: [(&str, Scenario); 6] = [
        ("edits", scenarios::edits),
        ("decisions", scenarios::decisions),
        ("doubts", scenarios::doubts),
        ("beside", scenarios::beside),
        ("idempotent", scenarios::idempotent),
        ("namesakes", scenarios::namesakes),
    ];
    for (name, scenario) in scenarios {
        let checker = scenario().checker().spawn_bfs().join();
        println!("{name}: {} states, {} steps deep", checker.unique_state_count(), checker.max_depth());
        checker.assert_properties();
    }
}

#[test]
fn without_any_one_of_its_rules_it_breaks_a_promise() {
    for (rule, scenario, breaks) in BREAKS {
        let wanted: BTreeSet<_> = breaks.iter().copied().collect();
        let checker = without(*rule, scenario).checker().finish_when(HasDiscoveries::AllOf(wanted));
        let checker = checker.spawn_bfs().join();
        println!("without {rule:?}: {} states", checker.unique_state_count());
        for promise in *breaks {
            let path = checker.discovery(promise);
            let path = path.unwrap_or_else(|| panic!("without {rule:?} nothing breaks `{promise}`"));
            println!("  broken after {} steps: {promise}", path.into_actions().len());
        }
    }
}

#[test]
fn without_its_lease_a_runner_loses_its_thread_and_nothing_worse() {
    assert_eq!(broken(without(Lease, &(scenarios::small as Scenario))), [NO_THEFT]);
}

#[test]
fn no_promise_needs_an_append_to_be_whole() {
    assert_eq!(broken(without(AllOrNone, &(scenarios::decisions as Scenario))), [""; 0]);
}

fn without(rule: Rule, scenario: &Scenario) -> World {
    let mut world = scenario();
    world.protocol.without = Some(rule);
    world.possible = &[];
    world
}

/// The promises that are broken anywhere in a world.
fn broken(world: World) -> Vec<&'static str> {
    let checker = world.checker().spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    let promises = checker.model().properties();
    let promises = promises.iter().filter(|promise| promise.expectation == Expectation::Always);
    promises.map(|promise| promise.name).filter(|name| checker.discovery(name).is_some()).collect()
}
