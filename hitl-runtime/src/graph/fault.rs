//! The sentence for each fault: what was found, where, by which path, and the way out.

use super::check::{Fault, field_number};
use super::names::same;
use super::path::{Lacking, Last, Path, Unsigned};
use super::sentence::Sentence;
use super::{EdgeKind, GraphSpec, Point, Proof, ReadKind};

impl Fault {
    /// The sentence that rustc shows.
    pub(super) const fn sentence<const N: usize>(self, spec: &GraphSpec, proof: &Proof<N>) -> Sentence {
        match self {
            Self::Unreviewed { node } => Sentence::of(&[
                "effect node `",
                spec.nodes[node].name,
                "` can be reached with no review: put `#[interrupt_before]` on it, take as `Approved<…>` a field that was \
                 signed before, or declare `risk = low`",
            ]),
            Self::Unwritten { node, field } => unwritten(spec, proof, node, field),
            Self::Unsigned { node, field } => unsigned(spec, proof, node, field),
            Self::NoRejection { node } => {
                empty_handed(spec, proof, node, "Rejection", "reject", Last::NoRejection)
            }
            Self::NoQuestion { node } => empty_handed(spec, proof, node, "Question", "ask", Last::NoQuestion),
            Self::NoReject { node } => Sentence::of(&[
                "node `",
                spec.nodes[node].name,
                "` stops for a person, but the graph says nothing of a rejection: add `",
                spec.nodes[node].name,
                " { reject -> … }`",
            ]),
            Self::Race { node, other, field } => race(spec, node, other, field),
            Self::NoReview { edge } => {
                let from = spec.edges[edge].from.name(spec);
                Sentence::of(&[
                    "`",
                    verdict(spec.edges[edge].kind).0,
                    "` leaves node `",
                    from,
                    "`, which stops for nobody: put `#[interrupt_before]` on it, or take the line out",
                ])
            }
            Self::NeverExpires { edge } => {
                let from = spec.edges[edge].from.name(spec);
                Sentence::of(&[
                    "`expire` leaves node `",
                    from,
                    "`, whose review never expires: write `#[interrupt_before(expires = \"24h\")]` on it, or take the \
                     line out",
                ])
            }
            Self::AskEnds { edge } => Sentence::of(&[
                "`ask` leads from `",
                spec.edges[edge].from.name(spec),
                "` to `end`, where nobody answers: lead it to a node that takes `Option<&Question>`",
            ]),
            Self::Untaken { edge } => {
                let (word, payload) = verdict(spec.edges[edge].kind);
                let to = spec.edges[edge].to.name(spec);
                Sentence::of(&[
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
                let mut text = Sentence::of(&["a path reaches `end` with output `", name, "` unwritten"]);
                let lacking = Lacking::Written(field);
                let path = show(spec, proof, Point::End, Last::Only(edge), lacking, &mut text);
                ways_to_write(spec, proof, &path, None, field, &mut text);
                text
            }
            Self::Unmatched { route, field } => {
                let from = spec.routes[route].from;
                let name = spec.state.fields[field].name;
                let mut text = Sentence::of(&[
                    "`match` after `",
                    from.name(spec),
                    "` looks at `",
                    name,
                    "`, but a path reaches it unwritten",
                ]);
                let mut path = None;
                if let Point::Node(_) = from {
                    path = show(spec, proof, from, Last::Any, Lacking::Written(field), &mut text);
                }
                ways_to_write(spec, proof, &path, None, field, &mut text);
                text
            }
        }
    }
}

/// The word for a verdict, and the type of what it brings.
const fn verdict(kind: EdgeKind) -> (&'static str, &'static str) {
    match kind {
        EdgeKind::Ask => ("ask", "Question"),
        EdgeKind::Expire => ("expire", "Rejection"),
        _ => ("reject", "Rejection"),
    }
}

/// Shows the shortest path of this kind.
const fn show<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    to: Point,
    last: Last,
    lacking: Lacking,
    text: &mut Sentence,
) -> Option<Path<N>> {
    let path = Path::find(spec, proof, to, last, lacking);
    if let Some(path) = &path {
        text.add(&[": "]);
        path.show(spec, proof, text);
    }
    path
}

const fn unwritten<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    node: usize,
    field: usize,
) -> Sentence {
    let (name, told) = (spec.nodes[node].name, &spec.state.fields[field]);
    let mut text =
        Sentence::of(&["node `", name, "` reads `", told.name, "`, but a path reaches it unwritten"]);
    let path = show(spec, proof, Point::Node(node), Last::Any, Lacking::Written(field), &mut text);
    ways_to_write(spec, proof, &path, Some(node), field, &mut text);
    if reads_plainly(spec, node, field) {
        let ty = if same(told.ty, "String") { "str" } else { told.ty };
        text.add(&[", or take `Option<&", ty, ">`"]);
    }
    text
}

/// Whether a node reads a field as required, not as approved.
const fn reads_plainly(spec: &GraphSpec, node: usize, field: usize) -> bool {
    let (reads, mut read) = (spec.nodes[node].reads, 0);
    while read < reads.len() {
        if same(reads[read].field, spec.state.fields[field].name) {
            return matches!(reads[read].kind, ReadKind::Required);
        }
        read += 1;
    }
    false
}

/// Says who could write a field on a path that does not, before `reader` reads it.
const fn ways_to_write<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    path: &Option<Path<N>>,
    reader: Option<usize>,
    field: usize,
    text: &mut Sentence,
) {
    let (mut passed, mut node) = (None, 0);
    while node < N {
        let reads = matches!(reader, Some(reader) if reader == node);
        if !reads && proof.nodes[node].ran.unsigns.has(field) {
            if let Some(path) = path
                && path.passes(spec, proof, node)
            {
                passed = Some(spec.nodes[node].name);
            } else {
                text.add(&["; lead that path through `", spec.nodes[node].name, "`, which writes it"]);
                return;
            }
        }
        node += 1;
    }
    let name = spec.state.fields[field].name;
    match passed {
        Some(writer) => text.add(&[
            "; `",
            writer,
            "` writes it, but has not run there: lead that path through another node with `writes = ",
            name,
            "`",
        ]),
        None => text.add(&[
            "; no other node writes it: add one with `writes = ",
            name,
            "`, or make the field `#[input]`",
        ]),
    }
}

const fn unsigned<const N: usize>(spec: &GraphSpec, proof: &Proof<N>, node: usize, field: usize) -> Sentence {
    let (name, told) = (spec.nodes[node].name, &spec.state.fields[field]);
    let mut text = Sentence::of(&[
        "node `",
        name,
        "` takes `",
        told.name,
        "` as `Approved<",
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
        {
            return Some(node);
        }
        node += 1;
    }
    None
}

const fn empty_handed<const N: usize>(
    spec: &GraphSpec,
    proof: &Proof<N>,
    node: usize,
    payload: &str,
    word: &str,
    last: Last,
) -> Sentence {
    let name = spec.nodes[node].name;
    let mut text =
        Sentence::of(&["node `", name, "` takes `&", payload, "`, but a path reaches it that brings none"]);
    let _ = show(spec, proof, Point::Node(node), last, Lacking::Nothing, &mut text);
    text.add(&["; take `Option<&", payload, ">`, or let `", name, "` be entered by `", word, "` alone"]);
    text
}

const fn race(spec: &GraphSpec, node: usize, other: usize, field: usize) -> Sentence {
    let told = spec.state.fields[field].name;
    let (first, second) = (spec.nodes[other].name, spec.nodes[node].name);
    let mut text = Sentence::of(&["nodes `", first, "` and `", second, "` run side by side and both "]);
    if writes(spec, node, field) && writes(spec, other, field) {
        text.add(&["write `", told, "`: "]);
    } else {
        text.add(&[
            "may change `",
            told,
            "`, which an operator may edit in a review: have it signed before they part, ",
        ]);
    }
    text.add(&["let one of them use another field, or give `", told, "` a reducer with `#[reduce(…)]`"]);
    text
}

/// Whether a node writes a field, rather than only having it reviewed.
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
