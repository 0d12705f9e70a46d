//! The static analysis of edits: the code between a field's last write and a review of it that depends on the field.
//!
//! An edited draft must take the path that it would have taken if the node had proposed it. For each review of a field
//! `F`, this module follows every path from a write of `F` to the review and records the code that depends on `F`: a
//! node that reads `F`, or a field computed from it on the way; a `match` on such a field, or a `for` over it; a node
//! that receives the payload of a verdict on the draft.
//!
//! - Nothing depends on `F`: the edit signs at the review ([`EditOutcome::Signs`]).
//! - Something depends on it: the thread goes back to the write of `F`, and runs on from there
//!   ([`EditOutcome::Reruns`]).
//! - Something depends on it, but the thread cannot go back ([`EditOutcome::Refused`]): an effect on the path would run
//!   a second time; a node on it would add to a field with a reducer a second time, or find a field, which it reads as
//!   an `Option`, as the first run left it; a fork begins or ends on the path after the dependent code, and the other
//!   branches have run; or the path is decided by a field that was set together with `F` and that an edit of `F` does
//!   not change. Such a field is one that the same node wrote; if `F` is an input, another input; if `F` is the item of
//!   a `for`, its list, and any field that was written with the list or computed from it; if an arm of a `match` binds
//!   `F` to a part of a value, that value, and what was written with it or computed from it. rustc rejects such a graph
//!   unless the review declares that it takes no edit.
//!
//! A review in a loop starts over: the signatures and effects of one round are final, and an edit in the next round
//! goes back at most to the node itself.
//!
//! The rule for effects is simple and conservative: if anything on the path depends on `F`, no effect may be on it,
//! regardless of its reads. The analysis is a may-analysis: a dependency on one path counts for all paths, so it may
//! reject an edit that would be safe in a given run, but never accepts an unsafe one. Its invariant: `Signs` means
//! that no path has a dependency.
//!
//! The analysis follows a field within one lane (the thread itself, a branch, an item), because a lane is the unit that
//! can go back. If the write precedes the fork that contains the review, the edit goes back to the head of the branch,
//! and the part before the fork must have no dependency. If the write is inside a fork that joins before the review,
//! the edit goes back to the join, and the part inside must have no dependency. A fork that lies entirely between the
//! write and the review runs again.

use super::bit_set::BitSet;
use super::field_index::FieldIndex;
use super::{EdgeKind, EdgeSpec, GraphSpec, Payload, Point, ReadKind};

/// The result of an edit of the field that a review signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EditOutcome {
    /// Nothing on the path to the review depends on the field: the edit signs.
    Signs,
    /// Something depends on it, and the path can be run again.
    Reruns,
    /// Something depends on it, and the path cannot be run again.
    Refused(Obstacle),
}

/// The reason why a path cannot be run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// This effect would run a second time.
    Effect { effect: usize, by: Dependent },
    /// This node writes a field with a reducer, which would add to the value of its first run.
    Reducer { node: usize, by: Dependent },
    /// This node reads a field that may be unwritten, and would find the value of the first run.
    StaleRead { node: usize, field: usize, by: Dependent },
    /// A fork begins or ends after the code that depends on the field.
    Fork { by: Dependent },
    /// The path is decided by a field that was written together with this one.
    SiblingField { by: Dependent },
}

/// Code that depends on a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependent {
    /// A node that reads it, or receives the payload of a verdict on it.
    Node(usize),
    /// A `match` on it.
    Route(usize),
    /// A `for` over it, by the number of its fork.
    List(usize),
}

/// The data-flow facts about the field's value at a point, merged over all paths to it.
#[derive(Clone, Copy)]
struct ValueFacts {
    /// The field itself, and the fields computed from it since. Empty if the value does not reach the point.
    tainted: BitSet,
    /// The fields written together with it, and those computed from them since.
    siblings: BitSet,
    /// If it is a part of a value (an arm has bound it, or it is an item of a list): that value, and the fields computed
    /// from it. An edit does not change them.
    stale: BitSet,
    /// Dependent code after the place that an edit goes back to.
    dependent: Option<Dependent>,
    /// An effect after that place.
    effect: Option<usize>,
    /// A node after that place that writes a field with a reducer.
    reducer: Option<usize>,
    /// Dependent code before that place.
    dependent_before: Option<Dependent>,
    /// A `match` or `for` on a field in `tainted`, or a review of one, which decides the path. It counts for the parts
    /// of the value.
    decided_by: Option<Dependent>,
    /// A `match` or `for` on a field in `siblings`, or a review of one in `stale`, which decides the path.
    decided_by_sibling: Option<Dependent>,
    /// `true` if a verdict on it, or on a field computed from it, leads here.
    after_verdict: bool,
}

impl ValueFacts {
    const UNREACHED: Self = Self {
        tainted: BitSet::EMPTY,
        siblings: BitSet::EMPTY,
        stale: BitSet::EMPTY,
        dependent: None,
        effect: None,
        reducer: None,
        dependent_before: None,
        decided_by: None,
        decided_by_sibling: None,
        after_verdict: false,
    };

    /// Returns the facts after the field has been written together with these.
    const fn written(field: usize, siblings: BitSet) -> Self {
        Self { tainted: BitSet::EMPTY.with(field), siblings, ..Self::UNREACHED }
    }

    const fn is_unreached(&self) -> bool {
        self.tainted.is_empty()
    }

    /// Merges the facts of another path; returns whether anything changed.
    const fn meet(&mut self, other: &Self) -> bool {
        let before = *self;
        self.tainted = before.tainted.or(other.tainted);
        self.siblings = before.siblings.or(other.siblings);
        self.stale = before.stale.or(other.stale);
        self.dependent = first(before.dependent, other.dependent);
        self.dependent_before = first(before.dependent_before, other.dependent_before);
        self.decided_by = first(before.decided_by, other.decided_by);
        self.decided_by_sibling = first(before.decided_by_sibling, other.decided_by_sibling);
        self.after_verdict = before.after_verdict || other.after_verdict;
        if self.effect.is_none() {
            self.effect = other.effect;
        }
        if self.reducer.is_none() {
            self.reducer = other.reducer;
        }
        !self.tainted.same(before.tainted)
            || !self.siblings.same(before.siblings)
            || !self.stale.same(before.stale)
            || self.dependent.is_some() != before.dependent.is_some()
            || self.effect.is_some() != before.effect.is_some()
            || self.reducer.is_some() != before.reducer.is_some()
            || self.dependent_before.is_some() != before.dependent_before.is_some()
            || self.decided_by.is_some() != before.decided_by.is_some()
            || self.decided_by_sibling.is_some() != before.decided_by_sibling.is_some()
            || self.after_verdict != before.after_verdict
    }

    /// Records that a `match` or `for` reads a field.
    const fn record_choice(&mut self, field: Option<usize>, by: Dependent) {
        let Some(field) = field else { return };
        if self.tainted.contains(field) {
            self.dependent = first(self.dependent, Some(by));
            self.decided_by = first(self.decided_by, Some(by));
        }
        // A field that was computed from the new value and the stale one is not what it would have been either.
        if self.stale.contains(field) || self.siblings.contains(field) && !self.tainted.contains(field) {
            self.decided_by_sibling = first(self.decided_by_sibling, Some(by));
        }
    }

    /// As `record_choice`, for what depends on any of these fields.
    const fn record_choices(&mut self, fields: BitSet, by: Dependent) {
        self.record_choice(self.tainted.and(fields).first(), by);
        self.record_choice(self.stale.and(fields).first(), by);
        if self.tainted.and(fields).is_empty() {
            self.record_choice(self.siblings.and(fields).first(), by);
        }
    }

    /// Records that a person, or a rule, has signed some fields before the node `by`, with what the review showed and read.
    const fn record_review(&mut self, fields: BitSet, by: Dependent) {
        if !self.tainted.and(fields).is_empty() {
            self.decided_by = first(self.decided_by, Some(by));
        }
        if !self.stale.and(fields).is_empty() {
            self.decided_by_sibling = first(self.decided_by_sibling, Some(by));
        }
    }

    /// Marks a place that an edit cannot go back beyond: dependent code before it is recorded in `dependent_before`.
    const fn closed(mut self) -> Self {
        self.dependent_before = first(self.dependent_before, self.dependent);
        self.dependent = None;
        self.effect = None;
        self.reducer = None;
        self
    }

    /// Converts the facts about a value to those about a part of it, which an arm binds. An edit of the part does not change
    /// the value, nor any field written with it or computed from it.
    const fn part(self) -> Self {
        Self {
            siblings: self.siblings.or(self.tainted),
            stale: self.stale.or(self.tainted),
            decided_by_sibling: first(self.decided_by_sibling, self.decided_by),
            ..Self::UNREACHED
        }
    }

    /// Converts the facts about a list to those about an item at the head of its `for`. An edit of one item does not
    /// change the list, nor any field written with it or computed from it.
    const fn item(self, item: usize) -> Self {
        let part = self.part();
        let item_only = BitSet::EMPTY.with(item);
        Self {
            stale: part.stale.minus(item_only),
            decided_by_sibling: part.decided_by_sibling,
            ..Self::written(item, part.siblings.minus(item_only))
        }
    }
}

/// Returns the fields of a set after a node has run: what it writes is added if it reads one of them, and else removed
/// where it is overwritten.
const fn spread(set: BitSet, reads: BitSet, writes: BitSet, overwritten: BitSet) -> BitSet {
    if reads.and(set).is_empty() { set.minus(overwritten) } else { set.or(writes) }
}

const fn first(one: Option<Dependent>, other: Option<Dependent>) -> Option<Dependent> {
    if one.is_some() { one } else { other }
}

/// A node, and the facts about the field on entry to it.
#[derive(Clone, Copy)]
pub(super) struct NodeFacts {
    reads: BitSet,
    /// The fields among `reads` that may be unwritten.
    optional: BitSet,
    writes: BitSet,
    /// `true` if it takes the payload of a verdict.
    takes_payload: bool,
    /// `true` if it is in the current lane, including the forks inside it.
    inside: bool,
    /// `true` if it is in a fork inside the current lane.
    nested: bool,
    /// `true` if the node is on a path from a write of the field to the review.
    on_path: bool,
    /// Set for the node of an arm that binds fields: the facts about what it binds.
    bound: Option<ValueFacts>,
    /// The field as written in the current lane.
    here: ValueFacts,
    /// The field as written in a fork inside the current lane.
    inner: ValueFacts,
}

impl NodeFacts {
    /// A node before its description is read.
    pub(super) const BLANK: Self = Self {
        reads: BitSet::EMPTY,
        optional: BitSet::EMPTY,
        writes: BitSet::EMPTY,
        takes_payload: false,
        inside: false,
        nested: false,
        on_path: false,
        bound: None,
        here: ValueFacts::UNREACHED,
        inner: ValueFacts::UNREACHED,
    };
}

/// Returns the result of an edit at the review before a node. `facts` must have as many elements as the graph has
/// nodes.
pub(super) const fn analyze_edit(spec: &GraphSpec, node: usize, facts: &mut [NodeFacts]) -> EditOutcome {
    let index = FieldIndex::new(&spec.state);
    let Some(interrupt) = &spec.nodes[node].interrupt else { return EditOutcome::Signs };
    let Some(field) = index.find(interrupt.field) else { return EditOutcome::Signs };
    read_nodes(spec, &index, facts);
    let (value, analysis) = follow(spec, &index, node, field, facts);
    if let Some(by) = value.decided_by_sibling {
        return EditOutcome::Refused(Obstacle::SiblingField { by });
    }
    if !value.stale.and(facts[node].reads.or(index.find_all(interrupt.shows))).is_empty() {
        return EditOutcome::Refused(Obstacle::SiblingField { by: Dependent::Node(node) });
    }
    if let Some(by) = value.dependent_before {
        return EditOutcome::Refused(Obstacle::Fork { by });
    }
    if let (Some(by), None, Some(node)) = (value.dependent, value.effect, value.reducer) {
        return EditOutcome::Refused(Obstacle::Reducer { node, by });
    }
    if let (Some(by), None) = (value.dependent, value.effect)
        && let Some((node, field)) = analysis.find_stale_read(facts)
    {
        return EditOutcome::Refused(Obstacle::StaleRead { node, field, by });
    }
    match (value.dependent, value.effect) {
        (None, _) => EditOutcome::Signs,
        (Some(_), None) => EditOutcome::Reruns,
        (Some(by), Some(effect)) => EditOutcome::Refused(Obstacle::Effect { effect, by }),
    }
}

/// Follows a field from its writes to a node: the review of it, or an arm that binds a part of it. Returns the facts at the
/// node, and the analysis of its innermost lane.
const fn follow<'a>(
    spec: &'a GraphSpec,
    index: &'a FieldIndex,
    node: usize,
    field: usize,
    facts: &mut [NodeFacts],
) -> (ValueFacts, EditAnalysis<'a>) {
    read_bindings(spec, index, node, field, facts);
    let reduced = reduced(spec);
    let mut lane = None;
    let mut analysis = EditAnalysis {
        spec,
        index,
        review: node,
        field: followed_field(spec, index, node, field, lane),
        reduced,
    };
    let start = match spec.state.fields[analysis.field].input {
        true => ValueFacts::written(analysis.field, other_inputs(spec, analysis.field)),
        false => ValueFacts::UNREACHED,
    };
    // From the thread itself inward to the branch that contains the review.
    let mut entered = start;
    loop {
        analysis.propagate_lane(lane, entered, facts);
        let Some((fork, branch)) = next_inside(spec, node, lane) else { break };
        let from = spec.forks[fork].from;
        let left = match from {
            Point::Node(from) => analysis.after_run(&facts[from].here, from, facts),
            Point::Start | Point::End => start,
        };
        lane = Some((fork, branch));
        let inside = followed_field(spec, index, node, field, lane);
        entered = match inside == analysis.field {
            true => analysis.enter_fork(left, fork).closed(),
            false => left.item(inside),
        };
        analysis.field = inside;
    }
    (facts[node].here, analysis)
}

/// Determines the facts about the values of which arms bind a field, or another field that is followed for it: the list of
/// an item.
const fn read_bindings(
    spec: &GraphSpec,
    index: &FieldIndex,
    node: usize,
    field: usize,
    facts: &mut [NodeFacts],
) {
    let mut lane = None;
    loop {
        read_bindings_of(spec, index, followed_field(spec, index, node, field, lane), facts);
        let Some(inner) = next_inside(spec, node, lane) else { return };
        lane = Some(inner);
    }
}

const fn read_bindings_of(spec: &GraphSpec, index: &FieldIndex, field: usize, facts: &mut [NodeFacts]) {
    let mut edge = 0;
    while edge < spec.edges.len() {
        let declared = &spec.edges[edge];
        if let (EdgeKind::Case { route, .. }, Point::Node(arm)) = (declared.kind, declared.to)
            && spec.nodes[arm].is_binding()
            && facts[arm].writes.contains(field)
            && facts[arm].bound.is_none()
            && let Some(source) = facts[arm].reads.first()
        {
            let by = Some(Dependent::Route(route));
            // Until it is known, and for a value that is bound from itself.
            let unknown = ValueFacts { decided_by_sibling: by, ..ValueFacts::UNREACHED };
            set_bound(spec, route, unknown, facts);
            let (value, _) = follow(spec, index, arm, source, facts);
            let part = value.part();
            // A reducer keeps a part of the earlier value.
            let is_unknown = value.is_unreached() || spec.state.fields[source].reduced;
            let bound = match spec.nodes[arm].inspected || is_unknown {
                true => ValueFacts { decided_by_sibling: first(part.decided_by_sibling, by), ..part },
                false => part,
            };
            set_bound(spec, route, bound, facts);
        }
        edge += 1;
    }
}

/// Sets the facts about the value that a `match` reads, which are the same for all of its arms.
const fn set_bound(spec: &GraphSpec, route: usize, bound: ValueFacts, facts: &mut [NodeFacts]) {
    let mut edge = 0;
    while edge < spec.edges.len() {
        if let (EdgeKind::Case { route: of, .. }, Point::Node(arm)) =
            (spec.edges[edge].kind, spec.edges[edge].to)
            && of == route
            && spec.nodes[arm].is_binding()
        {
            facts[arm].bound = Some(bound);
        }
        edge += 1;
    }
}

/// Returns the field to follow in a lane. Outside of the `for` whose item is the reviewed field, that is the list.
const fn followed_field(
    spec: &GraphSpec,
    index: &FieldIndex,
    node: usize,
    field: usize,
    lane: Option<(usize, usize)>,
) -> usize {
    let (mut field, mut fork) = (field, spec.forks.len());
    let outermost = match lane {
        Some((fork, _)) => fork + 1,
        None => 0,
    };
    // Inner forks come after the forks around them.
    while fork > outermost {
        fork -= 1;
        if let Some(each) = &spec.forks[fork].each
            && let (Some(item), Some(list)) = (index.find(each.item), index.find(each.list))
            && item == field
            && branch_of(spec, fork, node).is_some()
        {
            field = list;
        }
    }
    field
}

/// Returns the inputs that a caller sets together with one.
const fn other_inputs(spec: &GraphSpec, input: usize) -> BitSet {
    let (mut siblings, mut field) = (BitSet::EMPTY, 0);
    while field < spec.state.fields.len() {
        if spec.state.fields[field].input && field != input {
            siblings = siblings.with(field);
        }
        field += 1;
    }
    siblings
}

/// Runs [`analyze_edit`] at run time, when it may allocate.
pub(crate) fn edit_outcome(spec: &GraphSpec, node: usize) -> EditOutcome {
    analyze_edit(spec, node, &mut vec![NodeFacts::BLANK; spec.nodes.len()])
}

/// Resolves the names of each node.
const fn read_nodes(spec: &GraphSpec, index: &FieldIndex, facts: &mut [NodeFacts]) {
    let mut node = 0;
    while node < spec.nodes.len() {
        let (declared, node_facts) = (&spec.nodes[node], &mut facts[node]);
        *node_facts = NodeFacts::BLANK;
        let mut read = 0;
        while read < declared.reads.len() {
            if let Some(field) = index.find(declared.reads[read].field) {
                node_facts.reads = node_facts.reads.with(field);
                if let ReadKind::Optional = declared.reads[read].kind {
                    node_facts.optional = node_facts.optional.with(field);
                }
            }
            read += 1;
        }
        if let Some(interrupt) = &declared.interrupt {
            node_facts.reads = node_facts.reads.or(index.find_expressions(interrupt));
        }
        node_facts.writes = index.find_all(declared.writes);
        node_facts.takes_payload =
            !matches!((declared.rejection, declared.question), (Payload::No, Payload::No));
        node += 1;
    }
}

const fn reduced(spec: &GraphSpec) -> BitSet {
    let (mut reduced, mut field) = (BitSet::EMPTY, 0);
    while field < spec.state.fields.len() {
        if spec.state.fields[field].reduced {
            reduced = reduced.with(field);
        }
        field += 1;
    }
    reduced
}

/// Returns the next branch on the way from a lane inward to a node.
const fn next_inside(spec: &GraphSpec, node: usize, lane: Option<(usize, usize)>) -> Option<(usize, usize)> {
    // Inner forks come after the forks around them.
    let mut fork = match lane {
        Some((fork, _)) => fork + 1,
        None => 0,
    };
    while fork < spec.forks.len() {
        if let Some(branch) = branch_of(spec, fork, node) {
            return Some((fork, branch));
        }
        fork += 1;
    }
    None
}

/// Returns the branch of a fork that contains a node.
const fn branch_of(spec: &GraphSpec, fork: usize, node: usize) -> Option<usize> {
    let (branches, mut branch) = (spec.forks[fork].branches, 0);
    while branch < branches.len() {
        if super::check::contains_node(branches[branch].nodes, node) {
            return Some(branch);
        }
        branch += 1;
    }
    None
}

/// The analysis of one field.
struct EditAnalysis<'a> {
    spec: &'a GraphSpec,
    index: &'a FieldIndex,
    /// The node of the review.
    review: usize,
    field: usize,
    reduced: BitSet,
}

impl EditAnalysis<'_> {
    /// Returns a node that an edit runs again, or the review, with a field that it reads as an `Option` and that a node
    /// on the path writes: at the second run the field holds the value of the first.
    const fn find_stale_read(&self, facts: &mut [NodeFacts]) -> Option<(usize, usize)> {
        let (mut changed, mut writes) = (true, BitSet::EMPTY);
        while changed {
            changed = false;
            let mut edge = 0;
            while edge < self.spec.edges.len() {
                let declared = &self.spec.edges[edge];
                edge += 1;
                let (Point::Node(from), Point::Node(to)) = (declared.from, declared.to) else { continue };
                let leads = to == self.review || facts[to].on_path;
                let node_facts = &mut facts[from];
                let follows = !node_facts.here.is_unreached() || !node_facts.inner.is_unreached();
                if leads && follows && node_facts.inside && from != self.review && !node_facts.on_path {
                    node_facts.on_path = true;
                    writes = writes.or(node_facts.writes);
                    changed = true;
                }
            }
        }
        let mut node = 0;
        while node < facts.len() {
            let node_facts = &facts[node];
            // A node that writes the field itself proposes another draft, which the edit does not sign.
            let redrafts = node_facts.writes.contains(self.field);
            if ((node_facts.on_path && !redrafts) || node == self.review)
                && let Some(field) = node_facts.optional.and(writes).first()
            {
                return Some((node, field));
            }
            node += 1;
        }
        None
    }

    /// Propagates the facts within a lane and the forks inside it until nothing changes.
    const fn propagate_lane(
        &self,
        lane: Option<(usize, usize)>,
        entered: ValueFacts,
        facts: &mut [NodeFacts],
    ) {
        self.mark_lane(lane, facts);
        if let Some((fork, branch)) = lane {
            let nodes = self.spec.forks[fork].branches[branch].nodes;
            let mut edge = 0;
            while edge < self.spec.edges.len() {
                let declared = &self.spec.edges[edge];
                if let (EdgeKind::Fork { fork: of, branch: this }, Point::Node(head)) =
                    (declared.kind, declared.to)
                    && of == fork
                    && this == branch
                    && super::check::contains_node(nodes, head)
                {
                    facts[head].here = entered;
                }
                edge += 1;
            }
        }
        // The sweeps alternate their direction, so that a graph whose edges are in reverse order costs no more.
        let (mut changed, mut down) = (true, true);
        while changed {
            changed = false;
            let mut step = 0;
            while step < self.spec.edges.len() {
                let edge = if down { step } else { self.spec.edges.len() - 1 - step };
                changed = self.propagate_edge(&self.spec.edges[edge], lane, entered, facts) || changed;
                step += 1;
            }
            down = !down;
        }
    }

    /// Marks the nodes of the lane, and clears the facts of all nodes.
    const fn mark_lane(&self, lane: Option<(usize, usize)>, facts: &mut [NodeFacts]) {
        let mut node = 0;
        while node < facts.len() {
            facts[node].inside = lane.is_none();
            facts[node].nested = false;
            facts[node].here = ValueFacts::UNREACHED;
            facts[node].inner = ValueFacts::UNREACHED;
            node += 1;
        }
        let mut fork = 0;
        if let Some((around, branch)) = lane {
            let (nodes, mut i) = (self.spec.forks[around].branches[branch].nodes, 0);
            while i < nodes.len() {
                facts[nodes[i]].inside = true;
                i += 1;
            }
            fork = around + 1;
        }
        while fork < self.spec.forks.len() {
            let (branches, mut branch) = (self.spec.forks[fork].branches, 0);
            while branch < branches.len() {
                let (nodes, mut i) = (branches[branch].nodes, 0);
                while i < nodes.len() {
                    facts[nodes[i]].nested = facts[nodes[i]].inside;
                    i += 1;
                }
                branch += 1;
            }
            fork += 1;
        }
    }

    /// Propagates the facts along an edge; returns whether anything changed.
    const fn propagate_edge(
        &self,
        edge: &EdgeSpec,
        lane: Option<(usize, usize)>,
        start: ValueFacts,
        facts: &mut [NodeFacts],
    ) -> bool {
        let Point::Node(to) = edge.to else { return false };
        let (mut here, mut inner) = match edge.from {
            Point::Start if lane.is_none() => (start, ValueFacts::UNREACHED),
            Point::Node(from) if facts[from].inside => {
                let node_facts = facts[from];
                if edge.kind.leaves_review() {
                    let (mut here, mut inner) = (node_facts.here, node_facts.inner);
                    let signed = match &self.spec.nodes[from].interrupt {
                        Some(interrupt) => self.index.find(interrupt.field),
                        None => None,
                    };
                    here.record_review(self.seen_before(from), Dependent::Node(from));
                    inner.record_review(self.seen_before(from), Dependent::Node(from));
                    if let Some(interrupt) = &self.spec.nodes[from].interrupt {
                        // They decide if a review opens, in which role, and until when.
                        let reads = self.index.find_expressions(interrupt);
                        here.record_choices(reads, Dependent::Node(from));
                        inner.record_choices(reads, Dependent::Node(from));
                    }
                    if let Some(signed) = signed {
                        here.after_verdict = here.tainted.contains(signed);
                        inner.after_verdict = inner.tainted.contains(signed);
                    }
                    (here, inner)
                } else if node_facts.writes.contains(self.field) {
                    let written = self.after_run(&ValueFacts::UNREACHED, from, facts);
                    if node_facts.nested {
                        (ValueFacts::UNREACHED, written)
                    } else {
                        (written, ValueFacts::UNREACHED)
                    }
                } else {
                    (
                        self.after_run(&node_facts.here, from, facts),
                        self.after_run(&node_facts.inner, from, facts),
                    )
                }
            }
            _ => return false,
        };
        match edge.kind {
            // The `match` has chosen the arm for what it does not bind, unless it is `inspected`.
            EdgeKind::Case { .. } if to == self.review && self.spec.nodes[to].is_binding() => {}
            EdgeKind::Case { route, .. } => {
                let field = self.index.find(self.spec.routes[route].field);
                here.record_choice(field, Dependent::Route(route));
                inner.record_choice(field, Dependent::Route(route));
            }
            EdgeKind::Fork { fork, .. } => {
                here = self.enter_fork(here, fork);
                inner = self.enter_fork(inner, fork);
                if let Some(each) = &self.spec.forks[fork].each
                    && let Some(item) = self.index.find(each.item)
                    && item == self.field
                {
                    (here, inner) = (ValueFacts::UNREACHED, ValueFacts::written(self.field, BitSet::EMPTY));
                }
            }
            EdgeKind::Empty { fork } => {
                here = self.read_list(here, fork);
                inner = self.read_list(inner, fork);
            }
            EdgeKind::Next | EdgeKind::Reject | EdgeKind::Ask | EdgeKind::Expire => {}
        }
        if let Some((fork, branch)) = edge.joins {
            if let Some((of, this)) = lane
                && of == fork
                && this == branch
            {
                return false;
            }
            // In a `for`, a field without a reducer is local to its item.
            if self.spec.forks[fork].each.is_some() && !self.reduced.contains(self.field) {
                inner = ValueFacts::UNREACHED;
            }
            inner = inner.closed();
            if !facts[to].nested {
                here.meet(&inner);
                inner = ValueFacts::UNREACHED;
            }
        }
        let (mut changed, node_facts) = (false, &mut facts[to]);
        if !here.is_unreached() {
            changed = node_facts.here.meet(&here);
        }
        if !inner.is_unreached() {
            changed = node_facts.inner.meet(&inner) || changed;
        }
        changed
    }

    /// Returns the fields that the review before a node signs, shows and reads.
    const fn seen_before(&self, node: usize) -> BitSet {
        match &self.spec.nodes[node].interrupt {
            Some(interrupt) => {
                let shown = self.index.find_all(interrupt.shows).or(self.index.find_expressions(interrupt));
                shown.or(self.index.find_all(&[interrupt.field]))
            }
            None => BitSet::EMPTY,
        }
    }

    /// Returns the facts after a node has run.
    const fn after_run(&self, before: &ValueFacts, node: usize, facts: &[NodeFacts]) -> ValueFacts {
        let node_facts = &facts[node];
        if node_facts.writes.contains(self.field) {
            let others = node_facts.writes.minus(BitSet::EMPTY.with(self.field));
            let written = ValueFacts::written(self.field, others);
            let Some(bound) = node_facts.bound else { return written };
            return ValueFacts {
                siblings: written.siblings.or(bound.siblings).minus(BitSet::EMPTY.with(self.field)),
                stale: bound.stale.minus(node_facts.writes),
                decided_by_sibling: bound.decided_by_sibling,
                ..written
            };
        }
        let mut after = *before;
        if after.is_unreached() {
            return after;
        }
        // Nothing is signed at an arm, so that it starts no new round.
        if node == self.review && !node_facts.nested && !self.spec.nodes[node].is_binding() {
            let written = ValueFacts::written(self.field, BitSet::EMPTY);
            return ValueFacts {
                dependent_before: before.dependent_before,
                decided_by_sibling: before.decided_by_sibling,
                stale: before.stale,
                ..written
            };
        }
        if self.spec.nodes[node].effect && after.effect.is_none() {
            after.effect = Some(node);
        }
        if !node_facts.writes.and(self.reduced).is_empty() && after.reducer.is_none() {
            after.reducer = Some(node);
        }
        after.record_review(self.seen_before(node), Dependent::Node(node));
        after.after_verdict = false;
        let overwritten = node_facts.writes.minus(self.reduced);
        if (node_facts.takes_payload && before.after_verdict)
            || !node_facts.reads.and(before.tainted).is_empty()
        {
            after.dependent = first(after.dependent, Some(Dependent::Node(node)));
            after.tainted = after.tainted.or(node_facts.writes);
        } else {
            after.tainted = after.tainted.minus(overwritten);
        }
        let (reads, writes) = (node_facts.reads, node_facts.writes);
        after.stale = spread(after.stale, reads, writes, overwritten);
        after.siblings = spread(after.siblings, reads, writes, overwritten);
        after
    }

    /// Returns the facts after the head of a `for`, which reads its list.
    const fn read_list(&self, mut value: ValueFacts, fork: usize) -> ValueFacts {
        if let Some(each) = &self.spec.forks[fork].each {
            value.record_choice(self.index.find(each.list), Dependent::List(fork));
        }
        value
    }

    /// Returns the facts at the head of a branch or an item. An item depends on what its list depends on.
    const fn enter_fork(&self, value: ValueFacts, fork: usize) -> ValueFacts {
        let mut value = self.read_list(value, fork);
        if let Some(each) = &self.spec.forks[fork].each
            && let (Some(list), Some(item)) = (self.index.find(each.list), self.index.find(each.item))
            && item != self.field
        {
            let one = BitSet::EMPTY.with(item);
            let list = BitSet::EMPTY.with(list);
            value.tainted = spread(value.tainted, list, one, one);
            value.siblings = spread(value.siblings, list, one, one);
            value.stale = spread(value.stale, list, one, one);
        }
        value
    }
}
