//! Routing: the next step of a lane in this program's graph.

use super::{Graph, for_each, graph::NodeEntry};
use crate::state::{Slots, State};
use crate::{
    graph::{EdgeKind, EdgeSpec, Point},
    journal::Transition,
    user_code::catch_panic,
};

pub(crate) type Entry<G> = NodeEntry<<G as Graph>::State, <G as Graph>::Deps>;

/// Returns a node and its index, by its name.
pub(crate) fn node<G: Graph>(name: &str) -> Option<(usize, &'static Entry<G>)> {
    G::NODES.iter().enumerate().find(|(_, entry)| entry.spec.name == name)
}

/// Returns a node and its index by its name, or by a former name that old threads may use.
pub(crate) fn current<G: Graph>(name: &str) -> Option<(usize, &'static Entry<G>)> {
    node::<G>(name).or_else(|| {
        let (_, new) = G::SPEC.renamed.iter().find(|(old, _)| *old == name)?;
        node::<G>(new)
    })
}

/// Returns whether a node is declared idempotent: running it twice with one idempotency key has the same effect as
/// running it once.
pub(crate) fn is_idempotent<G: Graph>(name: &str) -> bool {
    current::<G>(name).is_some_and(|(_, entry)| entry.spec.idempotent)
}

/// Returns the first step of a thread.
pub(crate) fn after_start<G: Graph>(fields: &Slots) -> Result<Transition, String> {
    after::<G>(Point::Start, fields)
}

/// Returns the next step of a lane after a node has run.
pub(crate) fn after_node<G: Graph>(node: usize, fields: &Slots) -> Result<Transition, String> {
    after::<G>(Point::Node(node), fields)
}

/// Returns the step that a verdict leads to; `None` if the graph has no edge for it.
pub(crate) fn after_verdict<G: Graph>(node: usize, verdict: EdgeKind) -> Option<Transition> {
    let edge = G::SPEC.edges.iter().find(|edge| edge.from == Point::Node(node) && edge.kind == verdict)?;
    Some(target::<G>(edge))
}

fn after<G: Graph>(from: Point, fields: &Slots) -> Result<Transition, String> {
    let mut edges = G::SPEC.edges.iter().filter(|edge| edge.from == from && !edge.kind.leaves_review());
    let Some(first) = edges.next() else { return Err(format!("{} has no outgoing edge", name::<G>(from))) };
    match first.kind {
        EdgeKind::Fork { fork, .. } => {
            let Some(spec) = G::SPEC.forks.get(fork) else {
                return Err(format!("the graph has no fork {fork}"));
            };
            let join = point::<G>(spec.join);
            if let Some(each) = &spec.each {
                return Ok(for_each::transition::<G>(spec, each, point::<G>(first.to), join));
            }
            // A fork's edges are listed in the order of its branches.
            let heads =
                std::iter::once(first).chain(edges).map(|edge| name::<G>(edge.to).to_owned()).collect();
            Ok(Transition::Fork { heads, join: Box::new(join) })
        }
        EdgeKind::Case { route, .. } => {
            let field = || G::SPEC.routes.get(route).map_or("?", |route| route.field);
            let place = || format!("match on `{}` after `{}`", field(), name::<G>(from));
            let fields = G::State::view(fields).map_err(|e| e.to_string())?;
            let case =
                catch_panic(place, || G::route(route, &fields)).map_err(|broken| broken.to_string())?;
            let Some(case) = case else {
                let field = field();
                return Err(format!("`{field}` is unwritten at the match after {}", name::<G>(from)));
            };
            std::iter::once(first)
                .chain(edges)
                .find(|edge| edge.kind == EdgeKind::Case { route, case })
                .map(target::<G>)
                .ok_or_else(|| format!("the match after {} has no case {case}", name::<G>(from)))
        }
        _ => Ok(target::<G>(first)),
    }
}

fn target<G: Graph>(edge: &EdgeSpec) -> Transition {
    if edge.joins.is_some() { Transition::Join } else { point::<G>(edge.to) }
}

fn point<G: Graph>(point: Point) -> Transition {
    match point {
        Point::Node(_) | Point::Start => Transition::Node(name::<G>(point).to_owned()),
        Point::End => Transition::End,
    }
}

fn name<G: Graph>(point: Point) -> &'static str {
    match point {
        Point::Start => "start",
        Point::End => "end",
        Point::Node(node) => G::SPEC.nodes.get(node).map_or("?", |node| node.name),
    }
}
