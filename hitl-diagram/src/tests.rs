//! Drawings of graphs that use every feature: reviews, a match, a fork, a `for`, loops.

use hitl_runtime::graph::{
    BranchSpec, EachSpec, EdgeKind, EdgeSpec, ForkSpec, GraphSpec, InterruptSpec, NodeSpec, Point, RoleSpec,
    RouteSpec, StateSpec,
};

use super::{Highlight, mermaid, svg};

const fn node(name: &'static str) -> NodeSpec {
    NodeSpec { name, ..NodeSpec::BLANK }
}

const fn edge(from: Point, to: Point, kind: EdgeKind) -> EdgeSpec {
    EdgeSpec { from, to, kind, joins: None }
}

const SORT: Point = Point::Node(0);
const FIND: Point = Point::Node(1);
const WAREHOUSE: Point = Point::Node(2);
const CARRIER: Point = Point::Node(3);
const DRAFT: Point = Point::Node(4);
const FILE: Point = Point::Node(5);
const PROOFREAD: Point = Point::Node(6);
const SEND: Point = Point::Node(7);

const REVIEW: InterruptSpec =
    InterruptSpec { role: Some(RoleSpec::Fixed("clerk")), ..InterruptSpec::new("answer") };

const MAILROOM: GraphSpec = GraphSpec {
    name: "Mailroom",
    docs: "",
    state: StateSpec { name: "Letter", version: 1, fields: &[] },
    nodes: &[
        node("sort"),
        node("find_order"),
        node("ask_warehouse"),
        node("ask_carrier"),
        node("draft"),
        NodeSpec { effect: true, ..node("file") },
        node("proofread"),
        NodeSpec { effect: true, interrupt: Some(REVIEW), ..node("send") },
    ],
    edges: &[
        edge(Point::Start, SORT, EdgeKind::Next),
        edge(SORT, FIND, EdgeKind::Case { route: 0, case: 0 }),
        edge(FIND, WAREHOUSE, EdgeKind::Fork { fork: 0, branch: 0 }),
        edge(FIND, CARRIER, EdgeKind::Fork { fork: 0, branch: 1 }),
        EdgeSpec { joins: Some((0, 0)), ..edge(WAREHOUSE, DRAFT, EdgeKind::Next) },
        EdgeSpec { joins: Some((0, 1)), ..edge(CARRIER, DRAFT, EdgeKind::Next) },
        edge(SORT, FILE, EdgeKind::Case { route: 0, case: 1 }),
        edge(FILE, Point::End, EdgeKind::Next),
        edge(DRAFT, PROOFREAD, EdgeKind::Next),
        edge(PROOFREAD, DRAFT, EdgeKind::Case { route: 1, case: 0 }),
        edge(PROOFREAD, SEND, EdgeKind::Case { route: 1, case: 1 }),
        edge(SEND, Point::End, EdgeKind::Next),
        edge(SEND, FILE, EdgeKind::Reject),
        edge(SEND, DRAFT, EdgeKind::Ask),
    ],
    routes: &[
        RouteSpec {
            from: SORT,
            field: "kind",
            cases: &["Kind::Question", "Kind::Advert | Kind::Bill { sum: \"<0\" }"],
            guarded: &[],
        },
        RouteSpec {
            from: PROOFREAD,
            field: "check",
            cases: &["Check::TooLong", "Check::Good"],
            guarded: &[],
        },
    ],
    renamed: &[],
    forks: &[ForkSpec {
        from: FIND,
        join: DRAFT,
        each: None,
        branches: &[BranchSpec { nodes: &[2] }, BranchSpec { nodes: &[3] }],
    }],
};

/// A graph with a `for` that has a review which may expire.
const RETURNS: GraphSpec = GraphSpec {
    name: "Returns",
    nodes: &[
        node("assess"),
        NodeSpec { effect: true, interrupt: Some(REVIEW), ..node("pay") },
        node("send_back"),
        node("escalate"),
        node("report"),
    ],
    edges: &[
        edge(Point::Start, Point::Node(0), EdgeKind::Fork { fork: 0, branch: 0 }),
        edge(Point::Start, Point::Node(4), EdgeKind::Empty { fork: 0 }),
        edge(Point::Node(0), Point::Node(1), EdgeKind::Next),
        EdgeSpec { joins: Some((0, 0)), ..edge(Point::Node(1), Point::Node(4), EdgeKind::Next) },
        edge(Point::Node(1), Point::Node(2), EdgeKind::Reject),
        edge(Point::Node(1), Point::Node(3), EdgeKind::Expire),
        EdgeSpec { joins: Some((0, 0)), ..edge(Point::Node(2), Point::Node(4), EdgeKind::Next) },
        EdgeSpec { joins: Some((0, 0)), ..edge(Point::Node(3), Point::Node(4), EdgeKind::Next) },
        edge(Point::Node(4), Point::End, EdgeKind::Next),
    ],
    routes: &[],
    forks: &[ForkSpec {
        from: Point::Start,
        join: Point::Node(4),
        each: Some(EachSpec { item: "parcel", list: "parcels", at_most: 4 }),
        branches: &[BranchSpec { nodes: &[0, 1, 2, 3] }],
    }],
    ..MAILROOM
};

/// Saves a drawing for inspection: HITL_DRAWINGS=/tmp cargo test -p hitl-runtime --features cli draw
fn show(name: &str, picture: &str) {
    if let Some(folder) = std::env::var_os("HITL_DRAWINGS") {
        let _ = std::fs::write(std::path::Path::new(&folder).join(name), picture);
    }
}

#[test]
fn a_for_is_labeled_with_its_list_and_the_empty_case() {
    let mermaid = mermaid(&RETURNS, &waiting());
    for line in [
        "start == \"for parcel in parcels\" ==> n0",
        "start -- \"no parcels\" --> n4",
        "n1 -. \"expire\" .-> n3",
    ] {
        assert!(mermaid.contains(line), "{line}\n{mermaid}");
    }
    let picture = svg(&RETURNS, &waiting());
    for words in [">for parcel in parcels</text>", ">no parcels</text>", ">expire</text>"] {
        assert_eq!(picture.matches(words).count(), 1, "{words}");
    }
    // Each edge refers to an arrowhead that the drawing defines.
    for marker in picture.split("url(#").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(picture.contains(&format!("<marker id=\"{marker}\"")), "{marker}");
    }
    show("returns.svg", &picture);
}

/// An arm that is a `match`, between `sort` and `file`.
const NESTED: GraphSpec = GraphSpec {
    name: "Nested",
    nodes: &[
        node("sort"),
        NodeSpec { junction: true, ..node("match amount") },
        NodeSpec { effect: true, ..node("file") },
    ],
    edges: &[
        edge(Point::Start, SORT, EdgeKind::Next),
        edge(SORT, Point::Node(1), EdgeKind::Case { route: 0, case: 0 }),
        edge(SORT, Point::Node(2), EdgeKind::Case { route: 0, case: 1 }),
        edge(Point::Node(1), Point::Node(2), EdgeKind::Case { route: 1, case: 0 }),
        edge(Point::Node(1), Point::End, EdgeKind::Case { route: 1, case: 1 }),
        edge(Point::Node(2), Point::End, EdgeKind::Next),
    ],
    routes: &[
        RouteSpec { from: SORT, field: "kind", cases: &["Kind::Bill", "Kind::Advert"], guarded: &[] },
        RouteSpec { from: Point::Node(1), field: "amount", cases: &["0..=100", "_"], guarded: &[] },
    ],
    forks: &[],
    ..MAILROOM
};

#[test]
fn a_junction_is_drawn_as_a_point() {
    let drawn = mermaid(&NESTED, &Highlight::default());
    assert!(drawn.contains("    n1([\"match amount\"])\n"), "{drawn}");
    let picture = svg(&NESTED, &Highlight::default());
    assert_eq!(picture.matches("class=\"point junction ").count(), 1, "{picture}");
    assert_eq!(picture.matches(">match amount</text>").count(), 1, "{picture}");
    show("nested.svg", &picture);
}

fn waiting() -> Highlight {
    Highlight { nodes: vec![7], ..Highlight::default() }
}

#[test]
fn the_mermaid_diagram_is_complete() {
    let expected = r##"flowchart TD
    start([start])
    n0["sort"]
    n1["find_order"]
    n2["ask_warehouse"]
    n3["ask_carrier"]
    n4["draft"]
    n5[["file"]]
    n6["proofread"]
    n7{{"send<br/><small>signed by clerk</small>"}}:::review
    finish([end])
    start --> n0
    n0 -- "Kind::Question" --> n1
    n1 ==> n2
    n1 ==> n3
    n2 --> n4
    n3 --> n4
    n0 -- "Kind::Advert | Kind::Bill { sum: #quot;#lt;0#quot; }" --> n5
    n5 --> finish
    n4 --> n6
    n6 -- "Check::TooLong" --> n4
    n6 -- "Check::Good" --> n7
    n7 --> finish
    n7 -. "reject" .-> n5
    n7 -. "ask" .-> n4
    classDef review fill:#fef3c7,stroke:#d97706,color:#78350f
    classDef here fill:#f59e0b,stroke:#92400e,color:#000000,stroke-width:3px
    class n7 here
"##;
    assert_eq!(mermaid(&MAILROOM, &waiting()), expected);
}

#[test]
fn the_picture_contains_every_node_and_case() {
    let picture = svg(&MAILROOM, &waiting());
    for node in MAILROOM.nodes {
        assert_eq!(picture.matches(&format!(">{}</text>", node.name)).count(), 1, "{}", node.name);
    }
    for words in [
        ">Kind::Question</text>",
        "<title>Kind::Advert | Kind::Bill { sum: &quot;&lt;0&quot; }</title>",
        ">reject</text>",
        ">ask</text>",
        ">answer signed by clerk</text>",
    ] {
        assert_eq!(picture.matches(words).count(), 1, "{words}");
    }
    assert_eq!(picture.matches("here-glow\" x").count(), 1);
    assert_eq!(picture.matches("<line class=\"bar\"").count(), 2, "the fork and its join");
    assert_eq!(picture.matches("class=\"edge").count(), MAILROOM.edges.len());
    show("mailroom.svg", &picture);
}

#[test]
fn failed_and_ended_threads_have_their_own_style() {
    let trouble = Highlight { nodes: vec![5], end: false, trouble: true };
    assert!(svg(&MAILROOM, &trouble).contains("\"node effect trouble\""));
    assert!(mermaid(&MAILROOM, &trouble).contains("class n5 here"));
    let ended = Highlight { end: true, ..Highlight::default() };
    assert!(svg(&MAILROOM, &ended).contains("\"point done\""));
    assert!(mermaid(&MAILROOM, &ended).contains("class finish here"));
}

#[test]
fn the_effects_that_a_review_covers_are_drawn() {
    let covering = InterruptSpec { covers: &["pay", "wire", "file"], ..REVIEW };
    let nodes = |interrupt| {
        let pay = NodeSpec { effect: true, interrupt: Some(interrupt), ..node("pay") };
        vec![pay, NodeSpec { effect: true, ..node("wire") }, NodeSpec { effect: true, ..node("file") }].leak()
    };
    let drawn = |interrupt| {
        let (edges, forks, routes) = (&[][..], &[][..], &[][..]);
        let spec = GraphSpec { nodes: nodes(interrupt), edges, forks, routes, ..MAILROOM };
        (mermaid(&spec, &Highlight::default()), svg(&spec, &Highlight::default()))
    };
    let (mermaid, svg) = drawn(covering);
    assert!(mermaid.contains("<small>signed by clerk, also for wire, file</small>"), "{mermaid}");
    assert!(svg.contains(">answer signed by clerk, also for wire, file</text>"), "{svg}");
    let (mermaid, svg) = drawn(InterruptSpec { role: None, ..covering });
    assert!(mermaid.contains("<small>signed, also for wire, file</small>"), "{mermaid}");
    assert!(svg.contains(">answer signed, also for wire, file</text>"), "{svg}");
    // A review that covers only its own node has no "also for".
    let (mermaid, svg) = drawn(InterruptSpec { covers: &["pay"], ..REVIEW });
    assert!(!mermaid.contains("also for") && !svg.contains("also for"), "{mermaid}");
}
