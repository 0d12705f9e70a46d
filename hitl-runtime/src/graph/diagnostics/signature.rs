//! The error messages for `&Approved<…>` parameters without a signature, and for names in `covers` without effect.

use crate::graph::check::contains_node;
use crate::graph::const_string::{ConstString, str_eq};
use crate::graph::counterexample::{LastEdge, MissingFact, Path, UnsignedReason};
use crate::graph::{GraphSpec, Point, Proof};

/// Returns the message for a field that is taken as `&Approved<…>` and that no review signs for the node.
pub(super) const fn uncovered(spec: &GraphSpec, node: usize, field: usize) -> ConstString {
    let (name, declared) = (spec.nodes[node].name, &spec.state.fields[field]);
    let mut text = ConstString::new(&[
        "node `",
        name,
        "` takes `",
        declared.name,
        "` as `&Approved<",
        declared.ty,
        ">`, but no review of `",
        declared.name,
        "` covers `",
        name,
        "`: ",
    ]);
    let (mut review, mut found) = (0, false);
    if !reviews(spec, node) {
        text.push_all(&["put `#[interrupt_before]` on `", name, "`"]);
        found = true;
    }
    while review < spec.nodes.len() {
        if let Some(interrupt) = &spec.nodes[review].interrupt
            && review != node
            && str_eq(interrupt.field, declared.name)
            && !signs_for_items(spec, review, node)
        {
            text.push_all(&[
                if found { ", or add" } else { "add" },
                " `covers = (",
                name,
                ")` to the review before `",
                spec.nodes[review].name,
                "`",
            ]);
            return text;
        }
        review += 1;
    }
    if !found {
        text.push_all(&[
            "take it as `&",
            declared.ty,
            "`, or add an earlier review of `",
            declared.name,
            "` that covers it",
        ]);
    }
    text
}

/// Returns the message for a name in `covers` that is not an effect running on the signature.
pub(super) const fn void_cover(spec: &GraphSpec, review: usize, index: usize) -> ConstString {
    let Some(interrupt) = &spec.nodes[review].interrupt else { return ConstString::new(&[]) };
    let name = interrupt.covers[index];
    let mut text =
        ConstString::new(&["the review before `", spec.nodes[review].name, "` covers `", name, "`, "]);
    match spec.node_index(name) {
        None => text.push_all(&[
            "which is not a node of this graph: use the name that the node has in the graph, or remove it from `covers`",
        ]),
        Some(node) if reviews_field(spec, node, interrupt.field) => text.push_all(&[
            "which has a review of `",
            interrupt.field,
            "` of its own: remove it from `covers`, or remove `#[interrupt_before]` from `",
            name,
            "`",
        ]),
        Some(_) => text.push_all(&[
            "which does not take `",
            interrupt.field,
            "` as signed: give `",
            name,
            "` a parameter `",
            interrupt.field,
            ": &Approved<…>`, or remove it from `covers`",
        ]),
    }
    text
}

const fn reviews(spec: &GraphSpec, node: usize) -> bool {
    spec.nodes[node].interrupt.is_some()
}

const fn reviews_field(spec: &GraphSpec, node: usize, field: &str) -> bool {
    match &spec.nodes[node].interrupt {
        Some(interrupt) => str_eq(interrupt.field, field),
        None => false,
    }
}

/// Returns the message for a field that is taken as `&Approved<…>` and lacks a signature for the node on some path.
pub(super) const fn unsigned<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    node: usize,
    cover: usize,
) -> ConstString {
    let (name, declared) = (spec.nodes[node].name, &spec.state.fields[proof.covers.get(cover).field]);
    let mut text = ConstString::new(&[
        "node `",
        name,
        "` takes `",
        declared.name,
        "` as `&Approved<",
        declared.ty,
        ">`, but a path reaches it on which ",
    ]);
    let to = Point::Node(node);
    let Some(path) = Path::find(spec, proof, to, LastEdge::Any, MissingFact::Signed(cover)) else {
        text.push_all(&["`", declared.name, "` is not signed"]);
        return text;
    };
    let reason = path.unsigned_reason(spec, proof);
    match reason {
        UnsignedReason::Never => text.push_all(&["`", declared.name, "` was never signed for it: "]),
        UnsignedReason::Spent => text.push_all(&["it has already spent the signature: "]),
        UnsignedReason::Rewritten(writer, field) => {
            let (field, writer) = (spec.state.fields[field].name, spec.nodes[writer].name);
            let was = if str_eq(field, declared.name) { "signed: " } else { "shown with the signed draft: " };
            text.push_all(&["`", field, "` is written by `", writer, "` after it was ", was]);
        }
        UnsignedReason::Replaced(review) => {
            let review = spec.nodes[review].name;
            text.push_all(&["the last review, before `", review, "`, does not cover it: "]);
        }
        UnsignedReason::Refused(review) => {
            let review = spec.nodes[review].name;
            text.push_all(&["its signature ends where the review before `", review, "` is not granted: "]);
        }
        UnsignedReason::Merged => {
            text.push_all(&[
                "`",
                merged(spec, proof, cover),
                "` is merged from the values of several branches after it was signed: ",
            ]);
        }
        UnsignedReason::MergedItems(fork) => {
            let list = spec.forks[fork].list();
            text.push_all(&[
                "`",
                merged(spec, proof, cover),
                "` is merged with what the items of `",
                list,
                "` write, after it was signed: ",
            ]);
        }
        UnsignedReason::Item(fork) => {
            let list = spec.forks[fork].list();
            text.push_all(&["`", declared.name, "` was signed once, not for each item of `", list, "`: "]);
        }
    }
    path.append_to(spec, proof, &mut text);
    if !reviews(spec, node) {
        text.push_all(&["; put `#[interrupt_before]` on `", name, "`"]);
    }
    if let UnsignedReason::Never = reason
        && let Some(review) = covering_review(spec, proof, &path, node, cover)
    {
        let joint = if reviews(spec, node) { "; lead" } else { ", or lead" };
        text.push_all(&[joint, " that path through `", spec.nodes[review].name, "`, whose review covers it"]);
    }
    text
}

/// Returns the field whose merge at a join ends a cover: the signed one, or one that is shown with it.
const fn merged<const N: usize>(spec: &GraphSpec, proof: &Proof<N>, cover: usize) -> &'static str {
    let (cover, fields) = (proof.covers.get(cover), spec.state.fields);
    if !fields[cover.field].reduced {
        let mut field = 0;
        while field < fields.len() {
            if fields[field].reduced && cover.ends.contains(field) {
                return fields[field].name;
            }
            field += 1;
        }
    }
    fields[cover.field].name
}

/// Returns a node off the path whose review gives a cover.
const fn covering_review<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    path: &Path<N>,
    reader: usize,
    cover: usize,
) -> Option<usize> {
    let mut node = 0;
    while node < N {
        if proof.nodes[node].gives.contains(cover)
            && !path.passes(spec, proof, node)
            && !signs_for_items(spec, node, reader)
        {
            return Some(node);
        }
        node += 1;
    }
    None
}

/// Returns whether a review signs for one item of a `for` that does not contain the other node.
const fn signs_for_items(spec: &GraphSpec, signer: usize, reader: usize) -> bool {
    let mut fork = 0;
    while fork < spec.forks.len() {
        let body = spec.forks[fork].body();
        if contains_node(body, signer) && !contains_node(body, reader) {
            return true;
        }
        fork += 1;
    }
    false
}
