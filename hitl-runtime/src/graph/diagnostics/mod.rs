//! The error message of each fault: the finding, its location, a path that shows it, and the fix.

mod edit;
mod signature;

use self::edit::uneditable;
use self::signature::{uncovered, unsigned, void_cover};
use super::check::{Fault, contains_name, contains_node, field_number};
use super::const_string::{ConstString, str_eq};
use super::counterexample::{LastEdge, MissingFact, Path};
use super::{EachSpec, EdgeKind, GraphSpec, Point, Proof, ReadKind};

impl Fault {
    /// Returns the message that rustc shows.
    pub(super) const fn message<const N: usize>(self, spec: &GraphSpec, proof: &Proof<N>) -> ConstString {
        match self {
            Self::Unreviewed { node } => ConstString::new(&[
                "effect node `",
                spec.nodes[node].name,
                "` can be reached with no review: put `#[interrupt_before]` on it, take a field that was signed before as \
                 `&Approved<…>`, or declare `risk = low`",
            ]),
            Self::Unwritten { node, field } => unwritten(spec, proof, node, field),
            Self::Uncovered { node, field } => uncovered(spec, node, field),
            Self::Unsigned { node, cover } => unsigned(spec, proof, node, cover),
            Self::VoidCover { node, index } => void_cover(spec, node, index),
            Self::Unshown { node, review, field } => ConstString::new(&[
                "node `",
                spec.nodes[node].name,
                "` reads `",
                field,
                "`, but the review before `",
                spec.nodes[review].name,
                "`, whose signature it runs on, does not show it: add `show = (",
                field,
                ")` to that review, take the field as `&Approved<…>`, or add `unsigned(",
                field,
                ")` to that review if the field needs no signature",
            ]),
            Self::NoRejection { node } => {
                without_payload(spec, proof, node, "Rejection", "reject", LastEdge::NoRejection)
            }
            Self::NoQuestion { node } => {
                without_payload(spec, proof, node, "Question", "ask", LastEdge::NoQuestion)
            }
            Self::NoReject { node } => ConstString::new(&[
                "node `",
                spec.nodes[node].name,
                "` has a review, but no `reject` edge: add `",
                spec.nodes[node].name,
                " { reject -> … }`",
            ]),
            Self::Race { node, other, field } => race(spec, node, other, field),
            Self::NoReview { edge } => {
                let from = spec.edges[edge].from.name(spec);
                ConstString::new(&[
                    "`",
                    verdict(spec.edges[edge].kind).0,
                    "` leaves node `",
                    from,
                    "`, which has no review: put `#[interrupt_before]` on it, or remove the edge",
                ])
            }
            Self::NeverExpires { edge } => {
                let from = spec.edges[edge].from.name(spec);
                ConstString::new(&[
                    "`expire` leaves node `",
                    from,
                    "`, whose review never expires: write `#[interrupt_before(expires = \"24h\")]` on it, or remove \
                     the edge",
                ])
            }
            Self::AskEnds { edge } => ConstString::new(&[
                "`ask` leads from `",
                spec.edges[edge].from.name(spec),
                "` to `",
                spec.edges[edge].to.name(spec),
                if spec.edges[edge].joins.is_some() { "`, the join of a fork" } else { "`" },
                ", which receives no question: lead it to a node that takes `Option<&Question>`",
            ]),
            Self::PayloadNotTaken { edge } => {
                let (word, payload) = verdict(spec.edges[edge].kind);
                let to = spec.edges[edge].to.name(spec);
                ConstString::new(&[
                    "`",
                    word,
                    "` leads from `",
                    spec.edges[edge].from.name(spec),
                    "` to `",
                    to,
                    "`, which takes no `",
                    payload,
                    "`: give `",
                    to,
                    "` a parameter of type `Option<&",
                    payload,
                    ">`, or lead `",
                    word,
                    "` to a node that has one",
                ])
            }
            Self::NoOutput { edge, field } => {
                let name = spec.state.fields[field].name;
                let mut text = ConstString::new(&["a path reaches `end` with output `", name, "` unwritten"]);
                let lacking = MissingFact::Written(field);
                let path = append_path(spec, proof, Point::End, LastEdge::Only(edge), lacking, &mut text);
                ways_to_write(spec, proof, &path, None, field, &mut text);
                text
            }
            Self::UnwrittenMatch { route, field } => {
                unwritten_operand(spec, proof, spec.routes[route].from, ["match", "reads"], field)
            }
            Self::UnwrittenList { fork, field } => {
                unwritten_operand(spec, proof, spec.forks[fork].from, ["for", "iterates over"], field)
            }
            Self::SharedDraft { node, field } => shared(spec, node, field),
            Self::Uneditable { node, obstacle } => uneditable(spec, node, obstacle),
        }
    }
}

/// Returns the keyword of a verdict, and the type of its payload.
const fn verdict(kind: EdgeKind) -> (&'static str, &'static str) {
    match kind {
        EdgeKind::Ask => ("ask", "Question"),
        EdgeKind::Expire => ("expire", "Rejection"),
        _ => ("reject", "Rejection"),
    }
}

/// Appends the shortest path of this kind to a message, and returns the path.
const fn append_path<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    to: Point,
    last: LastEdge,
    lacking: MissingFact,
    text: &mut ConstString,
) -> Option<Path<N>> {
    let path = Path::find(spec, proof, to, last, lacking);
    if let Some(path) = &path {
        text.push_all(&[": "]);
        path.append_to(spec, proof, text);
    }
    path
}

/// Returns the message for a `match` or a `for` after `from` that reads a field which may be unwritten.
const fn unwritten_operand<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    from: Point,
    [word, does]: [&str; 2],
    field: usize,
) -> ConstString {
    let name = spec.state.fields[field].name;
    let mut text = ConstString::new(&[
        "`",
        word,
        "` after `",
        from.name(spec),
        "` ",
        does,
        " `",
        name,
        "`, but a path reaches it unwritten",
    ]);
    let mut path = None;
    if let Point::Node(_) = from {
        path = append_path(spec, proof, from, LastEdge::Any, MissingFact::Written(field), &mut text);
    }
    ways_to_write(spec, proof, &path, None, field, &mut text);
    text
}

const fn unwritten<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    node: usize,
    field: usize,
) -> ConstString {
    let (name, declared) = (spec.nodes[node].name, &spec.state.fields[field]);
    let reader = if takes_required(spec, node, field) { "node `" } else { "the review before `" };
    let mut text =
        ConstString::new(&[reader, name, "` reads `", declared.name, "`, but a path reaches it unwritten"]);
    let path =
        append_path(spec, proof, Point::Node(node), LastEdge::Any, MissingFact::Written(field), &mut text);
    ways_to_write(spec, proof, &path, Some(node), field, &mut text);
    if reads_plainly(spec, node, field) {
        let ty = if str_eq(declared.ty, "String") { "str" } else { declared.ty };
        text.push_all(&[", or take `Option<&", ty, ">`"]);
    }
    text
}

/// Returns whether a node, and not only an expression of its review, requires that a field is written.
const fn takes_required(spec: &GraphSpec, node: usize, field: usize) -> bool {
    let (declared, name) = (&spec.nodes[node], spec.state.fields[field].name);
    let mut read = 0;
    while read < declared.reads.len() {
        if str_eq(declared.reads[read].field, name) {
            return !matches!(declared.reads[read].kind, ReadKind::Optional);
        }
        read += 1;
    }
    let Some(interrupt) = &declared.interrupt else { return true };
    let (expressions, mut i) = (interrupt.expressions(), 0);
    while i < expressions.len() {
        if let Some(expression) = expressions[i]
            && contains_name(expression.reads, name)
        {
            return false;
        }
        i += 1;
    }
    true
}

/// Returns whether a node reads a field as required rather than as approved.
const fn reads_plainly(spec: &GraphSpec, node: usize, field: usize) -> bool {
    let (reads, mut read) = (spec.nodes[node].reads, 0);
    while read < reads.len() {
        if str_eq(reads[read].field, spec.state.fields[field].name) {
            return matches!(reads[read].kind, ReadKind::Required);
        }
        read += 1;
    }
    false
}

/// Appends suggestions for writing a field on a path that lacks it, before `reader` reads it.
const fn ways_to_write<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    path: &Option<Path<N>>,
    reader: Option<usize>,
    field: usize,
    text: &mut ConstString,
) {
    if let Some(path) = path
        && let Some((writer, each)) = path.writer_inside(spec, proof, field)
    {
        return discarded_at_join(spec, writer, each, field, text);
    }
    let (mut passed, mut node) = (None, 0);
    while node < N {
        let reads = matches!(reader, Some(reader) if reader == node);
        // An arm that binds the field is no node that a path could be led through.
        if !reads && !spec.nodes[node].is_binding() && proof.nodes[node].writes.contains(field) {
            if let Some(path) = path
                && path.passes(spec, proof, node)
            {
                passed = Some(spec.nodes[node].name);
            } else {
                text.push_all(&["; lead that path through `", spec.nodes[node].name, "`, which writes it"]);
                return;
            }
        }
        node += 1;
    }
    let name = spec.state.fields[field].name;
    match passed {
        Some(writer) => text.push_all(&[
            "; `",
            writer,
            "` writes it, but has not run on that path: lead that path through another node with `writes = ",
            name,
            "`",
        ]),
        None => {
            if let Some(each) = loop_over(spec, name) {
                text.push_all(&["; it is set only inside the `for` over `", each.list, "`: add a node"]);
            } else {
                text.push_all(&["; no other node writes it: add one"]);
            }
            text.push_all(&[" with `writes = ", name, "`, or make the field `#[input]`"]);
        }
    }
}

/// Appends the reason why a field that is written inside a `for` is not written after the join.
const fn discarded_at_join(
    spec: &GraphSpec,
    writer: usize,
    each: &EachSpec,
    field: usize,
    text: &mut ConstString,
) {
    text.push_all(&["; `", spec.nodes[writer].name]);
    if spec.state.fields[field].reduced {
        text.push_all(&[
            "` writes it for each item of `",
            each.list,
            "`, which may be empty: write it before the `for` too, or make it a list with `#[reduce(append)]`",
        ]);
    } else {
        text.push_all(&[
            "` writes it for one `",
            each.item,
            "`, and that value is discarded at the join: collect it in a list with `#[reduce(append)]`",
        ]);
    }
}

/// Returns the `for` whose item is this field.
const fn loop_over(spec: &GraphSpec, field: &str) -> Option<&'static EachSpec> {
    let mut fork = 0;
    while fork < spec.forks.len() {
        if let Some(each) = &spec.forks[fork].each
            && str_eq(each.item, field)
        {
            return Some(each);
        }
        fork += 1;
    }
    None
}

const fn without_payload<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    node: usize,
    payload: &str,
    word: &str,
    last: LastEdge,
) -> ConstString {
    let name = spec.nodes[node].name;
    let mut text =
        ConstString::new(&["node `", name, "` takes `&", payload, "`, but a path reaches it without one"]);
    let _ = append_path(spec, proof, Point::Node(node), last, MissingFact::None, &mut text);
    text.push_all(&["; take `Option<&", payload, ">`, or let only `", word, "` lead to `", name, "`"]);
    text
}

const fn race(spec: &GraphSpec, node: usize, other: usize, field: usize) -> ConstString {
    let declared = spec.state.fields[field].name;
    let (first, second) = (spec.nodes[other].name, spec.nodes[node].name);
    let mut text = ConstString::new(&["nodes `", first, "` and `", second, "` run concurrently and both "]);
    if writes(spec, node, field) && writes(spec, other, field) {
        text.push_all(&["write `", declared, "`: "]);
    } else {
        text.push_all(&["may change `", declared, "`, which a review may edit: review it before the fork, "]);
    }
    text.push_all(&[
        "let one of them use another field, or give `",
        declared,
        "` a reducer with `#[reduce(…)]`",
    ]);
    text
}

/// Returns the message for a review inside a `for` of a field that all items share.
const fn shared(spec: &GraphSpec, node: usize, field: usize) -> ConstString {
    let (name, declared) = (spec.nodes[node].name, spec.state.fields[field].name);
    let mut text = ConstString::new(&["node `", name, "` runs once for each item"]);
    let mut fork = spec.forks.len();
    while fork > 0 {
        fork -= 1;
        if contains_node(spec.forks[fork].body(), node) {
            text.push_all(&[" of `", spec.forks[fork].list(), "`"]);
            break;
        }
    }
    text.push_all(&[
        ", but its review is of `",
        declared,
        "`, which all items share because it has a reducer, so that several operators could edit one value: review a \
         field without `#[reduce(…)]`, which is local to the item",
    ]);
    text
}

/// Returns whether a node writes a field, rather than only having it reviewed.
const fn writes(spec: &GraphSpec, node: usize, field: usize) -> bool {
    let (writes, mut write) = (spec.nodes[node].writes, 0);
    while write < writes.len() {
        if matches!(field_number(spec, writes[write]), Some(written) if written == field) {
            return true;
        }
        write += 1;
    }
    false
}
