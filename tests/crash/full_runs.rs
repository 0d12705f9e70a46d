//! A whole run, killed at every point.

use serde_json::json;

use crate::{
    case::{Case, for_each_point, times},
    child::{THREAD, TestGraph, Work},
    kill_points::PointKind,
    ledger::EffectKind,
};

/// The least number of appends: a start, seven nodes, one of them twice, and two verdicts. Entries share an append if
/// nothing must be durable in between: a verdict and the `Began` of its effect, the last node and the end.
const LEAST_APPENDS: u64 = 10;

/// The least number of awaits: one of each node. An append is awaited too, unless it is done when it is polled.
const LEAST_AWAITS: u64 = 7;

/// The points before and after each of two effects.
const EFFECT_POINTS: u64 = 4;

#[track_caller]
fn matrix(graph: TestGraph, kind: PointKind, least: u64) {
    matrix_of(|| Case::new(graph), kind, least);
}

#[track_caller]
fn matrix_of(new: impl Fn() -> Case, kind: PointKind, least: u64) {
    let points = for_each_point(kind, |point| {
        let case = new();
        let killed = case.is_killed(Work::Run, Some(point));
        case.complete(Work::Finish);
        assert_result(&case);
        killed
    });
    println!("{kind:?}: {points} points");
    assert!(points >= least, "only {points} points, expected at least {least}");
}

fn assert_result(case: &Case) {
    let found = case.inspect(THREAD);
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
    found.assert_nothing_twice();
    let (letters, refunds) = (found.lines(EffectKind::Letter), found.lines(EffectKind::Refund));
    match case.graph {
        TestGraph::AtMostOnce => assert_eq!((letters, refunds), (1, 1), "{:?}", found.ledger),
        TestGraph::AtLeastOnce => {
            assert!((1..=2).contains(&letters) && (1..=2).contains(&refunds), "{:?}", found.ledger);
            let asked = found.count(|event| matches!(event.name(), "in_doubt" | "settled"));
            assert_eq!(asked, 0, "an idempotent effect needs no settlement");
        }
    }
}

/// The process that takes over is killed as well: at each of its own points, for each point of the first process.
#[test]
fn killed_twice_at_every_pair_of_points() {
    let mut points = 0;
    for first in [PointKind::AfterAppend, PointKind::Effect] {
        for_each_point(first, |point| {
            let left = Case::new(TestGraph::AtMostOnce);
            let killed = left.is_killed(Work::Run, Some(point));
            for second in [PointKind::BeforeAppend, PointKind::AfterAppend, PointKind::Effect] {
                points += for_each_point(second, |point| {
                    let case = left.copy();
                    let killed = case.is_killed(Work::Finish, Some(point));
                    case.complete(Work::Finish);
                    assert_result(&case);
                    killed
                });
            }
            killed
        });
    }
    println!("AtMostOnce, twice: {points} points");
    // On average, the process that takes over has half of the run before it.
    assert!(points >= LEAST_APPENDS * LEAST_APPENDS, "{points} points");
}

/// Kills at any time, not only at counted points.
#[test]
fn killed_at_any_time() {
    for _ in 0..times() {
        // Each append is committed to the disk, which takes at least 100 µs.
        matrix(TestGraph::AtMostOnce, PointKind::Moment, LEAST_APPENDS);
    }
}

#[test]
fn killed_before_each_append() {
    matrix(TestGraph::AtMostOnce, PointKind::BeforeAppend, LEAST_APPENDS);
}

#[test]
fn killed_after_each_append() {
    matrix(TestGraph::AtMostOnce, PointKind::AfterAppend, LEAST_APPENDS);
}

#[test]
fn killed_at_each_await() {
    for _ in 0..times() {
        matrix(TestGraph::AtMostOnce, PointKind::Await, LEAST_AWAITS);
    }
}

#[test]
fn killed_around_each_effect() {
    matrix(TestGraph::AtMostOnce, PointKind::Effect, EFFECT_POINTS);
}

#[test]
fn idempotent_killed_before_each_append() {
    matrix(TestGraph::AtLeastOnce, PointKind::BeforeAppend, LEAST_APPENDS);
}

#[test]
fn idempotent_killed_after_each_append() {
    matrix(TestGraph::AtLeastOnce, PointKind::AfterAppend, LEAST_APPENDS);
}

#[test]
fn idempotent_killed_at_each_await() {
    for _ in 0..times() {
        matrix(TestGraph::AtLeastOnce, PointKind::Await, LEAST_AWAITS);
    }
}

#[test]
fn idempotent_killed_around_each_effect() {
    matrix(TestGraph::AtLeastOnce, PointKind::Effect, EFFECT_POINTS);
}

/// An append is one transaction; broken connections are covered by the store's own tests.
#[cfg(feature = "dynamodb")]
mod on_dynamodb {
    use super::*;

    #[test]
    fn killed_before_each_append() {
        matrix_of(|| Case::on_dynamodb(TestGraph::AtMostOnce), PointKind::BeforeAppend, LEAST_APPENDS);
    }

    #[test]
    fn killed_after_each_append() {
        matrix_of(|| Case::on_dynamodb(TestGraph::AtMostOnce), PointKind::AfterAppend, LEAST_APPENDS);
    }

    #[test]
    fn killed_at_each_await() {
        matrix_of(|| Case::on_dynamodb(TestGraph::AtMostOnce), PointKind::Await, LEAST_AWAITS);
    }

    #[test]
    fn killed_around_each_effect() {
        matrix_of(|| Case::on_dynamodb(TestGraph::AtLeastOnce), PointKind::Effect, EFFECT_POINTS);
    }
}
