//! Why a field is not signed where a node takes it as approved, and what to do about it.

use super::check::holds;
use super::names::same;
use super::path::{Lacking, Last, Path, Unsigned};
use super::sentence::Sentence;
use super::{GraphSpec, Point, Proof};

/// The sentence for a field that is taken as `Approved<…>` and is not signed on some path.
pub(super) const fn unsigned<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    node: usize,
    field: usize,
) -> Sentence {
    let (name, told) = (spec.nodes[node].name, &spec.state.fields[field]);
    let mut text = Sentence::of(&[
        "node `",
        name,
        "` takes `",
        told.name,
        "` as `&Approved<",
        told.ty,
        ">`, but a path reaches it on which `",
        told.name,
    ]);
    let to = Point::Node(node);
    let Some(path) = Path::find(spec, proof, to, Last::Any, Lacking::Signed(field)) else {
        text.add(&["` is not signed"]);
        return text;
    };
    let reason = path.unsigned(spec, proof);
    match reason {
        Unsigned::Never => text.add(&["` was never signed: "]),
        Unsigned::Rewritten(writer) => {
            let writer = spec.nodes[writer].name;
            text.add(&["` is written again by `", writer, "` after it was signed: "]);
        }
        Unsigned::Mixed => text.add(&["` is put together from several branches after they had it signed: "]),
        Unsigned::Gathered(fork) => {
            let list = spec.forks[fork].list();
            text.add(&["` is put together from what each of `", list, "` writes after it was signed: "]);
        }
        Unsigned::Item(fork) => {
            let list = spec.forks[fork].list();
            text.add(&["` is another one for each of `", list, "`, and not what was signed: "]);
        }
    }
    path.show(spec, proof, &mut text);
    text.add(&["; put `#[interrupt_before]` on `", name, "`"]);
    if let Unsigned::Never = reason
        && let Some(signer) = signer(spec, proof, &path, node, field)
    {
        let signer = spec.nodes[signer].name;
        text.add(&[", or lead that path through `", signer, "`, whose review signs it"]);
    }
    text
}

/// A node off the path, and not `reader`, whose review signs a field.
const fn signer<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    path: &Path<N>,
    reader: usize,
    field: usize,
) -> Option<usize> {
    let mut node = 0;
    while node < spec.nodes.len() {
        if node != reader
            && let Some(interrupt) = &spec.nodes[node].interrupt
            && same(interrupt.field, spec.state.fields[field].name)
            && !path.passes(spec, proof, node)
            && !signs_for_items(spec, node, reader)
        {
            return Some(node);
        }
        node += 1;
    }
    None
}

/// Whether a review is of an item's own, in a `for` that another node is outside of.
const fn signs_for_items(spec: &GraphSpec, signer: usize, reader: usize) -> bool {
    let mut fork = 0;
    while fork < spec.forks.len() {
        let body = spec.forks[fork].body();
        if holds(body, signer) && !holds(body, reader) {
            return true;
        }
        fork += 1;
    }
    false
}
