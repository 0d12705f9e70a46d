//! Tests of `for`: the fields that an item sees, those that it keeps, and those that leave it.

use super::sketch::Sketch;

/// A list, a node that runs for each item, and a node after the join.
fn batch(fields: &str, each: &str, last: &str) -> Sketch {
    Sketch::new(fields)
        .node("plan() writes orders")
        .node(each)
        .node(last)
        .chain("start -> plan")
        .each("plan -> for order in orders { each } -> last")
        .chain("each -> last -> end")
}

#[test]
fn items_are_set_in_the_for_and_appended_lists_after_it() {
    batch("*rule orders order &log", "each(order, rule) writes log", "last(log, orders, rule)").sound();
    Sketch::new("*orders order &log!")
        .node("each(order) writes log")
        .each("start -> for order in orders { each } -> end")
        .chain("each -> end")
        .sound();
}

#[test]
fn a_for_needs_a_written_list() {
    let sketch = |fields: &str, plan: &str| {
        Sketch::new(fields)
            .node(plan)
            .node("each(order)")
            .node("last(orders)")
            .chain("start -> plan")
            .each("plan -> for order in orders { each } -> last")
            .chain("each -> last -> end")
    };
    sketch("*orders order", "plan()").sound();
    sketch("orders order", "plan() writes orders").sound();
    // The message is about the `for`, and `last` does not repeat it.
    sketch("orders order", "plan()").refused([
        "`for` after `plan` iterates over `orders`, but a path reaches it unwritten: `start -> plan`; no \
         other node writes it: add one with `writes = orders`, or make the field `#[input]`",
    ]);
    Sketch::new("orders order")
        .node("each(order)")
        .each("start -> for order in orders { each } -> end")
        .chain("each -> end")
        .refused([
            "`for` after `start` iterates over `orders`, but a path reaches it unwritten; no other node \
             writes it: add one with `writes = orders`, or make the field `#[input]`",
        ]);
}

#[test]
fn a_field_without_append_is_local_to_the_item() {
    batch("orders order note", "each(order) writes note", "last(note)").refused([
        "node `last` reads `note`, but a path reaches it unwritten: `start -> plan -empty orders-> last`; \
         `each` writes it for one `order`, and that value is discarded at the join: collect it in a list \
         with `#[reduce(append)]`, or take `Option<&str>`",
    ]);
    batch("*note orders order", "each(order) writes note", "last(note)").sound();
    batch("orders order +sum", "each(order) writes sum", "last(sum)").refused([
        "node `last` reads `sum`, but a path reaches it unwritten: `start -> plan -empty orders-> last`; \
         `each` writes it for each item of `orders`, which may be empty: write it before the `for` too, or \
         make it a list with `#[reduce(append)]`, or take `Option<&str>`",
    ]);
    batch("*+sum orders order", "each(order) writes sum", "last(sum)").sound();
    batch("orders order", "each(order)", "last(order)").refused([
        "node `last` reads `order`, but a path reaches it unwritten: `start -> plan -empty orders-> last`; \
         it is set only inside the `for` over `orders`: add a node with `writes = order`, or make the \
         field `#[input]`, or take `Option<&str>`",
    ]);
    batch("orders order out!", "each(order) writes out", "last()").refused([
        "a path reaches `end` with output `out` unwritten: `start -> plan -empty orders-> last -> end`; \
         `each` writes it for one `order`, and that value is discarded at the join: collect it in a list \
         with `#[reduce(append)]`",
    ]);
}

#[test]
fn an_output_that_no_item_writes_is_one_error() {
    Sketch::new("*orders order out!")
        .node("each(order)")
        .node("more() writes out")
        .each("start -> for order in orders { each more } -> end")
        .chain("each -> more -> end")
        .refused([
            "a path reaches `end` with output `out` unwritten: `start -empty orders-> end`; `more` writes \
             it for one `order`, and that value is discarded at the join: collect it in a list with \
             `#[reduce(append)]`",
        ]);
}

#[test]
fn a_list_that_some_items_append_to_is_set_after_the_join() {
    Sketch::new("*orders *risk order &log")
        .node("each(order)")
        .node("note() writes log")
        .node("skip()")
        .node("last(log)")
        .each("start -> for order in orders { each note skip } -> last")
        .choice("each -> match risk { note, skip }")
        .chain("note -> last -> end")
        .chain("skip -> last")
        .sound();
}

#[test]
fn items_do_not_race_with_each_other_or_with_other_branches() {
    let beside = |fields: &str, right: &str| {
        Sketch::new(fields)
            .node("left()")
            .node("each(order) writes note")
            .node("meet()")
            .node(right)
            .node("last()")
            .fork("start -> (left each meet, right) -> last")
            .each("left -> for order in orders { each } -> meet")
            .chain("each -> meet -> last -> end")
            .chain("right -> last")
    };
    beside("*orders order note", "right() writes note").sound();
    beside("*orders order &note", "right() writes note").sound();
    // A write after the join of the `for` is one of the surrounding branch again.
    Sketch::new("*orders order note")
        .node("left()")
        .node("each(order) writes note")
        .node("meet() writes note")
        .node("right() writes note")
        .node("last()")
        .fork("start -> (left each meet, right) -> last")
        .each("left -> for order in orders { each } -> meet")
        .chain("each -> meet -> last -> end")
        .chain("right -> last")
        .refused([
            "nodes `meet` and `right` run concurrently and both write `note`: let one of them use another \
             field, or give `note` a reducer with `#[reduce(…)]`",
        ]);
}

#[test]
fn branches_inside_a_for_can_race() {
    Sketch::new("*orders order note")
        .node("each(order)")
        .node("left() writes note")
        .node("right() writes note")
        .node("meet(note)")
        .node("last()")
        .each("start -> for order in orders { each left right meet } -> last")
        .fork("each -> (left, right) -> meet")
        .chain("left -> meet -> last -> end")
        .chain("right -> meet")
        .refused([
            "nodes `left` and `right` run concurrently and both write `note`: let one of them use another \
             field, or give `note` a reducer with `#[reduce(…)]`",
        ]);
}

/// A review for each item.
fn reviewed(fields: &str, before: &str, pay: &str, last: &str) -> Sketch {
    Sketch::new(fields)
        .node(before)
        .node(pay)
        .node(last)
        .chain("start -> before")
        .each("before -> for order in orders { pay } -> last")
        .verdicts("pay { reject -> last }")
        .chain("pay -> last -> end")
}

#[test]
fn each_item_has_its_own_review_and_may_be_rejected() {
    reviewed("*orders order &log", "before()", "pay(^order) writes log; effect, reviews order", "last(log)")
        .sound();
}

#[test]
fn a_question_is_answered_inside_the_for() {
    reviewed("*orders order", "before()", "pay(^order, question?); effect, reviews order", "last(question?)")
        .verdicts("pay { ask -> pay }")
        .sound();
    reviewed("*orders order", "before()", "pay(^order, question?); effect, reviews order", "last(question?)")
        .verdicts("pay { ask -> last }")
        .refused([
            "`ask` leads from `pay` to `last`, the join of a fork, which receives no question: lead it to \
             a node that takes `Option<&Question>`",
        ]);
}

#[test]
fn a_field_that_items_share_is_not_reviewed_per_item() {
    let refused = "node `pay` runs once for each item of `orders`, but its review is of `log`, which all \
                   items share because it has a reducer, so that several operators could edit one value: review a field \
                   without `#[reduce(…)]`, which is local to the item";
    reviewed("*orders *&log order", "before()", "pay(^log); effect, reviews log", "last()")
        .refused([refused]);
    reviewed("*orders *+log order", "before()", "pay(^log); effect, reviews log", "last()")
        .refused([refused]);
}

#[test]
fn a_signature_from_before_the_for_is_valid_after_it() {
    let signed = "before(^rule); effect, reviews rule, covers last";
    let sketch = |fields: &str, each: &str, last: &str| {
        reviewed(fields, signed, each, last).verdicts("before { reject -> end }")
    };
    sketch(
        "*orders *rule order",
        "pay(rule, ^order) writes rule; effect, reviews order",
        "last(^rule); effect",
    )
    .sound();
    sketch(
        "*orders *+rule order",
        "pay(rule, ^order) writes rule; effect, reviews order",
        "last(^rule); effect",
    )
    .refused([
        "node `last` takes `rule` as `&Approved<String>`, but a path reaches it on which `rule` is merged \
         with what the items of `orders` write, after it was signed: `start -> before -empty orders-> \
         last`; put `#[interrupt_before]` on `last`",
    ]);
}

#[test]
fn a_signature_of_an_item_ends_at_the_join() {
    reviewed("*orders *draft order", "before()", "pay(^draft); effect, reviews draft, covers last, unedited x", "last(^draft); effect").refused([
        "node `last` takes `draft` as `&Approved<String>`, but a path reaches it on which `draft` was never signed for it: \
         `start -> before -empty orders-> last`; put `#[interrupt_before]` on `last`",
    ]);
}

#[test]
fn a_signature_from_before_the_for_does_not_cover_items() {
    let sketch = |each: &str| {
        Sketch::new("*orders *order")
            .node("before(^order); effect, reviews order, covers each last")
            .node(each)
            .node("last(^order); effect")
            .chain("start -> before")
            .verdicts("before { reject -> end }")
            .each("before -> for order in orders { each } -> last")
            .chain("each -> last -> end")
    };
    // After the join, the field has the value that it had before.
    let covers_last = Sketch::new("*orders *order")
        .node("before(^order); effect, reviews order, covers last")
        .node("each(order)")
        .node("last(^order); effect");
    covers_last
        .chain("start -> before")
        .verdicts("before { reject -> end }")
        .each("before -> for order in orders { each } -> last")
        .chain("each -> last -> end")
        .sound();
    sketch("each(^order); effect").refused([
        "node `each` takes `order` as `&Approved<String>`, but a path reaches it on which `order` was \
         signed once, not for each item of `orders`: `start -> before -> each`; put `#[interrupt_before]` \
         on `each`",
    ]);
}

#[test]
fn fors_nest() {
    let sketch = |last: &str| {
        Sketch::new("*orders order lines line note &inner")
            .node("open(order) writes lines")
            .node("each(line, order) writes note, inner")
            .node("close(lines, inner)")
            .node(last)
            .each("start -> for order in orders { open each close } -> last")
            .each("open -> for line in lines { each } -> close")
            .chain("each -> close -> last -> end")
    };
    sketch("last(inner)").sound();
    assert_eq!(
        sketch("last(lines, note)").faults(),
        ["node `last` reads `lines`, but a path reaches it unwritten: `start -empty orders-> last`; \
             `open` writes it for one `order`, and that value is discarded at the join: collect it in a \
             list with `#[reduce(append)]`, or take `Option<&str>`"]
    );
}

#[test]
fn a_node_after_a_for_is_entered_with_no_payload() {
    reviewed("*orders order", "before()", "pay(^order); effect, reviews order", "last(rejection)").refused([
        "node `last` takes `&Rejection`, but a path reaches it without one: `start -> before -empty \
         orders-> last`; take `Option<&Rejection>`, or let only `reject` lead to `last`",
    ]);
}

#[test]
fn open_reviews_are_counted_per_item() {
    let pay = "pay(^order); effect, reviews order";
    let spec = reviewed("*orders order", "before()", pay, "last()").done();
    assert_eq!(spec.max_open_reviews(), crate::graph::MAX_ITEMS);
    assert_eq!(batch("orders order", "each()", "last()").done().max_open_reviews(), 0);
}
