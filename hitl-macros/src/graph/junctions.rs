//! Points and edges that a statement does not name: a junction, where a `match`, a `for` or a fork does not follow a node,
//! and `continue`, which leads to the join around it.

use proc_macro2::{Ident, Span};

use super::{
    bindings,
    lower::{Tail, leftmost_name},
    model::{Edge, Fork, Kind, Model, Node, Point},
    parse::{Arm, Step},
    regions,
};
use crate::{
    diagnostics::{Errors, on_line},
    names,
};

/// The beginning of the name of a junction at which no lane ever stands: an arm begins there with another `match`.
const IN_ARM: &str = "arm:";

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
                let mut name = junction_name(step);
                if let (Tail::At(_, Kind::Case { .. }), Step::Match(_)) = (tail, step) {
                    name.insert_str(0, IN_ARM);
                }
                Some(self.add_junction(tail, &name, step.span(), branch, errors))
            }
            Tail::Done => None,
        }
    }

    /// Adds a junction at the end of a chain. A journal keeps its name if a lane stands there, so two junctions of one
    /// name are an error, except if no lane ever stands there.
    fn add_junction(
        &mut self,
        tail: Tail,
        name: &str,
        span: Span,
        branch: Option<(usize, usize)>,
        errors: &mut Errors,
    ) -> Point {
        let number = self.nodes.len();
        let earlier = *self.numbers.entry(name.to_owned()).or_insert(number);
        if earlier != number && !name.starts_with(IN_ARM) {
            let line = on_line(self.nodes[earlier].span());
            errors.at(
                span,
                format!("two places without a node, this one and the one{line}, would have the name `{name}` in a journal: put a node before one of them"),
            );
        }
        self.nodes.push(Node { junction: Some(span), ..Node::new(name.to_owned()) });
        self.add_written(number, branch);
        self.add_edges(tail, Point::Node(number), span, errors);
        Point::Node(number)
    }

    /// Adds the node of an arm that binds fields. `from` is the point before the `match`.
    pub(super) fn add_binding(
        &mut self,
        (from, kind): (Point, Kind),
        field: &Ident,
        arm: &Arm,
        branch: Option<(usize, usize)>,
        errors: &mut Errors,
    ) -> usize {
        let before = match from {
            Point::Node(node) => &self.nodes[node].name,
            Point::Start | Point::End => "start",
        };
        let name = bindings::node_name(before, field, arm);
        let span = arm.names.bound.first().map_or_else(Span::call_site, Ident::span);
        let number = self.nodes.len();
        if let Some(earlier) = self.numbers.insert(name.clone(), number) {
            let line = on_line(self.nodes[earlier].span());
            errors.at(
                span,
                format!("this arm and the one{line} bind the same fields of the same variant, and would have the name `{name}` in a journal: write one arm, and choose after it, or put a node before one of the `match`es"),
            );
        }
        let label = Some(names::text(&arm.pattern));
        self.nodes.push(Node { junction: Some(span), label, ..Node::new(name) });
        self.add_written(number, branch);
        self.add_edges(Tail::At(from, kind), Point::Node(number), span, errors);
        number
    }

    /// Adds the junction where a fork joins that ends a branch.
    pub(super) fn add_join(
        &mut self,
        fork: usize,
        branch: Option<(usize, usize)>,
        errors: &mut Errors,
    ) -> Point {
        let Fork { span, branches, .. } = &self.forks[fork];
        let heads = branches.iter().filter_map(|branch| self.nodes.get(*branch.written.first()?));
        let heads: Vec<&str> = heads.map(|node| node.name.as_str()).collect();
        let (name, span) = (format!("join:{}", heads.join("+")), *span);
        self.add_junction(Tail::Fork(fork), &name, span, branch, errors)
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
            Tail::Fork(inner) => (self.add_join(inner, branch, errors), Kind::Next),
            Tail::Done => return,
        };
        if kind == Kind::Next {
            self.set_exit(from, kind, None, span, errors);
        }
        self.continues.push((from, kind, span));
    }

    /// Turns each `continue` into an edge. An edge to the join of an inner fork may be the only way to a later
    /// `continue` in the outer one, so this repeats as long as it finds another edge.
    pub(super) fn resolve_continues(&mut self, errors: &mut Errors) {
        while !self.continues.is_empty() {
            let leaving = self.outgoing_edges();
            let regions = regions::insides(self, &leaving);
            let mut rest = Vec::new();
            let mut found = Vec::new();
            for (from, kind, span) in std::mem::take(&mut self.continues) {
                let fork = match from {
                    Point::Node(node) => regions::innermost(&regions, node),
                    Point::Start | Point::End => None,
                };
                match fork {
                    Some(fork) => {
                        found.push(Edge { from, to: self.forks[fork].join, kind, joins: None, span });
                    }
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

/// Returns the name of the junction before a step: its word, its field, and the node that it leads to first. A `:` keeps
/// it apart from the name of a node, and from the text of a transition.
fn junction_name(step: &Step) -> String {
    match step {
        Step::Match(found) => {
            let field = leftmost_name(&found.scrutinee).map(|field| names::plain(&field));
            format!("match:{}:{}", field.unwrap_or_default(), first_node(step))
        }
        Step::Each(each) => format!("for:{}:{}", names::plain(&each.item), first_node(step)),
        _ => format!("fork:{}", first_node(step)),
    }
}

/// Returns the first node that a step leads to; of a fork, the first one of each branch.
fn first_node(step: &Step) -> String {
    let first = |chain: &[Step]| chain.first().map(first_node).unwrap_or_default();
    match step {
        Step::Match(found) => found.arms.first().map(|arm| first(&arm.chain)).unwrap_or_default(),
        Step::Each(each) => first(&each.body),
        Step::Fork(_, branches) => branches.iter().map(|branch| first(branch)).collect::<Vec<_>>().join("+"),
        Step::Node(path) => names::last(path).map(names::plain).unwrap_or_default(),
        Step::Start(word) | Step::End(word) => word.to_string(),
        Step::Continue(_) => "continue".to_owned(),
    }
}
