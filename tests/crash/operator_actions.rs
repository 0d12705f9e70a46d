//! A person's action, killed at every point: a verdict, a settlement, a fork.

use hitl::{
    Digest, Place, Reason, ThreadStatus, Verdict,
    journal::{Event, Settlement, StopKind},
};
use serde_json::json;

use crate::{
    case::{Case, StoredThread, for_each_point},
    child::{COPY, THREAD, TestGraph, Work},
    kill_points::{Point, PointKind},
    ledger::EffectKind,
    operator::settlement_from_ledger,
};

/// Kills at every point of every kind, each time in a copy of the same files, and returns the number of points of the
/// appends. The number of awaits depends on the machine: an append that is done when it is polled is not awaited.
#[track_caller]
fn matrix(what: &str, initial: &Case, work: impl Fn() -> Work, then: impl Fn(&Case)) -> [u64; 2] {
    let of = |kind| {
        let points = for_each_point(kind, |point| {
            let case = initial.copy();
            let killed = case.is_killed(work(), Some(point));
            then(&case);
            killed
        });
        println!("{what}, {kind:?}: {points} points");
        points
    };
    let appends = [PointKind::BeforeAppend, PointKind::AfterAppend].map(of);
    assert!(of(PointKind::Await) > 0, "no await was counted");
    appends
}

/// Returns a ticket whose refund waits for its signature, and the digest of that review.
fn waiting() -> (Case, Digest) {
    let case = Case::new(TestGraph::AtMostOnce);
    case.complete(Work::Start);
    let letter = case.inspect(THREAD).view.reviews[0].digest;
    case.complete(Work::Decide { digest: letter, verdict: Verdict::Approve });
    let refund = case.inspect(THREAD).view.reviews[0].digest;
    (case, refund)
}

#[track_caller]
fn ends_with(found: &StoredThread, outcome: &str) {
    assert_eq!(found.view.output.as_ref().unwrap()["outcome"], outcome);
}

/// A caller that gets no response repeats its verdict, which counts once.
#[track_caller]
fn verdict(verdict: &Verdict, least: u64, outcome: &str, refunds: usize) {
    let (initial, digest) = waiting();
    let decide = || Work::Decide { digest, verdict: verdict.clone() };
    let points = matrix(verdict.name(), &initial, decide, |case| {
        case.complete(Work::Again(Box::new(decide())));
        case.complete(Work::Finish);
        let found = case.inspect(THREAD);
        found.assert_nothing_twice();
        let given = found.count(|event| {
            matches!(event, Event::Decided { digest: of, verdict: given, .. }
                if *of == digest && given.name() == verdict.name())
        });
        assert_eq!(given, 1);
        ends_with(&found, outcome);
        assert_eq!((found.lines(EffectKind::Letter), found.lines(EffectKind::Refund)), (1, refunds));
    });
    assert!(points.iter().all(|points| *points >= least), "{points:?}");
}

#[test]
fn an_approval_killed_at_every_point() {
    verdict(&Verdict::Approve, 3, "14900 cents, signed by mara", 1);
}

#[test]
fn an_edit_killed_at_every_point() {
    let edit = Verdict::Edit { patch: json!({ "cents": 200 }) };
    verdict(&edit, 3, "200 cents, signed by mara", 1);
}

#[test]
fn a_rejection_killed_at_every_point() {
    let no = Verdict::Reject { reason: Reason::BadPlan, note: "not this one".into() };
    verdict(&no, 3, "cancelled: bad_plan", 0);
}

/// After the question, the operator edits the new draft.
#[test]
fn a_question_killed_at_every_point() {
    let ask = Verdict::Ask { question: "Is there a photo?".into() };
    verdict(&ask, 2, "9900 cents, signed by mara", 1);
}

/// A front records the verdict and dies, before or after it wakes a runner, which dies too.
#[test]
fn a_front_and_its_runner_killed_at_every_point() {
    let (initial, digest) = waiting();
    let record = || Work::Record { digest, verdict: Verdict::Approve };
    let paid_once = |case: &Case| {
        case.complete(Work::Finish);
        let found = case.inspect(THREAD);
        found.assert_nothing_twice();
        ends_with(&found, "14900 cents, signed by mara");
        assert_eq!((found.lines(EffectKind::Letter), found.lines(EffectKind::Refund)), (1, 1));
    };
    let points = matrix("record", &initial, record, |case| {
        case.complete(Work::Again(Box::new(record())));
        let found = case.inspect(THREAD);
        assert_eq!(found.lines(EffectKind::Refund), 0, "a front has paid");
        assert_eq!(found.view.standing, ThreadStatus::Running);
        paid_once(case);
    });
    assert_eq!(points, [1, 1]);

    initial.complete(record());
    let points = matrix("resume after record", &initial, || Work::Resume, paid_once);
    assert!(points.iter().all(|points| *points >= 2), "{points:?}");
}

/// Returns a ticket whose process died just before or just after the refund, and the refund's idempotency key.
fn in_doubt(paid: bool, noticed: bool) -> (Case, String) {
    let (case, digest) = waiting();
    let touch = Point { kind: PointKind::Effect, nth: if paid { 2 } else { 1 } };
    assert!(case.is_killed(Work::Decide { digest, verdict: Verdict::Approve }, Some(touch)));
    if noticed {
        case.complete(Work::TakeOver);
    }
    let found = case.inspect(THREAD);
    assert_eq!(found.view.standing, if noticed { ThreadStatus::InDoubt } else { ThreadStatus::Running });
    assert_eq!(found.lines(EffectKind::Refund), usize::from(paid));
    let key = found.history.iter().rev().find_map(|entry| match &entry.event {
        Event::Began { key, .. } => Some(key.clone()),
        _ => None,
    });
    (case, key.unwrap())
}

/// The doubt is settled as the ledger says.
#[test]
fn a_settlement_killed_at_every_point() {
    for (paid, noticed) in [(false, false), (false, true), (true, false), (true, true)] {
        let (initial, key) = in_doubt(paid, noticed);
        let how = settlement_from_ledger(&initial.inspect(THREAD).ledger, &key);
        assert_eq!(how.name(), if paid { "happened" } else { "run_again" });
        let settle = || Work::Settle { key: key.clone(), how: how.clone() };
        let points = matrix(how.name(), &initial, settle, |case| {
            case.complete(Work::Finish);
            let found = case.inspect(THREAD);
            found.assert_nothing_twice();
            ends_with(&found, "14900 cents, signed by mara");
            assert_eq!((found.lines(EffectKind::Letter), found.lines(EffectKind::Refund)), (1, 1));
        });
        let least = 2 + u64::from(!noticed) + u64::from(!paid);
        assert!(
            points.iter().all(|points| *points >= least),
            "only {points:?} points, expected at least {least}"
        );
    }
}

/// A front settles a doubt, and the next runner goes on.
#[test]
fn a_settlement_in_a_front_killed_at_every_point() {
    for paid in [false, true] {
        let (initial, key) = in_doubt(paid, true);
        let how = settlement_from_ledger(&initial.inspect(THREAD).ledger, &key);
        let settle = || Work::RecordSettlement { key: key.clone(), how: how.clone() };
        let points = matrix("settle in a front", &initial, settle, |case| {
            case.complete(Work::Again(Box::new(settle())));
            assert_eq!(case.inspect(THREAD).lines(EffectKind::Refund), usize::from(paid), "a front has paid");
            case.complete(Work::Finish);
            let found = case.inspect(THREAD);
            found.assert_nothing_twice();
            ends_with(&found, "14900 cents, signed by mara");
            assert_eq!(found.lines(EffectKind::Refund), 1);
        });
        assert_eq!(points, [1, 1]);
    }
}

/// A stopped effect is not resumed.
#[test]
fn a_stop_killed_at_every_point() {
    for (paid, noticed) in [(false, false), (true, true)] {
        let (initial, key) = in_doubt(paid, noticed);
        let stop = || Work::Settle { key: key.clone(), how: Settlement::Stop { note: "enough".into() } };
        let points = matrix("stop", &initial, stop, |case| {
            case.complete(Work::Again(Box::new(stop())));
            case.complete(Work::Finish);
            let found = case.inspect(THREAD);
            assert!(found.view.failure.as_ref().is_some_and(|failure| failure.stopped));
            assert_eq!(found.count(|event| event.name() == "settled"), 1);
            assert_eq!(found.lines(EffectKind::Refund), usize::from(paid));
        });
        assert!(points.iter().all(|points| *points > u64::from(!noticed)), "{points:?}");
    }
}

/// A pause that is killed while it is recorded, and repeated. Until it is lifted, no process pays; then one does, once.
#[test]
fn a_pause_killed_at_every_point() {
    for all in [false, true] {
        let (initial, digest) = waiting();
        let pause = || Work::Stop { all, kind: StopKind::Pause };
        let points = matrix("pause", &initial, pause, |case| {
            case.complete(Work::Again(Box::new(pause())));
            case.complete(Work::Decide { digest, verdict: Verdict::Approve });
            case.complete(Work::TakeOver);
            let found = case.inspect(THREAD);
            assert_eq!(found.lines(EffectKind::Refund), 0, "paid while paused");
            assert!(found.view.stop.is_some());
            case.complete(Work::Unpause { all });
            pays_once(case);
        });
        assert_eq!(points, [1, 1]);
    }
}

/// The runner of an approval is killed at every point, and the thread is stopped before another one takes it over.
#[test]
fn a_stop_after_a_runner_was_killed_at_every_point() {
    let (initial, digest) = waiting();
    for (all, kind) in [(false, StopKind::Pause), (true, StopKind::Pause), (false, StopKind::Cancel)] {
        let approve = || Work::Decide { digest, verdict: Verdict::Approve };
        matrix("approve, then stop", &initial, approve, |case| {
            let before = case.inspect(THREAD);
            if before.view.output.is_some() {
                return;
            }
            let paid = before.lines(EffectKind::Refund);
            case.complete(Work::Stop { all, kind });
            case.complete(Work::TakeOver);
            let found = case.inspect(THREAD);
            assert_eq!(found.lines(EffectKind::Refund), paid, "paid while it was stopped");
            match kind {
                StopKind::Pause => {
                    case.complete(Work::Unpause { all });
                    case.complete(Work::Again(Box::new(approve())));
                    pays_once(case);
                }
                _ => {
                    assert!(found.view.reviews.is_empty() && found.view.failure.is_some_and(|it| it.stopped));
                    // An effect in doubt that is not in the ledger may not run again.
                    case.complete(Work::Again(Box::new(Work::Finish)));
                    assert_eq!(case.inspect(THREAD).lines(EffectKind::Refund), paid);
                }
            }
        });
    }
}

#[track_caller]
fn pays_once(case: &Case) {
    case.complete(Work::Finish);
    let found = case.inspect(THREAD);
    found.assert_nothing_twice();
    ends_with(&found, "14900 cents, signed by mara");
    assert_eq!(found.lines(EffectKind::Refund), 1);
}

/// The cancellation of a graph is killed between its own entry and those of its threads. Nothing begins all the same,
/// and when it is repeated it ends what it began.
#[test]
fn a_cancellation_of_a_graph_killed_at_every_point() {
    let (initial, digest) = waiting();
    let cancel = || Work::Stop { all: true, kind: StopKind::Cancel };
    let points = matrix("cancel", &initial, cancel, |case| {
        let is_recorded = case.inspect(THREAD).view.stop.is_some();
        if is_recorded {
            case.complete(Work::Again(Box::new(Work::Decide { digest, verdict: Verdict::Approve })));
            case.complete(Work::TakeOver);
            assert_eq!(case.inspect(THREAD).lines(EffectKind::Refund), 0, "paid after the cancellation");
        }
        case.complete(Work::Again(Box::new(cancel())));
        case.complete(Work::Unpause { all: true });
        case.complete(Work::TakeOver);
        let found = case.inspect(THREAD);
        assert_eq!(found.count(|event| event.name() == "stopped"), 1);
        assert_eq!(found.lines(EffectKind::Refund), 0);
        assert!(found.view.failure.is_some_and(|failure| failure.stopped));
    });
    assert_eq!(points, [2, 2]);
}

/// A fork at the entry before two branches, which runs both of them again under its own name.
#[test]
fn a_fork_killed_at_every_point() {
    let (initial, _) = waiting();
    let before = initial.inspect(THREAD);
    let is_plan = |event: &Event| matches!(event, Event::Ran { node, .. } if node == "plan");
    let place: Place = before.history.iter().find(|entry| is_plan(&entry.event)).unwrap().place;
    let points = matrix(
        "fork",
        &initial,
        || Work::Fork { place },
        |case| {
            case.complete(Work::FinishFork { place });
            let old = case.inspect(THREAD);
            assert_eq!(json!(old.history), json!(before.history), "the original thread has changed");
            let copy = case.inspect(COPY);
            copy.assert_nothing_twice();
            ends_with(&copy, "9900 cents, signed by mara");
            // One letter of each thread, with its own key; the old thread's refund still waits.
            let what = |what| copy.ledger.iter().filter(|line| line.what == what).count();
            assert_eq!((what(EffectKind::Letter), what(EffectKind::Refund)), (2, 1), "{:?}", copy.ledger);
            case.complete(Work::Finish);
            ends_with(&case.inspect(THREAD), "9900 cents, signed by mara");
        },
    );
    assert!(points.iter().all(|points| *points >= 3), "{points:?}");
}
