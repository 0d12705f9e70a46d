//! A whole run, killed at every point.

use serde_json::json;

use crate::{
    case::{Case, times, walk},
    child::{Desk, THREAD, Work},
    doom::Column,
    ledger::What,
};

/// The least number of appends: a start, seven nodes, one of them twice, and two verdicts. Entries share an append if
/// nothing must be durable in between: a verdict and the `Began` of its effect, the last node and the end.
const LEAST_APPENDS: u64 = 10;

/// The least number of awaits: one of each node. An append is awaited too, unless it is done when it is polled.
const LEAST_AWAITS: u64 = 7;

/// The points before and after each of two effects.
const TOUCHES: u64 = 4;

#[track_caller]
fn matrix(desk: Desk, column: Column, least: u64) {
    matrix_of(|| Case::new(desk), column, least);
}

#[track_caller]
fn matrix_of(new: impl Fn() -> Case, column: Column, least: u64) {
    let points = walk(column, |point| {
        let case = new();
        let killed = case.is_killed(Work::Run, Some(point));
        case.done(Work::Finish);
        right(&case);
        killed
    });
    println!("{column:?}: {points} points");
    assert!(points >= least, "{points} points, and there must be {least}");
}

fn right(case: &Case) {
    let found = case.look(THREAD);
    assert_eq!(
        json!(found.view.output),
        json!({
            "outcome": "9900 cents, signed by mara",
            "log": [
                "scored `refund what `order A-9133 arrived broken` asks for`",
                "a letter, signed by mara",
                "closed: 9900 cents, signed by mara",
            ],
        })
    );
    found.nothing_twice();
    let (letters, refunds) = (found.lines(What::Letter), found.lines(What::Refund));
    match case.desk {
        Desk::Once => assert_eq!((letters, refunds), (1, 1), "{:?}", found.ledger),
        Desk::Often => {
            assert!((1..=2).contains(&letters) && (1..=2).contains(&refunds), "{:?}", found.ledger);
            let asked = found.count(|event| matches!(event.name(), "in_doubt" | "settled"));
            assert_eq!(asked, 0, "nobody need settle what may be repeated");
        }
    }
}

/// The process that takes over is killed as well: at each of its own points, for each point of the first process.
#[test]
fn and_its_heir_too() {
    let mut points = 0;
    for first in [Column::AfterAppend, Column::Touch] {
        walk(first, |point| {
            let left = Case::new(Desk::Once);
            let killed = left.is_killed(Work::Run, Some(point));
            for second in [Column::BeforeAppend, Column::AfterAppend, Column::Touch] {
                points += walk(second, |point| {
                    let case = left.copy();
                    let killed = case.is_killed(Work::Finish, Some(point));
                    case.done(Work::Finish);
                    right(&case);
                    killed
                });
            }
            killed
        });
    }
    println!("Once, twice: {points} points");
    // On average, the process that takes over has half of the run before it.
    assert!(points >= LEAST_APPENDS * LEAST_APPENDS, "{points} points");
}

/// Kills at any time, not only at counted points.
#[test]
fn at_any_moment() {
    for _ in 0..times() {
        // Each append is committed to the disk, which takes at least 100 µs.
        matrix(Desk::Once, Column::Moment, LEAST_APPENDS);
    }
}

#[test]
fn before_each_append() {
    matrix(Desk::Once, Column::BeforeAppend, LEAST_APPENDS);
}

#[test]
fn after_each_append() {
    matrix(Desk::Once, Column::AfterAppend, LEAST_APPENDS);
}

#[test]
fn at_each_await() {
    for _ in 0..times() {
        matrix(Desk::Once, Column::Await, LEAST_AWAITS);
    }
}

#[test]
fn at_each_touch_of_the_world() {
    matrix(Desk::Once, Column::Touch, TOUCHES);
}

#[test]
fn before_each_append_of_idempotent_effects() {
    matrix(Desk::Often, Column::BeforeAppend, LEAST_APPENDS);
}

#[test]
fn after_each_append_of_idempotent_effects() {
    matrix(Desk::Often, Column::AfterAppend, LEAST_APPENDS);
}

#[test]
fn at_each_await_of_idempotent_effects() {
    for _ in 0..times() {
        matrix(Desk::Often, Column::Await, LEAST_AWAITS);
    }
}

#[test]
fn at_each_touch_of_idempotent_effects() {
    matrix(Desk::Often, Column::Touch, TOUCHES);
}

/// An append is one transaction; broken connections are covered by the store's own tests.
#[cfg(feature = "dynamodb")]
mod in_a_table {
    use super::*;

    #[test]
    fn before_each_append() {
        matrix_of(|| Case::in_a_table(Desk::Once), Column::BeforeAppend, LEAST_APPENDS);
    }

    #[test]
    fn after_each_append() {
        matrix_of(|| Case::in_a_table(Desk::Once), Column::AfterAppend, LEAST_APPENDS);
    }

    #[test]
    fn at_each_await() {
        matrix_of(|| Case::in_a_table(Desk::Once), Column::Await, LEAST_AWAITS);
    }

    #[test]
    fn at_each_touch_of_the_world() {
        matrix_of(|| Case::in_a_table(Desk::Often), Column::Touch, TOUCHES);
    }
}
