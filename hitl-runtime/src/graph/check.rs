//! The rules for graphs, each checked at the code that its error message is about.
//!
//! `graph!` emits one `const` for each node, `match` and `for`, and for each edge to the end or of a verdict. A fault
//! panics in that `const`, and since every check is `#[track_caller]`, rustc reports it at the user's code. A check
//! without a fault is cheap: it reads the [`Proof`], and paths are searched only for a message.

use super::bit_set::BitSet;
use super::const_string::{ConstString, str_eq};
use super::covers::takes_as_covered;
use super::edit_analysis::{EditOutcome, NodeFacts, Obstacle, analyze_edit};
use super::{EdgeKind, EdgeSpec, GraphSpec, InterruptSpec, NodeSpec, Payload, Point, Proof, ReadKind};

/// A violation of a rule. Fields, nodes, edges and routes are given by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// An effect has no review, takes no signed field, and is not declared as low risk.
    Unreviewed { node: usize },
    /// A node reads a field that some path does not write.
    Unwritten { node: usize, field: usize },
    /// A node takes a field as approved, and no review signs the field for it.
    Uncovered { node: usize, field: usize },
    /// A node takes a field as approved, and some path lacks the cover, or ends it before. The cover is given by
    /// number.
    Unsigned { node: usize, cover: usize },
    /// A review covers a name that is no node of the graph, or a node that does not run on its signature. `index` is
    /// the index in the list.
    VoidCover { node: usize, index: usize },
    /// A covered effect reads a field that the covering review neither shows nor declares as unsigned.
    Unshown { node: usize, review: usize, field: &'static str },
    /// A node takes `&Rejection`, but some edge enters it without one.
    NoRejection { node: usize },
    /// A node takes `&Question`, but some edge enters it without one.
    NoQuestion { node: usize },
    /// A review has no `reject` edge.
    NoReject { node: usize },
    /// Two branches of one fork change the same field.
    Race { node: usize, other: usize, field: usize },
    /// A verdict edge leaves a node without a review.
    NoReview { edge: usize },
    /// An `expire` edge leaves a review without a deadline.
    NeverExpires { edge: usize },
    /// An `ask` edge leads to the end or to a join.
    AskEnds { edge: usize },
    /// A verdict edge leads to a node that does not take the verdict's payload.
    PayloadNotTaken { edge: usize },
    /// An edge reaches the end with an output unwritten.
    NoOutput { edge: usize, field: usize },
    /// A `match` reads a field that some path does not write.
    UnwrittenMatch { route: usize, field: usize },
    /// A `for` reads a list that some path does not write.
    UnwrittenList { fork: usize, field: usize },
    /// A review inside a `for` signs a field that all items share.
    SharedDraft { node: usize, field: usize },
    /// A review accepts edits, but the path to it cannot be run again after an edit.
    Uneditable { node: usize, obstacle: Obstacle },
}

/// Rejects a node that reads an unwritten field, lacks a signature, races with another branch, or breaks another rule.
///
/// # Panics
/// If the node has a fault, with the message that rustc shows.
#[track_caller]
pub const fn check_node<const N: usize>(spec: &GraphSpec, proof: &Proof<N>, node: usize) {
    if let Some(fault) = fault_of_node(spec, proof, node)
        && !follows_from_another_error(spec, fault)
    {
        panic!("{}", fault.message(spec, proof).as_str());
    }
}

/// Rejects an edge to the end that leaves an output unwritten, and a verdict edge that leaves no such review or whose
/// payload the target does not take.
///
/// # Panics
/// If the edge has a fault, with the message that rustc shows.
#[track_caller]
pub const fn check_edge<const N: usize>(spec: &GraphSpec, proof: &Proof<N>, edge: usize) {
    if let Some(fault) = fault_of_edge(spec, proof, edge)
        && !follows_from_another_error(spec, fault)
    {
        panic!("{}", fault.message(spec, proof).as_str());
    }
}

/// Rejects a `match` on a field that may be unwritten.
///
/// # Panics
/// If the `match` has a fault, with the message that rustc shows.
#[track_caller]
pub const fn check_route<const N: usize>(spec: &GraphSpec, proof: &Proof<N>, route: usize) {
    if let Some(fault) = fault_of_route(spec, proof, route)
        && !follows_from_another_error(spec, fault)
    {
        panic!("{}", fault.message(spec, proof).as_str());
    }
}

/// Rejects a `for` over a list that may be unwritten.
///
/// # Panics
/// If the `for` has a fault, with the message that rustc shows.
#[track_caller]
pub const fn check_list<const N: usize>(spec: &GraphSpec, proof: &Proof<N>, fork: usize) {
    if let Some(fault) = fault_of_list(spec, proof, fork)
        && !follows_from_another_error(spec, fault)
    {
        panic!("{}", fault.message(spec, proof).as_str());
    }
}

/// Rejects a name for a part of the value that a guard uses, if it is also a field of the state: an author could take
/// it for a binding that writes the field.
///
/// # Panics
/// If it is a field, with the message that rustc shows.
#[track_caller]
pub const fn check_guard(spec: &GraphSpec, name: &str) {
    if field_number(spec, name).is_some() {
        let message = ConstString::new(&[
            "the guard uses `",
            name,
            "`, so the arm does not write the field of that name: give the part another name, or choose after the field is \
             written, `pattern => match ",
            name,
            " { … }`",
        ]);
        panic!("{}", message.as_str());
    }
}

/// Returns whether a field may be unwritten only because a guard uses its name.
const fn is_guarded(spec: &GraphSpec, fault: Fault) -> bool {
    let (Fault::Unwritten { field, .. }
    | Fault::NoOutput { field, .. }
    | Fault::UnwrittenMatch { field, .. }
    | Fault::UnwrittenList { field, .. }) = fault
    else {
        return false;
    };
    let mut route = 0;
    while route < spec.routes.len() {
        if contains_name(spec.routes[route].guarded, spec.state.fields[field].name) {
            return true;
        }
        route += 1;
    }
    false
}

/// Returns whether a fault follows from another error, so that one mistake gives one message: a field may be unwritten
/// only because a guard uses its name, or because a node names a field in `writes` that the state does not have, which
/// rustc reports.
const fn follows_from_another_error(spec: &GraphSpec, fault: Fault) -> bool {
    if !matches!(
        fault,
        Fault::Unwritten { .. }
            | Fault::NoOutput { .. }
            | Fault::UnwrittenMatch { .. }
            | Fault::UnwrittenList { .. }
    ) {
        return false;
    }
    if is_guarded(spec, fault) {
        return true;
    }
    let mut node = 0;
    while node < spec.nodes.len() {
        let writes = spec.nodes[node].writes;
        let mut i = 0;
        while i < writes.len() {
            if field_number(spec, writes[i]).is_none() {
                return true;
            }
            i += 1;
        }
        node += 1;
    }
    false
}

/// Returns the first fault of a node.
pub(super) const fn fault_of_node<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    node: usize,
) -> Option<Fault> {
    let (declared, proved) = (&spec.nodes[node], &proof.nodes[node]);
    // A risk beside `low_risk`, in a graph written by hand, needs a signature as without it.
    let is_low = declared.low_risk && declared.risk.is_none();
    if declared.effect && !is_low && !takes_approved(declared) && declared.interrupt.is_none() {
        return Some(Fault::Unreviewed { node });
    }
    let needs = &proved.verdict_transfer;
    if let Some(field) = needs.writes.minus(proved.entry.written).first() {
        return Some(Fault::Unwritten { node, field });
    }
    if let (Some(field), true) = (proved.uncovered.first(), proved.reached) {
        return Some(Fault::Uncovered { node, field });
    }
    if let Some(cover) = needs.signs.minus(proved.entry.signed).first() {
        return Some(Fault::Unsigned { node, cover });
    }
    if !needs.signs.is_empty()
        && declared.interrupt.is_none()
        && proved.reached
        && let Some((review, field)) = unshown(spec, proof, node)
    {
        return Some(Fault::Unshown { node, review, field });
    }
    if let Some(interrupt) = &declared.interrupt
        && proved.reached
        && let Some(index) = first_void_cover(spec, node, interrupt)
    {
        return Some(Fault::VoidCover { node, index });
    }
    if matches!(declared.rejection, Payload::Required) && proved.without_rejection {
        return Some(Fault::NoRejection { node });
    }
    if matches!(declared.question, Payload::Required) && proved.without_question {
        return Some(Fault::NoQuestion { node });
    }
    if declared.interrupt.is_some() && !proved.rejects && proved.reached {
        return Some(Fault::NoReject { node });
    }
    if let Some(field) = proved.races.first() {
        return Some(Fault::Race { node, other: racing_node(spec, proof, node, field), field });
    }
    if let (true, Some(interrupt)) = (proved.per_item, &declared.interrupt)
        && let Some(field) = field_number(spec, interrupt.field)
        && spec.state.fields[field].reduced
    {
        return Some(Fault::SharedDraft { node, field });
    }
    if let Some(interrupt) = &declared.interrupt
        && interrupt.edit
        && let EditOutcome::Refused(obstacle) = analyze_edit(spec, node, &mut [NodeFacts::BLANK; N])
        && !is_reported(proof, obstacle)
    {
        return Some(Fault::Uneditable { node, obstacle });
    }
    None
}

/// Returns whether the effect that blocks an edit is rejected itself for lacking a signature: one mistake gives one
/// message.
const fn is_reported<const N: usize>(proof: &Proof<N>, obstacle: Obstacle) -> bool {
    match obstacle {
        Obstacle::Effect { effect, .. } => {
            let effect = &proof.nodes[effect];
            effect.verdict_transfer.signs.minus(effect.entry.signed).first().is_some()
        }
        Obstacle::Reducer { .. }
        | Obstacle::StaleRead { .. }
        | Obstacle::Fork { .. }
        | Obstacle::SiblingField { .. } => false,
    }
}

/// Returns the first fault of an edge.
pub(super) const fn fault_of_edge<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    edge: usize,
) -> Option<Fault> {
    let declared = &spec.edges[edge];
    if let (true, Point::Node(from)) = (declared.kind.leaves_review(), declared.from) {
        let Some(interrupt) = &spec.nodes[from].interrupt else {
            // A node that takes a signature without a review is reported itself: it lacks the review that this edge
            // leaves.
            let from = &proof.nodes[from];
            if from.reached && from.uncovered.first().is_some() {
                return None;
            }
            return Some(Fault::NoReview { edge });
        };
        if let (EdgeKind::Expire, None) = (declared.kind, interrupt.expires) {
            return Some(Fault::NeverExpires { edge });
        }
    }
    // A payload does not outlive its branch: a join receives none.
    let taken = match (declared.kind, declared.to, declared.joins) {
        (EdgeKind::Ask, Point::End, _) | (EdgeKind::Ask, _, Some(_)) => return Some(Fault::AskEnds { edge }),
        (EdgeKind::Reject, Point::Node(to), None) => spec.nodes[to].rejection,
        (EdgeKind::Ask, Point::Node(to), None) => spec.nodes[to].question,
        _ => Payload::Optional,
    };
    if matches!(taken, Payload::No) {
        return Some(Fault::PayloadNotTaken { edge });
    }
    if matches!(declared.to, Point::End)
        && let Some(field) = missing_outputs(spec, proof, declared).first()
        && is_first_to_miss(spec, proof, edge, field)
    {
        return Some(Fault::NoOutput { edge, field });
    }
    None
}

/// Returns the fault of a `match`.
pub(super) const fn fault_of_route<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    route: usize,
) -> Option<Fault> {
    let declared = &spec.routes[route];
    let Some(field) = field_number(spec, declared.field) else {
        return None;
    };
    if is_written_after(proof, declared.from, field) {
        None
    } else {
        Some(Fault::UnwrittenMatch { route, field })
    }
}

/// Returns the fault of the list of a `for`.
pub(super) const fn fault_of_list<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    fork: usize,
) -> Option<Fault> {
    let declared = &spec.forks[fork];
    let Some(each) = &declared.each else {
        return None;
    };
    let Some(field) = field_number(spec, each.list) else {
        return None;
    };
    // rustc compares the types and reports a list and an item that are exchanged.
    let is_exchanged = match field_number(spec, each.item) {
        Some(item) => is_list_of(spec.state.fields[item].ty, spec.state.fields[field].ty),
        None => false,
    };
    if is_exchanged || is_written_after(proof, declared.from, field) {
        None
    } else {
        Some(Fault::UnwrittenList { fork, field })
    }
}

/// Returns whether a type is written as the list of another, `Vec<T>`.
const fn is_list_of(list: &str, item: &str) -> bool {
    let (mut rest, mut item) = match list.as_bytes() {
        [b'V', b'e', b'c', b'<', rest @ .., b'>'] => (rest, item.as_bytes()),
        _ => return false,
    };
    while let ([a, after @ ..], [b, item_after @ ..]) = (rest, item) {
        if *a != *b {
            return false;
        }
        (rest, item) = (after, item_after);
    }
    rest.is_empty() && item.is_empty()
}

/// Returns whether a field is written once a point is left, before the `match` or `for` that follows it reads the
/// field.
const fn is_written_after<const N: usize>(proof: &Proof<N>, point: Point, field: usize) -> bool {
    let from = proof.point(point);
    // Not `run_transfer.writes`: that has the field of the `match` already.
    from.entry.written.or(from.verdict_transfer.writes).or(from.writes).contains(field)
}

/// Returns whether a node has a parameter that requires a signature, including one of a misspelled field.
const fn takes_approved(node: &NodeSpec) -> bool {
    let mut read = 0;
    while read < node.reads.len() {
        if matches!(node.reads[read].kind, ReadKind::Approved) {
            return true;
        }
        read += 1;
    }
    false
}

/// Returns the index of the first name in `covers` that is not a node running on the signature of this review.
const fn first_void_cover(spec: &GraphSpec, review: usize, interrupt: &InterruptSpec) -> Option<usize> {
    let mut i = 0;
    while i < interrupt.covers.len() {
        match spec.node_index(interrupt.covers[i]) {
            // A review always signs for its own node, so the name is redundant but harmless.
            Some(node) if node == review => {}
            Some(node) if takes_as_covered(&spec.nodes[node], interrupt.field) => {}
            _ => return Some(i),
        }
        i += 1;
    }
    None
}

/// Returns a review that covers the node, with a field that the node reads and the review neither shows nor declares as
/// unsigned.
const fn unshown<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    node: usize,
) -> Option<(usize, &'static str)> {
    let needs = &proof.nodes[node].verdict_transfer.signs;
    let mut review = 0;
    while review < N {
        if let Some(interrupt) = &spec.nodes[review].interrupt
            && !proof.nodes[review].gives.and(*needs).is_empty()
        {
            let (reads, mut read) = (spec.nodes[node].reads, 0);
            while read < reads.len() {
                let field = reads[read].field;
                if !matches!(reads[read].kind, ReadKind::Approved)
                    && !contains_name(interrupt.shows, field)
                    && !contains_name(interrupt.unsigned, field)
                    && !str_eq(interrupt.field, field)
                {
                    return Some((review, field));
                }
                read += 1;
            }
        }
        review += 1;
    }
    None
}

pub(super) const fn contains_name(fields: &[&str], field: &str) -> bool {
    let mut i = 0;
    while i < fields.len() {
        if str_eq(fields[i], field) {
            return true;
        }
        i += 1;
    }
    false
}

/// Returns the outputs that are unwritten when this edge has ended the run.
const fn missing_outputs<const N: usize>(spec: &GraphSpec, proof: &Proof<N>, edge: &EdgeSpec) -> BitSet {
    let missing = proof.outputs.minus(proof.carried(edge).written);
    match edge.joins {
        Some((fork, _)) => missing.minus(proof.joined(spec, fork).written),
        None => missing,
    }
}

/// Returns whether this edge is the first to lack an output among the edges that end the run at one join: together they
/// are one mistake.
const fn is_first_to_miss<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    edge: usize,
    field: usize,
) -> bool {
    let Some((fork, _)) = spec.edges[edge].joins else {
        return true;
    };
    let mut earlier = 0;
    while earlier < edge {
        let declared = &spec.edges[earlier];
        if matches!(declared.joins, Some((other, _)) if other == fork)
            && missing_outputs(spec, proof, declared).contains(field)
        {
            return false;
        }
        earlier += 1;
    }
    true
}

/// Returns the node of an earlier branch that changes the same field, or `node` itself if there is none.
const fn racing_node<const N: usize>(spec: &GraphSpec, proof: &Proof<N>, node: usize, field: usize) -> usize {
    let mut fork = 0;
    while fork < spec.forks.len() {
        let (mut first, mut branch) = (None, 0);
        while branch < spec.forks[fork].branches.len() {
            let nodes = spec.forks[fork].branches[branch].nodes;
            if let Some(other) = first
                && contains_node(nodes, node)
                && !stays_inside(spec, fork, node)
            {
                return other;
            }
            let mut i = 0;
            while i < nodes.len() && first.is_none() {
                if proof.nodes[nodes[i]].touches.contains(field) && !stays_inside(spec, fork, nodes[i]) {
                    first = Some(nodes[i]);
                }
                i += 1;
            }
            branch += 1;
        }
        fork += 1;
    }
    node
}

/// Returns whether a node of a fork is in a `for` inside the fork: what it writes without a reducer stays in its item.
const fn stays_inside(spec: &GraphSpec, fork: usize, node: usize) -> bool {
    // Inner forks come after the forks around them.
    let mut inner = fork + 1;
    while inner < spec.forks.len() {
        if contains_node(spec.forks[inner].body(), node) {
            return true;
        }
        inner += 1;
    }
    false
}

pub(super) const fn contains_node(nodes: &[usize], node: usize) -> bool {
    let mut i = 0;
    while i < nodes.len() {
        if nodes[i] == node {
            return true;
        }
        i += 1;
    }
    false
}

/// Returns the number of the field of this name.
pub(super) const fn field_number(spec: &GraphSpec, name: &str) -> Option<usize> {
    let mut field = 0;
    while field < spec.state.fields.len() {
        if str_eq(spec.state.fields[field].name, name) {
            return Some(field);
        }
        field += 1;
    }
    None
}
