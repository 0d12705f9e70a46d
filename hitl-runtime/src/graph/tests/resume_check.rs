//! Tests of the check of a thread's remaining path, against the proof for a thread that comes from `start`.

use std::collections::BTreeSet;

use super::oracle::{ForkGenerator, Rng, plain};
use super::sketch::{ROOM, Sketch};
use crate::graph::bit_set::BitSet;
use crate::graph::check::field_number;
use crate::graph::*;

/// Returns a lane at a node, with the fields that it has written and the covers that hold.
fn lane(
    id: u32,
    parent: Option<u32>,
    position: LanePosition,
    written: BitSet,
    signed: BitSet,
    (spec, proof): (&GraphSpec, &Proof<ROOM>),
) -> LaneFacts<'static> {
    let names = |bits: BitSet| {
        let fields = spec.state.fields.iter().enumerate();
        fields.filter(|(number, _)| bits.contains(*number)).map(|(_, field)| field.name).collect()
    };
    let covers = (0..proof.covers.count())
        .filter(|cover| signed.contains(*cover))
        .map(|cover| proof.covers.get(cover));
    LaneFacts {
        id,
        parent,
        position,
        written: names(written),
        signed: covers.map(|cover| (cover.node, spec.state.fields[cover.field].name)).collect(),
        touched: Vec::new(),
        appended_lists: None,
    }
}

fn head(spec: &GraphSpec) -> usize {
    let Point::Node(head) = spec.edges[0].to else { panic!("no head") };
    head
}

/// Returns the lane of a thread that has just started.
fn started_lane(spec: &GraphSpec, proof: &Proof<ROOM>) -> LaneFacts<'static> {
    lane(0, None, LanePosition::Before(head(spec)), proof.start.entry.written, BitSet::EMPTY, (spec, proof))
}

/// Returns the facts that the proof finds lacking.
fn proved(spec: &GraphSpec, proof: &Proof<ROOM>) -> BTreeSet<UnmetRequirement> {
    let mut unmet = BTreeSet::new();
    for (node, node_proof) in proof.nodes.iter().enumerate().filter(|(_, node_proof)| node_proof.reached) {
        let name = spec.nodes[node].name;
        let unwritten = node_proof.verdict_transfer.writes.minus(node_proof.entry.written);
        let missing = node_proof.verdict_transfer.signs.minus(node_proof.entry.signed);
        let covers = (0..proof.covers.count()).filter(|cover| missing.contains(*cover));
        let unsigned = covers
            .fold(BitSet::EMPTY, |bits, cover| bits.with(proof.covers.get(cover).field))
            .minus(unwritten);
        for (number, field) in spec.state.fields.iter().enumerate() {
            if unwritten.contains(number) {
                unmet.insert(UnmetRequirement::Unwritten { node: name, field: field.name });
            }
            if unsigned.contains(number) {
                unmet.insert(UnmetRequirement::Unsigned { node: name, field: field.name });
            }
        }
    }
    let lists = spec.forks.iter().filter_map(|fork| Some((fork.from, fork.each?.list)));
    for (from, field) in spec.routes.iter().map(|route| (route.from, route.field)).chain(lists) {
        let Point::Node(node) = from else { continue };
        let node_proof = &proof.nodes[node];
        let written = node_proof.entry.written.or(node_proof.verdict_transfer.writes).or(node_proof.writes);
        if node_proof.reached && !written.contains(field_number(spec, field).unwrap()) {
            unmet.insert(UnmetRequirement::Unwritten { node: spec.nodes[node].name, field });
        }
    }
    unmet
}

#[test]
fn the_check_agrees_with_the_proof_at_the_start() {
    let mut rng = Rng(0xa_4ead);
    let mut some = 0;
    for trial in 0..600 {
        let spec = if trial % 2 == 0 { plain(&mut rng) } else { ForkGenerator::sketch(&mut rng) };
        let proof = prove::<ROOM>(&spec);
        let expected = proved(&spec, &proof);
        assert_eq!(unmet_requirements(&spec, &[started_lane(&spec, &proof)]), expected, "{spec:#?}");
        some += usize::from(!expected.is_empty());
    }
    assert!(some > 100, "{some}");
}

/// A thread in the middle of a fork or a `for`, which came there along the graph, lacks nothing that the whole graph
/// does not lack.
#[test]
fn the_check_inside_a_fork_reports_no_more_than_the_proof() {
    let (mut rng, mut some) = (Rng(0x1_4ead), 0);
    for _ in 0..300 {
        let spec = ForkGenerator::sketch(&mut rng);
        let proof = prove::<ROOM>(&spec);
        for (number, fork) in spec.forks.iter().enumerate() {
            let Point::Node(from) = fork.from else { continue };
            if !spec.enclosing_branches(from).is_empty() {
                continue;
            }
            let before = proof.nodes[from].run_transfer.apply(proof.nodes[from].entry);
            let mut lanes = vec![lane(
                0,
                None,
                LanePosition::Forked(fork.join),
                before.written,
                before.signed,
                (&spec, &proof),
            )];
            let writes = |field: &&FieldSpec| {
                fork.body().iter().any(|&node| spec.nodes[node].writes.contains(&field.name))
            };
            let appended = spec.state.fields.iter().filter(|field| field.appends).filter(writes);
            lanes[0].appended_lists = fork.each.map(|_| appended.map(|field| field.name).collect());
            // A `for` gets three items.
            let branches =
                fork.branches.iter().cycle().take(if fork.each.is_some() { 3 } else { fork.branches.len() });
            for (branch, nodes) in (1..).zip(branches) {
                let own: Vec<usize> = nodes
                    .nodes
                    .iter()
                    .copied()
                    .filter(|&node| spec.enclosing_branches(node).len() == 1)
                    .collect();
                let node = own[rng.below(own.len())];
                assert_eq!(spec.enclosing_branches(node)[0].0, number);
                let entry = proof.nodes[node].entry;
                let mut at = lane(
                    branch,
                    Some(0),
                    LanePosition::Before(node),
                    entry.written,
                    entry.signed,
                    (&spec, &proof),
                );
                // The lane has changed some of the fields that its branch may change.
                at.touched =
                    spec.state.fields.iter().map(|field| field.name).filter(|_| rng.one_in(4)).collect();
                let may =
                    nodes.nodes.iter().fold(BitSet::EMPTY, |bits, &node| bits.or(proof.nodes[node].touches));
                at.touched.retain(|name| may.contains(field_number(&spec, name).unwrap()));
                lanes.push(at);
            }
            let (found, whole) = (unmet_requirements(&spec, &lanes), proved(&spec, &proof));
            // A field that is not even written counts as unwritten, and not as unsigned, too.
            let known = |lack: &UnmetRequirement| match *lack {
                UnmetRequirement::Unsigned { node, field } => {
                    whole.contains(lack) || whole.contains(&UnmetRequirement::Unwritten { node, field })
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

fn unmet_by(
    spec: &GraphSpec,
    position: LanePosition,
    written: &[&'static str],
    signed: &[(usize, &'static str)],
) -> Vec<UnmetRequirement> {
    let (written, signed) = (written.to_vec(), signed.to_vec());
    let lane =
        LaneFacts { id: 0, parent: None, position, written, signed, touched: vec![], appended_lists: None };
    unmet_requirements(spec, &[lane]).into_iter().collect()
}

#[test]
fn only_reachable_nodes_are_checked() {
    let spec = refund();
    let node = |name| spec.node_index(name).unwrap();
    let note = |node| UnmetRequirement::Unwritten { node, field: "note" };
    let unsigned = |node| UnmetRequirement::Unsigned { node, field: "draft" };
    // A lack counts as present once it is reported, so that one mistake gives one message.
    assert_eq!(unmet_by(&spec, LanePosition::Before(node("plan")), &["message"], &[]), [note("draft")]);
    // The draft is written, and can still be rejected.
    assert_eq!(unmet_by(&spec, LanePosition::Before(node("pay")), &["draft"], &[]), [note("cancel")]);
    // The draft is approved.
    let [pay, file] = ["pay", "file"].map(|name| (node(name), "draft"));
    assert_eq!(unmet_by(&spec, LanePosition::At(node("pay")), &["draft"], &[pay, file]), []);
    assert_eq!(unmet_by(&spec, LanePosition::At(node("file")), &["draft", "receipt"], &[file]), []);
    // `file` has spent its signature.
    assert_eq!(
        unmet_by(&spec, LanePosition::At(node("file")), &["draft", "receipt"], &[pay]),
        [unsigned("file")]
    );
    // The signed draft has changed since.
    assert_eq!(unmet_by(&spec, LanePosition::At(node("pay")), &["draft"], &[]), [unsigned("pay")]);
    assert_eq!(
        unmet_by(&spec, LanePosition::At(node("file")), &["draft", "receipt"], &[]),
        [unsigned("file")]
    );
    assert_eq!(unmet_by(&spec, LanePosition::Ended, &[], &[]), []);
}

#[test]
fn a_branch_that_is_not_entered_provides_nothing() {
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
    let lane = |id, parent, position, written: &[&'static str]| LaneFacts {
        id,
        parent,
        position,
        written: written.to_vec(),
        signed: vec![],
        touched: vec![],
        appended_lists: None,
    };
    let join = Point::Node(node("join"));
    let both = [
        lane(0, None, LanePosition::Forked(join), &["message"]),
        lane(1, Some(0), LanePosition::Before(node("go_left")), &["message"]),
        lane(2, Some(0), LanePosition::Joined, &["message", "right"]),
    ];
    assert_eq!(unmet_requirements(&spec, &both), BTreeSet::new());
    // The thread forked when the graph had no second branch.
    let lack = UnmetRequirement::Unwritten { node: "join", field: "right" };
    assert_eq!(unmet_requirements(&spec, &both[..2]), BTreeSet::from([lack]));
}

#[test]
fn a_value_reaches_its_review_unless_it_is_overwritten() {
    let spec = refund();
    let node = |name| spec.node_index(name).unwrap();
    let ahead = |position| next_review(&spec, position, "draft");
    assert_eq!(ahead(LanePosition::Before(node("pay"))), Some("pay"));
    assert_eq!(ahead(LanePosition::At(node("pay"))), None);
    assert_eq!(ahead(LanePosition::Before(node("draft"))), None);
    assert_eq!(ahead(LanePosition::Before(node("plan"))), None);
    assert_eq!(ahead(LanePosition::Forked(Point::Node(node("pay")))), Some("pay"));
    assert_eq!(next_review(&spec, LanePosition::Before(node("plan")), "plan"), None);
}
