//! Tests of graphs as data: the edges of the statements, and the errors in them.

use syn::parse::Parser;

use super::{
    model::{Kind, Model, Point},
    parse, read,
};
use crate::diagnostics::Errors;

/// Returns the edges as text, or the error messages.
fn graph(statements: &str) -> Result<Vec<String>, Vec<String>> {
    let mut errors = Errors::default();
    let source = format!("G<State> {{ {statements} }}");
    let graph = (|input: syn::parse::ParseStream| parse::graph(input, &mut errors)).parse_str(&source);
    let graph = graph.map_err(|e| vec![e.to_string()])?;
    let mut unconnected = Errors::default();
    let model = read(&graph, &mut errors, &mut unconnected);
    let messages = [errors.messages(), unconnected.messages()].concat();
    if messages.is_empty() { Ok(edges(&model)) } else { Err(messages) }
}

fn edges(model: &Model<'_>) -> Vec<String> {
    let edge = |edge: &super::model::Edge| {
        let kind = match edge.kind {
            Kind::Next => String::new(),
            Kind::Case { route, case } => format!(" case {route}.{case}"),
            Kind::Fork { fork, branch } => format!(" fork {fork}.{branch}"),
            Kind::Empty { fork } => format!(" empty {fork}"),
            Kind::Reject => " reject".into(),
            Kind::Expire => " expire".into(),
            Kind::Ask => " ask".into(),
        };
        let joins = edge.joins.map_or_else(String::new, |(fork, branch)| format!(" joins {fork}.{branch}"));
        format!("{} {}{kind}{joins}", model.point_name(edge.from), model.point_name(edge.to))
    };
    let forks = model.forks.iter().enumerate().map(|(number, fork)| {
        let branches: Vec<_> = fork
            .branches
            .iter()
            .map(|branch| {
                branch
                    .nodes
                    .iter()
                    .map(|&node| model.point_name(Point::Node(node)))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        format!(
            "{} {number} {}..{}: {}",
            if fork.each.is_some() { "for" } else { "fork" },
            model.point_name(fork.from),
            model.point_name(fork.join),
            branches.join(" | ")
        )
    });
    model.edges.iter().map(edge).chain(forks).collect()
}

/// Asserts that there is one message, and that it contains all of `words`.
#[track_caller]
fn wrong(statements: &str, words: &[&str]) {
    let messages = graph(statements).expect_err("the graph is wrong");
    assert_eq!(messages.len(), 1, "{messages:#?}");
    for word in words {
        assert!(messages[0].contains(word), "no {word:?} in {:?}", messages[0]);
    }
}

#[track_caller]
fn right(statements: &str, expected: &[&str]) {
    assert_eq!(graph(statements).expect("the graph is right"), expected);
}

#[test]
fn the_refund_graph_is_lowered() {
    right(
        "start -> plan -> draft -> execute -> end;
         execute { reject -> cancel, ask -> draft }
         cancel -> end;",
        &[
            "start plan",
            "plan draft",
            "draft execute",
            "execute end",
            "execute cancel reject",
            "execute draft ask",
            "cancel end",
        ],
    );
}

#[test]
fn a_match_is_a_case_for_each_arm() {
    right(
        "start -> triage -> match risk.level() { Risk::High | Risk::Odd => draft -> end, Risk::Low(n) if n > 3 => reply, _ => end };
         reply -> end;",
        &["start triage", "triage draft case 0.0", "draft end", "triage reply case 0.1", "triage end case 0.2", "reply end"],
    );
    right(
        "start -> match risk { A => a, B => end }; a -> end",
        &["start a case 0.0", "start end case 0.1", "a end"],
    );
}

#[test]
fn branches_of_a_fork_lead_to_its_join() {
    right(
        "start -> draft -> (fraud, stock -> restock) -> execute -> end;",
        &[
            "start draft",
            "draft fraud fork 0.0",
            "draft stock fork 0.1",
            "stock restock",
            "fraud execute joins 0.0",
            "restock execute joins 0.1",
            "execute end",
            "fork 0 draft..execute: fraud | stock restock",
        ],
    );
    right(
        "start -> (a, b) -> end;",
        &[
            "start a fork 0.0",
            "start b fork 0.1",
            "a end joins 0.0",
            "b end joins 0.1",
            "fork 0 start..end: a | b",
        ],
    );
}

#[test]
fn a_branch_keeps_its_loops_verdicts_and_inner_forks() {
    right(
        "start -> (a -> b, c -> (d, e) -> f) -> g -> end; b { reject -> h, ask -> a } h -> g;",
        &[
            "start a fork 0.0",
            "a b",
            "start c fork 0.1",
            "c d fork 1.0",
            "c e fork 1.1",
            "d f joins 1.0",
            "e f joins 1.1",
            "b g joins 0.0",
            "f g joins 0.1",
            "g end",
            "b h reject",
            "b a ask",
            "h g joins 0.0",
            "fork 0 start..g: a b h | c d e f",
            "fork 1 c..f: d | e",
        ],
    );
}

#[test]
fn a_branch_may_end_in_a_match() {
    right(
        "start -> (a -> match risk { A => b, B => c }, d) -> c -> end; b -> c;",
        &[
            "start a fork 0.0",
            "a b case 0.0",
            "a c case 0.1 joins 0.0",
            "start d fork 0.1",
            "d c joins 0.1",
            "c end",
            "b c joins 0.0",
            "fork 0 start..c: a b | d",
        ],
    );
}

#[test]
fn inner_forks_come_after_outer_ones() {
    let edges = graph("x -> (p, q) -> y; start -> (a -> match m { A => x, B => y }, b) -> c -> end; y -> c;")
        .expect("right");
    assert_eq!(edges[edges.len() - 2..], ["fork 0 start..c: x p q y a | b", "fork 1 x..y: p | q"]);
}

#[test]
fn a_for_is_a_fork_of_one_branch_and_a_bypass() {
    right(
        "start -> plan -> for order in orders, at_most = 4 { look_up -> refund } -> report -> end;
         refund { reject -> drop, ask -> look_up }
         drop -> report;",
        &[
            "start plan",
            "plan look_up fork 0.0",
            "look_up refund",
            "plan report empty 0",
            "refund report joins 0.0",
            "report end",
            "refund drop reject",
            "refund look_up ask",
            "drop report joins 0.0",
            "for 0 plan..report: look_up refund drop",
        ],
    );
    right(
        "start -> for a in all { one } -> end",
        &["start one fork 0.0", "start end empty 0", "one end joins 0.0", "for 0 start..end: one"],
    );
}

#[test]
fn a_for_nests_like_a_fork() {
    right(
        "start -> (a -> for x in xs { b -> (c, d) -> e -> for y in ys { f } -> g } -> h, i) -> j -> end;",
        &[
            "start a fork 0.0",
            "a b fork 1.0",
            "b c fork 2.0",
            "b d fork 2.1",
            "c e joins 2.0",
            "d e joins 2.1",
            "e f fork 3.0",
            "e g empty 3",
            "f g joins 3.0",
            "a h empty 1",
            "g h joins 1.0",
            "start i fork 0.1",
            "h j joins 0.0",
            "i j joins 0.1",
            "j end",
            "fork 0 start..j: a b c d e f g h | i",
            "for 1 a..h: b c d e f g",
            "fork 2 b..e: c | d",
            "for 3 e..g: f",
        ],
    );
    right(
        "start -> a -> for x in xs { b -> match m { A => c, B => d } } -> d -> end; c -> d;",
        &[
            "start a",
            "a b fork 0.0",
            "b c case 0.0",
            "b d case 0.1 joins 0.0",
            "a d empty 0",
            "d end",
            "c d joins 0.0",
            "for 0 a..d: b c",
        ],
    );
}

#[test]
fn the_fix_for_a_missing_edge_inside_of_a_fork_names_its_join() {
    wrong(
        "start -> d -> for x in xs { a -> match m { A => b, B => c } } -> j -> end; c -> j;",
        &[
            "`b` has no outgoing edge: it runs in the `for` after `d`, so write `b -> j;`, where the items join; an arm",
        ],
    );
    wrong(
        "start -> d -> for x in xs { a } -> j -> end; a { reject -> b }",
        &[
            "`b` has no outgoing edge: it runs in the `for` after `d`, so write `b -> j;`, where the items join",
        ],
    );
    wrong(
        "start -> d -> (a, e) -> j -> end; a { reject -> b }",
        &["it runs in a branch after `d`, so write `b -> j;`, where the branches join"],
    );
    // The inner of two forks.
    wrong(
        "start -> d -> (a -> for x in xs { e } -> f, g) -> j -> end; e { reject -> b }",
        &["it runs in the `for` after `a`, so write `b -> f;`"],
    );
    // After the join, and beside the fork.
    wrong("start -> d -> for x in xs { a } -> j;", &["`j -> end;`"]);
    wrong(
        "start -> m -> match m { A => d -> for x in xs { a } -> j -> end, B => b };",
        &["`b` has no outgoing edge: write `b -> …;`, or `b -> end;`"],
    );
    wrong(
        "start -> d -> for x in xs { a -> match m { A => b, B => e } } -> j -> end; b { reject -> e } e -> j;",
        &["`b` has no edge to follow after an approval: it runs in the `for` after `d`, so write `b -> j;`"],
    );
    wrong(
        "start -> d -> for x in xs { a -> match m { A => b } } -> j -> end; b -> a;",
        &["is a cycle; lead one of its nodes on to `j`, where the items join"],
    );
}

#[test]
fn a_node_is_reachable_and_reaches_the_end() {
    wrong("start -> a -> end; b -> a;", &["no path leads from `start` to `b`"]);
    wrong("start -> a -> end; b -> c -> d -> b; c -> end;", &["`c` already leads to `d`"]);
    wrong("start -> a -> end; b -> c -> b;", &["no path leads from `start` to `b`"]);
    wrong("start -> a -> b;", &["`b` has no outgoing edge: write `b -> …;`"]);
    wrong("start -> a -> b -> c -> b;", &["no path leads from `b` to `end`: `b -> c -> b` is a cycle"]);
    wrong("a -> b -> end;", &["the graph has no edge from `start`"]);
}

#[test]
fn a_typo_has_one_message() {
    wrong(
        "start -> plan -> execute -> end; execute { regect -> cancel } cancel -> end;",
        &["`regect`; did you mean `reject`?"],
    );
    wrong("start -> plan -> execute -> end; execute { reject -> end, approve -> end }", &["no `approve`"]);
}

#[test]
fn a_point_has_one_outgoing_statement() {
    wrong("start -> a -> b -> end; a -> b;", &["the edge `a -> b` is declared twice"]);
    wrong("start -> a -> b -> end; a -> c -> end;", &["`a` already leads to `b`", "match", "(…, …)"]);
    wrong("start -> a -> end; start -> b -> end;", &["`start` already leads to `a`"]);
    wrong("start -> a -> match m { A => end }; a -> end;", &["`a` already has a `match`"]);
    wrong("start -> a -> (b, c) -> end; a -> end;", &["`a` already has branches"]);
}

#[test]
fn a_review_has_one_reject_edge() {
    wrong("start -> a -> end; a { ask -> a }", &["the verdict block of `a` has no `reject` edge"]);
    wrong("start -> a -> end; a { reject -> end } a { reject -> end }", &["`a` already has a verdict block"]);
    wrong("start -> a -> end; a { reject -> end, reject -> end }", &["has two `reject` edges"]);
}

#[test]
fn names_are_unique() {
    wrong("start -> x::a -> y::a -> end;", &["two nodes have the name `a`", "`x::a`", "`y::a`"]);
    right(
        "start -> x::a<T> -> match m { A => x::a<T>, B => end };",
        &["start a", "a a case 0.0", "a end case 0.1"],
    );
    wrong("start -> x::end;", &["`end` is a keyword of `graph!`"]);
}

#[test]
fn branches_are_closed() {
    wrong(
        "start -> d -> (a, b) -> c -> end; a { reject -> end }",
        &["`a` runs in a branch after `d`", "it can leave only for `c`"],
    );
    wrong(
        "start -> d -> (a, b) -> c -> end; a { reject -> d }",
        &["`a` runs in a branch after `d`", "it can leave only for `c`", "from there to `d`"],
    );
    wrong(
        "start -> d -> (a, b) -> c -> end; a { reject -> b }",
        &["`a` and `b` run in different branches after `d`", "only in `c`"],
    );
    wrong(
        "start -> d -> (a, b) -> c -> end; a { reject -> x } b { reject -> x } x -> c;",
        &["`b` and `x` run in different branches after `d`"],
    );
    wrong(
        "start -> d -> (a, b) -> c -> match m { A => a, B => end };",
        &["`a` runs in a branch after `d`", "lead `c` to `d`"],
    );
    wrong("start -> d -> (a, a) -> c -> end;", &["`a` is in two branches after `d`"]);
    wrong("start -> d -> (a -> c, b -> c) -> e -> end;", &["`c` is in two branches after `d`", "after `e`"]);
    wrong("start -> d -> (a, b) -> b -> end;", &["`b` cannot both run"]);
    wrong(
        "start -> (a -> match m { A => b, B => c }, d) -> c -> end; b -> (p, q) -> c;",
        &["must join before it ends"],
    );
}

#[test]
fn the_body_of_a_for_is_closed() {
    wrong(
        "start -> d -> for x in xs { a } -> c -> end; a { reject -> end }",
        &[
            "`a` runs in the `for` after `d`",
            "it can leave only for `c`, where the items join",
            "from there to `end`",
        ],
    );
    wrong(
        "start -> d -> for x in xs { a } -> c -> match m { A => a, B => end };",
        &["`a` runs in the `for` after `d`, once for each `x`", "lead `c` to `d`"],
    );
    wrong(
        "start -> d -> for x in xs { a } -> a -> end;",
        &["`a` cannot both run in the `for` after `d`", "the items join"],
    );
    wrong(
        "start -> d -> for x in xs { a -> match m { A => b, B => c } } -> c -> end; b -> for y in ys { e } -> c;",
        &[
            "the items after `b` run inside the `for` after `d`",
            "must join before it ends",
            "lead that node to `c`",
        ],
    );
    wrong(
        "start -> (d, e) -> f -> for x in xs { a } -> g -> match m { A => d, B => end };",
        &["`d` runs in a branch after `start`", "lead `g` to `start`"],
    );
    wrong(
        "start -> (d -> e, h) -> f -> match m { A => p, B => end }; p -> for x in xs { a } -> e;",
        &["`e` runs in a branch after `start`", "lead `a` to `start`"],
    );
}

#[test]
fn a_match_a_for_or_a_fork_without_a_node_before_it_gets_a_junction() {
    right(
        "start -> a -> match m { A => match n { B => end } };",
        &["start a", "a arm:match:n:end case 0.0", "arm:match:n:end end case 1.0"],
    );
    right(
        "start -> a -> match m { A => for x in xs { b } -> end, B => (c, d) -> end };",
        &[
            "start a",
            "a for:x:b case 0.0",
            "for:x:b b fork 0.0",
            "for:x:b end empty 0",
            "b end joins 0.0",
            "a fork:c+d case 0.1",
            "fork:c+d c fork 1.0",
            "fork:c+d d fork 1.1",
            "c end joins 1.0",
            "d end joins 1.1",
            "for 0 for:x:b..end: b",
            "fork 1 fork:c+d..end: c | d",
        ],
    );
    // After a fork and after a `for`, where the parts join.
    right(
        "start -> (a, b) -> match m { A => end, B => end };",
        &[
            "start a fork 0.0",
            "start b fork 0.1",
            "a match:m:end joins 0.0",
            "b match:m:end joins 0.1",
            "match:m:end end case 0.0",
            "match:m:end end case 0.1",
            "fork 0 start..match:m:end: a | b",
        ],
    );
    right(
        "start -> for x in xs { a } -> for y in ys { b } -> end;",
        &[
            "start a fork 0.0",
            "start for:y:b empty 0",
            "a for:y:b joins 0.0",
            "for:y:b b fork 1.0",
            "for:y:b end empty 1",
            "b end joins 1.0",
            "for 0 start..for:y:b: a",
            "for 1 for:y:b..end: b",
        ],
    );
    // At the beginning and at the end of a body.
    right(
        "start -> for x in xs { for y in ys { a } } -> end;",
        &[
            "start for:y:a fork 0.0",
            "for:y:a a fork 1.0",
            "for:y:a join:a empty 1",
            "a join:a joins 1.0",
            "start end empty 0",
            "join:a end joins 0.0",
            "for 0 start..end: for:y:a a join:a",
            "for 1 for:y:a..join:a: a",
        ],
    );
    right(
        "start -> (match m { A => a, B => b }, match m { A => c, B => d }) -> end; a -> end; b -> end; c -> end; d -> end;",
        &[
            "start match:m:a fork 0.0",
            "match:m:a a case 0.0",
            "match:m:a b case 0.1",
            "start match:m:c fork 0.1",
            "match:m:c c case 1.0",
            "match:m:c d case 1.1",
            "a end joins 0.0",
            "b end joins 0.0",
            "c end joins 0.1",
            "d end joins 0.1",
            "fork 0 start..end: match:m:a a b | match:m:c c d",
        ],
    );
}

#[test]
fn an_arm_that_binds_fields_has_a_node_of_its_own() {
    right(
        "start -> a -> match m { A(x) => b, C { x, n: 0 } => match x { _ => b }, D { x, .. } => b, _ => end }; b -> end;",
        &[
            "start a",
            "a A(x) case 0.0",
            "A(x) b",
            "a C { x, n:0 } case 0.1",
            "C { x, n:0 } b case 1.0",
            "a D { x, .. } case 0.2",
            "D { x, .. } b",
            "a end case 0.3",
            "b end",
        ],
    );
    // It is in the branch that its `match` is in.
    right(
        "start -> (a -> match m { A(x) => continue, _ => b -> continue }, c) -> d -> end;",
        &[
            "start a fork 0.0",
            "a A(x) case 0.0",
            "a b case 0.1",
            "start c fork 0.1",
            "c d joins 0.1",
            "d end",
            "A(x) d joins 0.0",
            "b d joins 0.0",
            "fork 0 start..d: a A(x) b | c",
        ],
    );
}

#[test]
fn junctions_that_a_journal_may_name_are_distinct() {
    wrong(
        "start -> (a, b) -> match m { A => c, B => end }; c -> (d, e) -> match m { A => c, B => end };",
        &["would have the name `match:m:c` in a journal", "put a node before one of them"],
    );
    // No lane stands before a `match` in an arm.
    assert!(
        graph(
            "start -> (match m { A => match m { A => a, B => b }, B => b }, c) -> end; a -> end; b -> end;"
        )
        .is_ok()
    );
    assert!(
        graph("start -> a -> match k { A => match m { A => c, B => end }, B => match m { A => c, B => b } }; c -> end; b -> end;")
            .is_ok()
    );
}

#[test]
fn continue_leads_to_the_join_of_the_innermost_fork() {
    right(
        "start -> for x in xs { match m { A => a -> continue, B => b } } -> for y in ys { c } -> end;
         b { reject -> continue, ask -> d } b -> continue; d -> continue;",
        &[
            "start match:m:a fork 0.0",
            "match:m:a a case 0.0",
            "match:m:a b case 0.1",
            "start for:y:c empty 0",
            "for:y:c c fork 1.0",
            "for:y:c end empty 1",
            "c end joins 1.0",
            "b d ask",
            "a for:y:c joins 0.0",
            "b for:y:c reject joins 0.0",
            "b for:y:c joins 0.0",
            "d for:y:c joins 0.0",
            "for 0 start..for:y:c: match:m:a a b d",
            "for 1 for:y:c..end: c",
        ],
    );
    // The only way to the join of the inner fork, after which the outer one continues.
    right(
        "start -> (match m { A => (match n { A => a, B => b }, c) -> d }, e) -> f -> end;
         a -> continue; b -> continue; d -> continue;",
        &[
            "start match:m:a+c fork 0.0",
            "match:m:a+c fork:a+c case 0.0",
            "fork:a+c match:n:a fork 1.0",
            "match:n:a a case 1.0",
            "match:n:a b case 1.1",
            "fork:a+c c fork 1.1",
            "c d joins 1.1",
            "start e fork 0.1",
            "e f joins 0.1",
            "f end",
            "a d joins 1.0",
            "b d joins 1.0",
            "d f joins 0.0",
            "fork 0 start..f: match:m:a+c fork:a+c match:n:a a b c d | e",
            "fork 1 fork:a+c..d: match:n:a a b | c",
        ],
    );
    // At the end of a branch it says what holds anyway.
    assert_eq!(graph("start -> (a -> continue, b) -> c -> end;"), graph("start -> (a, b) -> c -> end;"));
}

#[test]
fn each_wrong_continue_has_one_message() {
    wrong("start -> a -> continue;", &["`continue` ends a branch or an item", "`a` runs in neither"]);
    wrong("start -> continue;", &["`start` runs in neither"]);
    wrong("start -> a -> continue -> end;", &["nothing can follow `continue`"]);
    wrong("continue -> a;", &["`continue` ends a chain: write `node -> continue;`"]);
    wrong("continue;", &["`continue` ends a chain"]);
    wrong("start -> (continue, a) -> end;", &["a branch must begin with a node"]);
    wrong("start -> (a, b) -> c -> end; a -> continue;", &["`a` already leads to `c`"]);
    wrong(
        "start -> (d -> match m { A => a, B => a }, b) -> c -> end; a -> continue; a -> c;",
        &["`a` already leads to `continue`"],
    );
    wrong("start -> (a, b) -> c -> continue;", &["`c` runs in neither"]);
}

#[test]
fn each_error_in_a_for_has_one_message() {
    wrong("start -> for x xs { a } -> end;", &["a `for` has the form `for item in list { node -> node }`"]);
    wrong(
        "start -> for x.y in xs { a } -> end;",
        &["a `for` has the form `for item in list { node -> node }`"],
    );
    wrong("start -> for x in xs.ys { a } -> end;", &["a whole field of the state", "let a node write `xs`"]);
    wrong("start -> for x in xs {} -> end;", &["the body of the `for` is empty"]);
    wrong("start -> for x in xs { a -> b; b -> c } -> end;", &["is one chain"]);
    wrong("start -> for x in xs { a { reject -> b } } -> end;", &["is one chain"]);
    wrong("start -> for x in x { a } -> end;", &["`x` cannot be both the list and one of its items"]);
    wrong("start -> for x in xs, at_most = 0 { a } -> end;", &["`at_most = 0`", "the minimum is 1"]);
    wrong(
        "start -> for x in xs, at_most = many { a } -> end;",
        &["`at_most` must be a number", "`at_most = 4`"],
    );
    wrong("start -> for x in xs, at_most { a } -> end;", &["`at_most` must be a number"]);
    wrong("start -> for x in xs, atmost = 3 { a } -> end;", &["no `atmost`: did you mean `at_most = 4`?"]);
    wrong("start -> for x in xs, retries = 3 { a } -> end;", &["no `retries`: it takes `at_most = 4`"]);
    wrong("start -> a -> for x in xs { b };", &["the items after `a` must join"]);
    wrong(
        "start -> for x in xs { a -> end } -> end;",
        &["the body of a `for` must end in a node", "`for … { … } -> end`"],
    );
    wrong("start -> for x in xs { end } -> end;", &["the body of a `for` must begin with a node"]);
    wrong(
        "start -> for x in xs { match m { A => a } } -> end;",
        &["`a` has no outgoing edge: it runs in the `for` after `start`, so write `a -> end;`"],
    );
    wrong(
        "start -> a -> match m { A => for y in ys { c } };",
        &["the items must join: write `for … { … } -> join`"],
    );
    wrong(
        "start -> a -> end; a { reject -> for x in xs { b } -> end }",
        &["a `for` cannot follow a verdict directly: begin the edge with a node"],
    );
    wrong("for x in xs { a } -> end;", &["a `for` must follow a node: write `node -> for"]);
    wrong("start -> a -> for x in xs { b } -> end; a -> end;", &["`a` already has a `for`"]);
}

#[test]
fn each_grammar_error_has_one_message() {
    wrong("start -> (a) -> end;", &["a fork needs at least two branches"]);
    wrong("start -> (a, b); ", &["must join"]);
    wrong("start -> (a -> end, b) -> end;", &["a branch must end in a node"]);
    wrong("start -> a -> start;", &["no edge can lead to `start`"]);
    wrong("start -> end -> a;", &["nothing can follow `end`"]);
    wrong("end -> a;", &["nothing can follow `end`"]);
    wrong("start -> a -> match m { A => end } -> b;", &["nothing can follow a `match`"]);
    wrong("start -> a -> match 3 { A => end };", &["a field of the state"]);
    wrong("start -> (start, b) -> end;", &["a branch must begin with a node"]);
    wrong(
        "start -> a -> end; a { reject -> match m { A => end } }",
        &["a `match` cannot follow a verdict directly: begin the edge with a node"],
    );
    wrong("start -> a -> end; a { reject -> (b, c) -> end }", &["a fork cannot follow a verdict directly"]);
    wrong("start -> a b -> end;", &["expected `;` to end the statement"]);
    wrong("start -> (a b, c) -> end;", &["expected `,` between branches"]);
    wrong("start -> a -> match m { A b => end };", &["an arm has the form `pattern => node`"]);
    wrong("start -> a -> end; a { reject -> b c }", &["expected `,` between verdicts"]);
    wrong("start;", &["`start` must be followed by `-> …;`"]);
    wrong("start { reject -> end }", &["a verdict block belongs to a node"]);
    wrong("(a, b) -> c;", &["branches must follow a node"]);
    wrong("start -> 3;", &["expected a node", "a `for` over one"]);
}

#[test]
fn a_node_may_have_several_old_names() {
    let plain = graph("start -> plan -> pay -> end;").expect("right");
    assert_eq!(
        graph("renamed execute -> pay; start -> plan -> pay -> end; renamed refund -> pay;"),
        Ok(plain)
    );
    // `renamed` is a keyword only before another identifier.
    right("start -> renamed -> end;", &["start renamed", "renamed end"]);
    right("renamed -> end; start -> renamed; renamed done -> renamed;", &["renamed end", "start renamed"]);
}

#[test]
fn an_old_name_is_unique_and_no_node() {
    let renamed = |statement: &str, words: &[&str]| {
        wrong(&format!("start -> plan -> pay -> end; {statement}"), words);
    };
    renamed("renamed plan -> pay;", &["`plan` is a node of this graph"]);
    renamed("renamed pay -> pay;", &["`pay` is a node of this graph"]);
    renamed("renamed execute -> pays;", &["no node `pays`; did you mean `pay`?"]);
    renamed("renamed execute -> refund;", &["no node `refund`: write the present name of `execute`"]);
    renamed("renamed execute -> end;", &["no node `end`"]);
    renamed("renamed execute -> pay; renamed execute -> plan;", &["`execute` is already renamed"]);
    renamed("renamed execute;", &["`renamed execute -> node;`"]);
    renamed("renamed execute -> ;", &["expected the new name of `execute`"]);
    renamed("renamed execute -> pay -> plan;", &["expected `;` to end the statement"]);
}
