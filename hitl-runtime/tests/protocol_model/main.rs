//! The protocol by which processes and people move one thread, as a model that [`stateright`] explores completely.
//!
//! **Modeled:** one thread, its journal in a store that appends at a place; two runners, each of which knows the thread
//! as it last read it, and may die between any two steps; responses of the store that are errors or get lost; leases
//! and deadlines that expire at any time; people who decide and settle at any time after they saw a review or a doubt;
//! an effect that may take place without a report; people who stop the thread or all threads, and fronts that record a
//! verdict and run nothing; a thread that is deleted and its name reused. The transitions are
//! those of `run::{start, executor, thread_writer, decide, deadlines, settle}`, on one branch or two;
//! [`engine_comparison`] runs scripts on the model and on the real engine, and compares the journals.
//!
//! **Not modeled:** clock skew, roles other than those of [`journal::Person`], hashes, snapshots, automatic retries,
//! time travel, the responses to people, a third runner, and anything beyond the bounds of the [`scenarios`]. An effect
//! may be delayed between its `Began` entry and its call. No store can stop it then, so it may still take place after a
//! person has settled that it did not happen.
//!
//! The promises are in [`promises`]. All of them hold in all of the scenarios; and each rule, disabled alone, breaks
//! those of the last column, which the tests below check.
//!
//! | rule | implementation (in `hitl-runtime/src`) | without it |
//! |---|---|---|
//! | `AppendNamesPlace` | `store`: `append` compares the place | two decisions of one review, entries of runners that lost the thread, effects without a `Began` entry |
//! | `AppendNamesPredecessor` | `store`: `append` compares the hash of the last entry (`Append::after`) | a runner of a deleted thread writes into the new thread of that name |
//! | `AtomicAppend` | `store`: one append is one transaction | nothing in this model; the rule keeps the index of reviews consistent |
//! | `RereadOnConflict` | the loops around `RunError::Conflict` in `run/{decide,settle,start}.rs` | a review is decided twice |
//! | `StopWithoutLease` | `run/executor.rs`: `ThreadWriter::holds_lease` after `ThreadWriter::reset` | a runner that has lost the thread continues to write |
//! | `UniqueClaimName` | `run/thread_writer.rs`: a random name for each `ThreadWriter::claim` | the same, with both runners in one process |
//! | `Lease` | `run/start.rs`: `take_up` leaves a leased thread alone | a healthy runner loses its thread; no other promise breaks |
//! | `StoreBeforeAttempt` | `run/executor.rs`: attempts run after `ThreadWriter::flush` | an effect runs without an entry in the journal |
//! | `ReadEntryAfterFailure` | `run/thread_writer.rs`: `flush` after a failure reads the entry at its place | a runner builds on the entry of another one |
//! | `SameActivation` | `run/executor.rs`: `record_once` compares the activation | an open review is replaced by another, without a decision |
//! | `DigestMatches` | `run/decide.rs`: `find` | a late verdict decides a review that its author never saw |
//! | `DigestNamesPlace` | `journal/review_digest.rs`: `Subject::place` | the same, if the drafts are equal |
//! | `DigestNamesThread` | `journal/review_digest.rs`: `Subject::id` | the same, in a new thread of the same name |
//! | `EditChecked` | `run/decide.rs`: `edit` | an effect runs on a draft that breaks its invariants |
//! | `EditRuns` | `journal/fold.rs`: `decide` writes the edit to its field | an effect runs on another draft than the signed one |
//! | `EditFollowsGraph` | `run/repropose.rs`: `resolve_edit` | a clerk edits a draft into one that only a director may sign, and it runs |
//! | `EditSignsIfPermitted` | `run/repropose.rs`: `signature_of_edit` | the same |
//! | `Deadline` | `run/decide.rs`: `answer_in_place` compares the time | a person decides after the deadline |
//! | `BeganFirst` | `run/executor.rs`: `advance` pushes `Began` | a second payment without a person's decision |
//! | `OrphanIsDoubt` | `run/executor.rs`: `advance` at `LaneState::Began` | the same |
//! | `ErrorIsDoubt` | `run/attempt.rs`: `AttemptOutcome::Unknown` | the same |
//! | `DoubtWaits` | `journal/fold.rs`: `Resumed` changes only `LaneState::Failed` | the same |
//! | `StopIsFinal` | `journal/fold.rs`: `Resumed` leaves `stopped` effects alone | the same |
//! | `SettlesItsDoubt` | `run/settle.rs`: `settle_in_place` compares the digest, which names the place of `Began` | a settlement of one doubt repeats the effect of the next |
//! | `StopFences` | `run/executor.rs`: `advance` begins nothing while `is_halted` | an effect begins in a stopped thread |
//! | `StopReadBeforeCall` | `run/attempt.rs`: `withheld` | an effect that has begun is called after the stop |
//! | `CancelCloses` | `session/stop.rs`: `is_not_closed` | a cancelled thread is decided |
//! | `KeyPerActivation` | `run/context.rs`: `idempotency_key` names the place of the activation | an idempotent effect is paid twice |
//!
//! Correctness rests on the place alone; the lease only saves work. Without `Lease`, any `resume` interrupts a live
//! runner, and still no effect is repeated: an effect that the runner had begun is then in doubt.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod engine_comparison;
mod fold;
mod journal;
mod promises;
mod request;
mod rules;
mod runner;
mod scenarios;
mod thread;
mod world;

use std::collections::BTreeSet;

use promises::*;
use rules::Rule::{self, *};
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use world::World;

type Scenario = fn() -> World;

/// For each rule, a scenario and the promises that break in it without the rule.
const BREAKS: &[(Rule, Scenario, &[&str])] = &[
    (AppendNamesPlace, scenarios::decisions, &[DECIDED_ONCE, HOLDER, NO_THEFT, ANNOUNCED]),
    (AppendNamesPredecessor, scenarios::namesakes, &[NO_STRANGER]),
    (RereadOnConflict, scenarios::decisions, &[DECIDED_ONCE]),
    (StopWithoutLease, scenarios::decisions, &[HOLDER]),
    (UniqueClaimName, scenarios::decisions, &[HOLDER]),
    (Lease, scenarios::decisions, &[NO_THEFT]),
    (StoreBeforeAttempt, scenarios::decisions, &[ANNOUNCED, SIGNED, NOT_BLINDLY]),
    (ReadEntryAfterFailure, scenarios::beside, &[HOLDER]),
    (SameActivation, scenarios::beside, &[DECIDED_AT_ALL]),
    (DigestMatches, scenarios::decisions, &[DECIDED_AS_SEEN]),
    (DigestNamesPlace, scenarios::decisions, &[DECIDED_AS_SEEN]),
    (DigestNamesThread, scenarios::namesakes, &[DECIDED_AS_SEEN]),
    (EditChecked, scenarios::decisions, &[VALID]),
    (EditRuns, scenarios::decisions, &[SIGNED]),
    (EditFollowsGraph, scenarios::edits, &[MAY_SIGN]),
    (EditSignsIfPermitted, scenarios::edits, &[MAY_SIGN]),
    (Deadline, scenarios::decisions, &[DECIDED_IN_TIME]),
    (BeganFirst, scenarios::doubts, &[NOT_BLINDLY]),
    (OrphanIsDoubt, scenarios::doubts, &[NOT_BLINDLY]),
    (ErrorIsDoubt, scenarios::doubts, &[NOT_BLINDLY]),
    (DoubtWaits, scenarios::doubts, &[NOT_BLINDLY]),
    (StopIsFinal, scenarios::doubts, &[NOT_BLINDLY]),
    (SettlesItsDoubt, scenarios::doubts, &[SETTLED_AS_SEEN]),
    (KeyPerActivation, scenarios::idempotent, &[NOT_BLINDLY]),
    (StopFences, scenarios::stops, &[NOT_BEGUN]),
    (StopReadBeforeCall, scenarios::stops, &[NOT_CALLED]),
    (CancelCloses, scenarios::stops, &[CLOSED]),
];

#[test]
fn all_rules_together_keep_every_promise() {
    let scenarios: [(&str, Scenario); 8] = [
        ("edits", scenarios::edits),
        ("decisions", scenarios::decisions),
        ("doubts", scenarios::doubts),
        ("beside", scenarios::beside),
        ("idempotent", scenarios::idempotent),
        ("namesakes", scenarios::namesakes),
        ("stops", scenarios::stops),
        ("idempotent stops", scenarios::idempotent_stops),
    ];
    for (name, scenario) in scenarios {
        let checker = scenario().checker().spawn_bfs().join();
        println!("{name}: {} states, {} steps deep", checker.unique_state_count(), checker.max_depth());
        checker.assert_properties();
    }
}

#[test]
fn leaving_out_any_rule_breaks_a_promise() {
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
fn without_leases_only_the_no_theft_promise_breaks() {
    assert_eq!(broken(without(Lease, &(scenarios::small as Scenario))), [NO_THEFT]);
}

#[test]
fn no_promise_depends_on_atomic_appends() {
    assert_eq!(broken(without(AtomicAppend, &(scenarios::decisions as Scenario))), [""; 0]);
}

fn without(rule: Rule, scenario: &Scenario) -> World {
    let mut world = scenario();
    world.protocol.without = Some(rule);
    world.possible = &[];
    world
}

/// Returns the promises that are broken in any state of a world.
fn broken(world: World) -> Vec<&'static str> {
    let checker = world.checker().spawn_bfs().join();
    println!("{} states", checker.unique_state_count());
    let promises = checker.model().properties();
    let promises = promises.iter().filter(|promise| promise.expectation == Expectation::Always);
    promises.map(|promise| promise.name).filter(|name| checker.discovery(name).is_some()).collect()
}
