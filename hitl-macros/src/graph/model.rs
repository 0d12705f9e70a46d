//! A graph as numbered nodes and edges, whatever form its statements have.

use std::collections::HashMap;

use proc_macro2::{Ident, Span};
use syn::Path;

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
    /// Past a `for`, where its list is empty.
    Empty {
        fork: usize,
    },
    Reject,
    Ask,
    Expire,
}

impl Kind {
    /// Whether a verdict takes it, or a deadline instead of one.
    pub(crate) fn is_verdict(self) -> bool {
        matches!(self, Self::Reject | Self::Ask | Self::Expire)
    }
}

pub(crate) struct Edge {
    pub(crate) from: Point,
    pub(crate) to: Point,
    pub(crate) kind: Kind,
    /// The fork and the branch that it ends. Set by [`regions`](super::regions).
    pub(crate) joins: Option<(usize, usize)>,
    /// The word that it leads to.
    pub(crate) span: Span,
}

pub(crate) struct Node<'a> {
    pub(crate) name: String,
    /// Every place that names it.
    pub(crate) mentions: Vec<&'a Path>,
}

impl Node<'_> {
    pub(crate) fn span(&self) -> Span {
        self.mentions.first().and_then(|path| names::last(path)).map_or_else(Span::call_site, Ident::span)
    }
}

pub(crate) struct Route<'a> {
    pub(crate) from: Point,
    /// The first word of what it looks at.
    pub(crate) field: Option<Ident>,
    pub(crate) source: &'a Match,
}

/// What runs side by side: branches, or one branch for each item of a list.
pub(crate) struct Fork<'a> {
    pub(crate) from: Point,
    pub(crate) join: Point,
    pub(crate) span: Span,
    /// Set for a `for`, which has one branch: its body.
    pub(crate) each: Option<&'a Each>,
    pub(crate) branches: Vec<Branch>,
}

impl Fork<'_> {
    /// What meets at its join, as messages say it.
    pub(crate) fn runners(&self) -> &'static str {
        if self.each.is_some() { "the items" } else { "the branches" }
    }
}

#[derive(Default)]
pub(crate) struct Branch {
    /// The nodes that stand in its parentheses; the first is where it begins.
    pub(crate) written: Vec<usize>,
    /// The node that leads to the join; none where a `match` does, by its arms.
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
    /// Old names of nodes, and the nodes.
    pub(crate) renamed: Vec<(&'a Ident, usize)>,
    pub(super) numbers: HashMap<String, usize>,
    /// How a point goes on, and where that is said: one way leaves a point.
    pub(super) ways: HashMap<Point, (Kind, Point, Span)>,
}

impl Model<'_> {
    /// The numbers of the edges that leave each node, and after those, of the edges that leave `start`.
    pub(crate) fn leaving(&self) -> Vec<Vec<usize>> {
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

    /// The node's name, or the word for the point.
    pub(crate) fn word(&self, point: Point) -> &str {
        match point {
            Point::Start => "start",
            Point::End => "end",
            Point::Node(node) => self.nodes.get(node).map_or("?", |node| &node.name),
        }
    }

    /// Where what runs in a fork runs, as messages say it.
    pub(crate) fn inside(&self, fork: &Fork<'_>) -> String {
        let what = if fork.each.is_some() { "the `for`" } else { "a branch" };
        format!("{what} after `{}`", self.word(fork.from))
    }
}
