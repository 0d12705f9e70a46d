//! A graph as numbered nodes and edges, independent of the form of its statements.

use std::collections::HashMap;

use proc_macro2::{Ident, Span};
use syn::{Pat, Path};

use super::parse::{Each, Match};
use crate::names;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Point {
    Start,
    Node(usize),
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Next,
    Case {
        route: usize,
        case: usize,
    },
    Fork {
        fork: usize,
        branch: usize,
    },
    /// The edge past a `for` whose list is empty.
    Empty {
        fork: usize,
    },
    Reject,
    Ask,
    Expire,
}

impl Kind {
    /// Returns whether a verdict follows the edge, or a deadline that passes without one.
    pub(crate) fn is_verdict(self) -> bool {
        matches!(self, Self::Reject | Self::Ask | Self::Expire)
    }
}

pub(crate) struct Edge {
    pub(crate) from: Point,
    pub(crate) to: Point,
    pub(crate) kind: Kind,
    /// The fork and the branch that the edge ends. Set by [`regions`](super::regions).
    pub(crate) joins: Option<(usize, usize)>,
    /// The span of the word that the edge leads to.
    pub(crate) span: Span,
}

pub(crate) struct Node<'a> {
    pub(crate) name: String,
    /// Every path that refers to it, in order. A junction has none.
    pub(crate) mentions: Vec<&'a Path>,
    /// `true` if a guard counts its runs.
    pub(crate) counted: bool,
    /// Set for a junction: the span of the `match`, the `for` or the fork after it.
    pub(crate) junction: Option<Span>,
    /// Set for the node of an arm that binds fields: the numbers of its `match` and of the arm. It counts as a
    /// junction.
    pub(crate) arm: Option<(usize, usize)>,
    /// The pattern of that arm, for messages.
    pub(crate) label: Option<String>,
}

impl Node<'_> {
    pub(super) fn new(name: String) -> Self {
        Self { name, mentions: Vec::new(), counted: false, junction: None, arm: None, label: None }
    }

    pub(crate) fn span(&self) -> Span {
        let mention = self.mentions.first().and_then(|path| names::last(path)).map(Ident::span);
        self.junction.or(mention).unwrap_or_else(Span::call_site)
    }
}

pub(crate) struct Route<'a> {
    pub(crate) from: Point,
    /// The field that it reads: the first name in its expression.
    pub(crate) field: Option<Ident>,
    pub(crate) source: &'a Match,
}

impl<'a> Route<'a> {
    /// Returns whether an arm takes every value that is left: `_ => …`.
    pub(super) fn has_wildcard(&self) -> bool {
        let mut arms = self.source.arms.iter();
        arms.any(|arm| arm.guard.is_none() && matches!(arm.pattern, Pat::Wild(_)))
    }

    /// Returns the nodes whose runs its guards count, each with the point before the `match`.
    pub(super) fn counted(&self) -> impl Iterator<Item = (Point, &'a Path)> {
        let guards = self.source.arms.iter().filter_map(|arm| arm.guard.as_ref());
        let from = self.from;
        guards.flat_map(|guard| &guard.counted).map(move |node| (from, node))
    }
}

/// A fork: concurrent branches, or one branch for each item of a list.
pub(crate) struct Fork<'a> {
    pub(crate) from: Point,
    pub(crate) join: Point,
    pub(crate) span: Span,
    /// Set for a `for`, which has one branch: its body.
    pub(crate) each: Option<&'a Each>,
    pub(crate) branches: Vec<Branch>,
}

impl Fork<'_> {
    /// Returns the name in messages for the parts that meet at the join.
    pub(crate) fn parts(&self) -> &'static str {
        if self.each.is_some() { "the items" } else { "the branches" }
    }
}

#[derive(Default)]
pub(crate) struct Branch {
    /// The nodes in its parentheses, or in the body of its `for`. The branch begins at the first.
    pub(crate) written: Vec<usize>,
    /// The node that leads to the join. `None` if the branch ends in a `match`, whose arms lead there.
    pub(crate) end: Option<usize>,
    /// Every node that runs in it. Set by [`regions`](super::regions).
    pub(crate) nodes: Vec<usize>,
}

pub(crate) struct Verdicts<'a> {
    pub(crate) node: usize,
    pub(crate) mention: &'a Path,
    pub(crate) asks: bool,
}

/// The whole graph.
#[derive(Default)]
pub(crate) struct Model<'a> {
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) routes: Vec<Route<'a>>,
    pub(crate) forks: Vec<Fork<'a>>,
    pub(crate) verdicts: Vec<Verdicts<'a>>,
    /// The old names of nodes, each with the number of the node.
    pub(crate) renamed: Vec<(&'a Ident, usize)>,
    /// The nodes whose runs a guard counts, each with the point before its `match` and the span of the name.
    pub(crate) counts: Vec<(usize, Point, Span)>,
    /// The points before each `continue`, with the kind of the edge and the span of the word. Lowering turns them into
    /// edges.
    pub(super) continues: Vec<(Point, Kind, Span)>,
    pub(super) numbers: HashMap<String, usize>,
    /// The exit of each point, with its span. A point has only one. The target of a `continue` is `None`.
    pub(super) exits: HashMap<Point, (Kind, Option<Point>, Span)>,
}

impl Model<'_> {
    /// Returns the numbers of the edges that leave each node, followed by those of the edges that leave `start`.
    pub(crate) fn outgoing_edges(&self) -> Vec<Vec<usize>> {
        let mut leaving = vec![Vec::new(); self.nodes.len() + 1];
        for (number, edge) in self.edges.iter().enumerate() {
            match edge.from {
                Point::Node(node) => leaving[node].push(number),
                Point::Start => leaving[self.nodes.len()].push(number),
                Point::End => {}
            }
        }
        leaving
    }

    /// Returns the name of a node for messages, or `start` or `end`.
    pub(crate) fn point_name(&self, point: Point) -> &str {
        match point {
            Point::Start => "start",
            Point::End => "end",
            Point::Node(node) => {
                self.nodes.get(node).map_or("?", |node| node.label.as_ref().unwrap_or(&node.name))
            }
        }
    }

    /// Returns the name in messages for the inside of a fork.
    pub(crate) fn inside(&self, fork: &Fork<'_>) -> String {
        match fork.each {
            Some(each) if self.is_junction(fork.from) => format!("the `for` over `{}`", each.list),
            Some(_) => format!("the `for` after `{}`", self.point_name(fork.from)),
            None => format!("a branch after `{}`", self.point_name(fork.from)),
        }
    }

    /// Returns the word that leads to the join of a fork: its name, or `continue` if it has none.
    pub(crate) fn join_word(&self, fork: &Fork<'_>) -> &str {
        if self.is_junction(fork.join) { "continue" } else { self.point_name(fork.join) }
    }

    /// Returns whether a point is a junction, which has no name that a statement could use.
    pub(crate) fn is_junction(&self, point: Point) -> bool {
        matches!(point, Point::Node(node) if self.nodes.get(node).is_some_and(|node| node.junction.is_some()))
    }
}
