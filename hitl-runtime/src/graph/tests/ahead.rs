//! Tests of the check of a thread's remaining path, against the proof for a thread that comes from `start`.

use std::collections::BTreeSet;

use super::oracle::{Dice, Forked, plain};
use super::sketch::{ROOM, Sketch};
use crate::graph::bits::Bits;
use crate::graph::check::field_number;
use crate::graph::*;

/// Returns a lane at a node, with the fields that it has written and the covers that hold.
fn lane(
    id: u32,
    parent: Option<u32>,
    stand: Stand,
    written: Bits,
    signed: Bits,
    (spec, proof): (&GraphSpec, &Proof<ROOM>),
) -> LaneAhead<'static> {
    let names = |bits: Bits| {
        let fields = spec.state.fields.iter().enumerate();
        fields.filter(|(number, _)| bits.has(*number)).map(|(_, field)| field.name).collect()
    };
    let covers =
        (0..proof.covers.count()).filter(|cover| signed.has(*cover)).map(|cover| proof.covers.get(cover));
    LaneAhead {
        id,
        parent,
        stand,
        written: names(written),
        signed: covers.map(|cover| (cover.node, spec.state.fields[cover.field].name)).collect(),
        touched: Vec::new(),
        into: None,
    }
}

fn head(spec: &GraphSpec) -> usize {
    let Point::Node(head) = spec.edges[0].to else { panic!("no head") };
    head
}

/// Returns the lane of a thread that has just started.
fn begun(spec: &GraphSpec, proof: &Proof<ROOM>) -> LaneAhead<'static> {
    lane(0, None, Stand::Before(head(spec)), proof.start.entry.written, Bits::NONE, (spec, proof))
}

/// Returns the facts that the proof finds lacking.
fn proved(spec: &GraphSpec, proof: &Proof<ROOM>) -> BTreeSet<Lack> {
    let mut lacks = BTreeSet::new();
    for (node, told) in proof.nodes.iter().enumerate().filter(|(_, told)| told.reached) {
        let name = spec.nodes[node].name;
        let unwritten = told.stopped.writes.minus(told.entry.written);
        let missing = told.stopped.signs.minus(told.entry.signed);
        let covers = (0..proof.covers.count()).filter(|cover| missing.has(*cover));
        let unsigned =
            covers.fold(Bits::NONE, |bits, cover| bits.with(proof.covers.get(cover).field)).minus(unwritten);
        for (number, field) in spec.state.fields.iter().enumerate() {
            if unwritten.has(number) {
                lacks.insert(Lack::Unwritten { node: name, field: field.name });
            }
            if unsigned.has(number) {
                lacks.insert(Lack::Unsigned { node: name, field: field.name });
            }
        }
    }
    let lists = spec.forks.iter().filter_map(|fork| Some((fork.from, fork.each?.list)));
    for (from, field) in spec.routes.iter().map(|route| (route.from, route.field)).chain(lists) {
        let Point::Node(node) = from else { continue };
        let told = &proof.nodes[node];
        let written = told.entry.written.or(told.stopped.writes).or(told.writes);
        if told.reached && !written.has(field_number(spec, field).unwrap()) {
            lacks.insert(Lack::Unwritten { node: spec.nodes[node].name, field });
        }
    }
    lacks
}

#[test]
fn at_start_it_agrees_with_the_proof() {
    let mut dice = Dice(0xa_4ead);
    let mut some = 0;
    for trial in 0..600 {
        let spec = if trial % 2 == 0 { plain(&mut dice) } else { Forked::sketch(&mut dice) };
        let proof = prove::<ROOM>(&spec);
        let expected = proved(&spec, &proof);
        assert_eq!(lacks(&spec, &[begun(&spec, &proof)]), expected, "{spec:#?}");
        some += usize::from(!expected.is_empty());
    }
    assert!(some > 100, "{some}");
}

/// A thread in the middle of a fork or a `for`, which came there along the graph, lacks nothing that the whole graph
/// does not lack.
#[test]
fn inside_a_fork_it_reports_no_more_than_the_proof() {
    let (mut dice, mut some) = (Dice(0x1_4ead), 0);
    for _ in 0..300 {
        let spec = Forked::sketch(&mut dice);
        let proof = prove::<ROOM>(&spec);
        for (number, fork) in spec.forks.iter().enumerate() {
            let Point::Node(from) = fork.from else { continue };
            if !spec.around(from).is_empty() {
                continue;
            }
            let before = proof.nodes[from].ran.after(proof.nodes[from].entry);
            let mut lanes =
                vec![lane(0, None, Stand::Forked(fork.join), before.written, before.signed, (&spec, &proof))];
            let writes = |field: &&FieldSpec| {
                fork.body().iter().any(|&node| spec.nodes[node].writes.contains(&field.name))
            };
            let appended = spec.state.fields.iter().filter(|field| field.appends).filter(writes);
            lanes[0].into = fork.each.map(|_| appended.map(|field| field.name).collect());
            // A `for` gets three items.
            let branches =
                fork.branches.iter().cycle().take(if fork.each.is_some() { 3 } else { fork.branches.len() });
            for (branch, nodes) in (1..).zip(branches) {
                let own: Vec<usize> =
                    nodes.nodes.iter().copied().filter(|&node| spec.around(node).len() == 1).collect();
                let node = own[dice.below(own.len())];
                assert_eq!(spec.around(node)[0].0, number);
                let entry = proof.nodes[node].entry;
                let mut at =
                    lane(branch, Some(0), Stand::Before(node), entry.written, entry.signed, (&spec, &proof));
                // The lane has changed some of the fields that its branch may change.
                at.touched =
                    spec.state.fields.iter().map(|field| field.name).filter(|_| dice.one_in(4)).collect();
                let may =
                    nodes.nodes.iter().fold(Bits::NONE, |bits, &node| bits.or(proof.nodes[node].touches));
                at.touched.retain(|name| may.has(field_number(&spec, name).unwrap()));
                lanes.push(at);
            }
            let (found, whole) = (lacks(&spec, &lanes), proved(&spec, &proof));
            // A field that is not even written counts as unwritten, and not as unsigned, too.
            let known = |lack: &Lack| match *lack {
                Lack::Unsigned { node, field } => {
                    whole.contains(lack) || whole.contains(&Lack::Unwritten { node, field })
                }
                _ => whole.contains(lack),
            };
            assert!(found.iter().all(known), "{found:?} {whole:?} {spec:#?}");
            some += usize::from(!found.is_empty());
        }
    }
    assert!(some > 50, "{some}");
}

/// The graph `plan -> draft -> pay -> file -> end`, in which a rejection leads to `cancel`.
fn refund() -> GraphSpec {
    Sketch::new("*message plan draft receipt note outcome!")
        .node("plan(message) writes plan")
        .node("draft(plan, note) writes draft")
        .node("pay(^draft) writes receipt; effect, reviews draft, covers file, unsigned receipt")
        .node("file(receipt, ^draft) writes outcome")
        .node("cancel(note, rejection) writes outcome")
        .chain("start -> plan -> draft -> pay -> file -> end")
        .verdicts("pay { reject -> cancel }")
        .chain("cancel -> end")
        .done()
}

fn found(
    spec: &GraphSpec,
    stand: Stand,
    written: &[&'static str],
    signed: &[(usize, &'static str)],
) -> Vec<Lack> {
    let (written, signed) = (written.to_vec(), signed.to_vec());
    let lane = LaneAhead { id: 0, parent: None, stand, written, signed, touched: vec![], into: None };
    lacks(spec, &[lane]).into_iter().collect()
}

#[test]
fn only_reachable_nodes_count() {
    let spec = refund();
    let node = |name| spec.node_index(name).unwrap();
    let note = |node| Lack::Unwritten { node, field: "note" };
    let unsigned = |node| Lack::Unsigned { node, field: "draft" };
    // A lack counts as present once it is reported, so that one mistake gives one message.
    assert_eq!(found(&spec, Stand::Before(node("plan")), &["message"], &[]), [note("draft")]);
    // The draft is written, and can still be rejected.
    assert_eq!(found(&spec, Stand::Before(node("pay")), &["draft"], &[]), [note("cancel")]);
    // The draft is approved.
    let [pay, file] = ["pay", "file"].map(|name| (node(name), "draft"));
    assert_eq!(found(&spec, Stand::At(node("pay")), &["draft"], &[pay, file]), []);
    assert_eq!(found(&spec, Stand::At(node("file")), &["draft", "receipt"], &[file]), []);
    // `file` has spent its signature.
    assert_eq!(found(&spec, Stand::At(node("file")), &["draft", "receipt"], &[pay]), [unsigned("file")]);
    // The signed draft has changed since.
    assert_eq!(found(&spec, Stand::At(node("pay")), &["draft"], &[]), [unsigned("pay")]);
    assert_eq!(found(&spec, Stand::At(node("file")), &["draft", "receipt"], &[]), [unsigned("file")]);
    assert_eq!(found(&spec, Stand::Over, &[], &[]), []);
}

#[test]
fn a_branch_that_is_not_entered_promises_nothing() {
    let spec = Sketch::new("*message left right note outcome!")
        .node("open(message) writes note")
        .node("go_left(message) writes left")
        .node("go_right(message) writes right")
        .node("join(left, right) writes outcome")
        .chain("start -> open")
        .fork("open -> (go_left, go_right) -> join")
        .chain("go_left -> join -> end")
        .chain("go_right -> join")
        .done();
    let node = |name| spec.node_index(name).unwrap();
    let lane = |id, parent, stand, written: &[&'static str]| LaneAhead {
        id,
        parent,
        stand,
        written: written.to_vec(),
        signed: vec![],
        touched: vec![],
        into: None,
    };
    let join = Point::Node(node("join"));
    let both = [
        lane(0, None, Stand::Forked(join), &["message"]),
        lane(1, Some(0), Stand::Before(node("go_left")), &["message"]),
        lane(2, Some(0), Stand::Joined, &["message", "right"]),
    ];
    assert_eq!(lacks(&spec, &both), BTreeSet::new());
    // The thread forked when the graph had no second branch.
    let lack = Lack::Unwritten { node: "join", field: "right" };
    assert_eq!(lacks(&spec, &both[..2]), BTreeSet::from([lack]));
}

#[test]
fn a_value_reaches_its_review_unless_it_is_overwritten() {
    let spec = refund();
    let node = |name| spec.node_index(name).unwrap();
    let ahead = |stand| review_ahead(&spec, stand, "draft");
    assert_eq!(ahead(Stand::Before(node("pay"))), Some("pay"));
    assert_eq!(ahead(Stand::At(node("pay"))), None);
    assert_eq!(ahead(Stand::Before(node("draft"))), None);
    assert_eq!(ahead(Stand::Before(node("plan"))), None);
    assert_eq!(ahead(Stand::Forked(Point::Node(node("pay")))), Some("pay"));
    assert_eq!(review_ahead(&spec, Stand::Before(node("plan")), "plan"), None);
}
