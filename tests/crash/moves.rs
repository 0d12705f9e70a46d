//! A person's action, killed at every point: a verdict, a settlement, a fork.

use hitl::{
    Digest, Place, Reason, Standing, Verdict,
    journal::{Event, Settlement},
};
use serde_json::json;

use crate::{
    case::{Case, Found, walk},
    child::{COPY, Desk, THREAD, Work},
    doom::{Column, Point},
    ledger::What,
    operator::truth,
};

/// Kills at every point of every column, each time in a copy of the same files, and returns the number of points of the
/// appends. The number of awaits depends on the machine: an append that is done when it is polled is not awaited.
#[track_caller]
fn matrix(what: &str, desk: &Case, work: impl Fn() -> Work, then: impl Fn(&Case)) -> [u64; 2] {
    let of = |column| {
        let points = walk(column, |point| {
            let case = desk.copy();
            let killed = case.is_killed(work(), Some(point));
            then(&case);
            killed
        });
        println!("{what}, {column:?}: {points} points");
        points
    };
    let appends = [Column::BeforeAppend, Column::AfterAppend].map(of);
    assert!(of(Column::Await) > 0, "nothing was waited for");
    appends
}

/// Returns a ticket whose refund waits for its signature, and the digest of that review.
fn waiting() -> (Case, Digest) {
    let case = Case::new(Desk::Once);
    case.done(Work::Start);
    let letter = case.look(THREAD).view.reviews[0].digest;
    case.done(Work::Decide { digest: letter, verdict: Verdict::Approve });
    let refund = case.look(THREAD).view.reviews[0].digest;
    (case, refund)
}

#[track_caller]
fn ends_with(found: &Found, outcome: &str) {
    assert_eq!(found.view.output.as_ref().unwrap()["outcome"], outcome);
}

/// A caller that gets no response repeats its verdict, which counts once.
#[track_caller]
fn verdict(verdict: &Verdict, least: u64, outcome: &str, refunds: usize) {
    let (desk, digest) = waiting();
    let decide = || Work::Decide { digest, verdict: verdict.clone() };
    let points = matrix(verdict.name(), &desk, decide, |case| {
        case.done(Work::Again(Box::new(decide())));
        case.done(Work::Finish);
        let found = case.look(THREAD);
        found.nothing_twice();
        let given = found.count(|event| {
            matches!(event, Event::Decided { digest: of, verdict: given, .. }
                if *of == digest && given.name() == verdict.name())
        });
        assert_eq!(given, 1);
        ends_with(&found, outcome);
        assert_eq!((found.lines(What::Letter), found.lines(What::Refund)), (1, refunds));
    });
    assert!(points.iter().all(|points| *points >= least), "{points:?}");
}

#[test]
fn an_approval() {
    verdict(&Verdict::Approve, 3, "14900 cents, signed by mara", 1);
}

#[test]
fn an_edit() {
    let edit = Verdict::Edit { patch: json!({ "cents": 200 }) };
    verdict(&edit, 3, "200 cents, signed by mara", 1);
}

#[test]
fn a_rejection() {
    let no = Verdict::Reject { reason: Reason::BadPlan, note: "not this one".into() };
    verdict(&no, 3, "cancelled: bad_plan", 0);
}

/// After the question, the operator edits the new draft.
#[test]
fn a_question() {
    let ask = Verdict::Ask { question: "Is there a photo?".into() };
    verdict(&ask, 2, "9900 cents, signed by mara", 1);
}

/// Returns a ticket whose process died just before or just after the refund, and the refund's idempotency key.
fn in_doubt(paid: bool, noticed: bool) -> (Case, String) {
    let (case, digest) = waiting();
    let touch = Point { column: Column::Touch, nth: if paid { 2 } else { 1 } };
    assert!(case.is_killed(Work::Decide { digest, verdict: Verdict::Approve }, Some(touch)));
    if noticed {
        case.done(Work::TakeUp);
    }
    let found = case.look(THREAD);
    assert_eq!(found.view.standing, if noticed { Standing::InDoubt } else { Standing::Running });
    assert_eq!(found.lines(What::Refund), usize::from(paid));
    let key = found.history.iter().rev().find_map(|entry| match &entry.event {
        Event::Began { key, .. } => Some(key.clone()),
        _ => None,
    });
    (case, key.unwrap())
}

/// The doubt is settled as the ledger says.
#[test]
fn a_settlement() {
    for (paid, noticed) in [(false, false), (false, true), (true, false), (true, true)] {
        let (desk, key) = in_doubt(paid, noticed);
        let how = truth(&desk.look(THREAD).ledger, &key);
        assert_eq!(how.name(), if paid { "happened" } else { "run_again" });
        let settle = || Work::Settle { key: key.clone(), how: how.clone() };
        let points = matrix(how.name(), &desk, settle, |case| {
            case.done(Work::Finish);
            let found = case.look(THREAD);
            found.nothing_twice();
            ends_with(&found, "14900 cents, signed by mara");
            assert_eq!((found.lines(What::Letter), found.lines(What::Refund)), (1, 1));
        });
        let least = 2 + u64::from(!noticed) + u64::from(!paid);
        assert!(points.iter().all(|points| *points >= least), "{points:?}, and there must be {least}");
    }
}

/// A stopped effect is not resumed.
#[test]
fn a_stop() {
    for (paid, noticed) in [(false, false), (true, true)] {
        let (desk, key) = in_doubt(paid, noticed);
        let stop = || Work::Settle { key: key.clone(), how: Settlement::Stop { note: "enough".into() } };
        let points = matrix("stop", &desk, stop, |case| {
            case.done(Work::Again(Box::new(stop())));
            case.done(Work::Finish);
            let found = case.look(THREAD);
            assert!(found.view.failure.as_ref().is_some_and(|failure| failure.stopped));
            assert_eq!(found.count(|event| event.name() == "settled"), 1);
            assert_eq!(found.lines(What::Refund), usize::from(paid));
        });
        assert!(points.iter().all(|points| *points > u64::from(!noticed)), "{points:?}");
    }
}

/// A fork at the entry before two branches, which runs both of them again under its own name.
#[test]
fn a_fork() {
    let (desk, _) = waiting();
    let before = desk.look(THREAD);
    let is_plan = |event: &Event| matches!(event, Event::Ran { node, .. } if node == "plan");
    let place: Place = before.history.iter().find(|entry| is_plan(&entry.event)).unwrap().place;
    let points = matrix(
        "fork",
        &desk,
        || Work::Fork { place },
        |case| {
            case.done(Work::FinishFork { place });
            let old = case.look(THREAD);
            assert_eq!(json!(old.history), json!(before.history), "the old thread has moved");
            let copy = case.look(COPY);
            copy.nothing_twice();
            ends_with(&copy, "9900 cents, signed by mara");
            // One letter of each thread, with its own key; the old thread's refund still waits.
            let what = |what| copy.ledger.iter().filter(|line| line.what == what).count();
            assert_eq!((what(What::Letter), what(What::Refund)), (2, 1), "{:?}", copy.ledger);
            case.done(Work::Finish);
            ends_with(&case.look(THREAD), "9900 cents, signed by mara");
        },
    );
    assert!(points.iter().all(|points| *points >= 3), "{points:?}");
}
