//! Points and edges that a statement does not name: a junction, where a `match`, a `for` or a fork does not follow a node,
//! and `continue`, which leads to the join around it.

use proc_macro2::Span;

use super::{
    lower::{Tail, leftmost_name},
    model::{Edge, Kind, Model, Node, Point},
    parse::Step,
    regions,
};
use crate::{diagnostics::Errors, names};

impl Model<'_> {
    /// Returns the point before a fork, a `for` or a `match`: the node before it, or else a junction. Reports an error
    /// after a verdict, whose payload a junction would not pass on.
    pub(super) fn point_before(
        &mut self,
        tail: Tail,
        step: &Step,
        branch: Option<(usize, usize)>,
        errors: &mut Errors,
    ) -> Option<Point> {
        match tail {
            Tail::At(point, Kind::Next) => Some(point),
            Tail::At(_, kind) if kind.is_verdict() => {
                let what = match step {
                    Step::Match(_) => "a `match`",
                    Step::Each(_) => "a `for`",
                    _ => "a fork",
                };
                errors.at(
                    step.span(),
                    format!("{what} cannot follow a verdict directly: begin the edge with a node"),
                );
                None
            }
            Tail::At(..) | Tail::Fork(_) => {
                Some(self.add_junction(tail, &junction_name(step), step.span(), branch, errors))
            }
            Tail::Done => None,
        }
    }

    /// Adds a junction at the end of a chain.
    pub(super) fn add_junction(
        &mut self,
        tail: Tail,
        name: &str,
        span: Span,
        branch: Option<(usize, usize)>,
        errors: &mut Errors,
    ) -> Point {
        // Nodes have no spaces in their names, so only another junction can have this one.
        let others = self.nodes.iter().filter(|node| node.junction.is_some() && node.mentions.is_empty());
        let same =
            others.filter(|node| node.name == name || node.name.starts_with(&format!("{name} #"))).count();
        let name = if same == 0 { name.to_owned() } else { format!("{name} #{}", same + 1) };
        let number = self.nodes.len();
        self.nodes.push(Node { name, mentions: Vec::new(), junction: Some(span) });
        self.add_written(number, branch);
        self.add_edges(tail, Point::Node(number), span, errors);
        Point::Node(number)
    }

    /// Returns the name of the junction where an inner fork joins at the end of a branch.
    pub(super) fn join_name(&self, fork: usize) -> String {
        let fork = &self.forks[fork];
        match fork.each {
            Some(each) => format!("join of each {}", names::plain(&each.item)),
            None => format!("join after {}", self.point_name(fork.from)),
        }
    }

    /// Records an edge to the join of the fork that the end of the chain runs in.
    pub(super) fn add_continue(
        &mut self,
        tail: Tail,
        span: Span,
        branch: Option<(usize, usize)>,
        errors: &mut Errors,
    ) {
        let (from, kind) = match tail {
            Tail::At(from, kind) => (from, kind),
            Tail::Fork(inner) => {
                let (name, span) = (self.join_name(inner), self.forks[inner].span);
                (self.add_junction(tail, &name, span, branch, errors), Kind::Next)
            }
            Tail::Done => return,
        };
        if kind == Kind::Next {
            self.set_exit(from, kind, Point::End, span, errors);
        }
        self.continues.push((from, kind, span));
    }

    /// Turns each `continue` into an edge. An edge to the join of an inner fork may be the only way to a later
    /// `continue` in the outer one, so this repeats as long as it finds another edge.
    pub(super) fn resolve_continues(&mut self, errors: &mut Errors) {
        loop {
            let leaving = self.outgoing_edges();
            let mut rest = Vec::new();
            let mut found = Vec::new();
            for (from, kind, span) in std::mem::take(&mut self.continues) {
                let fork = match from {
                    Point::Node(node) => regions::innermost(self, &leaving, node),
                    Point::Start | Point::End => None,
                };
                match fork {
                    Some(fork) => found.push(Edge { from, to: fork.join, kind, joins: None, span }),
                    None => rest.push((from, kind, span)),
                }
            }
            if found.is_empty() {
                for (from, _, span) in rest {
                    let from = self.point_name(from);
                    errors.at(
                        span,
                        format!("`continue` ends a branch or an item of a `for`, but `{from}` runs in neither: name the node that runs next, or write `end`"),
                    );
                }
                return;
            }
            self.edges.extend(found);
            self.continues = rest;
        }
    }
}

/// Returns the name of the junction before a step.
fn junction_name(step: &Step) -> String {
    match step {
        Step::Match(found) => {
            let field = leftmost_name(&found.scrutinee).map(|field| names::plain(&field));
            format!("match {}", field.unwrap_or_default())
        }
        Step::Each(each) => format!("for {}", names::plain(&each.item)),
        Step::Fork(_, branches) => {
            let first = branches.first().and_then(|branch| branch.first()).map(junction_name);
            format!("fork into {}", first.unwrap_or_default())
        }
        Step::Node(path) => names::last(path).map(names::plain).unwrap_or_default(),
        Step::Start(word) | Step::End(word) => word.to_string(),
        Step::Continue(_) => "continue".to_owned(),
    }
}
