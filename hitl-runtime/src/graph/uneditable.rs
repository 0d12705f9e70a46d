//! The error message for a review that accepts an edit after which the path to it cannot be run again.

use super::check::field_number;
use super::names::same;
use super::repropose::{Dependent, Obstacle};
use super::sentence::Sentence;
use super::{GraphSpec, Point};

/// Returns the message for a review that accepts edits, with the obstacle and the fix.
pub(super) const fn uneditable(spec: &GraphSpec, node: usize, obstacle: Obstacle) -> Sentence {
    let name = spec.nodes[node].name;
    let field = match &spec.nodes[node].interrupt {
        Some(interrupt) => interrupt.field,
        None => "",
    };
    let mut text = Sentence::of(&["an edit of `", field, "` at the review before `", name, "` "]);
    match obstacle {
        Obstacle::Effect { effect, by } => {
            let effect = spec.nodes[effect].name;
            text.add(&["would take again the way from where `", field, "` is written, on which "]);
            depends(spec, by, &mut text);
            text.add(&[", and effect `", effect, "` on that way would run a second time: "]);
            no_edit(name, &mut text);
            text.add(&[", or lead `", effect, "` off that way"]);
        }
        Obstacle::Fork { by } => {
            text.add(&["cannot take again the way from where `", field, "` is written, on which "]);
            depends(spec, by, &mut text);
            text.add(&[
                ", because a fork begins or ends after that, and what runs beside it is not undone: ",
            ]);
            no_edit(name, &mut text);
            text.add(&[", or have `", field, "` written and reviewed in one branch"]);
        }
        Obstacle::Together { by } => {
            text.add(&["leaves ", beside(spec, field), " as it is, but "]);
            looks(spec, by, &mut text);
            text.add(&[
                " looks at that and so decides the way to the review: compute that in a node that reads `",
            ]);
            text.add(&[field, "`, or "]);
            no_edit(name, &mut text);
        }
    }
    text
}

/// Returns a phrase for the fields that an edit of a field leaves unchanged although they were set together with it.
const fn beside(spec: &GraphSpec, field: &str) -> &'static str {
    let mut fork = 0;
    while fork < spec.forks.len() {
        if let Some(each) = &spec.forks[fork].each
            && same(each.item, field)
        {
            return "what was written together with its list or computed from it";
        }
        fork += 1;
    }
    match field_number(spec, field) {
        Some(number) if spec.state.fields[number].input => "the rest of the input",
        _ => "what was written together with it",
    }
}

const fn no_edit(node: &str, text: &mut Sentence) {
    text.add(&["write `#[interrupt_before(edit = false)]` on `", node, "`, whose review then takes no edit"]);
}

/// Appends a phrase for the code that depends on a field.
const fn depends(spec: &GraphSpec, by: Dependent, text: &mut Sentence) {
    looks(spec, by, text);
    text.add(&[" depends on it"]);
}

const fn looks(spec: &GraphSpec, by: Dependent, text: &mut Sentence) {
    match by {
        Dependent::Node(node) => text.add(&["node `", spec.nodes[node].name, "`"]),
        Dependent::Route(route) => {
            let route = &spec.routes[route];
            text.add(&["`match ", route.field, "` after `", point(spec, route.from), "`"]);
        }
        Dependent::List(fork) => {
            let fork = &spec.forks[fork];
            text.add(&["the `for` through `", fork.list(), "` after `", point(spec, fork.from), "`"]);
        }
    }
}

const fn point(spec: &GraphSpec, point: Point) -> &'static str {
    point.name(spec)
}
