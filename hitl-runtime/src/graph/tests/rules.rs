//! One test for each rule of a graph, with graphs that break it and graphs that keep it. Without its rule, each test
//! fails.

use super::sketch::{BLANK, ROOM, Sketch};
use crate::graph::*;

/// The refund agent of the README.
fn refund() -> Sketch {
    Sketch::new("*message plan draft outcome!")
        .node("plan(message) writes plan")
        .node("draft(plan, question?) writes draft")
        .node("execute(^draft) writes outcome; effect, reviews draft")
        .node("cancel(rejection) writes outcome")
        .chain("start -> plan -> draft -> execute -> end")
        .verdicts("execute { reject -> cancel, ask -> draft }")
        .chain("cancel -> end")
}

#[test]
fn a_valid_graph_has_no_fault() {
    refund().sound();
}

#[test]
fn a_field_must_be_written_on_every_path() {
    Sketch::new("*message plan draft outcome!")
        .node("plan(message) writes plan")
        .node("execute(draft) writes outcome")
        .chain("start -> plan -> execute -> end")
        .refused([
            "node `execute` reads `draft`, but a path reaches it unwritten: `start -> plan -> execute`; no other node \
             writes it: add one with `writes = draft`, or make the field `#[input]`, or take `Option<&str>`",
        ]);
}

#[test]
fn a_node_does_not_read_its_own_write() {
    Sketch::new("draft").node("refine(draft) writes draft").chain("start -> refine -> end").refused([
        "node `refine` reads `draft`, but a path reaches it unwritten: `start -> refine`; no other node writes it: add one \
         with `writes = draft`, or make the field `#[input]`, or take `Option<&str>`",
    ]);
}

#[test]
fn one_arm_without_the_write_is_reported() {
    let sketch = || {
        Sketch::new("*risk draft")
            .ty("RefundDraft")
            .node("triage()")
            .node("draft() writes draft")
            .node("send(draft)")
            .chain("start -> triage")
            .chain("draft -> send -> end")
    };
    sketch().choice("triage -> match risk { draft, draft }").sound();
    sketch().choice("triage -> match risk { draft, send }").refused([
        "node `send` reads `draft`, but a path reaches it unwritten: `start -> triage -> send`; lead that path through \
         `draft`, which writes it, or take `Option<&RefundDraft>`",
    ]);
}

#[test]
fn an_optional_read_needs_no_write() {
    Sketch::new("draft").node("send(?draft)").chain("start -> send -> end").sound();
}

#[test]
fn one_error_has_one_message() {
    Sketch::new("draft outcome!")
        .node("a(draft)")
        .node("b(draft)")
        .node("c(^draft); effect")
        .node("d(^draft); effect")
        .node("e() writes outcome")
        .chain("start -> a -> b -> c -> d -> e -> end")
        .refused([
            "node `a` reads `draft`, but a path reaches it unwritten: `start -> a`; no other node writes it: add one with \
             `writes = draft`, or make the field `#[input]`, or take `Option<&str>`",
            "node `c` takes `draft` as `&Approved<String>`, but no review of `draft` covers `c`: put \
             `#[interrupt_before]` on `c`",
            "node `d` takes `draft` as `&Approved<String>`, but no review of `draft` covers `d`: put \
             `#[interrupt_before]` on `d`",
        ]);
}

#[test]
fn a_write_in_a_loop_is_missing_in_the_first_round() {
    let sketch = |loops: &str| {
        Sketch::new("*risk note")
            .node("ask(note)")
            .node("answer() writes note")
            .chain("start -> ask -> answer")
            .choice(loops)
            .faults()
    };
    assert_eq!(
        sketch("answer -> match risk { ask, end }"),
        [
            "node `ask` reads `note`, but a path reaches it unwritten: `start -> ask`; lead that path through `answer`, which \
          writes it, or take `Option<&str>`"
        ]
    );
    Sketch::new("*risk note")
        .node("answer() writes note")
        .node("ask(note)")
        .chain("start -> answer -> ask")
        .choice("ask -> match risk { answer, ask, end }")
        .sound();
}

#[test]
fn a_verdict_edge_starts_before_the_write_of_its_node() {
    Sketch::new("*draft outcome late")
        .node("execute(^draft) writes outcome, late; effect, reviews draft")
        .node("cancel(rejection, outcome)")
        .node("explain(question, late)")
        .chain("start -> execute -> end")
        .verdicts("execute { reject -> cancel, ask -> explain }")
        .chain("cancel -> end")
        .chain("explain -> end")
        .refused([
            "node `cancel` reads `outcome`, but a path reaches it unwritten: `start -> execute -reject-> \
             cancel`; `execute` writes it, but has not run on that path: lead that path through another \
             node with `writes = outcome`, or take `Option<&str>`",
            "node `explain` reads `late`, but a path reaches it unwritten: `start -> execute -ask-> \
             explain`; `execute` writes it, but has not run on that path: lead that path through another \
             node with `writes = late`, or take `Option<&str>`",
        ]);
}

#[test]
fn a_reviewed_field_must_be_written() {
    Sketch::new("draft")
        .node("execute(^draft); effect, reviews draft")
        .chain("start -> execute -> end")
        .verdicts("execute { reject -> end }")
        .refused([
            "node `execute` reads `draft`, but a path reaches it unwritten: `start -> execute`; no other node writes it: \
             add one with `writes = draft`, or make the field `#[input]`",
        ]);
}

#[test]
fn an_effect_needs_a_review_or_low_risk() {
    let effect = |node: &str| Sketch::new("*draft").node(node).chain("start -> pay -> end");
    effect("pay(draft)").sound();
    effect("pay(draft); effect, low risk").sound();
    effect("pay(^draft); effect, reviews draft").verdicts("pay { reject -> end }").sound();
    effect("pay(draft); effect").refused([
        "effect node `pay` can be reached with no review: put `#[interrupt_before]` on it, take a field \
         that was signed before as `&Approved<…>`, or declare `risk = low`",
    ]);
}

#[test]
fn a_signature_is_shared_by_the_effects_that_it_covers() {
    let shared = |between: &str| {
        Sketch::new("*draft other")
            .node("pay(^draft); effect, reviews draft, covers notify")
            .node(between)
            .node("notify(^draft); effect")
            .verdicts("pay { reject -> end }")
            .chain("start -> pay -> between -> notify -> end")
    };
    shared("between(draft) writes other").sound();
    shared("between(draft) writes draft").refused([
        "node `notify` takes `draft` as `&Approved<String>`, but a path reaches it on which `draft` is written by \
         `between` after it was signed: `start -> pay -> between -> notify`; put `#[interrupt_before]` on `notify`",
    ]);
}

#[test]
fn a_path_around_the_review_is_reported() {
    Sketch::new("*risk *draft")
        .node("pay(^draft); effect, reviews draft, covers notify, unedited x")
        .node("notify(^draft); effect")
        .choice("start -> match risk { pay, notify }")
        .verdicts("pay { reject -> end }")
        .chain("pay -> notify -> end")
        .refused([
            "node `notify` takes `draft` as `&Approved<String>`, but a path reaches it on which `draft` was never signed \
             for it: `start -> notify`; put `#[interrupt_before]` on `notify`, or lead that path through `pay`, whose \
             review covers it",
        ]);
}

#[test]
fn a_reject_or_ask_edge_signs_nothing() {
    Sketch::new("*draft")
        .node("pay(^draft); effect, reviews draft, covers void")
        .node("void(^draft, rejection?, question?); effect")
        .verdicts("pay { reject -> void, ask -> void }")
        .chain("start -> pay -> void -> end")
        .refused([
            "node `void` takes `draft` as `&Approved<String>`, but a path reaches it on which `draft` was never signed for \
             it: `start -> pay -reject-> void`; put `#[interrupt_before]` on `void`",
        ]);
}

#[test]
fn a_node_that_writes_its_signed_field_ends_the_signature() {
    Sketch::new("*draft")
        .node("pay(^draft) writes draft; effect, reviews draft, covers notify")
        .node("notify(^draft); effect")
        .verdicts("pay { reject -> end }")
        .chain("start -> pay -> notify -> end")
        .refused([
            "node `notify` takes `draft` as `&Approved<String>`, but a path reaches it on which `draft` is written by \
             `pay` after it was signed: `start -> pay -> notify`; put `#[interrupt_before]` on `notify`",
        ]);
}

#[test]
fn a_review_signs_its_own_field_only() {
    Sketch::new("*draft *letter")
        .node("pay(^draft, ^letter); effect, reviews draft")
        .verdicts("pay { reject -> end }")
        .chain("start -> pay -> end")
        .refused([
            "node `pay` takes `letter` as `&Approved<String>`, but no review of `letter` covers `pay`: \
             take it as `&String`, or add an earlier review of `letter` that covers it",
        ]);
}

#[test]
fn each_round_needs_a_new_signature() {
    let sketch = |arms: &str| {
        Sketch::new("*risk draft")
            .node("draft() writes draft")
            .node("pay(^draft); effect, reviews draft, covers notify, unedited x")
            .node("notify(^draft); effect")
            .node("amend() writes draft")
            .verdicts("pay { reject -> end }")
            .chain("start -> draft -> pay -> notify")
            .choice(arms)
            .chain("amend -> notify")
    };
    sketch("notify -> match risk { draft, pay, end }").sound();
    sketch("notify -> match risk { pay, notify, end }").refused([
        "node `notify` takes `draft` as `&Approved<String>`, but a path reaches it on which it has already \
         spent the signature: `start -> draft -> pay -> notify -> notify`; put `#[interrupt_before]` on \
         `notify`",
    ]);
    sketch("notify -> match risk { draft, amend, end }").refused([
        "node `notify` takes `draft` as `&Approved<String>`, but a path reaches it on which it has already \
         spent the signature: `start -> draft -> pay -> notify -> amend -> notify`; put \
         `#[interrupt_before]` on `notify`",
    ]);
}

#[test]
fn a_signature_is_for_the_effects_that_it_names() {
    let sketch = |pay: &str| {
        Sketch::new("*draft")
            .node(pay)
            .node("notify(^draft); effect")
            .verdicts("pay { reject -> end }")
            .chain("start -> pay -> notify -> end")
    };
    sketch("pay(^draft); effect, reviews draft, covers pay notify").sound();
    sketch("pay(^draft); effect, reviews draft").refused([
        "node `notify` takes `draft` as `&Approved<String>`, but no review of `draft` covers `notify`: put \
         `#[interrupt_before]` on `notify`, or add `covers = (notify)` to the review before `pay`",
    ]);
    sketch("pay(^draft); effect, reviews draft, covers notify tell").refused([
        "the review before `pay` covers `tell`, which is not a node of this graph: use the name that the \
         node has in the graph, or remove it from `covers`",
    ]);
}

#[test]
fn a_covered_effect_runs_on_the_signature() {
    let sketch = |notify: &str| {
        Sketch::new("*draft")
            .node("pay(^draft); effect, reviews draft, covers notify")
            .node(notify)
            .verdicts("pay { reject -> end }")
            .chain("start -> pay -> notify -> end")
    };
    sketch("notify(draft)").refused([
        "the review before `pay` covers `notify`, which does not take `draft` as signed: give `notify` a \
         parameter `draft: &Approved<…>`, or remove it from `covers`",
    ]);
    sketch("notify(^draft); effect, reviews draft, unedited x").verdicts("notify { reject -> end }").refused([
        "the review before `pay` covers `notify`, which has a review of `draft` of its own: remove it from \
         `covers`, or remove `#[interrupt_before]` from `notify`",
    ]);
}

/// Regression test: one signature paid five times.
#[test]
fn a_loop_runs_an_effect_once_per_signature() {
    let sketch = |arms: &str| {
        Sketch::new("*n draft")
            .node("draft() writes draft")
            .node("hold(^draft); effect, reviews draft, covers wire, unedited x")
            .node("wire(^draft); effect")
            .node("again(n) writes n")
            .verdicts("hold { reject -> end }")
            .chain("start -> draft -> hold -> wire -> again")
            .choice(arms)
    };
    sketch("again -> match n { hold, end }").sound();
    sketch("again -> match n { wire, end }").refused([
        "node `wire` takes `draft` as `&Approved<String>`, but a path reaches it on which it has already \
         spent the signature: `start -> draft -> hold -> wire -> again -> wire`; put `#[interrupt_before]` \
         on `wire`",
    ]);
}

#[test]
fn the_last_review_of_a_field_counts() {
    Sketch::new("*draft")
        .node("clerk(^draft); effect, reviews draft, covers wire")
        .node("director(^draft); effect, reviews draft, unedited x")
        .node("wire(^draft); effect")
        .verdicts("clerk { reject -> end }")
        .verdicts("director { reject -> end }")
        .chain("start -> clerk -> director -> wire -> end")
        .refused([
            "node `wire` takes `draft` as `&Approved<String>`, but a path reaches it on which the last \
             review, before `director`, does not cover it: `start -> clerk -> director -> wire`; put \
             `#[interrupt_before]` on `wire`",
        ]);
}

#[test]
fn a_rejection_or_question_ends_earlier_signatures() {
    let sketch = |verdict: &str| {
        Sketch::new("*draft")
            .node("hold(^draft); effect, reviews draft, covers wire, unedited x")
            .node("check(^draft); effect, reviews draft, covers wire, unedited x")
            .node("wire(^draft, rejection?); effect")
            .verdicts("hold { reject -> end }")
            .verdicts(verdict)
            .chain("start -> hold -> check -> wire -> end")
    };
    sketch("check { reject -> end }").sound();
    sketch("check { reject -> wire }").refused([
        "node `wire` takes `draft` as `&Approved<String>`, but a path reaches it on which its signature ends where the \
         review before `check` is not granted: `start -> hold -> check -reject-> wire`; put `#[interrupt_before]` on `wire`",
    ]);
    // In a branch of a fork, too: what one was refused is not signed where they have met.
    Sketch::new("*draft")
        .node("hold(^draft); effect, reviews draft, covers wire, unedited x")
        .node("check(^draft); effect, reviews draft, covers wire, unedited x")
        .node("note(rejection)")
        .node("other()")
        .node("wire(^draft); effect")
        .verdicts("hold { reject -> end }")
        .verdicts("check { reject -> note }")
        .chain("start -> hold")
        .fork("hold -> (check note, other) -> wire")
        .chain("check -> wire")
        .chain("note -> wire")
        .chain("other -> wire")
        .chain("wire -> end")
        .refused([
            "node `wire` takes `draft` as `&Approved<String>`, but a path reaches it on which its signature ends where the \
             review before `check` is not granted: `start -> hold -> check -reject-> note -> wire`; put \
             `#[interrupt_before]` on `wire`",
        ]);
}

#[test]
fn a_shown_field_must_not_be_written_again() {
    let sketch = |between: &str, wire: &str, review: &str| {
        Sketch::new("*draft *iban *memo")
            .node(&format!("hold(^draft); effect, reviews draft, covers wire{review}"))
            .node(between)
            .node(wire)
            .verdicts("hold { reject -> end }")
            .chain("start -> hold -> between -> wire -> end")
    };
    let wire = "wire(^draft, iban, ?memo); effect";
    sketch("between()", wire, ", shows iban memo").sound();
    sketch("between() writes memo", wire, ", shows iban, unsigned memo").sound();
    sketch("between() writes iban", wire, ", shows iban memo").refused([
        "node `wire` takes `draft` as `&Approved<String>`, but a path reaches it on which `iban` is written by `between` after it was shown with the signed draft: `start -> hold -> between -> \
         wire`; put `#[interrupt_before]` on `wire`",
    ]);
    sketch("between()", wire, ", shows iban").refused([
        "node `wire` reads `memo`, but the review before `hold`, whose signature it runs on, does not show \
         it: add `show = (memo)` to that review, take the field as `&Approved<…>`, or add `unsigned(memo)` \
         to that review if the field needs no signature",
    ]);
}

#[test]
fn a_review_has_a_reject_edge() {
    let sketch = || {
        Sketch::new("*draft")
            .node("pay(^draft, question?); effect, reviews draft")
            .chain("start -> pay -> end")
            .verdicts("pay { ask -> pay }")
    };
    sketch().verdicts("pay { reject -> end }").sound();
    sketch().refused(["node `pay` has a review, but no `reject` edge: add `pay { reject -> … }`"]);
}

#[test]
fn a_verdict_leads_to_a_node_that_takes_its_payload() {
    let sketch = |node: &str, verdicts: &str| {
        Sketch::new("*draft")
            .node("pay(^draft); effect, reviews draft")
            .node(node)
            .chain("start -> pay -> end")
            .chain("next -> end")
            .verdicts(verdicts)
    };
    let reject = "pay { reject -> next }";
    sketch("next(rejection)", reject).sound();
    sketch("next(rejection?)", reject).sound();
    sketch("next(question?)", reject).refused([
        "`reject` leads from `pay` to `next`, which takes no `Rejection`: give `next` a parameter of type \
         `Option<&Rejection>`, or lead `reject` to a node that has one",
    ]);
    let ask = "pay { reject -> end, ask -> next }";
    sketch("next(question)", ask).sound();
    sketch("next(question?)", ask).sound();
    sketch("next(rejection?)", ask).refused([
        "`ask` leads from `pay` to `next`, which takes no `Question`: give `next` a parameter of type `Option<&Question>`, \
         or lead `ask` to a node that has one",
    ]);
}

#[test]
fn a_question_needs_a_node_that_takes_it() {
    Sketch::new("*draft")
        .node("pay(^draft); effect, reviews draft")
        .chain("start -> pay -> end")
        .verdicts("pay { reject -> end, ask -> end }")
        .refused([
            "`ask` leads from `pay` to `end`, which receives no question: lead it to a node that takes \
             `Option<&Question>`",
        ]);
}

#[test]
fn a_verdict_needs_a_review() {
    Sketch::new("*draft")
        .node("pay(draft)")
        .chain("start -> pay -> end")
        .verdicts("pay { reject -> end }")
        .refused([
            "`reject` leaves node `pay`, which has no review: put `#[interrupt_before]` on it, or remove the \
         edge",
        ]);
}

#[test]
fn a_required_payload_needs_its_verdict_on_every_edge() {
    let sketch = |node: &str| {
        Sketch::new("*draft *risk")
            .node("triage()")
            .node("pay(^draft); effect, reviews draft, unedited x")
            .node(node)
            .chain("start -> triage")
            .choice("triage -> match risk { pay, last }")
            .chain("pay -> end")
            .chain("last -> end")
    };
    sketch("last(rejection?, question?)").verdicts("pay { reject -> last, ask -> last }").sound();
    sketch("last(rejection)").verdicts("pay { reject -> last }").refused([
        "node `last` takes `&Rejection`, but a path reaches it without one: `start -> triage -> last`; \
         take `Option<&Rejection>`, or let only `reject` lead to `last`",
    ]);
    sketch("last(question)").verdicts("pay { reject -> end, ask -> last }").refused([
        "node `last` takes `&Question`, but a path reaches it without one: `start -> triage -> last`; take \
         `Option<&Question>`, or let only `ask` lead to `last`",
    ]);
}

#[test]
fn a_verdict_has_only_its_own_payload() {
    let sketch = |node: &str| {
        Sketch::new("*draft")
            .node("pay(^draft); effect, reviews draft")
            .node(node)
            .chain("start -> pay -> end")
            .verdicts("pay { reject -> last, ask -> last }")
            .chain("last -> end")
    };
    sketch("last(rejection, question?)").refused([
        "node `last` takes `&Rejection`, but a path reaches it without one: `start -> pay -ask-> last`; \
         take `Option<&Rejection>`, or let only `reject` lead to `last`",
    ]);
    sketch("last(question, rejection?)").refused([
        "node `last` takes `&Question`, but a path reaches it without one: `start -> pay -reject-> last`; \
         take `Option<&Question>`, or let only `ask` lead to `last`",
    ]);
}

#[test]
fn every_output_is_written_at_the_end() {
    refund().verdicts("execute { reject -> end }").refused([
        "a path reaches `end` with output `outcome` unwritten: `start -> plan -> draft -> execute -reject-> end`; lead \
         that path through `cancel`, which writes it",
    ]);
    Sketch::new("*draft outcome!")
        .node("pay(^draft) writes outcome; effect, reviews draft")
        .chain("start -> pay -> end")
        .verdicts("pay { reject -> end }")
        .refused([
            "a path reaches `end` with output `outcome` unwritten: `start -> pay -reject-> end`; `pay` \
             writes it, but has not run on that path: lead that path through another node with `writes = \
             outcome`",
        ]);
    Sketch::new("*plan! outcome!").chain("start -> end").refused([
        "a path reaches `end` with output `outcome` unwritten: `start -> end`; no other node writes it: add one with \
         `writes = outcome`, or make the field `#[input]`",
    ]);
}

#[test]
fn a_match_reads_a_written_field() {
    let sketch = |fields: &str, triage: &str| {
        Sketch::new(fields)
            .node(triage)
            .node("reply(risk)")
            .chain("start -> triage")
            .choice("triage -> match risk { reply, end }")
            .chain("reply -> end")
    };
    sketch("*risk", "triage()").sound();
    sketch("risk", "triage() writes risk").sound();
    sketch("risk", "triage()").refused([
        "`match` after `triage` reads `risk`, but a path reaches it unwritten: `start -> triage`; no other \
         node writes it: add one with `writes = risk`, or make the field `#[input]`",
    ]);
    // The node reports the field, so the `match` and its arms do not.
    assert_eq!(sketch("risk", "triage(risk)").faults().len(), 1);
    Sketch::new("risk").node("reply(risk)").choice("start -> match risk { reply, end }").chain("reply -> end").refused([
        "`match` after `start` reads `risk`, but a path reaches it unwritten; no other node writes it: add \
         one with `writes = risk`, or make the field `#[input]`",
    ]);
}

#[test]
fn unknown_fields_are_left_to_rustc() {
    Sketch::new("*draft")
        .node("pay(drfat, ^drfta, ?x) writes outcom; effect")
        .node("last(^draft); effect, reviews draftt")
        .chain("start -> pay")
        .choice("pay -> match rsik { last, end }")
        .verdicts("last { reject -> end }")
        .chain("last -> end")
        .refused([
            // A review of a misspelled field signs nothing.
            "node `last` takes `draft` as `&Approved<String>`, but no review of `draft` covers `last`: \
             take it as `&String`, or add an earlier review of `draft` that covers it",
        ]);
}

#[test]
fn all_256_fields_count() {
    let names: Vec<_> = (0..256).map(|n| format!("field_{n}")).collect();
    for missing in [0, 1, 127, 128, 129, 254, 255] {
        let written: Vec<_> = names.iter().filter(|name| **name != names[missing]).cloned().collect();
        let faults = Sketch::new(&names.join(" "))
            .node(&format!("write() writes {}", written.join(", ")))
            .node(&format!("read({})", names.join(", ")))
            .chain("start -> write -> read -> end")
            .faults();
        let expected = format!(
            "node `read` reads `field_{missing}`, but a path reaches it unwritten: `start -> write -> read`;"
        );
        assert!(faults.len() == 1 && faults[0].starts_with(&expected), "{faults:?}");
    }
}

#[test]
fn the_middle_of_a_long_path_is_left_out() {
    let path = |length: usize| {
        let names: Vec<_> = (1..length).map(|n| format!("n{n}")).collect();
        let sketch =
            names.iter().fold(Sketch::new("draft"), |sketch, name| sketch.node(&format!("{name}()")));
        let sketch =
            sketch.node("last(draft)").chain(&format!("start -> {} -> last -> end", names.join(" -> ")));
        let faults = sketch.faults();
        faults[0].split('`').nth(5).unwrap().to_owned()
    };
    assert_eq!(path(11), "start -> n1 -> n2 -> n3 -> n4 -> n5 -> n6 -> n7 -> n8 -> n9 -> n10 -> last");
    assert_eq!(path(12), "start -> n1 -> n2 -> n3 -> n4 -> n5 -> … -> n8 -> n9 -> n10 -> n11 -> last");
    assert_eq!(path(30), "start -> n1 -> n2 -> n3 -> n4 -> n5 -> … -> n26 -> n27 -> n28 -> n29 -> last");
}

#[test]
fn unreachable_nodes_are_left_to_the_macro() {
    Sketch::new("draft outcome!")
        .node("first() writes outcome")
        .node("lost(draft, ^outcome, rejection); effect, reviews draft")
        .chain("start -> first -> end")
        .chain("lost -> end")
        .sound();
}

const FIELDS: &[FieldSpec] =
    &[FieldSpec { name: "draft", ty: "String", input: false, output: false, reduced: false, appends: false }];
const READS: &[ReadSpec] = &[ReadSpec { field: "draft", kind: ReadKind::Required }];
const EDGES: &[EdgeSpec] = &[
    EdgeSpec {
        from: Point::Start,
        to: Point::Node(0),
        kind: EdgeKind::Case { route: 0, case: 0 },
        joins: None,
    },
    EdgeSpec { from: Point::Node(0), to: Point::End, kind: EdgeKind::Ask, joins: None },
];
const SPEC: GraphSpec = GraphSpec {
    name: "Graph",
    docs: "",
    state: StateSpec { name: "State", version: 1, fields: FIELDS },
    nodes: &[NodeSpec { name: "a", reads: &[], ..BLANK }, NodeSpec { name: "b", reads: READS, ..BLANK }],
    edges: EDGES,
    routes: &[RouteSpec { from: Point::Start, field: "draft", cases: &[], guarded: &[] }],
    forks: &[],
    renamed: &[],
};

#[test]
fn the_checks_run_in_rustc_and_panic_with_the_message() {
    const PROOF: &Proof<2> = &prove(&SPEC);
    const _: () = check_node(&SPEC, PROOF, 0);
    const _: () = check_node(&SPEC, PROOF, 1); // nothing leads there
    const _: () = check_edge(&SPEC, PROOF, 0);
    let said = |check: fn()| {
        let panic = std::panic::catch_unwind(check).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    assert!(said(|| check_edge(&SPEC, PROOF, 1)).starts_with("`ask` leaves node `a`"));
    assert!(said(|| check_route(&SPEC, PROOF, 0)).starts_with("`match` after `start`"));
    let effect = GraphSpec { nodes: &[NodeSpec { name: "a", effect: true, ..BLANK }], ..SPEC };
    let effect: &'static GraphSpec = Box::leak(Box::new(effect));
    let panic = std::panic::catch_unwind(|| check_node(effect, &prove::<1>(effect), 0)).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().starts_with("effect node `a`"));
}

#[test]
#[should_panic(expected = "`N` is the number of the graph's nodes")]
fn a_proof_has_capacity_for_its_nodes() {
    let _ = prove::<ROOM>(&SPEC);
}
