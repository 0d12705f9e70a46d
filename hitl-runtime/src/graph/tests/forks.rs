//! Tests of concurrent branches: the fields that each one sees, the facts after the join, and races.

use super::sketch::Sketch;

#[test]
fn all_branches_have_run_at_the_join() {
    Sketch::new("*draft a b")
        .node("draft()")
        .node("left() writes a")
        .node("right() writes b")
        .node("last(a, b)")
        .chain("start -> draft")
        .fork("draft -> (left, right) -> last")
        .chain("left -> last -> end")
        .chain("right -> last")
        .sound();
}

#[test]
fn a_branch_does_not_read_its_sibling() {
    Sketch::new("*draft a b")
        .node("left() writes a")
        .node("right(a) writes b")
        .node("last()")
        .fork("start -> (left, right) -> last")
        .chain("left -> last -> end")
        .chain("right -> last")
        .refused([
            "node `right` reads `a`, but a path reaches it unwritten: `start -> right`; lead that path through `left`, which \
             writes it, or take `Option<&str>`",
        ]);
}

#[test]
fn a_branch_reads_writes_from_before_the_fork() {
    Sketch::new("*draft a")
        .node("pay(^draft) writes a; effect, reviews draft, covers left right last, unsigned a")
        .node("left(a, ^draft); effect")
        .node("right(a, ^draft); effect")
        .node("last(^draft); effect")
        .chain("start -> pay")
        .verdicts("pay { reject -> end }")
        .fork("pay -> (left, right) -> last")
        .chain("left -> last -> end")
        .chain("right -> last")
        .sound();
}

/// A branch with two ends.
fn two_ends(left: &str, right: &str) -> Sketch {
    Sketch::new("*risk a")
        .node("triage()")
        .node(left)
        .node(right)
        .node("last(a)")
        .fork("start -> (triage left, right) -> last")
        .choice("triage -> match risk { left, last }")
        .chain("left -> last -> end")
        .chain("right -> last")
}

#[test]
fn a_branch_provides_what_all_its_ends_provide() {
    two_ends("left() writes a", "right()").refused([
        "node `last` reads `a`, but a path reaches it unwritten: `start -> triage -> last`; lead that path through \
         `left`, which writes it, or take `Option<&str>`",
    ]);
    two_ends("left()", "right() writes a").sound();
}

#[test]
fn a_counterexample_respects_writes_of_sibling_branches() {
    // `start -> left -> last` is shorter, but `right` has always written `a` by the time of the join.
    Sketch::new("*risk a")
        .node("left()")
        .node("right() writes a")
        .node("last(a)")
        .node("detour()")
        .node("more()")
        .choice("start -> match risk { more, detour }")
        .fork("more -> (left, right) -> last")
        .chain("left -> last -> end")
        .chain("right -> last")
        .chain("detour -> last")
        .refused([
            "node `last` reads `a`, but a path reaches it unwritten: `start -> detour -> last`; lead that path through \
             `right`, which writes it, or take `Option<&str>`",
        ]);
}

#[test]
fn forks_nest() {
    let sketch = |inner: &str| {
        Sketch::new("*risk a b c")
            .node("left()")
            .node(inner)
            .node("twin() writes b")
            .node("meet(b)")
            .node("right() writes c")
            .node("last(a, b, c)")
            .fork("start -> (left inner twin meet, right) -> last")
            .fork("left -> (inner, twin) -> meet")
            .chain("inner -> meet -> last -> end")
            .chain("twin -> meet")
            .chain("right -> last")
    };
    sketch("inner() writes a").sound();
    sketch("inner(c) writes a").refused([
        "node `inner` reads `c`, but a path reaches it unwritten: `start -> left -> inner`; lead that path through `right`, \
         which writes it, or take `Option<&str>`",
    ]);
    sketch("inner()").refused([
        "node `last` reads `a`, but a path reaches it unwritten: `start -> right -> last`; no other node writes \
         it: add one with `writes = a`, or make the field `#[input]`, or take `Option<&str>`",
    ]);
}

/// A draft that may be signed before the fork, and two branches.
fn signed(fields: &str, first: &str, left: &str, right: &str) -> Sketch {
    let sketch = Sketch::new(fields)
        .node(first)
        .node(left)
        .node(right)
        .node("last(^draft); effect")
        .chain("start -> first")
        .fork("first -> (left, right) -> last")
        .chain("left -> last -> end")
        .chain("right -> last");
    ["first", "left", "right"].into_iter().zip([first, left, right]).fold(sketch, |sketch, (name, text)| {
        let to = if name == "first" { "end" } else { "last" };
        if text.contains("reviews") {
            sketch.verdicts(&format!("{name} {{ reject -> {to} }}"))
        } else {
            sketch
        }
    })
}

const SIGNS: &str = "first(^draft); effect, reviews draft, covers last";

#[test]
fn a_signature_survives_branches_that_do_not_write_its_field() {
    signed("*draft x", SIGNS, "left() writes x", "right()").sound();
}

#[test]
fn a_write_in_a_branch_ends_a_signature() {
    let rewritten = |by: &str| {
        [format!(
            "node `last` takes `draft` as `&Approved<String>`, but a path reaches it on which `draft` is written by \
             `{by}` after it was signed: `start -> first -> {by} -> last`; put `#[interrupt_before]` on `last`"
        )]
    };
    assert_eq!(signed("*draft", SIGNS, "left() writes draft", "right()").faults(), rewritten("left"));
    assert_eq!(signed("*draft", SIGNS, "left()", "right() writes draft").faults(), rewritten("right"));
}

#[test]
fn a_signature_of_one_branch_is_valid_after_the_join() {
    let sketch = |left: &str, right: &str| {
        Sketch::new("*draft *x")
            .node(left)
            .node(right)
            .node("last(^draft); effect")
            .node("no(rejection?)")
            .fork("start -> (left no, right) -> last")
            .chain("left -> last -> end")
            .chain("right -> last")
            .verdicts("left { reject -> no }")
    };
    // A rejection leads back to the review until there is a signature.
    sketch("left(^draft); effect, reviews draft, covers last", "right() writes x")
        .chain("no -> left")
        .sound();
    // A rejection leads to the join without a signature.
    sketch("left(^draft); effect, reviews draft, covers last", "right()").chain("no -> last").refused([
        "node `last` takes `draft` as `&Approved<String>`, but a path reaches it on which `draft` was never signed for it: \
         `start -> left -reject-> no -> last`; put `#[interrupt_before]` on `last`",
    ]);
}

/// A signature that one branch has spent is spent for the nodes after the join, too.
#[test]
fn a_signature_spent_in_a_branch_is_spent_after_the_join() {
    let sketch = |arms: &str| {
        Sketch::new("*draft *n")
            .node("first(^draft); effect, reviews draft, covers left, unedited x")
            .node("left(^draft); effect")
            .node("right()")
            .node("last()")
            .chain("start -> first")
            .verdicts("first { reject -> end }")
            .fork("first -> (left, right) -> last")
            .chain("left -> last")
            .chain("right -> last")
            .choice(arms)
    };
    sketch("last -> match n { first, end }").sound();
}

#[test]
fn a_reducer_voids_signatures_of_the_merged_field() {
    let node = |name: &str| format!("{name}() writes draft");
    let sketch = |other: &str| {
        Sketch::new("*x +draft")
            .node(&node("left"))
            .node("signs(^draft); effect, reviews draft, covers last")
            .node("right()")
            .node(other)
            .node("also(^draft); effect, reviews draft, covers last")
            .node("last(^draft); effect")
            .fork("start -> (left signs, right other also) -> last")
            .chain("left -> signs -> last -> end")
            .verdicts("signs { reject -> signs }")
            .verdicts("also { reject -> also }")
            .chain("right -> other -> also -> last")
            .faults()
    };
    let mixed = "node `last` takes `draft` as `&Approved<String>`, but a path reaches it on which `draft` \
                 is merged from the values of several branches after it was signed: `start -> left -> signs -> last`; \
                 put `#[interrupt_before]` on `last`";
    assert!(sketch(&node("other")).contains(&mixed.to_owned()), "{:?}", sketch(&node("other")));
}

#[test]
fn branches_do_not_race() {
    let sketch = |fields: &str, left: &str, right: &str| {
        Sketch::new(fields)
            .node(left)
            .node("between()")
            .node(right)
            .node("last()")
            .fork("start -> (left between, right) -> last")
            .chain("left -> between -> last -> end")
            .chain("right -> last")
    };
    let (left, right) = ("left() writes x, note", "right() writes note");
    sketch("+note x", left, right).sound();
    sketch("note x", left, "right() writes y").sound();
    sketch("note x", left, right).refused([
        "nodes `left` and `right` run concurrently and both write `note`: let one of them use another \
         field, or give `note` a reducer with `#[reduce(…)]`",
    ]);
}

#[test]
fn sequential_nodes_do_not_race() {
    Sketch::new("note")
        .node("before() writes note")
        .node("left() writes note")
        .node("then() writes note")
        .node("right()")
        .node("last() writes note")
        .chain("start -> before")
        .fork("before -> (left then, right) -> last")
        .chain("left -> then -> last -> end")
        .chain("right -> last")
        .sound();
}

#[test]
fn a_nested_node_races_with_one_of_another_branch() {
    Sketch::new("note")
        .node("left()")
        .node("inner() writes note")
        .node("twin()")
        .node("meet()")
        .node("right() writes note")
        .node("third() writes note")
        .node("last()")
        .fork("start -> (left inner twin meet, right, third) -> last")
        .fork("left -> (inner, twin) -> meet")
        .chain("inner -> meet -> last -> end")
        .chain("twin -> meet")
        .chain("right -> last")
        .chain("third -> last")
        .refused([
            "nodes `inner` and `right` run concurrently and both write `note`: let one of them use another \
             field, or give `note` a reducer with `#[reduce(…)]`",
            "nodes `inner` and `third` run concurrently and both write `note`: let one of them use another \
             field, or give `note` a reducer with `#[reduce(…)]`",
        ]);
}

#[test]
fn a_review_that_accepts_edits_races_too() {
    let sketch = |right: &str| {
        Sketch::new("*draft *letter")
            .node("left(^draft); effect, reviews draft")
            .node(right)
            .node("last(rejection?)")
            .fork("start -> (left, right) -> last")
            .chain("left -> last -> end")
            .chain("right -> last")
            .verdicts("left { reject -> last }")
    };
    sketch("right(^letter); effect, reviews letter").verdicts("right { reject -> last }").sound();
    let refused = "nodes `left` and `right` run concurrently and both may change `draft`, which a review \
                   may edit: review it before the fork, let one of them use another field, or give `draft` a reducer \
                   with `#[reduce(…)]`";
    sketch("right(^draft); effect, reviews draft").verdicts("right { reject -> last }").refused([refused]);
    sketch("right() writes draft").refused([refused]);
}

#[test]
fn several_branches_that_end_the_run_have_one_message() {
    let sketch = |left: &str, right: &str| {
        Sketch::new("x! y!")
            .node(left)
            .node(right)
            .fork("start -> (left, right) -> end")
            .chain("left -> end")
            .chain("right -> end")
    };
    sketch("left() writes x", "right() writes y").sound();
    sketch("left() writes x", "right()").refused([
        "a path reaches `end` with output `y` unwritten: `start -> left -> end`; no other node writes it: add one with \
         `writes = y`, or make the field `#[input]`",
    ]);
}

#[test]
fn a_loop_may_stay_inside_a_branch() {
    Sketch::new("*risk a note")
        .node("left() writes a")
        .node("check(a)")
        .node("right() writes note")
        .node("last(a, note)")
        .fork("start -> (left check, right) -> last")
        .chain("left -> check")
        .choice("check -> match risk { left, last }")
        .chain("right -> last")
        .chain("last -> end")
        .sound();
}

#[test]
fn a_join_may_be_reached_without_its_fork() {
    // A loop leads back to the join: `a` is written by then, but `b` is written on neither path.
    Sketch::new("*risk a b")
        .node("left() writes a")
        .node("right()")
        .node("last(a)")
        .node("after(b)")
        .fork("start -> (left, right) -> last")
        .chain("left -> last -> after")
        .chain("right -> last")
        .choice("after -> match risk { last, end }")
        .refused([
            "node `after` reads `b`, but a path reaches it unwritten: `start -> left -> last -> after`; no other node writes \
             it: add one with `writes = b`, or make the field `#[input]`, or take `Option<&str>`",
        ]);
}

#[test]
fn open_reviews_are_counted_per_branch() {
    let pay = |name: &str| format!("{name}(^draft); effect, reviews draft");
    let open = |sketch: Sketch| sketch.done().max_open_reviews();
    assert_eq!(open(Sketch::new("draft").node("a()").chain("start -> a -> end")), 0);
    assert_eq!(open(Sketch::new("draft").node(&pay("a")).node(&pay("b")).chain("start -> a -> b -> end")), 1);
    let nested = |inner: &str, twin: &str, right: &str| {
        let node = |name: &str, stops: &str| if stops == "stops" { pay(name) } else { format!("{name}()") };
        let sketch =
            Sketch::new("draft").node(&pay("left")).node(&node("inner", inner)).node(&node("twin", twin));
        let sketch = sketch.node("meet()").node(&node("right", right)).node(&pay("last"));
        open(
            sketch
                .fork("start -> (left inner twin meet, right) -> last")
                .fork("left -> (inner, twin) -> meet")
                .chain("inner -> meet -> last -> end"),
        )
    };
    assert_eq!(nested("stops", "stops", "stops"), 3);
    assert_eq!(nested("stops", "", "stops"), 2);
    assert_eq!(nested("stops", "stops", ""), 2);
    assert_eq!(nested("", "", ""), 1);
}

#[test]
fn points_and_nodes_are_looked_up_by_name() {
    let spec = Sketch::new("*a b").node("one()").node("two()").chain("start -> one -> two -> end").done();
    assert_eq!(spec.node_index("two"), Some(1));
    assert_eq!(spec.node_index("tw"), None);
    assert_eq!(spec.state.field("b").map(|field| field.input), Some(false));
    assert_eq!(spec.state.field("c"), None);
    let two = crate::graph::Point::Node(1);
    let names = |edge: &crate::graph::EdgeSpec| [edge.from.name(&spec), edge.to.name(&spec)];
    assert_eq!(spec.edges_from(two).map(names).collect::<Vec<_>>(), [["two", "end"]]);
    assert_eq!(spec.edges_to(two).map(names).collect::<Vec<_>>(), [["one", "two"]]);
    assert_eq!(spec.edges_from(crate::graph::Point::Start).count(), 1);
}
