//! Reachability: `start` reaches every node, and every node reaches `end`.

use super::{
    model::{Kind, Model, Point},
    regions,
};
use crate::diagnostics::Errors;

/// Reports nodes that no path from `start` reaches, and nodes from which no path reaches `end`.
pub(crate) fn reachability(model: &Model<'_>, errors: &mut Errors) {
    if !model.edges.iter().any(|edge| edge.from == Point::Start) {
        return errors.at(
            model.nodes.first().map_or_else(proc_macro2::Span::call_site, super::model::Node::span),
            "the graph has no edge from `start`: write `start -> node`",
        );
    }
    let leads_on = Successors::forward(model);
    let leads_back = Successors::backward(model);
    report_unreachable(model, &leads_on, &leads_back, errors);
    report_dead_ends(model, &leads_on, &leads_back, errors);
}

fn report_unreachable(model: &Model<'_>, on: &Successors, back: &Successors, errors: &mut Errors) {
    let mut known = on.from(Point::Start);
    // Where the arm that led to the node was removed, rustc does not get to report the pattern.
    let choice =
        model.routes.iter().find(|route| !route.has_wildcard()).and_then(|route| route.field.as_ref());
    let arm = choice.map(|field| format!(" or an arm of `match {field}`")).unwrap_or_default();
    // Nodes without any incoming edge are reported first: the nodes after them are unreachable for the same reason.
    for alone in [true, false] {
        for (node, found) in model.nodes.iter().enumerate() {
            if known[node] || (alone && back.next(node).iter().any(|&from| from != node)) {
                continue;
            }
            errors.at(
                found.span(),
                format!(
                    "no path leads from `start` to `{name}`: add an edge `… -> {name}`{arm}, or remove `{name}` from the graph",
                    name = found.name
                ),
            );
            mark(&mut known, &on.from(Point::Node(node)));
        }
    }
}

fn report_dead_ends(model: &Model<'_>, on: &Successors, back: &Successors, errors: &mut Errors) {
    let leaving = model.outgoing_edges();
    // Unreachable nodes have been reported already.
    let mut known = back.from(Point::End);
    known.iter_mut().zip(on.from(Point::Start)).for_each(|(known, reached)| *known |= !reached);
    // The edge of a verdict does not count once the draft is signed: without another edge, the node would run and be
    // stuck.
    for (index, node) in model.nodes.iter().enumerate() {
        let mut ways = model.edges.iter().filter(|edge| edge.from == Point::Node(index)).peekable();
        if ways.peek().is_some() && ways.all(|edge| edge.kind.is_verdict()) {
            let name = &node.name;
            errors.at(
                node.span(),
                format!(
                    "`{name}` has no edge to follow after an approval: {}",
                    missing_edge(model, &leaving, index)
                ),
            );
            mark(&mut known, &back.from(Point::Node(index)));
        }
    }
    for (node, found) in model.nodes.iter().enumerate() {
        if known[node] || !leaving[node].is_empty() {
            continue;
        }
        let fix = missing_edge(model, &leaving, node);
        errors.at(found.span(), format!("`{}` has no outgoing edge: {fix}", found.name));
        mark(&mut known, &back.from(Point::Node(node)));
    }
    for node in 0..model.nodes.len() {
        if known[node] {
            continue;
        }
        let cycle = cycle(on, node);
        let words: Vec<_> = cycle.iter().map(|&node| model.nodes[node].name.as_str()).collect();
        let first = &model.nodes[cycle.first().copied().unwrap_or(node)];
        let insides = regions::insides(model, &leaving);
        let fork = cycle.first().and_then(|&node| regions::innermost(&insides, node));
        let exit = match fork.map(|fork| &model.forks[fork]) {
            Some(fork) => format!("`{}`, where {} join", model.join_word(fork), fork.parts()),
            None => "`end`".to_owned(),
        };
        errors.at(
            first.span(),
            format!(
                "no path leads from `{}` to `end`: `{}` is a cycle; lead one of its nodes on to {exit}",
                first.name,
                words.join(" -> ")
            ),
        );
        mark(&mut known, &on.from(Point::Node(node)));
        mark(&mut known, &back.from(Point::Node(node)));
    }
}

/// Returns the fix for a node without an edge to follow. Inside of a fork it can lead only to its join or to another
/// node of the branch, so the fix names the join.
fn missing_edge(model: &Model<'_>, leaving: &[Vec<usize>], node: usize) -> String {
    let name = &model.nodes[node].name;
    let fork = regions::innermost(&regions::insides(model, leaving), node);
    let Some(fork) = fork.map(|fork| &model.forks[fork]) else {
        return format!("write `{name} -> …;`, or `{name} -> end;`");
    };
    let arm =
        model.edges.iter().any(|edge| edge.to == Point::Node(node) && matches!(edge.kind, Kind::Case { .. }));
    let why = if arm { "; an arm of a `match` does not lead there by itself" } else { "" };
    format!(
        "it runs in {}, so write `{name} -> {};`, where {} join{why}",
        model.inside(fork),
        model.join_word(fork),
        fork.parts()
    )
}

/// Returns the cycle that a node without a path to `end` runs into: `a`, `b`, `a`.
fn cycle(on: &Successors, start: usize) -> Vec<usize> {
    let (mut path, mut at) = (vec![start], start);
    while let Some(&next) = on.next(at).first() {
        let again = path.iter().position(|&seen| seen == next);
        path.push(next);
        if let Some(first) = again {
            path.drain(..first);
            break;
        }
        at = next;
    }
    path
}

fn mark(known: &mut [bool], more: &[bool]) {
    known.iter_mut().zip(more).for_each(|(known, more)| *known |= more);
}

/// The successors of each node, following the edges in one direction.
struct Successors {
    nodes: Vec<Vec<usize>>,
    /// The successors of `start`, or of `end` in the backward direction.
    outer: Vec<usize>,
}

impl Successors {
    fn forward(model: &Model<'_>) -> Self {
        Self::new(model, |edge| (edge.from, edge.to))
    }

    fn backward(model: &Model<'_>) -> Self {
        Self::new(model, |edge| (edge.to, edge.from))
    }

    fn new(model: &Model<'_>, ends: impl Fn(&super::model::Edge) -> (Point, Point)) -> Self {
        let mut successors = Self { nodes: vec![Vec::new(); model.nodes.len()], outer: Vec::new() };
        for edge in &model.edges {
            match ends(edge) {
                (Point::Node(from), Point::Node(to)) => successors.nodes[from].push(to),
                (Point::Node(_), _) => {}
                (_, Point::Node(to)) => successors.outer.push(to),
                _ => {}
            }
        }
        successors
    }

    /// Returns the successors of a node. `start` and `end` are not included: a node that leads only to `end` has none.
    fn next(&self, node: usize) -> &[usize] {
        &self.nodes[node]
    }

    /// Returns every node that is reachable from a point, including the point itself.
    fn from(&self, point: Point) -> Vec<bool> {
        let mut seen = vec![false; self.nodes.len()];
        let mut open = match point {
            Point::Node(node) => vec![node],
            _ => self.outer.clone(),
        };
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                open.extend(&self.nodes[node]);
            }
        }
        seen
    }
}
