//! A `for` in progress: its form in the journal, the limit on its list, and the limit on the items that run
//! concurrently.

use serde::de::IgnoredAny;

use crate::{
    graph::{EachSpec, ForkSpec, MAX_ITEMS, NodeSpec, Point},
    journal::{Each, Transition},
    node::GraphTable,
    state::{FieldError, Slots},
};

/// Returns the `for` of a fork in the form that the journal stores.
pub(in crate::engine) fn transition(
    graph: &'static GraphTable,
    fork: &ForkSpec,
    each: &EachSpec,
    head: Transition,
    join: Transition,
) -> Transition {
    let lists = graph.state.spec.fields.iter().filter(|field| field.appends);
    let writes = |field: &str| nodes(graph, fork).any(|node| node.writes.contains(&field));
    Transition::Each(Box::new(Each {
        item: each.item.to_owned(),
        list: each.list.to_owned(),
        keeps_list: reads_list(graph, fork, each),
        at_most: each.at_most,
        head: head.to_string(),
        into: lists.filter(|field| writes(field.name)).map(|field| field.name.to_owned()).collect(),
        join,
    }))
}

/// Returns the nodes that run in a fork.
fn nodes(graph: &'static GraphTable, fork: &ForkSpec) -> impl Iterator<Item = &'static NodeSpec> {
    fork.branches.iter().flat_map(|branch| branch.nodes).filter_map(|&node| graph.spec.nodes.get(node))
}

fn holds(fork: &ForkSpec, point: Point) -> bool {
    let Point::Node(node) = point else { return false };
    fork.branches.iter().any(|branch| branch.nodes.contains(&node))
}

/// Returns whether a node, a review, a `match` or a `for` inside the fork reads the whole list.
fn reads_list(graph: &'static GraphTable, fork: &ForkSpec, each: &EachSpec) -> bool {
    let mut routes = graph.spec.routes.iter().filter(|route| holds(fork, route.from));
    let inner = graph.spec.forks.iter().filter(|inner| holds(fork, inner.from));
    let reads = |node: &NodeSpec| {
        node.reads.iter().any(|read| read.field == each.list)
            || node.interrupt.is_some_and(|review| review.shows.contains(&each.list))
    };
    nodes(graph, fork).any(reads)
        || routes.any(|route| route.field == each.list)
        || inner.filter_map(|inner| inner.each).any(|inner| inner.list == each.list)
}

/// Rejects a write that would lead more than [`MAX_ITEMS`] items into a `for`. Called before the write is recorded,
/// since the thread leaves the point with it.
pub(in crate::engine) fn fits<'a>(
    graph: &'static GraphTable,
    point: Point,
    fields: &Slots,
    wrote: impl Fn(&str) -> Option<&'a str>,
) -> Result<(), FieldError> {
    let each = graph.spec.forks.iter().find(|fork| fork.from == point).and_then(|fork| fork.each);
    let Some(EachSpec { list, .. }) = each else { return Ok(()) };
    let items = items(graph, list, fields, wrote(list))?;
    if items > MAX_ITEMS {
        let problem = format!(
            "it has {items} items, but a `for` accepts at most {MAX_ITEMS}; write fewer, or split the list"
        );
        return Err(FieldError::value(list, problem));
    }
    Ok(())
}

/// Returns the length of a list after a write to it.
fn items(
    graph: &'static GraphTable,
    list: &str,
    fields: &Slots,
    wrote: Option<&str>,
) -> Result<usize, FieldError> {
    let mut whole = Slots::empty(graph.state);
    if let Some(json) = fields.read(list)? {
        whole.replace(list, json)?;
    }
    if let Some(json) = wrote {
        whole.write(list, json)?;
    }
    let Some(json) = whole.read(list)? else { return Ok(0) };
    let items: Vec<IgnoredAny> = serde_json::from_str(json).map_err(|e| FieldError::value(list, e))?;
    Ok(items.len())
}
