//! A builder for the graphs of tests, from short texts.

use crate::graph::check::{Fault, fault_of_edge, fault_of_list, fault_of_node, fault_of_route};
use crate::graph::*;

/// The number of nodes in a sketch. Those that a test does not use are filled with unreachable nodes.
pub(super) const ROOM: usize = 40;

/// A graph under construction.
#[derive(Default)]
pub(super) struct Sketch {
    fields: Vec<FieldSpec>,
    nodes: Vec<NodeSpec>,
    edges: Vec<EdgeSpec>,
    routes: Vec<RouteSpec>,
    forks: Vec<Fork>,
}

/// The point before a fork, its join, its `for` if it is one, and the nodes of each branch.
type Fork = (Point, Point, Option<EachSpec>, Vec<Vec<usize>>);

/// A node with only a name.
pub(super) const BLANK: NodeSpec = NodeSpec::BLANK;

impl Sketch {
    /// Creates a graph with these fields: `*message` is an input, `outcome!` is an output, `+score` has a reducer, and
    /// `&notes` is appended to.
    pub(super) fn new(fields: &str) -> Self {
        let fields = fields.split_whitespace().map(|word| FieldSpec {
            name: leak(word.trim_matches(|c| "*+&!".contains(c))),
            ty: "String",
            input: word.contains('*'),
            output: word.contains('!'),
            reduced: word.contains(['+', '&']),
            appends: word.contains('&'),
        });
        Self { fields: fields.collect(), ..Self::default() }
    }

    /// Sets the type of the last field.
    pub(super) fn ty(mut self, ty: &'static str) -> Self {
        self.fields.last_mut().unwrap().ty = ty;
        self
    }

    /// Adds a node: `execute(plan, ?notes, ^draft, rejection?, question) writes outcome, log; effect, reviews draft`.
    ///
    /// `?` before a field reads it as optional, and `^` as approved; `?` after a payload takes it as optional. After
    /// `reviews`, the flags `covers hold wire`, `shows iban` and `unsigned message` may follow.
    pub(super) fn node(mut self, text: &str) -> Self {
        let (name, rest) = text.split_once('(').unwrap();
        let (parameters, rest) = rest.split_once(')').unwrap();
        let (writes, flags) = rest.split_once(';').unwrap_or((rest, ""));
        let mut node = NodeSpec { name: leak(name), ..BLANK };
        let mut reads = Vec::new();
        for parameter in list(parameters) {
            match parameter {
                "rejection" => node.rejection = Payload::Required,
                "rejection?" => node.rejection = Payload::Optional,
                "question" => node.question = Payload::Required,
                "question?" => node.question = Payload::Optional,
                field => reads.push(ReadSpec {
                    field: leak(field.trim_start_matches(['?', '^'])),
                    kind: match field.as_bytes()[0] {
                        b'?' => ReadKind::Optional,
                        b'^' => ReadKind::Approved,
                        _ => ReadKind::Required,
                    },
                }),
            }
        }
        node.reads = reads.leak();
        node.writes = list(writes.trim().trim_start_matches("writes")).map(leak).collect::<Vec<_>>().leak();
        for flag in list(flags) {
            match flag {
                "effect" => node.effect = true,
                "low risk" => node.low_risk = true,
                review => {
                    let (word, names) = review.split_once(' ').unwrap();
                    let names: &'static [&'static str] =
                        names.split_whitespace().map(leak).collect::<Vec<_>>().leak();
                    let interrupt = node.interrupt.get_or_insert(InterruptSpec::new(names[0]));
                    match word {
                        "reviews" => interrupt.edit = names.len() < 2,
                        "unedited" => interrupt.edit = false,
                        "covers" => interrupt.covers = names,
                        "shows" => interrupt.shows = names,
                        "unsigned" => interrupt.unsigned = names,
                        other => panic!("{other}"),
                    }
                }
            }
        }
        self.nodes.push(node);
        self
    }

    fn point(&self, name: &str) -> Point {
        match name.trim() {
            "start" => Point::Start,
            "end" => Point::End,
            name => Point::Node(self.nodes.iter().position(|node| node.name == name).expect(name)),
        }
    }

    fn edge(&mut self, from: Point, to: Point, kind: EdgeKind) {
        self.edges.push(EdgeSpec { from, to, kind, joins: None });
    }

    /// Adds plain edges: `start -> plan -> end`.
    pub(super) fn chain(mut self, chain: &str) -> Self {
        let points: Vec<_> = chain.split("->").map(|name| self.point(name)).collect();
        for pair in points.windows(2) {
            self.edge(pair[0], pair[1], EdgeKind::Next);
        }
        self
    }

    /// Adds verdict edges: `execute { reject -> cancel, ask -> draft }`.
    pub(super) fn verdicts(mut self, text: &str) -> Self {
        let (from, verdicts) = text.split_once('{').unwrap();
        let from = self.point(from);
        for verdict in list(verdicts.trim_end_matches('}')) {
            let (word, to) = verdict.split_once("->").unwrap();
            let kind = match word.trim() {
                "ask" => EdgeKind::Ask,
                "expire" => EdgeKind::Expire,
                _ => EdgeKind::Reject,
            };
            self.edge(from, self.point(to), kind);
        }
        self
    }

    /// Adds a `match`: `triage -> match risk { draft, reply }`.
    pub(super) fn choice(mut self, text: &str) -> Self {
        let (head, arms) = text.split_once('{').unwrap();
        let (from, field) = head.split_once("-> match").unwrap();
        let (from, route) = (self.point(from), self.routes.len());
        self.routes.push(RouteSpec { from, field: leak(field.trim()), cases: &[], guarded: &[] });
        for (case, to) in list(arms.trim_end_matches('}')).enumerate() {
            self.edge(from, self.point(to), EdgeKind::Case { route, case });
        }
        self
    }

    /// Adds a fork, each branch by its nodes, the head first: `draft -> (fraud, stock restock) -> execute`. The edges
    /// inside are added later, as is an inner fork.
    pub(super) fn fork(self, text: &str) -> Self {
        let (from, rest) = text.split_once("-> (").unwrap();
        let (branches, join) = rest.split_once(") ->").unwrap();
        let (from, join) = (self.point(from), self.point(join));
        self.add_branches(from, join, None, list(branches))
    }

    /// Adds a `for`, its body by its nodes, the head first: `plan -> for order in orders { look_up refund } -> report`.
    pub(super) fn each(mut self, text: &str) -> Self {
        let (from, rest) = text.split_once("-> for").unwrap();
        let (head, rest) = rest.split_once('{').unwrap();
        let (body, join) = rest.split_once("} ->").unwrap();
        let (item, list) = head.split_once(" in ").unwrap();
        let each = EachSpec { item: leak(item.trim()), list: leak(list.trim()), at_most: EachSpec::AT_MOST };
        let (from, join, fork) = (self.point(from), self.point(join), self.forks.len());
        self.edge(from, join, EdgeKind::Empty { fork });
        self.add_branches(from, join, Some(each), std::iter::once(body))
    }

    fn add_branches<'a>(
        mut self,
        from: Point,
        join: Point,
        each: Option<EachSpec>,
        branches: impl Iterator<Item = &'a str>,
    ) -> Self {
        let (fork, mut nodes) = (self.forks.len(), Vec::new());
        for (branch, names) in branches.enumerate() {
            let inside = names.split_whitespace().map(|name| match self.point(name) {
                Point::Node(node) => node,
                Point::Start | Point::End => panic!("{name} in a branch"),
            });
            let inside: Vec<_> = inside.collect();
            self.edge(from, Point::Node(inside[0]), EdgeKind::Fork { fork, branch });
            nodes.push(inside);
        }
        self.forks.push((from, join, each, nodes));
        self
    }

    /// Builds the graph.
    pub(super) fn done(mut self) -> GraphSpec {
        assert!(self.nodes.len() <= ROOM);
        self.nodes.resize(ROOM, NodeSpec { name: "nowhere", ..BLANK });
        for edge in &mut self.edges {
            let ends = |&fork: &usize| {
                let (_, join, _, branches) = &self.forks[fork];
                let Point::Node(from) = edge.from else { return None };
                let branch = branches.iter().position(|branch| branch.contains(&from))?;
                (*join == edge.to).then_some((fork, branch))
            };
            edge.joins = (0..self.forks.len()).rev().find_map(|fork| ends(&fork));
        }
        let forks = self.forks.into_iter().map(|(from, join, each, branches)| {
            let branches = branches.into_iter().map(|nodes| BranchSpec { nodes: nodes.leak() });
            ForkSpec { from, join, each, branches: branches.collect::<Vec<_>>().leak() }
        });
        GraphSpec {
            name: "Graph",
            docs: "",
            state: StateSpec { name: "State", version: 1, fields: self.fields.leak() },
            nodes: self.nodes.leak(),
            edges: self.edges.leak(),
            routes: self.routes.leak(),
            forks: forks.collect::<Vec<_>>().leak(),
            renamed: &[],
        }
    }

    /// Returns the message of every fault in the graph: of nodes first, then of edges, routes and lists.
    pub(super) fn faults(self) -> Vec<String> {
        let spec = self.done();
        let proof = prove::<ROOM>(&spec);
        let say = |fault: Fault| fault.message(&spec, &proof).as_str().to_owned();
        let nodes = (0..ROOM).filter_map(|node| fault_of_node(&spec, &proof, node));
        let edges = (0..spec.edges.len()).filter_map(|edge| fault_of_edge(&spec, &proof, edge));
        let routes = (0..spec.routes.len()).filter_map(|route| fault_of_route(&spec, &proof, route));
        let lists = (0..spec.forks.len()).filter_map(|fork| fault_of_list(&spec, &proof, fork));
        nodes.chain(edges).chain(routes).chain(lists).map(say).collect()
    }

    /// Asserts that the graph has no fault.
    #[track_caller]
    pub(super) fn sound(self) {
        assert_eq!(self.faults(), [""; 0]);
    }

    /// Asserts that the graph has these faults, and no others.
    #[track_caller]
    pub(super) fn refused<const M: usize>(self, messages: [&str; M]) {
        assert_eq!(self.faults(), messages);
    }
}

fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}
