//! What a thread still lacks that stands somewhere in a graph: the proof's question, asked of one thread at run time.
//!
//! [`prove`](super::prove) knows what every path from `start` has done. A thread that began under other code has come
//! by none of them, so the same facts flow once more, from where it stands and with what it has.

use std::collections::BTreeSet;

use super::bits::Bits;
use super::covers::Covers;
use super::facts::{Facts, Step};
use super::names::Names;
use super::prove::NodeProof;
use super::sides::ForkProof;
use super::{BranchSpec, EdgeKind, EdgeSpec, GraphSpec, Point};

/// Where a lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Before a node: whoever signs what it does may still say no.
    Before(usize),
    /// At a node that runs, or will: the review before it, if there was one, is over.
    At(usize),
    /// At its fork's join, where it waits for its siblings.
    Joined,
    /// Its branches are under way, and meet here.
    Forked(Point),
    /// It goes no further.
    Over,
}

/// A lane, as far as what is ahead of it depends on it.
#[derive(Clone, Debug)]
pub(crate) struct LaneAhead<'a> {
    pub(crate) id: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) stand: Stand,
    /// The fields that are written.
    pub(crate) written: Vec<&'a str>,
    /// The nodes that may run on a signature of a field, each with that field.
    pub(crate) signed: Vec<(usize, &'a str)>,
    /// The fields that it has changed since its fork.
    pub(crate) touched: Vec<&'a str>,
    /// Where the items of a `for` are under way in it: the lists that will be there once they have met.
    pub(crate) into: Option<Vec<&'a str>>,
}

/// What a thread may come to lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lack {
    /// A node reads this field, or a `match` after it does, and some way there writes it not.
    Unwritten { node: &'static str, field: &'static str },
    /// A node takes this field as approved, and on some way there no signature of it is for this node.
    Unsigned { node: &'static str, field: &'static str },
    /// Some way ends without this output.
    Output { field: &'static str },
}

/// Everything that the lanes of a thread may come to lack on their ways to the end. They must fit the graph.
pub(crate) fn lacks(spec: &GraphSpec, lanes: &[LaneAhead<'_>]) -> BTreeSet<Lack> {
    let mut ahead = Ahead::of(spec);
    for root in lanes.iter().filter(|lane| lane.parent.is_none()) {
        ahead.lane(lanes, root);
    }
    ahead.lacks
}

/// The first review that a value comes to which stands in a field now, if no node writes another one before.
pub(crate) fn review_ahead(spec: &GraphSpec, from: Stand, field: &str) -> Option<&'static str> {
    let writes = |node: usize| spec.nodes[node].writes.contains(&field);
    let mut seen = vec![false; spec.nodes.len()];
    let mut open = Vec::new();
    let each = |fork: usize| spec.forks[fork].each;
    let on = |node: usize, verdicts: bool, open: &mut Vec<usize>| {
        for edge in spec.edges_from(Point::Node(node)) {
            let keeps = if edge.kind.leaves_review() { verdicts } else { !writes(node) };
            // Each item of a `for` is a value of its own, and what an item has ends with it.
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

/// The fields that each branch of a fork may change, and what leading into it does.
struct Branches {
    touches: Vec<Bits>,
    /// The covers that each may end, or give anew.
    spoils: Vec<Bits>,
    whole: ForkProof,
    is_each: bool,
}

struct Ahead<'g> {
    spec: &'g GraphSpec,
    names: Names,
    /// What each node needs and does; nothing has flowed to it.
    nodes: Vec<NodeProof>,
    forks: Vec<Branches>,
    covers: Covers,
    reduced: Bits,
    outputs: Bits,
    lacks: BTreeSet<Lack>,
}

/// One flow of facts, from one lane on.
struct Flow {
    /// What holds when a node is entered; nothing is known of one that is not.
    entry: Vec<Option<Facts>>,
    /// What holds at the end of each branch of each fork that lies ahead.
    ends: Vec<Vec<Facts>>,
    /// What each edge carries that is taken.
    carried: Vec<Option<Facts>>,
    /// The branch that the lane itself is in, and what holds at its end.
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
            // A `match` on what is not there, or a `for` through it, is one lack, and from there on it counts as there.
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

    /// Follows a lane and those that have come out of it to where it ends; gives what holds there.
    fn lane(&mut self, lanes: &[LaneAhead<'_>], lane: &LaneAhead<'_>) -> Facts {
        let facts = Facts { written: self.bits(&lane.written), signed: self.covered(lane) };
        if let Stand::At(node) = lane.stand {
            self.needs_own(lane, node, facts);
        }
        match lane.stand {
            Stand::Joined => facts,
            // What never comes to the join promises it anything.
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

    /// What holds where the lanes that have come out of a lane have met.
    fn joined_lanes(&mut self, lanes: &[LaneAhead<'_>], lane: &LaneAhead<'_>, before: Facts) -> Facts {
        let mut branches = Vec::new();
        for child in lanes.iter().filter(|child| child.parent == Some(lane.id)) {
            let here = self.region(child.stand).map(|(fork, branch)| (&self.forks[fork], branch));
            let (will_touch, will_spoil) = here.map_or((Bits::NONE, Bits::NONE), |(fork, branch)| {
                (fork.touches[branch], fork.spoils[branch])
            });
            let touched = self.bits(&child.touched).or(will_touch);
            // What it has spent, it does not have.
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

    /// The innermost branch around where a lane stands.
    fn region(&self, stand: Stand) -> Option<(usize, usize)> {
        match stand {
            Stand::Before(node) | Stand::At(node) | Stand::Forked(Point::Node(node)) => {
                self.spec.around(node).last().copied()
            }
            Stand::Joined | Stand::Forked(_) | Stand::Over => None,
        }
    }

    /// Lets what is known flow from a node to the end of the branch that the node is in, or of the graph.
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

    /// What is known at a node goes along every edge that leaves it; those of verdicts too, unless they are over.
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

    /// What holds where a fork's branches have met that a flow has come through.
    fn joined(&self, flow: &Flow, fork: usize) -> Facts {
        let branches = &self.forks[fork];
        if branches.is_each {
            // The edge past it says what its items leave behind.
            return Facts::ANYTHING;
        }
        let ends = flow.ends[fork].iter().copied();
        meet_branches(ends.zip(branches.spoils.iter().copied()), branches.whole.unsigns)
    }

    /// At a node that runs, its own draft must be signed, too.
    fn needs_own(&mut self, lane: &LaneAhead<'_>, number: usize, facts: Facts) {
        let node = &self.spec.nodes[number];
        if let Some(interrupt) = &node.interrupt
            && !lane.signed.contains(&(number, interrupt.field))
            && self.names.find(interrupt.field).is_none_or(|field| facts.written.has(field))
        {
            self.lacks.insert(Lack::Unsigned { node: node.name, field: interrupt.field });
        }
    }

    /// Notes what a node needs and what is not there.
    fn needs(&mut self, node: usize, facts: Facts) {
        let proof = self.nodes[node];
        let mut unwritten = proof.stopped.writes.minus(facts.written);
        let covers = each(proof.stopped.signs.minus(facts.signed)).map(|cover| self.covers.get(cover).field);
        let unsigned = covers.fold(Bits::NONE, Bits::with).minus(unwritten);
        // `ran.writes` holds the matched field, too.
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

/// Reads the forks of a graph as [`prove`](super::prove) does: what stays inside a `for` is nothing to those around it.
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

/// What holds where branches have met, each with the covers that it may have ended: as [`Proof::joined`](super::Proof) has it.
fn meet_branches(branches: impl Iterator<Item = (Facts, Bits)>, mixed: Bits) -> Facts {
    let (mut written, mut signed, mut unsigned) = (Bits::NONE, Bits::NONE, mixed);
    for (end, spoils) in branches {
        written = written.or(end.written);
        signed = signed.or(end.signed);
        unsigned = unsigned.or(spoils.minus(end.signed));
    }
    Facts { written, signed: signed.minus(unsigned) }
}

/// What more than one of these sets holds.
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
