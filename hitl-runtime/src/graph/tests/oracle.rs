//! Tests of the proofs on random graphs: without forks, against every path; with forks, against simulated runs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::sketch::{ROOM, Sketch};
use crate::graph::counterexample::{LastEdge, MissingFact, Path};
use crate::graph::*;

/// A deterministic pseudo-random generator (xorshift).
pub(super) struct Rng(pub(super) u64);

impl Rng {
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

/// Returns the text of a random node, and whether it has a review, of one of the fields in `reviewable`.
fn node(rng: &mut Rng, name: &str, reviewable: &[usize]) -> (String, bool) {
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for field in 0..FIELDS {
        match rng.below(12) {
            0 => reads.push(format!("f{field}")),
            1 | 3 | 4 => reads.push(format!("^f{field}")),
            2 => reads.push(format!("?f{field}")),
            _ => {}
        }
        if rng.one_in(4) {
            writes.push(format!("f{field}"));
        }
    }
    let stops = rng.one_in(3);
    let review = if stops {
        let field = reviewable[rng.below(reviewable.len())];
        let covers: Vec<String> = (0..rng.below(4)).map(|_| format!("n{}", rng.below(10))).collect();
        let covers = if covers.is_empty() { String::new() } else { format!(", covers {}", covers.join(" ")) };
        let shown = (field + 1 + rng.below(FIELDS - 1)) % FIELDS;
        let shows = if rng.one_in(4) { format!(", shows f{shown}") } else { String::new() };
        format!("; reviews f{field}{covers}{shows}")
    } else {
        String::new()
    };
    (format!("{name}({}) writes {}{review}", reads.join(","), writes.join(",")), stops)
}

/// The reads and writes of a node, derived from its description independently of the proof.
#[derive(Default)]
struct FieldAccesses {
    reads: HashSet<usize>,
    approved: HashSet<usize>,
    review: Option<usize>,
    writes: HashSet<usize>,
}

fn accesses(node: &NodeSpec) -> FieldAccesses {
    let number = |name: &str| name[1..].parse::<usize>().unwrap();
    let mut accesses = FieldAccesses {
        review: node.interrupt.map(|interrupt| number(interrupt.field)),
        writes: node.writes.iter().map(|name| number(name)).collect(),
        ..FieldAccesses::default()
    };
    accesses.reads.extend(accesses.review);
    for read in node.reads.iter().filter(|read| read.kind != ReadKind::Optional) {
        accesses.reads.insert(number(read.field));
        if read.kind == ReadKind::Approved && accesses.review != Some(number(read.field)) {
            accesses.approved.insert(number(read.field));
        }
    }
    accesses
}

/// A node, and a field that it takes as signed by another node's review.
type Cover = (usize, usize);

/// Returns every cover of a graph with the fields that end it, derived independently of the proof.
fn covers(spec: &GraphSpec) -> BTreeMap<Cover, BTreeSet<usize>> {
    let mut all: BTreeMap<Cover, BTreeSet<usize>> = BTreeMap::new();
    for review in 0..spec.nodes.len() {
        for (cover, ends) in given(spec, review) {
            all.entry(cover).or_default().extend(ends);
        }
    }
    all
}

/// Returns the covers that the review before a node gives, each with the fields that it shows and signs.
fn given(spec: &GraphSpec, review: usize) -> Vec<(Cover, BTreeSet<usize>)> {
    let number = |name: &str| name[1..].parse::<usize>().unwrap();
    let Some(interrupt) = spec.nodes[review].interrupt else { return Vec::new() };
    let field = number(interrupt.field);
    let ends: BTreeSet<usize> = interrupt.shows.iter().map(|name| number(name)).chain([field]).collect();
    let nodes = (0..spec.nodes.len()).filter(|&node| {
        node != review
            && interrupt.covers.contains(&spec.nodes[node].name)
            && accesses(&spec.nodes[node]).approved.contains(&field)
    });
    nodes.map(|node| ((node, field), ends.clone())).collect()
}

/// The fields that are written, and the covers that hold, on one path to a point.
type Known = ([bool; FIELDS], BTreeSet<Cover>);

/// Returns the facts after an edge.
fn step(spec: &GraphSpec, edge: &EdgeSpec, mut known: Known) -> Known {
    let Point::Node(from) = edge.from else { return known };
    let (accesses, covers) = (accesses(&spec.nodes[from]), covers(spec));
    let (written, holds) = &mut known;
    accesses.reads.iter().for_each(|&field| written[field] = true);
    let needs: Vec<Cover> = accesses.approved.iter().map(|&field| (from, field)).collect();
    if edge.kind.leaves_review() {
        // A "no" and a question end an earlier signature of the same field.
        holds.retain(|(_, field)| accesses.review != Some(*field));
        holds.extend(needs.into_iter().filter(|cover| covers.contains_key(cover)));
        return known;
    }
    accesses.writes.iter().for_each(|&field| written[field] = true);
    // The node spends its covers, and an operator who signs a field again may have edited it.
    let changes = |field: &usize| accesses.writes.contains(field) || accesses.review == Some(*field);
    holds.retain(|cover| !needs.contains(cover) && !covers[cover].iter().any(changes));
    let given = given(spec, from).into_iter().map(|(cover, _)| cover);
    holds.extend(given.filter(|cover| covers[cover].is_disjoint(&accesses.writes.iter().copied().collect())));
    known
}

/// Returns every combination of a point and facts that some path has there, with the length of the shortest such path.
fn shortest_paths(spec: &GraphSpec) -> HashMap<(Point, Known), usize> {
    let inputs = std::array::from_fn(|field| spec.state.fields[field].input);
    let start: (Point, Known) = (Point::Start, (inputs, BTreeSet::new()));
    let (mut ways, mut queue) = (HashMap::from([(start.clone(), 0)]), VecDeque::from([start]));
    while let Some((point, known)) = queue.pop_front() {
        let steps = ways[&(point, known.clone())];
        for edge in spec.edges_from(point) {
            let next = (edge.to, step(spec, edge, known.clone()));
            ways.entry(next.clone()).or_insert_with(|| {
                queue.push_back(next);
                steps + 1
            });
        }
    }
    ways
}

/// Returns a random graph with loops, verdicts and choices, and without forks.
pub(super) fn plain(rng: &mut Rng) -> GraphSpec {
    let count = 1 + rng.below(7);
    let (mut sketch, mut stops) = (Sketch::new("*f0 f1 f2"), Vec::new());
    for number in 0..count {
        let (text, stop) = node(rng, &format!("n{number}"), &[0, 1, 2]);
        sketch = sketch.node(&text);
        stops.push(stop);
    }
    let some = |rng: &mut Rng| match rng.below(count + 1) {
        number if number == count => "end".to_owned(),
        number => format!("n{number}"),
    };
    sketch = sketch.chain(&format!("start -> n{}", rng.below(count)));
    for (number, stop) in stops.into_iter().enumerate() {
        sketch = match rng.one_in(2) {
            true => sketch.chain(&format!("n{number} -> {}", some(rng))),
            false => sketch.choice(&format!("n{number} -> match f0 {{ {}, {} }}", some(rng), some(rng))),
        };
        if stop {
            sketch =
                sketch.verdicts(&format!("n{number} {{ reject -> {}, ask -> {} }}", some(rng), some(rng)));
            if rng.one_in(2) {
                sketch = sketch.verdicts(&format!("n{number} {{ expire -> {} }}", some(rng)));
            }
        }
    }
    sketch.done()
}

#[test]
fn without_forks_the_proof_agrees_with_every_path() {
    let (mut rng, mut lacking, mut holding) = (Rng(0x5eed), 0, 0);
    for _ in 0..1_000 {
        let spec = plain(&mut rng);
        let (proof, ways, covers) = (prove::<ROOM>(&spec), shortest_paths(&spec), covers(&spec));
        assert_eq!(proof.covers.count(), covers.len());
        for node in 0..ROOM {
            let here = ways.iter().filter(|((point, _), _)| *point == Point::Node(node));
            let here: Vec<_> = here.map(|((_, known), steps)| (known, *steps)).collect();
            assert_eq!(proof.nodes[node].reached, !here.is_empty());
            let entry = proof.nodes[node].entry;
            let shortest = |lacks: &dyn Fn(&Known) -> bool| {
                here.iter().filter(|(known, _)| lacks(known)).map(|(_, steps)| *steps).min()
            };
            let mut cases = vec![(None, MissingFact::None, shortest(&|_| true))];
            for field in 0..FIELDS {
                let shortest = shortest(&|(written, _)| !written[field]);
                cases.push((Some(entry.written.contains(field)), MissingFact::Written(field), shortest));
            }
            for &(of, field) in covers.keys() {
                let number = proof.covers.find(of, field).expect("the proof knows it");
                let shortest = shortest(&|(_, holds)| !holds.contains(&(of, field)));
                cases.push((Some(entry.signed.contains(number)), MissingFact::Signed(number), shortest));
                lacking += usize::from(shortest.is_some());
                holding += usize::from(shortest.is_none());
            }
            for (proved, lacking, shortest) in cases {
                if let Some(proved) = proved {
                    assert_eq!(proved, shortest.is_none(), "{lacking:?} at {node} of {spec:#?}");
                }
                let path = Path::find(&spec, &proof, Point::Node(node), LastEdge::Any, lacking);
                assert_eq!(path.map(|path| path.steps), shortest, "{lacking:?} at {node} of {spec:#?}");
            }
        }
    }
    assert!(lacking > 300 && holding > 300, "{lacking} {holding}");
}

/// A random graph of nested forks and `for`s. A region is a chain of nodes, some of which are followed by a fork or a
/// `for` that joins at the next node.
pub(super) struct ForkGenerator<'a> {
    rng: &'a mut Rng,
    /// The fields without a reducer.
    plain: Vec<usize>,
    nodes: Vec<String>,
    edges: Vec<[String; 2]>,
    verdicts: Vec<String>,
    forks: Vec<String>,
}

impl ForkGenerator<'_> {
    /// Adds a region; `each` says that its nodes may run once for each item. Returns its first node, its last node, and
    /// all of its nodes.
    fn region(&mut self, depth: usize, each: bool) -> (String, String, Vec<String>) {
        let (mut chain, mut all): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        let length = 1 + self.rng.below(3);
        for place in 0..length {
            let name = format!("n{}", self.nodes.len());
            // Items may not review a field that they share.
            let reviewable = if each { self.plain.clone() } else { (0..FIELDS).collect() };
            let (text, stop) = node(self.rng, &name, &reviewable);
            self.nodes.push(text);
            all.push(name.clone());
            if stop {
                let to = chain.get(self.rng.below(chain.len() + 1)).unwrap_or(&name);
                let word = if self.rng.one_in(2) { "reject" } else { "expire" };
                self.verdicts.push(format!("{name} {{ {word} -> {to} }}"));
            }
            if let Some(before) = chain.last() {
                let before = before.clone();
                if depth > 0 && self.nodes.len() < 24 && self.rng.one_in(2) {
                    all.extend(self.fork(&before, &name, depth - 1, each));
                } else {
                    self.edges.push([before, name.clone()]);
                }
            }
            if place > 0 && self.rng.one_in(4) {
                // A back edge. It and the forward edge are then arms of a `match`, which the analysis does not
                // distinguish from plain edges.
                let back = chain[self.rng.below(chain.len())].clone();
                self.edges.push([name.clone(), back]);
            }
            chain.push(name);
        }
        (chain[0].clone(), chain[length - 1].clone(), all)
    }

    /// Adds a fork or a `for` between two nodes; returns the nodes inside.
    fn fork(&mut self, from: &str, join: &str, depth: usize, each: bool) -> Vec<String> {
        let (number, goes_through) = (self.forks.len(), self.rng.one_in(2));
        self.forks.push(String::new());
        let branches = if goes_through { 1 } else { 2 + self.rng.below(2) };
        let branches: Vec<_> = (0..branches).map(|_| self.region(depth, each || goes_through)).collect();
        let (mut inside, mut all) = (Vec::new(), Vec::new());
        for (_, last, nodes) in branches {
            self.edges.push([last, join.to_owned()]);
            inside.push(nodes.join(" "));
            all.extend(nodes);
        }
        let inside = inside.join(", ");
        self.forks[number] = if goes_through {
            let list = self.rng.below(FIELDS);
            let item = (list + 1 + self.rng.below(FIELDS - 1)) % FIELDS;
            format!("{from} -> for f{item} in f{list} {{ {inside} }} -> {join}")
        } else {
            format!("{from} -> ({inside}) -> {join}")
        };
        all
    }

    pub(super) fn sketch(rng: &mut Rng) -> GraphSpec {
        let (first, second) = (["", "+", "&"][rng.below(3)], ["+", "&"][rng.below(2)]);
        let plain = if first.is_empty() { vec![0, 1] } else { vec![1] };
        let mut forked =
            ForkGenerator { rng, plain, nodes: vec![], edges: vec![], verdicts: vec![], forks: vec![] };
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

/// The values of the fields. A value is a number, and no two values made separately are equal.
type Values = [Option<u64>; FIELDS];

/// The value of a field that a node reads although it is not written.
const ASSUMED: u64 = 0;

/// The signatures: covers, each with the values that end it when they change. An unwritten field counts as [`ASSUMED`].
type Tokens = HashSet<(Cover, Vec<(usize, u64)>)>;

fn cover_values(cover: Cover, ends: &BTreeSet<usize>, values: &Values) -> (Cover, Vec<(usize, u64)>) {
    (cover, ends.iter().map(|&field| (field, values[field].unwrap_or(ASSUMED))).collect())
}

/// A simulated run, with the signatures that operators gave.
struct Run<'a> {
    spec: &'a GraphSpec,
    proof: &'a Proof<ROOM>,
    rng: &'a mut Rng,
    made: u64,
    left: usize,
    covers: BTreeMap<Cover, BTreeSet<usize>>,
    seen: HashSet<(usize, bool, usize)>,
}

impl Run<'_> {
    fn make(&mut self) -> Option<u64> {
        self.made += 1;
        Some(self.made)
    }

    /// Runs from a node until an edge ends this branch or the graph. Returns the facts there, or `None` if the run
    /// takes too long or ends at the join of a fork.
    fn run(
        &mut self,
        mut at: usize,
        mut values: Values,
        mut signed: Tokens,
        inside: Option<(usize, usize)>,
    ) -> Option<(Values, Tokens)> {
        loop {
            self.left = self.left.checked_sub(1)?;
            let entry = self.proof.nodes[at].entry;
            for (field, value) in values.iter().enumerate() {
                let written = value.is_some();
                assert!(written || !entry.written.contains(field), "{at} {field} {:#?}", self.spec);
                if !written {
                    self.seen.insert((at, false, field));
                }
            }
            for &cover in self.covers.keys() {
                let number = self.proof.covers.find(cover.0, cover.1).unwrap();
                let same = |(field, value): &(usize, u64)| values[*field].unwrap_or(ASSUMED) == *value;
                let approved = signed.iter().any(|(of, ends)| *of == cover && ends.iter().all(same));
                assert!(approved || !entry.signed.contains(number), "{at} {cover:?} {:#?}", self.spec);
                if !approved {
                    self.seen.insert((at, true, number));
                }
            }
            let accesses = accesses(&self.spec.nodes[at]);
            // A field that is lacking here is reported here, and counts as written from here on.
            for &field in &accesses.reads {
                values[field] = values[field].or(Some(ASSUMED));
            }
            let needs: Vec<Cover> = accesses.approved.iter().map(|&field| (at, field)).collect();
            let needs: Vec<Cover> =
                needs.into_iter().filter(|cover| self.covers.contains_key(cover)).collect();
            let verdict = accesses.review.is_some() && self.rng.one_in(3);
            if verdict {
                signed.retain(|((_, of), _)| accesses.review != Some(*of));
                signed.extend(needs.iter().map(|cover| cover_values(*cover, &self.covers[cover], &values)));
            } else {
                if let Some(field) = accesses.review {
                    if self.rng.one_in(3) {
                        values[field] = self.make();
                    }
                    signed.retain(|((_, of), _)| *of != field);
                    let given = given(self.spec, at).into_iter();
                    signed.extend(given.map(|(cover, ends)| cover_values(cover, &ends, &values)));
                }
                signed.retain(|(cover, _)| !needs.contains(cover));
                for &field in &accesses.writes {
                    values[field] = self.make();
                }
            }
            let edges = self.spec.edges_from(Point::Node(at));
            let edges: Vec<_> = edges.filter(|edge| edge.kind.leaves_review() == verdict).collect();
            let edge = edges[self.rng.below(edges.len())];
            if let EdgeKind::Fork { fork, .. } | EdgeKind::Empty { fork } = edge.kind {
                match self.spec.forks[fork].each {
                    Some(each) => values = self.for_each(&each, fork, &edges, values)?,
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

    /// Runs every branch of a fork, and merges their results.
    fn fork(
        &mut self,
        fork: usize,
        edges: &[&EdgeSpec],
        before: Values,
        signed: Tokens,
    ) -> Option<(Values, Tokens)> {
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
        // A signature is kept if no branch has spent it, and added if some branch gave it.
        let kept = signed.iter().filter(|token| ends.iter().all(|(_, end)| end.contains(*token)));
        let new = ends.iter().flat_map(|(_, end)| end).filter(|token| !signed.contains(*token));
        let signed = kept.chain(new).cloned().collect();
        Some((values, signed))
    }

    /// Runs the body of a `for` for some items or for none; returns the values after the join.
    fn for_each(
        &mut self,
        each: &EachSpec,
        fork: usize,
        edges: &[&EdgeSpec],
        mut values: Values,
    ) -> Option<Values> {
        let number = |name: &str| name[1..].parse::<usize>().unwrap();
        values[number(each.list)] = values[number(each.list)].or(Some(ASSUMED));
        let before = values;
        for _ in 0..self.rng.below(4) {
            let mut own = before;
            own[number(each.item)] = self.make();
            let head = edges.iter().find_map(|edge| match (edge.kind, edge.to) {
                (EdgeKind::Fork { .. }, Point::Node(head)) => Some(head),
                _ => None,
            });
            let (end, _) = self.run(head.unwrap(), own, HashSet::new(), Some((fork, 0)))?;
            for (field, value) in values.iter_mut().enumerate() {
                let wrote = end[field] != own[field] && end[field] != Some(ASSUMED);
                if wrote && self.spec.state.fields[field].reduced {
                    *value = self.make();
                }
            }
        }
        for (field, value) in values.iter_mut().enumerate() {
            let writes = |&node: &usize| accesses(&self.spec.nodes[node]).writes.contains(&field);
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
fn with_forks_and_fors_every_run_agrees_with_the_proof() {
    let (mut rng, mut exact, mut shy, mut shy_covers) = (Rng(0xf0_4c), 0, 0, 0);
    for _ in 0..300 {
        let spec = ForkGenerator::sketch(&mut rng);
        let proof = prove::<ROOM>(&spec);
        let mut run = Run {
            spec: &spec,
            proof: &proof,
            rng: &mut rng,
            made: 0,
            left: 0,
            covers: covers(&spec),
            seen: HashSet::new(),
        };
        let Point::Node(head) = spec.edges[0].to else { panic!("no head") };
        for _ in 0..100 {
            let values =
                std::array::from_fn(|field| if spec.state.fields[field].input { run.make() } else { None });
            run.left = 600;
            run.run(head, values, HashSet::new(), None);
        }
        let seen = run.seen;
        for node in 0..ROOM {
            let facts = proof.nodes[node].entry;
            let written = (0..FIELDS).map(|field| (false, facts.written, MissingFact::Written(field), field));
            let covers = 0..proof.covers.count();
            let signed = covers.map(|cover| (true, facts.signed, MissingFact::Signed(cover), cover));
            for (which, proved, lacking, number) in written.chain(signed) {
                // There is a path to show for every fact that does not hold, and for no other.
                let path = Path::find(&spec, &proof, Point::Node(node), LastEdge::Any, lacking);
                assert_eq!(path.is_none(), proved.contains(number), "{node} {lacking:?} {spec:#?}");
                if seen.contains(&(node, which, number)) {
                    exact += 1;
                } else if !proved.contains(number) {
                    shy += 1;
                    shy_covers += usize::from(which);
                }
            }
        }
    }
    // Nearly every fact that the proof finds lacking is lacking in some run: the proof is not overly conservative.
    assert!(exact > 400 * shy, "{exact} {shy}, of them {shy_covers} of covers");
}
