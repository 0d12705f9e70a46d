//! The run-time check of a thread's remaining path through a graph: the fields and signatures that it may lack.
//!
//! [`prove`](super::prove) computes the facts of every path from `start`. A thread that began under other code may have
//! taken none of these paths, so the same analysis runs again from its present position, with the facts that it has.
//!
//! A lane is the thread itself, one branch of a fork, or one item of a `for`.

use std::collections::BTreeSet;

use super::bits::Bits;
use super::covers::Covers;
use super::facts::{Facts, Step};
use super::names::Names;
use super::prove::NodeProof;
use super::sides::ForkProof;
use super::{BranchSpec, EdgeKind, EdgeSpec, GraphSpec, Point};

/// The position of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Before a node: if the node has a review, it can still be rejected.
    Before(usize),
    /// At a node that runs or is about to run: its review, if it has one, is over.
    At(usize),
    /// At the join of its fork, waiting for its siblings.
    Joined,
    /// Waiting for its own branches, which meet at this point.
    Forked(Point),
    /// Ended.
    Over,
}

/// A lane, with the facts that the check of its remaining path needs.
#[derive(Clone, Debug)]
pub(crate) struct LaneAhead<'a> {
    pub(crate) id: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) stand: Stand,
    /// The fields that are written.
    pub(crate) written: Vec<&'a str>,
    /// The valid signatures: each a node that may run on it, and the signed field.
    pub(crate) signed: Vec<(usize, &'a str)>,
    /// The fields that it has changed since its fork.
    pub(crate) touched: Vec<&'a str>,
    /// Set while items of a `for` run in it: the lists that are written once the items have joined.
    pub(crate) into: Option<Vec<&'a str>>,
}

/// A fact that a thread may lack at some point ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lack {
    /// A node, or a `match` or `for` after it, reads this field, and some path to it does not write the field.
    Unwritten { node: &'static str, field: &'static str },
    /// A node takes this field as approved, and on some path to it there is no signature of the field for this node.
    Unsigned { node: &'static str, field: &'static str },
    /// Some path ends without this output.
    Output { field: &'static str },
}

/// Returns everything that the lanes of a thread may lack on some path to the end. The lanes must be compatible with
/// the graph.
pub(crate) fn lacks(spec: &GraphSpec, lanes: &[LaneAhead<'_>]) -> BTreeSet<Lack> {
    let mut ahead = Ahead::of(spec);
    for root in lanes.iter().filter(|lane| lane.parent.is_none()) {
        ahead.lane(lanes, root);
    }
    ahead.lacks
}

/// Returns the node of the first review that the present value of a field comes to, if no node overwrites it before.
pub(crate) fn review_ahead(spec: &GraphSpec, from: Stand, field: &str) -> Option<&'static str> {
    let writes = |node: usize| spec.nodes[node].writes.contains(&field);
    let mut seen = vec![false; spec.nodes.len()];
    let mut open = Vec::new();
    let each = |fork: usize| spec.forks[fork].each;
    let on = |node: usize, verdicts: bool, open: &mut Vec<usize>| {
        for edge in spec.edges_from(Point::Node(node)) {
            let keeps = if edge.kind.leaves_review() { verdicts } else { !writes(node) };
            // Each item of a `for` sets the item field itself, and the fields of an item end with it.
            let anew = matches!(edge.kind, EdgeKind::Fork { fork, .. } if each(fork).is_some_and(|each| each.item == field));
            let ends = edge.joins.is_some_and(|(fork, _)| each(fork).is_some());
            if let (true, Point::Node(to)) = (keeps && !anew && !ends, edge.to) {
                open.push(to);
            }
        }
    };
    match from {
        Stand::Before(node) | Stand::Forked(Point::Node(node)) => open.push(node),
        Stand::At(node) => on(node, false, &mut open),
        Stand::Joined | Stand::Forked(_) | Stand::Over => {}
    }
    while let Some(node) = open.pop() {
        if std::mem::replace(&mut seen[node], true) {
            continue;
        }
        if spec.nodes[node].interrupt.is_some_and(|interrupt| interrupt.field == field) {
            return Some(spec.nodes[node].name);
        }
        on(node, true, &mut open);
    }
    None
}

/// The changes that the branches of a fork may make, and the transfer functions of the fork.
struct Branches {
    touches: Vec<Bits>,
    /// The covers that each branch may end or renew.
    spoils: Vec<Bits>,
    whole: ForkProof,
    is_each: bool,
}

struct Ahead<'g> {
    spec: &'g GraphSpec,
    names: Names,
    /// The transfer functions and requirements of each node, without entry facts.
    nodes: Vec<NodeProof>,
    forks: Vec<Branches>,
    covers: Covers,
    reduced: Bits,
    outputs: Bits,
    lacks: BTreeSet<Lack>,
}

/// One run of the data-flow analysis, from the position of one lane.
struct Flow {
    /// The facts on entry to each node; `None` for a node that is not reached.
    entry: Vec<Option<Facts>>,
    /// The facts at the end of each branch of the forks ahead.
    ends: Vec<Vec<Facts>>,
    /// The facts that each edge carries; `None` for an edge that is not taken.
    carried: Vec<Option<Facts>>,
    /// The branch that contains the lane's position. `end` has the facts at its end.
    own: Option<(usize, usize)>,
    end: Facts,
    open: Vec<usize>,
}

impl<'g> Ahead<'g> {
    fn of(spec: &'g GraphSpec) -> Self {
        let names = Names::of(&spec.state);
        let fields = |wanted: fn(&super::FieldSpec) -> bool| {
            let fields = spec.state.fields.iter().enumerate().filter(|(_, field)| wanted(field));
            fields.fold(Bits::NONE, |bits, (number, _)| bits.with(number))
        };
        let reduced = fields(|field| field.reduced);
        let mut nodes: Vec<_> = spec.nodes.iter().map(|node| NodeProof::of(node, &names)).collect();
        let lists = spec.forks.iter().filter_map(|fork| Some((fork.from, fork.each?.list)));
        for (from, field) in spec.routes.iter().map(|route| (route.from, route.field)).chain(lists) {
            // A field that a `match` or `for` lacks is reported once, and counts as written from there on.
            if let (Point::Node(from), Some(field)) = (from, names.find(field)) {
                nodes[from].ran.writes = nodes[from].ran.writes.with(field);
            }
        }
        let covers = Covers::read(spec, &names, &mut nodes);
        let forks = branches(spec, &names, &nodes, &covers, [reduced, fields(|field| field.appends)]);
        let outputs = fields(|field| field.output);
        Self { spec, forks, nodes, covers, reduced, outputs, names, lacks: BTreeSet::new() }
    }

    fn bits(&self, fields: &[&str]) -> Bits {
        fields.iter().filter_map(|field| self.names.find(field)).fold(Bits::NONE, Bits::with)
    }

    fn covered(&self, lane: &LaneAhead<'_>) -> Bits {
        let numbers =
            lane.signed.iter().filter_map(|(node, field)| self.covers.find(*node, self.names.find(field)?));
        numbers.fold(Bits::NONE, Bits::with)
    }

    /// Follows a lane, and the lanes forked from it, to the lane's end; returns the facts there.
    fn lane(&mut self, lanes: &[LaneAhead<'_>], lane: &LaneAhead<'_>) -> Facts {
        let facts = Facts { written: self.bits(&lane.written), signed: self.covered(lane) };
        if let Stand::At(node) = lane.stand {
            self.needs_own(lane, node, facts);
        }
        match lane.stand {
            Stand::Joined => facts,
            // A lane that never comes to the join does not restrict the facts there.
            Stand::Over => Facts::ANYTHING,
            Stand::Before(node) | Stand::At(node) => self.flow(lane.stand, node, facts),
            Stand::Forked(join) => {
                let facts = self.joined_lanes(lanes, lane, facts);
                match join {
                    Point::Node(node) => self.flow(Stand::Before(node), node, facts),
                    Point::Start | Point::End => {
                        self.lack_outputs(self.outputs.minus(facts.written));
                        facts
                    }
                }
            }
        }
    }

    /// Returns the facts at the join of the lanes forked from `lane`, given those before its fork.
    fn joined_lanes(&mut self, lanes: &[LaneAhead<'_>], lane: &LaneAhead<'_>, before: Facts) -> Facts {
        let mut branches = Vec::new();
        for child in lanes.iter().filter(|child| child.parent == Some(lane.id)) {
            let here = self.region(child.stand).map(|(fork, branch)| (&self.forks[fork], branch));
            let (will_touch, will_spoil) = here.map_or((Bits::NONE, Bits::NONE), |(fork, branch)| {
                (fork.touches[branch], fork.spoils[branch])
            });
            let touched = self.bits(&child.touched).or(will_touch);
            // A cover that held before the fork and no longer holds in the child has been spent there.
            let spoiled =
                self.covers.ended_by(touched).or(will_spoil).or(before.signed.minus(self.covered(child)));
            branches.push((self.lane(lanes, child), touched, spoiled));
        }
        if let Some(into) = &lane.into {
            let touched = branches.iter().fold(Bits::NONE, |bits, (_, touched, _)| bits.or(*touched));
            let signed = before.signed.minus(self.covers.ended_by(touched.and(self.reduced)));
            return Facts { written: before.written.or(self.bits(into)), signed };
        }
        let touches: Vec<Bits> = branches.iter().map(|(_, touches, _)| *touches).collect();
        let mixed = self.covers.ended_by(twice(&touches).and(self.reduced));
        let met = meet_branches(branches.into_iter().map(|(end, _, spoils)| (end, spoils)), mixed);
        Facts { written: met.written.or(before.written), signed: met.signed }
    }

    /// Returns the innermost branch that contains a position.
    fn region(&self, stand: Stand) -> Option<(usize, usize)> {
        match stand {
            Stand::Before(node) | Stand::At(node) | Stand::Forked(Point::Node(node)) => {
                self.spec.around(node).last().copied()
            }
            Stand::Joined | Stand::Forked(_) | Stand::Over => None,
        }
    }

    /// Propagates facts from a node to the end of its branch or of the graph, and records what the nodes on the way
    /// lack. Returns the facts at the end of the branch.
    fn flow(&mut self, stand: Stand, node: usize, facts: Facts) -> Facts {
        let mut flow = Flow {
            entry: vec![None; self.nodes.len()],
            ends: self.forks.iter().map(|fork| vec![Facts::ANYTHING; fork.touches.len()]).collect(),
            carried: vec![None; self.spec.edges.len()],
            own: self.region(stand),
            end: Facts::ANYTHING,
            open: Vec::new(),
        };
        match stand {
            Stand::At(_) => {
                self.needs(node, facts);
                self.leave(&mut flow, node, facts, false);
            }
            _ => flow.enter(node, facts),
        }
        while let Some(node) = flow.open.pop() {
            if let Some(facts) = flow.entry[node] {
                self.leave(&mut flow, node, facts, true);
            }
        }
        for (node, facts) in flow.entry.iter().enumerate() {
            if let Some(facts) = facts {
                self.needs(node, *facts);
            }
        }
        for (edge, carried) in self.spec.edges.iter().zip(&flow.carried) {
            if let (Point::End, Some(carried)) = (edge.to, carried)
                && (edge.joins.is_none() || edge.joins != flow.own)
            {
                let joined = edge.joins.map_or(Bits::NONE, |(fork, _)| self.joined(&flow, fork).written);
                self.lack_outputs(self.outputs.minus(carried.written).minus(joined));
            }
        }
        flow.end
    }

    /// Propagates the facts at a node along the edges that leave it, including verdict edges if `verdicts` is set:
    /// without it, the review is over.
    fn leave(&self, flow: &mut Flow, node: usize, facts: Facts, verdicts: bool) {
        for (number, edge) in self.spec.edges.iter().enumerate() {
            if edge.from == Point::Node(node) && (verdicts || !edge.kind.leaves_review()) {
                self.carry(flow, number, edge, self.step(node, edge.kind).after(facts));
            }
        }
    }

    fn step(&self, node: usize, kind: EdgeKind) -> Step {
        match kind {
            EdgeKind::Fork { fork, .. } => self.forks[fork].whole.enter(&self.nodes[node].ran),
            EdgeKind::Empty { fork } => self.forks[fork].whole.pass(&self.nodes[node].ran),
            kind => self.nodes[node].step(kind),
        }
    }

    fn carry(&self, flow: &mut Flow, number: usize, edge: &EdgeSpec, facts: Facts) {
        flow.carried[number] = Some(flow.carried[number].map_or(facts, |known| known.meet(facts)));
        let facts = match edge.joins {
            Some(_) if edge.joins == flow.own => {
                flow.end = flow.end.meet(facts);
                return;
            }
            Some((fork, branch)) => {
                flow.ends[fork][branch] = flow.ends[fork][branch].meet(facts);
                self.joined(flow, fork)
            }
            None => facts,
        };
        if let Point::Node(to) = edge.to {
            flow.enter(to, facts);
        }
    }

    /// Returns the facts at the join of a fork that lies ahead.
    fn joined(&self, flow: &Flow, fork: usize) -> Facts {
        let branches = &self.forks[fork];
        if branches.is_each {
            // The facts that the items leave are those of the edge past the `for`.
            return Facts::ANYTHING;
        }
        let ends = flow.ends[fork].iter().copied();
        meet_branches(ends.zip(branches.spoils.iter().copied()), branches.whole.unsigns)
    }

    /// Records a missing signature of the node's own draft, for a lane at a node whose review is over.
    fn needs_own(&mut self, lane: &LaneAhead<'_>, number: usize, facts: Facts) {
        let node = &self.spec.nodes[number];
        if let Some(interrupt) = &node.interrupt
            && !lane.signed.contains(&(number, interrupt.field))
            && self.names.find(interrupt.field).is_none_or(|field| facts.written.has(field))
        {
            self.lacks.insert(Lack::Unsigned { node: node.name, field: interrupt.field });
        }
    }

    /// Records the requirements of a node that the facts do not meet.
    fn needs(&mut self, node: usize, facts: Facts) {
        let proof = self.nodes[node];
        let mut unwritten = proof.stopped.writes.minus(facts.written);
        let covers = each(proof.stopped.signs.minus(facts.signed)).map(|cover| self.covers.get(cover).field);
        let unsigned = covers.fold(Bits::NONE, Bits::with).minus(unwritten);
        // Not `ran.writes`: that has the field of the `match` already.
        let written = facts.written.or(proof.stopped.writes).or(proof.writes);
        let matched = self.spec.routes.iter().filter(|route| route.from == Point::Node(node));
        let list = self.spec.forks.iter().filter(|fork| fork.from == Point::Node(node));
        let looked_at = matched.map(|route| route.field).chain(list.filter_map(|fork| Some(fork.each?.list)));
        let looked_at = looked_at.filter_map(|field| self.names.find(field));
        unwritten = unwritten.or(looked_at.fold(Bits::NONE, Bits::with).minus(written));
        let node = self.spec.nodes[node].name;
        let name = |field: usize| self.spec.state.fields[field].name;
        self.lacks.extend(each(unwritten).map(|field| Lack::Unwritten { node, field: name(field) }));
        self.lacks.extend(each(unsigned).map(|field| Lack::Unsigned { node, field: name(field) }));
    }

    fn lack_outputs(&mut self, missing: Bits) {
        let name = |field: usize| self.spec.state.fields[field].name;
        self.lacks.extend(each(missing).map(|field| Lack::Output { field: name(field) }));
    }
}

impl Flow {
    fn enter(&mut self, node: usize, facts: Facts) {
        let known = self.entry[node].map_or(facts, |known| known.meet(facts));
        if self.entry[node] != Some(known) {
            self.entry[node] = Some(known);
            self.open.push(node);
        }
    }
}

/// Summarizes the forks of a graph as [`prove`](super::prove) does. Changes inside a `for` are hidden from the forks
/// around it, except those of fields with a reducer.
fn branches(
    spec: &GraphSpec,
    names: &Names,
    nodes: &[NodeProof],
    covers: &Covers,
    [reduced, appended]: [Bits; 2],
) -> Vec<Branches> {
    let mut shown: Vec<Bits> = nodes.iter().map(|node| node.touches).collect();
    let mut spends: Vec<Bits> = nodes.iter().map(|node| node.stopped.signs).collect();
    let mut forks = Vec::new();
    for fork in spec.forks.iter().rev() {
        let all = |of: &[Bits], branch: &BranchSpec| {
            branch.nodes.iter().fold(Bits::NONE, |bits, &node| bits.or(of[node]))
        };
        let touches: Vec<Bits> = fork.branches.iter().map(|branch| all(&shown, branch)).collect();
        let spent = fork.branches.iter().map(|branch| all(&spends, branch));
        let spoils =
            spent.zip(&touches).map(|(spent, touches)| spent.or(covers.ended_by(*touches))).collect();
        let mut whole = ForkProof { mixed: twice(&touches).and(reduced), ..ForkProof::BLANK };
        if let Some(each) = &fork.each {
            let body = fork.body();
            let writes = body.iter().fold(Bits::NONE, |bits, &node| bits.or(nodes[node].writes));
            whole.item = names.find(each.item).map_or(Bits::NONE, |item| Bits::NONE.with(item));
            whole.gathers = writes.and(appended);
            whole.mixed = touches.iter().fold(Bits::NONE, |bits, &more| bits.or(more)).and(reduced);
            whole.leaves = Bits::ALL;
            for &node in body {
                (shown[node], spends[node]) = (shown[node].and(reduced), Bits::NONE);
            }
        }
        whole.unsigns = covers.ended_by(whole.mixed);
        forks.push(Branches { touches, spoils, whole, is_each: fork.each.is_some() });
    }
    forks.reverse();
    forks
}

/// Returns the facts at the join of branches, each with the covers that it may have ended, as
/// [`Proof::joined`](super::Proof) does.
fn meet_branches(branches: impl Iterator<Item = (Facts, Bits)>, mixed: Bits) -> Facts {
    let (mut written, mut signed, mut unsigned) = (Bits::NONE, Bits::NONE, mixed);
    for (end, spoils) in branches {
        written = written.or(end.written);
        signed = signed.or(end.signed);
        unsigned = unsigned.or(spoils.minus(end.signed));
    }
    Facts { written, signed: signed.minus(unsigned) }
}

/// Returns the members that more than one of these sets has.
fn twice(sets: &[Bits]) -> Bits {
    let (mut once, mut twice) = (Bits::NONE, Bits::NONE);
    for set in sets {
        twice = twice.or(once.and(*set));
        once = once.or(*set);
    }
    twice
}

fn each(mut bits: Bits) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let first = bits.first()?;
        bits = bits.minus(Bits::NONE.with(first));
        Some(first)
    })
}
