//! The error message for a review that accepts an edit after which the path to it cannot be run again.

use crate::graph::check::{contains_name, field_number};
use crate::graph::const_string::{ConstString, str_eq};
use crate::graph::edit_analysis::{Dependent, Obstacle};
use crate::graph::{EdgeKind, GraphSpec, Point};

/// Returns the message for a review that accepts edits, with the obstacle and the fix.
pub(super) const fn uneditable(spec: &GraphSpec, node: usize, obstacle: Obstacle) -> ConstString {
    let name = spec.nodes[node].name;
    let field = match &spec.nodes[node].interrupt {
        Some(interrupt) => interrupt.field,
        None => "",
    };
    let mut text = ConstString::new(&["an edit of `", field, "` at the review before `", name, "` "]);
    match obstacle {
        Obstacle::Effect { effect, by } => {
            let effect = spec.nodes[effect].name;
            text.push_all(&["would rerun the path from where `", field, "` is written, because "]);
            depends(spec, by, &mut text);
            text.push_all(&[", and effect `", effect, "` on that path would run a second time: "]);
            no_edit(name, &mut text);
            text.push_all(&[", or move `", effect, "` off that path"]);
        }
        Obstacle::Reducer { node: writer, by } => {
            let (gathered, writer) = (reduced_by(spec, writer), spec.nodes[writer].name);
            text.push_all(&["would rerun the path from where `", field, "` is written, because "]);
            depends(spec, by, &mut text);
            text.push_all(&[
                ", and node `",
                writer,
                "` on that path would add to `",
                gathered,
                "` a second time: ",
            ]);
            no_edit(name, &mut text);
            text.push_all(&[", or remove the reducer of `", gathered, "`, or write it after the review"]);
        }
        Obstacle::StaleRead { node: reader, field: left, by } => {
            let (reader, left) = (spec.nodes[reader].name, spec.state.fields[left].name);
            text.push_all(&["would rerun the path from where `", field, "` is written, because "]);
            depends(spec, by, &mut text);
            text.push_all(&[", and node `", reader, "` would find `", left, "` as the first run left it: "]);
            no_edit(name, &mut text);
            text.push_all(&[
                ", or write `",
                left,
                "` on every path to `",
                reader,
                "` and read it without `Option`",
            ]);
        }
        Obstacle::Fork { by } => {
            text.push_all(&["would have to rerun the path from where `", field, "` is written, because "]);
            depends(spec, by, &mut text);
            text.push_all(&[
                ", but a fork begins or ends after that, and the other branches cannot be undone: ",
            ]);
            no_edit(name, &mut text);
            text.push_all(&[", or write and review `", field, "` in one branch"]);
        }
        Obstacle::SiblingField { by: Dependent::Route(route) } if looks_at(spec, route, field) => {
            let of = spec.routes[route].field;
            text.push_all(&["does not change `", of, "`, but the patterns, guards or methods of "]);
            dependent(spec, Dependent::Route(route), &mut text);
            text.push_all(&[
                " look at what `",
                field,
                "` is bound to, and so choose the path to the review: bind it in one arm and choose after it, `=> match ",
                field,
                " { … }`, or ",
            ]);
            no_edit(name, &mut text);
        }
        Obstacle::SiblingField { by } => {
            text.push_all(&["does not change ", sibling_phrase(spec, field), ", but "]);
            dependent(spec, by, &mut text);
            text.push_all(&[
                " reads one of them and so decides the path to the review: compute that value in a node that reads `",
            ]);
            text.push_all(&[field, "`, or "]);
            no_edit(name, &mut text);
        }
    }
    text
}

/// Returns the first field with a reducer that a node writes.
const fn reduced_by(spec: &GraphSpec, node: usize) -> &'static str {
    let (writes, mut write) = (spec.nodes[node].writes, 0);
    while write < writes.len() {
        if let Some(number) = field_number(spec, writes[write])
            && spec.state.fields[number].reduced
        {
            return writes[write];
        }
        write += 1;
    }
    ""
}

/// Returns whether an arm of a `match` binds a field to a part of the value that the `match` looks at.
const fn looks_at(spec: &GraphSpec, route: usize, field: &str) -> bool {
    let mut edge = 0;
    while edge < spec.edges.len() {
        if let (EdgeKind::Case { route: of, .. }, Point::Node(to)) =
            (spec.edges[edge].kind, spec.edges[edge].to)
            && of == route
            && spec.nodes[to].inspected
            && contains_name(spec.nodes[to].writes, field)
        {
            return true;
        }
        edge += 1;
    }
    false
}

/// Returns a phrase for the fields that an edit of a field leaves unchanged although they were set together with it.
const fn sibling_phrase(spec: &GraphSpec, field: &str) -> &'static str {
    let mut fork = 0;
    while fork < spec.forks.len() {
        if let Some(each) = &spec.forks[fork].each
            && str_eq(each.item, field)
        {
            return "the values that were written together with its list or computed from them";
        }
        fork += 1;
    }
    let mut node = 0;
    while node < spec.nodes.len() {
        if spec.nodes[node].is_binding() && contains_name(spec.nodes[node].writes, field) {
            return "the value that it is bound to a part of, nor what was written together with that or computed from it";
        }
        node += 1;
    }
    match field_number(spec, field) {
        Some(number) if spec.state.fields[number].input => "the other inputs",
        _ => "the values that were written together with it",
    }
}

const fn no_edit(node: &str, text: &mut ConstString) {
    text.push_all(&[
        "write `#[interrupt_before(edit = false)]` on `",
        node,
        "`, whose review then accepts no edit",
    ]);
}

/// Appends a clause that states the dependency on a field.
const fn depends(spec: &GraphSpec, by: Dependent, text: &mut ConstString) {
    dependent(spec, by, text);
    text.push_all(&[" depends on it"]);
}

/// Appends the name of the code that depends on a field.
const fn dependent(spec: &GraphSpec, by: Dependent, text: &mut ConstString) {
    match by {
        Dependent::Node(node) => text.push_all(&["node `", spec.nodes[node].name, "`"]),
        Dependent::Route(route) => {
            let route = &spec.routes[route];
            text.push_all(&["`match ", route.field, "` after `", point(spec, route.from), "`"]);
        }
        Dependent::List(fork) => {
            let fork = &spec.forks[fork];
            text.push_all(&["the `for` over `", fork.list(), "` after `", point(spec, fork.from), "`"]);
        }
    }
}

const fn point(spec: &GraphSpec, point: Point) -> &'static str {
    point.name(spec)
}
