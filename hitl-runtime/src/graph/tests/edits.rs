//! Tests of the analysis of edits, on hand-written graphs.

use super::sketch::Sketch;
use crate::graph::{EditOutcome, edit_outcome};

#[track_caller]
fn assert_outcome(sketch: Sketch, outcome: EditOutcome) {
    let spec = sketch.done();
    assert_eq!(edit_outcome(&spec, spec.node_index("pay").unwrap()), outcome);
}

/// A graph that writes a draft and pays for it. The tests add nodes between.
fn desk() -> Sketch {
    till("*message draft tier tax log paid!").node("draft(message) writes draft")
}

/// A graph on these fields that pays for a draft, or skips it. The tests add the path to there.
fn till(fields: &str) -> Sketch {
    Sketch::new(fields)
        .node("pay(^draft) writes paid; effect, reviews draft")
        .node("cancel(rejection) writes paid")
        .node("skip() writes paid")
        .verdicts("pay { reject -> cancel }")
        .chain("pay -> end")
        .chain("cancel -> end")
        .chain("skip -> end")
}

#[test]
fn an_edit_with_no_nodes_between_is_direct() {
    let sketch = desk().node("look(message) writes log").chain("start -> draft -> look -> pay");
    assert_outcome(sketch, EditOutcome::Signs);
    // A `match` on another field is no dependency either.
    assert_outcome(
        desk().chain("start -> draft").choice("draft -> match message { pay, skip }"),
        EditOutcome::Signs,
    );
}

#[test]
fn an_edit_across_an_independent_effect_is_direct() {
    let sketch =
        desk().node("log(message) writes log; effect, low risk").chain("start -> draft -> log -> pay");
    assert_outcome(sketch, EditOutcome::Signs);
}

#[test]
fn code_that_depends_on_the_draft_is_rerun() {
    assert_outcome(
        desk().chain("start -> draft").choice("draft -> match draft { pay, skip }"),
        EditOutcome::Reruns,
    );
    let reader = desk().node("rate(draft) writes tier").chain("start -> draft -> rate -> pay");
    assert_outcome(reader, EditOutcome::Reruns);
    let perhaps = desk().node("rate(?draft) writes tier").chain("start -> draft -> rate -> pay");
    assert_outcome(perhaps, EditOutcome::Reruns);
}

#[test]
fn code_before_the_last_write_is_ignored() {
    let sketch = desk()
        .node("rate(draft) writes tier")
        .node("redraft(tier) writes draft")
        .chain("start -> draft -> rate -> redraft -> pay");
    assert_outcome(sketch, EditOutcome::Signs);
}

#[test]
fn an_overwritten_value_is_not_tracked_further() {
    // `rate` has read the draft, so the effect after it blocks the edit, although the effect itself does not.
    let sketch = desk()
        .node("rate(draft) writes tier")
        .node("log(message) writes log; effect, low risk")
        .chain("start -> draft -> rate -> log -> pay");
    assert_refused(
        sketch,
        "an edit of `draft` at the review before `pay` would rerun the path from where `draft` is written, \
         because node `rate` depends on it, and effect `log` on that path would run a second time: write \
         `#[interrupt_before(edit = false)]` on `pay`, whose review then accepts no edit, or move `log` \
         off that path",
    );
}

#[test]
fn an_effect_that_reads_the_draft_prevents_edits() {
    let sketch = desk()
        .node("hold(^draft) writes log; effect, reviews draft")
        .verdicts("hold { reject -> cancel }")
        .chain("start -> draft -> hold -> pay");
    assert_refused(
        sketch,
        "an edit of `draft` at the review before `pay` would rerun the path from where `draft` is written, \
         because node `hold` depends on it, and effect `hold` on that path would run a second time: write \
         `#[interrupt_before(edit = false)]` on `pay`, whose review then accepts no edit, or move `hold` \
         off that path",
    );
    let declared = Sketch::new("*message draft log paid!")
        .node("draft(message) writes draft")
        .node("hold(^draft) writes log; effect, reviews draft")
        .node("pay(^draft) writes paid; effect, reviews draft unedited")
        .node("cancel(rejection) writes paid")
        .verdicts("hold { reject -> cancel }")
        .verdicts("pay { reject -> cancel }")
        .chain("start -> draft -> hold -> pay -> end")
        .chain("cancel -> end");
    declared.sound();
}

#[test]
fn values_written_with_the_draft_must_not_choose_the_path() {
    let desk = || till("*message draft tier paid!").node("draft(message) writes draft, tier");
    let sketch = desk().chain("start -> draft").choice("draft -> match tier { pay, skip }");
    assert_refused(
        sketch,
        "an edit of `draft` at the review before `pay` does not change the values that were written \
         together with it, but `match tier` after `draft` reads one of them and so decides the path to the \
         review: compute that value in a node that reads `draft`, or write `#[interrupt_before(edit = \
         false)]` on `pay`, whose review then accepts no edit",
    );
    assert_outcome(desk().chain("start -> draft -> pay -> skip"), EditOutcome::Signs);
}

#[test]
fn a_fork_between_write_and_review_is_rerun() {
    let sketch = desk()
        .node("fraud(draft) writes tier")
        .node("stock(message) writes log")
        .fork("draft -> (fraud, stock) -> pay")
        .chain("start -> draft")
        .chain("fraud -> pay")
        .chain("stock -> pay");
    assert_outcome(sketch, EditOutcome::Reruns);
}

#[test]
fn an_edit_in_a_branch_reruns_it_from_its_first_node() {
    let branch = |from: &str| {
        desk()
            .node("rate(draft) writes tier")
            .node("stock(message) writes log")
            .fork(&format!("{from} -> (rate pay cancel skip, stock) -> end"))
            .chain("rate -> pay")
            .chain("stock -> end")
    };
    assert_outcome(branch("draft").chain("start -> draft"), EditOutcome::Reruns);
    let looked = desk()
        .node("look(draft) writes tax")
        .node("rate(message) writes tier")
        .node("stock(message) writes log")
        .fork("look -> (rate pay cancel skip, stock) -> end")
        .chain("start -> draft -> look")
        .chain("rate -> pay")
        .chain("stock -> end");
    assert_refused(
        looked,
        "an edit of `draft` at the review before `pay` would have to rerun the path from where `draft` is \
         written, because node `look` depends on it, but a fork begins or ends after that, and the other \
         branches cannot be undone: write `#[interrupt_before(edit = false)]` on `pay`, whose review then \
         accepts no edit, or write and review `draft` in one branch",
    );
}

#[test]
fn an_edit_of_a_branch_write_reruns_from_the_join() {
    let join = |rate: &str| {
        Sketch::new("*message draft tier log paid!")
            .node("draft(message) writes draft")
            .node(rate)
            .node("stock(message) writes log")
            .node("pay(^draft) writes paid; effect, reviews draft")
            .node("cancel(rejection) writes paid")
            .verdicts("pay { reject -> cancel }")
            .fork("start -> (draft rate, stock) -> pay")
            .chain("draft -> rate -> pay -> end")
            .chain("stock -> pay")
            .chain("cancel -> end")
    };
    assert_outcome(join("rate(message) writes tier"), EditOutcome::Signs);
    assert_eq!(join("rate(draft) writes tier").faults().len(), 1);
}

#[test]
fn an_edit_in_an_item_reruns_only_that_item() {
    let each = |middle: &str| {
        Sketch::new("*parcels parcel tier &log")
            .node(middle)
            .node("pay(^parcel) writes log; effect, reviews parcel")
            .node("cancel(rejection) writes log")
            .verdicts("pay { reject -> cancel }")
            .each("start -> for parcel in parcels { assess pay cancel } -> end")
            .chain("assess -> pay -> end")
            .chain("cancel -> end")
    };
    assert_outcome(each("assess(parcel) writes tier"), EditOutcome::Reruns);
    assert_outcome(each("assess(?tier) writes tier"), EditOutcome::Signs);
}

#[test]
fn each_round_of_a_loop_is_analyzed_separately() {
    let looped = || desk().node("again(message) writes log").chain("start -> draft -> pay -> again");
    assert_outcome(looped().choice("again -> match log { pay, skip }"), EditOutcome::Signs);
    assert_outcome(looped().choice("again -> match draft { pay, skip }"), EditOutcome::Reruns);
    let through_another = desk()
        .node("hold(^draft) writes log; effect, reviews draft")
        .verdicts("hold { reject -> cancel }")
        .chain("start -> draft -> pay -> hold")
        .choice("hold -> match log { pay, skip }");
    assert_eq!(through_another.faults().len(), 2, "each has acted on the draft before the other's review");
}

#[test]
fn the_payload_of_a_verdict_depends_on_the_draft() {
    let sketch = desk()
        .node("explain(question?) writes log")
        .verdicts("pay { ask -> explain }")
        .chain("start -> draft -> pay")
        .chain("explain -> pay");
    assert_outcome(sketch, EditOutcome::Reruns);
    // A verdict on another draft is no dependency on this one.
    let sketch = Sketch::new("*message *tax draft log paid!")
        .node("draft(message) writes draft")
        .node("hold(^tax) writes log; reviews tax")
        .node("explain(question?) writes log")
        .node("pay(^draft) writes paid; effect, reviews draft")
        .node("cancel(rejection) writes paid")
        .verdicts("hold { reject -> cancel, ask -> explain }")
        .verdicts("pay { reject -> cancel }")
        .chain("start -> draft -> hold -> pay -> end")
        .chain("explain -> hold")
        .chain("cancel -> end");
    assert_outcome(sketch, EditOutcome::Signs);
}

#[test]
fn a_node_that_appends_to_a_field_is_not_rerun() {
    let desk = |writes: &str| {
        Sketch::new("*message draft tier &log paid!")
            .node("draft(message) writes draft, log")
            .node(&format!("rate(draft) writes {writes}"))
            .node("pay(^draft) writes paid; effect, reviews draft")
            .node("cancel(rejection) writes paid, log")
            .verdicts("pay { reject -> cancel }")
            .chain("start -> draft -> rate -> pay -> end")
            .chain("cancel -> end")
    };
    // What the writing node adds stays, because it does not run again.
    assert_outcome(desk("tier"), EditOutcome::Reruns);
    assert_refused(
        desk("tier, log"),
        "an edit of `draft` at the review before `pay` would rerun the path from where `draft` is written, because node \
         `rate` depends on it, and node `rate` on that path would add to `log` a second time: write \
         `#[interrupt_before(edit = false)]` on `pay`, whose review then accepts no edit, or remove the reducer of `log`, or \
         write it after the review",
    );
}

#[test]
fn a_rerun_node_reads_no_write_of_its_first_run() {
    let rated = |rate: &str| desk().node(rate).chain("start -> draft -> rate -> pay");
    assert_outcome(rated("rate(draft) writes tier"), EditOutcome::Reruns);
    assert_outcome(rated("rate(draft, ?tax) writes tier"), EditOutcome::Reruns);
    assert_refused(
        rated("rate(draft, ?tier) writes tier"),
        "an edit of `draft` at the review before `pay` would rerun the path from where `draft` is written, because node \
         `rate` depends on it, and node `rate` would find `tier` as the first run left it: write \
         `#[interrupt_before(edit = false)]` on `pay`, whose review then accepts no edit, or write `tier` on every path to \
         `rate` and read it without `Option`",
    );
    // Behind the review, nothing runs again.
    let behind = desk().node("rate(draft) writes tier").node("sum(?tier) writes log");
    assert_outcome(behind.chain("start -> draft -> rate -> pay -> sum -> end"), EditOutcome::Reruns);
}

#[test]
fn an_input_is_set_together_with_the_others() {
    let till = || till("*draft *size tier paid!");
    assert_outcome(till().choice("start -> match draft { pay, skip }"), EditOutcome::Reruns);
    assert_refused(
        till().choice("start -> match size { pay, skip }"),
        "an edit of `draft` at the review before `pay` does not change the other inputs, but `match size` \
         after `start` reads one of them and so decides the path to the review: compute that value in a \
         node that reads `draft`, or write `#[interrupt_before(edit = false)]` on `pay`, whose review then \
         accepts no edit",
    );
    // The field of the `match` is computed from another input.
    let rated = till()
        .node("rate(size) writes tier")
        .chain("start -> rate")
        .choice("rate -> match tier { pay, skip }");
    assert_eq!(rated.faults().len(), 1);
}

/// A field that is written with the list of a `for`, or computed from it, decides the path of each item.
#[test]
fn an_item_is_written_together_with_its_list() {
    let desk = |plan: &str| {
        Sketch::new("*message parcels size total parcel tier &log")
            .node(plan)
            .node("sum(parcels) writes total")
            .node("look(message) writes tier")
            .node("pay(^parcel) writes log; effect, reviews parcel")
            .node("pay_more(^parcel) writes log; effect, reviews parcel unedited")
            .node("cancel(rejection) writes log")
            .verdicts("pay { reject -> cancel }")
            .verdicts("pay_more { reject -> cancel }")
            .chain("pay -> end")
            .chain("pay_more -> end")
            .chain("cancel -> end")
    };
    let inside = |plan: &str, way: &str, field: &str| {
        desk(plan)
            .chain(way)
            .each("sum -> for parcel in parcels { look pay pay_more cancel } -> end")
            .choice(&format!("look -> match {field} {{ pay, pay_more }}"))
    };
    let (alone, both) = ("plan(message) writes parcels", "plan(message) writes parcels, size");
    assert_outcome(inside(alone, "start -> plan -> sum", "message"), EditOutcome::Signs);
    assert_outcome(inside(alone, "start -> plan -> sum", "parcel"), EditOutcome::Reruns);
    assert_refused(
        inside(both, "start -> plan -> sum", "size"),
        "an edit of `parcel` at the review before `pay` does not change the values that were written \
         together with its list or computed from them, but `match size` after `look` reads one of them and \
         so decides the path to the review: compute that value in a node that reads `parcel`, or write \
         `#[interrupt_before(edit = false)]` on `pay`, whose review then accepts no edit",
    );
    assert_eq!(inside(alone, "start -> plan -> sum", "total").faults().len(), 1);
    assert_eq!(inside(alone, "start -> plan -> sum", "parcels").faults().len(), 1);

    // The path is decided before the `for`.
    let outside = |plan: &str, field: &str| {
        desk(plan)
            .node("rest() writes log")
            .chain("start -> plan -> sum")
            .choice(&format!("sum -> match {field} {{ look, rest }}"))
            .each("look -> for parcel in parcels { pay cancel } -> end")
            .chain("rest -> end")
    };
    assert_outcome(outside(alone, "message"), EditOutcome::Signs);
    assert_eq!(outside(both, "size").faults().len(), 1);
    assert_eq!(outside(alone, "total").faults().len(), 1);
}

/// Asserts that this message, and no other, is reported.
#[track_caller]
fn assert_refused(sketch: Sketch, message: &str) {
    assert_eq!(sketch.faults(), [message]);
}
