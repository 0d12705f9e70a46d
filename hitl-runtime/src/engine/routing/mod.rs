//! Routing: the next step of a lane in this program's graph.

pub(super) mod for_each;
pub(super) mod write_checks;

use crate::{
    graph::{EdgeKind, EdgeSpec, NodeSpec, Point},
    journal::{Runs, Transition},
    node::GraphTable,
    state::Slots,
    user_code::catch_panic,
};

/// Returns the step after the start. `runs` has the counts of the thread, which has run further if an edit leads back to
/// its start.
pub(super) fn after_start(
    graph: &'static GraphTable,
    fields: &Slots,
    runs: &Runs,
) -> Result<Transition, String> {
    after(graph, Point::Start, Point::Start, fields, runs)
}

/// Returns the next step of a lane after a node has run. `runs` has the counts of the lane, with this run.
pub(super) fn after_node(
    graph: &'static GraphTable,
    node: usize,
    fields: &Slots,
    runs: &Runs,
) -> Result<Transition, String> {
    after(graph, Point::Node(node), Point::Node(node), fields, runs)
}

/// Returns the step that a verdict leads to; `None` if the graph has no edge for it.
pub(super) fn after_verdict(
    graph: &'static GraphTable,
    node: usize,
    verdict: EdgeKind,
) -> Option<Transition> {
    let edge = graph.spec.edges.iter().find(|edge| edge.from == Point::Node(node) && edge.kind == verdict)?;
    Some(target(graph, edge))
}

/// Returns the step from a point, after `writer` has run: the node at the point, or one before the `match`es that lead
/// there.
fn after(
    graph: &'static GraphTable,
    from: Point,
    writer: Point,
    fields: &Slots,
    runs: &Runs,
) -> Result<Transition, String> {
    let mut edges = graph.spec.edges.iter().filter(|edge| edge.from == from && !edge.kind.leaves_review());
    let Some(first) = edges.next() else { return Err(format!("{} has no outgoing edge", name(graph, from))) };
    match first.kind {
        EdgeKind::Fork { fork, .. } => {
            let Some(spec) = graph.spec.forks.get(fork) else {
                return Err(format!("the graph has no fork {fork}"));
            };
            let join = point(graph, spec.join);
            if let Some(each) = &spec.each {
                return Ok(for_each::transition(graph, spec, each, point(graph, first.to), join));
            }
            // A fork's edges are listed in the order of its branches.
            let heads =
                std::iter::once(first).chain(edges).map(|edge| name(graph, edge.to).to_owned()).collect();
            Ok(Transition::Fork { heads, join: Box::new(join) })
        }
        EdgeKind::Case { route, .. } => {
            let field = || graph.spec.routes.get(route).map_or("?", |route| route.field);
            let place = || format!("match on `{}` after `{}`", field(), name(graph, from));
            let case = catch_panic(place, || (graph.route)(route, fields, runs))
                .map_err(|error| error.to_string())?;
            let case = case.map_err(|error| error.to_string())?;
            let Some(case) = case else {
                let field = field();
                return Err(format!("`{field}` is unwritten at the match after {}", name(graph, from)));
            };
            let mut cases = std::iter::once(first).chain(edges);
            let Some(edge) = cases.find(|edge| edge.kind == EdgeKind::Case { route, case }) else {
                return Err(format!("the match after {} has no case {case}", name(graph, from)));
            };
            if is_inner_match(graph, edge) {
                return after(graph, edge.to, writer, fields, runs);
            }
            // The list of a `for` that the arm begins with, while the node that wrote it can still fail.
            if is_junction(graph, edge.to) {
                for_each::fits(graph, edge.to, fields, |_| None).map_err(|error| error.to_string())?;
            }
            if writes(graph, writer, field()) {
                check_binding(graph, edge.to, fields, runs)?;
            }
            Ok(target(graph, edge))
        }
        _ => Ok(target(graph, first)),
    }
}

/// Returns whether an arm of a `match` begins with another `match`. The second is evaluated with the first, so that a
/// lane never stands at the junction between them. A `for` or a fork in an arm is entered from its junction.
fn is_inner_match(graph: &'static GraphTable, arm: &EdgeSpec) -> bool {
    arm.joins.is_none()
        && is_junction(graph, arm.to)
        && graph.spec.routes.iter().any(|route| route.from == arm.to)
}

/// Returns whether a point is a junction at which nothing is bound.
fn is_junction(graph: &'static GraphTable, point: Point) -> bool {
    let is_empty = |node: &NodeSpec| node.junction && !node.is_binding();
    matches!(point, Point::Node(node) if graph.spec.nodes.get(node).is_some_and(is_empty))
}

/// Returns whether a node writes a field, or the caller as an input.
fn writes(graph: &'static GraphTable, point: Point, field: &str) -> bool {
    match point {
        Point::Start => true,
        Point::Node(node) => graph.spec.nodes.get(node).is_some_and(|node| node.writes.contains(&field)),
        Point::End => false,
    }
}

/// Checks what the chosen arm binds, and the step after it, while the node that wrote the value can still fail.
fn check_binding(
    graph: &'static GraphTable,
    point: Point,
    fields: &Slots,
    runs: &Runs,
) -> Result<(), String> {
    let Point::Node(node) = point else { return Ok(()) };
    let Some((name, bind)) = graph.nodes.get(node).and_then(|entry| Some((entry.spec.name, entry.bind?)))
    else {
        return Ok(());
    };
    let writes = catch_panic(|| format!("`{name}`"), || bind(fields)).map_err(|error| error.to_string())?;
    let mut bound = fields.clone();
    for (field, json) in writes.map_err(|error| error.to_string())?.0 {
        write_checks::check(graph, fields, field, json.get())?;
        bound.write(field, json.get()).map_err(|error| error.to_string())?;
    }
    for_each::fits(graph, point, &bound, |_| None).map_err(|error| error.to_string())?;
    after(graph, point, point, &bound, runs).map(drop)
}

fn target(graph: &'static GraphTable, edge: &EdgeSpec) -> Transition {
    if edge.joins.is_some() { Transition::Join } else { point(graph, edge.to) }
}

fn point(graph: &'static GraphTable, point: Point) -> Transition {
    match point {
        Point::Node(_) | Point::Start => Transition::Node(name(graph, point).to_owned()),
        Point::End => Transition::End,
    }
}

fn name(graph: &'static GraphTable, point: Point) -> &'static str {
    match point {
        Point::Start => "start",
        Point::End => "end",
        Point::Node(node) => graph.spec.nodes.get(node).map_or("?", |node| node.name),
    }
}
