//! The proofs against graphs at random: without forks, against every path there is; with forks, against runs.

use std::collections::{HashMap, HashSet, VecDeque};

use super::sketch::{ROOM, Sketch};
use crate::graph::bits::Bits;
use crate::graph::path::{Lacking, Last, Path};
use crate::graph::*;

/// Numbers that look random and are the same each time (xorshift).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }

    pub(super) fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }
}

const FIELDS: usize = 3;

/// A node that reads, signs and writes this and that, and may stop for one of these fields.
fn node(dice: &mut Dice, name: &str, reviewable: &[usize]) -> (String, bool) {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for field in 0..FIELDS {
        match dice.below(12) {
            0 => reads.push(format!("f{field}")),
            1 => reads.push(format!("^f{field}")),
            2 => reads.push(format!("?f{field}")),
            _ => {}
        }
        if dice.one_in(4) {
            writes.push(format!("f{field}"));
        }
    }
    let stops = dice.one_in(3);
    let review = if stops {
        format!("; reviews f{}", reviewable[dice.below(reviewable.len())])
    } else {
        String::new()
    };
    (format!("{name}({}) writes {}{review}", reads.join(","), writes.join(",")), stops)
}

/// What a node does, read off its description by other means than the proof's.
#[derive(Default)]
struct Deed {
    reads: HashSet<usize>,
    approved: HashSet<usize>,
    review: Option<usize>,
    writes: HashSet<usize>,
}

fn deed(node: &NodeSpec) -> Deed {
    let number = |name: &str| name[1..].parse::<usize>().unwrap();
    let mut deed = Deed {
        review: node.interrupt.map(|interrupt| number(interrupt.field)),
        writes: node.writes.iter().map(|name| number(name)).collect(),
        ..Deed::default()
    };
    deed.reads.extend(deed.review);
    for read in node.reads.iter().filter(|read| read.kind != ReadKind::Optional) {
        deed.reads.insert(number(read.field));
        if read.kind == ReadKind::Approved && deed.review != Some(number(read.field)) {
            deed.approved.insert(number(read.field));
        }
    }
    deed
}

/// The fields that are written, and those that are signed, on one way to a point.
type Known = [[bool; FIELDS]; 2];

/// What one step makes of it.
fn step(spec: &GraphSpec, edge: &EdgeSpec, mut known: Known) -> Known {
    let Point::Node(from) = edge.from else { return known };
    let deed = deed(&spec.nodes[from]);
    let [written, signed] = &mut known;
    deed.reads.iter().for_each(|&field| written[field] = true);
    deed.approved.iter().for_each(|&field| signed[field] = true);
    if !edge.kind.leaves_review() {
        deed.review.iter().for_each(|&field| signed[field] = true);
        for &field in &deed.writes {
            (written[field], signed[field]) = (true, false);
        }
    }
    known
}

/// Every way there is of coming to each point, with the number of its steps.
fn ways(spec: &GraphSpec) -> HashMap<(Point, Known), usize> {
    let inputs = std::array::from_fn(|field| spec.state.fields[field].input);
    let start = (Point::Start, [inputs, [false; FIELDS]]);
    let (mut ways, mut queue) = (HashMap::from([(start, 0)]), VecDeque::from([start]));
    while let Some((point, known)) = queue.pop_front() {
        let steps = ways[&(point, known)];
        for edge in spec.edges_from(point) {
            let next = (edge.to, step(spec, edge, known));
            ways.entry(next).or_insert_with(|| {
                queue.push_back(next);
                steps + 1
            });
        }
    }
    ways
}

/// A graph with loops, verdicts and choices, and no fork.
pub(super) fn plain(dice: &mut Dice) -> GraphSpec {
    let count = 1 + dice.below(7);
    let (mut sketch, mut stops) = (Sketch::new("*f0 f1 f2"), Vec::new());
    for number in 0..count {
        let (text, stop) = node(dice, &format!("n{number}"), &[0, 1, 2]);
        sketch = sketch.node(&text);
        stops.push(stop);
    }
    let some = |dice: &mut Dice| match dice.below(count + 1) {
        number if number == count => "end".to_owned(),
        number => format!("n{number}"),
    };
    sketch = sketch.chain(&format!("start -> n{}", dice.below(count)));
    for (number, stop) in stops.into_iter().enumerate() {
        sketch = match dice.one_in(2) {
            true => sketch.chain(&format!("n{number} -> {}", some(dice))),
            false => sketch.choice(&format!("n{number} -> match f0 {{ {}, {} }}", some(dice), some(dice))),
        };
        if stop {
            sketch =
                sketch.verdicts(&format!("n{number} {{ reject -> {}, ask -> {} }}", some(dice), some(dice)));
            if dice.one_in(2) {
                sketch = sketch.verdicts(&format!("n{number} {{ expire -> {} }}", some(dice)));
            }
        }
    }
    sketch.done()
}

#[test]
fn without_forks_the_proof_says_what_every_path_says() {
    let mut dice = Dice(0x5eed);
    for _ in 0..1_000 {
        let spec = plain(&mut dice);
        let (proof, ways) = (prove::<ROOM>(&spec), ways(&spec));
        for node in 0..ROOM {
            let here = ways.iter().filter(|((point, _), _)| *point == Point::Node(node));
            let here: Vec<_> = here.map(|((_, known), steps)| (known, *steps)).collect();
            assert_eq!(proof.nodes[node].reached, !here.is_empty());
            for field in 0..FIELDS {
                let entry = proof.nodes[node].entry;
                let cases = [
                    (entry.written, 0, Lacking::Written(field)),
                    (entry.signed, 1, Lacking::Signed(field)),
                    (Bits::NONE, 2, Lacking::Nothing),
                ];
                for (proved, which, lacking) in cases {
                    let lack = here.iter().filter(|(known, _)| which == 2 || !known[which][field]);
                    let shortest = lack.map(|(_, steps)| *steps).min();
                    if which < 2 {
                        assert_eq!(
                            proved.has(field),
                            shortest.is_none(),
                            "field {field} at {node} of {spec:#?}"
                        );
                    }
                    let path = Path::find(&spec, &proof, Point::Node(node), Last::Any, lacking);
                    assert_eq!(path.map(|path| path.steps), shortest, "field {field} at {node} of {spec:#?}");
                }
            }
        }
    }
}

/// A graph of forks and `for`s inside each other: a region is a chain of nodes, some of them followed by a fork or a `for`
/// that joins at the next.
pub(super) struct Forked<'a> {
    dice: &'a mut Dice,
    /// The fields that have no reducer.
    plain: Vec<usize>,
    nodes: Vec<String>,
    edges: Vec<[String; 2]>,
    verdicts: Vec<String>,
    forks: Vec<String>,
}

impl Forked<'_> {
    /// Adds a region, `each` of whose nodes may run once for each item; gives its nodes, the first being its head and the
    /// second its last.
    fn region(&mut self, depth: usize, each: bool) -> (String, String, Vec<String>) {
        let (mut chain, mut all): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        let length = 1 + self.dice.below(3);
        for place in 0..length {
            let name = format!("n{}", self.nodes.len());
            // What items share may not be reviewed by each.
            let reviewable = if each { self.plain.clone() } else { (0..FIELDS).collect() };
            let (text, stop) = node(self.dice, &name, &reviewable);
            self.nodes.push(text);
            all.push(name.clone());
            if stop {
                let to = chain.get(self.dice.below(chain.len() + 1)).unwrap_or(&name);
                let word = if self.dice.one_in(2) { "reject" } else { "expire" };
                self.verdicts.push(format!("{name} {{ {word} -> {to} }}"));
            }
            if let Some(before) = chain.last() {
                let before = before.clone();
                if depth > 0 && self.nodes.len() < 24 && self.dice.one_in(2) {
                    all.extend(self.fork(&before, &name, depth - 1, each));
                } else {
                    self.edges.push([before, name.clone()]);
                }
            }
            if place > 0 && self.dice.one_in(4) {
                // A way back; both ways are then arms of a `match`, which the flow of facts does not tell from edges.
                let back = chain[self.dice.below(chain.len())].clone();
                self.edges.push([name.clone(), back]);
            }
            chain.push(name);
        }
        (chain[0].clone(), chain[length - 1].clone(), all)
    }

    /// Adds a fork or a `for` between two nodes; gives the nodes inside.
    fn fork(&mut self, from: &str, join: &str, depth: usize, each: bool) -> Vec<String> {
        let (number, goes_through) = (self.forks.len(), self.dice.one_in(2));
        self.forks.push(String::new());
        let branches = if goes_through { 1 } else { 2 + self.dice.below(2) };
        let branches: Vec<_> = (0..branches).map(|_| self.region(depth, each || goes_through)).collect();
        let (mut inside, mut all) = (Vec::new(), Vec::new());
        for (_, last, nodes) in branches {
            self.edges.push([last, join.to_owned()]);
            inside.push(nodes.join(" "));
            all.extend(nodes);
        }
        let inside = inside.join(", ");
        self.forks[number] = if goes_through {
            let list = self.dice.below(FIELDS);
            let item = (list + 1 + self.dice.below(FIELDS - 1)) % FIELDS;
            format!("{from} -> for f{item} in f{list} {{ {inside} }} -> {join}")
        } else {
            format!("{from} -> ({inside}) -> {join}")
        };
        all
    }

    pub(super) fn sketch(dice: &mut Dice) -> GraphSpec {
        let (first, second) = (["", "+", "&"][dice.below(3)], ["+", "&"][dice.below(2)]);
        let plain = if first.is_empty() { vec![0, 1] } else { vec![1] };
        let mut forked =
            Forked { dice, plain, nodes: vec![], edges: vec![], verdicts: vec![], forks: vec![] };
        let (head, last, _) = forked.region(2, false);
        let mut sketch = Sketch::new(&format!("*{first}f0 f1 {second}f2"));
        for node in &forked.nodes {
            sketch = sketch.node(node);
        }
        sketch = sketch.chain(&format!("start -> {head}")).chain(&format!("{last} -> end"));
        for fork in &forked.forks {
            sketch = if fork.contains("-> for ") { sketch.each(fork) } else { sketch.fork(fork) };
        }
        for [from, to] in &forked.edges {
            sketch = sketch.chain(&format!("{from} -> {to}"));
        }
        for verdicts in &forked.verdicts {
            sketch = sketch.verdicts(verdicts);
        }
        sketch.done()
    }
}

/// A value is a number; no two that were made apart are the same.
type Values = [Option<u64>; FIELDS];

/// The value of a field that should have been written before, and was not.
const ASSUMED: u64 = 0;

/// One run, with the values that people have signed.
struct Run<'a> {
    spec: &'a GraphSpec,
    proof: &'a Proof<ROOM>,
    dice: &'a mut Dice,
    made: u64,
    left: usize,
    seen: HashSet<(usize, bool, usize)>,
}

impl Run<'_> {
    fn make(&mut self) -> Option<u64> {
        self.made += 1;
        Some(self.made)
    }

    /// Runs from a node until an edge ends this branch, or the graph; gives what is known then, if it comes to that.
    fn run(
        &mut self,
        mut at: usize,
        mut values: Values,
        mut signed: HashSet<(usize, u64)>,
        inside: Option<(usize, usize)>,
    ) -> Option<(Values, HashSet<(usize, u64)>)> {
        loop {
            self.left = self.left.checked_sub(1)?;
            let is_signed = |values: &Values, signed: &HashSet<_>, field: usize| {
                values[field].is_some_and(|value| signed.contains(&(field, value)))
            };
            let entry = self.proof.nodes[at].entry;
            for field in 0..FIELDS {
                let (written, approved) = (values[field].is_some(), is_signed(&values, &signed, field));
                assert!(written || !entry.written.has(field), "{at} {field} {:#?}", self.spec);
                assert!(approved || !entry.signed.has(field), "{at} {field} {:#?}", self.spec);
                if !written {
                    self.seen.insert((at, false, field));
                }
                if !approved {
                    self.seen.insert((at, true, field));
                }
            }
            let deed = deed(&self.spec.nodes[at]);
            // What is missing here is reported here.
            for &field in &deed.reads {
                values[field] = values[field].or(Some(ASSUMED));
            }
            for &field in &deed.approved {
                signed.extend(values[field].map(|value| (field, value)));
            }
            let mut verdict = false;
            if let Some(field) = deed.review {
                verdict = self.dice.one_in(3);
                if !verdict {
                    if self.dice.one_in(3) {
                        values[field] = self.make();
                    }
                    signed.extend(values[field].map(|value| (field, value)));
                }
            }
            if !verdict {
                for &field in &deed.writes {
                    values[field] = self.make();
                }
            }
            let edges = self.spec.edges_from(Point::Node(at));
            let edges: Vec<_> = edges.filter(|edge| edge.kind.leaves_review() == verdict).collect();
            let edge = edges[self.dice.below(edges.len())];
            if let EdgeKind::Fork { fork, .. } | EdgeKind::Empty { fork } = edge.kind {
                match self.spec.forks[fork].each {
                    Some(each) => values = self.for_each(&each, fork, &edges, values, &signed)?,
                    None => (values, signed) = self.fork(fork, &edges, values, signed)?,
                }
                let Point::Node(join) = self.spec.forks[fork].join else { return None };
                at = join;
            } else if edge.joins.is_some() {
                assert_eq!(edge.joins, inside);
                return Some((values, signed));
            } else {
                match edge.to {
                    Point::Node(node) => at = node,
                    Point::Start | Point::End => return Some((values, signed)),
                }
            }
        }
    }

    /// Runs every branch of a fork, and merges what they end with.
    fn fork(
        &mut self,
        fork: usize,
        edges: &[&EdgeSpec],
        before: Values,
        mut signed: HashSet<(usize, u64)>,
    ) -> Option<(Values, HashSet<(usize, u64)>)> {
        let mut ends = Vec::new();
        for edge in edges {
            if let (EdgeKind::Fork { branch, .. }, Point::Node(head)) = (edge.kind, edge.to) {
                ends.push(self.run(head, before, signed.clone(), Some((fork, branch)))?);
            }
        }
        let mut values = before;
        for field in 0..FIELDS {
            let mut changed: Vec<_> = ends.iter().map(|(values, _)| values[field]).collect();
            changed.retain(|value| *value != before[field]);
            if changed.iter().any(|value| *value != Some(ASSUMED)) {
                changed.retain(|value| *value != Some(ASSUMED));
            }
            changed.dedup();
            values[field] = match changed[..] {
                [] => before[field],
                [.., _, _] if self.spec.state.fields[field].reduced => self.make(),
                [.., last] => last,
            };
        }
        signed.extend(ends.into_iter().flat_map(|(_, signed)| signed));
        Some((values, signed))
    }

    /// Runs the body of a `for` for some items, or for none; gives what comes out.
    fn for_each(
        &mut self,
        each: &EachSpec,
        fork: usize,
        edges: &[&EdgeSpec],
        mut values: Values,
        signed: &HashSet<(usize, u64)>,
    ) -> Option<Values> {
        let number = |name: &str| name[1..].parse::<usize>().unwrap();
        values[number(each.list)] = values[number(each.list)].or(Some(ASSUMED));
        let before = values;
        for _ in 0..self.dice.below(4) {
            let mut own = before;
            own[number(each.item)] = self.make();
            let head = edges.iter().find_map(|edge| match (edge.kind, edge.to) {
                (EdgeKind::Fork { .. }, Point::Node(head)) => Some(head),
                _ => None,
            });
            let (end, _) = self.run(head.unwrap(), own, signed.clone(), Some((fork, 0)))?;
            for (field, value) in values.iter_mut().enumerate() {
                let wrote = end[field] != own[field] && end[field] != Some(ASSUMED);
                if wrote && self.spec.state.fields[field].reduced {
                    *value = self.make();
                }
            }
        }
        for (field, value) in values.iter_mut().enumerate() {
            let writes = |&node: &usize| deed(&self.spec.nodes[node]).writes.contains(&field);
            let gathers = self.spec.state.fields[field].appends
                && self.spec.forks[fork].branches[0].nodes.iter().any(writes);
            if gathers && value.is_none() {
                *value = self.make();
            }
        }
        Some(values)
    }
}

#[test]
fn with_forks_and_fors_no_run_belies_the_proof() {
    let (mut dice, mut exact, mut shy) = (Dice(0xf0_4c), 0, 0);
    for _ in 0..300 {
        let spec = Forked::sketch(&mut dice);
        let proof = prove::<ROOM>(&spec);
        let mut run =
            Run { spec: &spec, proof: &proof, dice: &mut dice, made: 0, left: 0, seen: HashSet::new() };
        let Point::Node(head) = spec.edges[0].to else { panic!("no head") };
        for _ in 0..100 {
            let values =
                std::array::from_fn(|field| if spec.state.fields[field].input { run.make() } else { None });
            run.left = 600;
            run.run(head, values, HashSet::new(), None);
        }
        let seen = run.seen;
        for node in 0..ROOM {
            for field in 0..FIELDS {
                let facts = proof.nodes[node].entry;
                let cases = [
                    (false, facts.written, Lacking::Written(field)),
                    (true, facts.signed, Lacking::Signed(field)),
                ];
                for (which, proved, lacking) in cases {
                    // For everything that is refused there is a path to show, and for nothing else.
                    let path = Path::find(&spec, &proof, Point::Node(node), Last::Any, lacking);
                    assert_eq!(path.is_none(), proved.has(field), "{node} {lacking:?} {spec:#?}");
                    if seen.contains(&(node, which, field)) {
                        exact += 1;
                    } else if !proved.has(field) {
                        shy += 1;
                    }
                }
            }
        }
    }
    // What is refused is nearly always what some run does lack: the proof is not just careful.
    assert!(exact > 400 * shy, "{exact} {shy}");
}
