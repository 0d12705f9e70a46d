//! The static analysis of edits: the code between a field's last write and a review of it that depends on the field.
//!
//! An edited draft must take the path that it would have taken if the node had proposed it. For each review of a field
//! `F`, this module follows every path from a write of `F` to the review and records the code that depends on `F`: a
//! node that reads `F`, or a field computed from it on the way; a `match` on such a field, or a `for` over it; a node
//! that receives the payload of a verdict on the draft.
//!
//! - Nothing depends on `F`: the edit signs at the review ([`EditWay::Straight`]).
//! - Something depends on it: the thread goes back to the write of `F`, and runs on from there ([`EditWay::Again`]).
//! - Something depends on it, but the thread cannot go back ([`EditWay::Refused`]): an effect on the path would run a
//!   second time; a node on it would add to a field with a reducer a second time, or find a field, which it reads as an
//!   `Option`, as the first run left it; a fork begins or ends on the path after the dependent code, and the other branches have run; or the
//!   path is decided by a field that was set together with `F` and that an edit of `F` does not change. Such a field is
//!   one that the same node wrote; if `F` is an input, another input; if `F` is the item of a `for`, its list, and any
//!   field that was written with the list or computed from it. rustc rejects such a graph unless the review declares
//!   that it takes no edit.
//!
//! A review in a loop starts over: the signatures and effects of one round are final, and an edit in the next round
//! goes back at most to the node itself.
//!
//! The rule for effects is simple and conservative: if anything on the path depends on `F`, no effect may be on it,
//! regardless of its reads. The analysis is a may-analysis: a dependency on one path counts for all paths, so it may
//! reject an edit that would be safe in a given run, but never accepts an unsafe one. Its invariant: `Straight` means
//! that no path has a dependency.
//!
//! The analysis follows a field within one lane (the thread itself, a branch, an item), because a lane is the unit that
//! can go back. If the write precedes the fork that contains the review, the edit goes back to the head of the branch,
//! and the part before the fork must have no dependency. If the write is inside a fork that joins before the review,
//! the edit goes back to the join, and the part inside must have no dependency. A fork that lies entirely between the
//! write and the review runs again.

use super::bits::Bits;
use super::names::Names;
use super::{EdgeKind, EdgeSpec, GraphSpec, Payload, Point, ReadKind};

/// The result of an edit of the field that a review signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EditWay {
    /// Nothing on the path to the review depends on the field: the edit signs.
    Straight,
    /// Something depends on it, and the path can be run again.
    Again,
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
    Leftover { node: usize, field: usize, by: Dependent },
    /// A fork begins or ends after the code that depends on the field.
    Fork { by: Dependent },
    /// The path is decided by a field that was written together with this one.
    Together { by: Dependent },
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
struct Reach {
    /// The field itself, and the fields computed from it since. Empty if the value does not reach the point.
    tainted: Bits,
    /// The fields written together with it, and those computed from them since.
    beside: Bits,
    /// Dependent code after the place that an edit goes back to.
    dependent: Option<Dependent>,
    /// An effect after that place.
    effect: Option<usize>,
    /// A node after that place that writes a field with a reducer.
    reducer: Option<usize>,
    /// Dependent code before that place.
    lost: Option<Dependent>,
    /// A `match` or `for` on a field in `tainted`, which decides the path.
    decided: Option<Dependent>,
    /// A `match` or `for` on a field in `beside`, which decides the path.
    together: Option<Dependent>,
    /// `true` if a verdict on it, or on a field computed from it, leads here.
    told: bool,
}

impl Reach {
    const NOTHING: Self = Self {
        tainted: Bits::NONE,
        beside: Bits::NONE,
        dependent: None,
        effect: None,
        reducer: None,
        lost: None,
        decided: None,
        together: None,
        told: false,
    };

    /// Returns the facts after the field has been written together with these.
    const fn written(field: usize, beside: Bits) -> Self {
        Self { tainted: Bits::NONE.with(field), beside, ..Self::NOTHING }
    }

    const fn is_nothing(&self) -> bool {
        self.tainted.same(Bits::NONE)
    }

    /// Merges the facts of another path; returns whether anything changed.
    const fn meet(&mut self, other: &Self) -> bool {
        let before = *self;
        self.tainted = before.tainted.or(other.tainted);
        self.beside = before.beside.or(other.beside);
        self.dependent = first(before.dependent, other.dependent);
        self.lost = first(before.lost, other.lost);
        self.decided = first(before.decided, other.decided);
        self.together = first(before.together, other.together);
        self.told = before.told || other.told;
        if self.effect.is_none() {
            self.effect = other.effect;
        }
        if self.reducer.is_none() {
            self.reducer = other.reducer;
        }
        !self.tainted.same(before.tainted)
            || !self.beside.same(before.beside)
            || self.dependent.is_some() != before.dependent.is_some()
            || self.effect.is_some() != before.effect.is_some()
            || self.reducer.is_some() != before.reducer.is_some()
            || self.lost.is_some() != before.lost.is_some()
            || self.decided.is_some() != before.decided.is_some()
            || self.together.is_some() != before.together.is_some()
            || self.told != before.told
    }

    /// Records that a `match` or `for` reads a field.
    const fn record_choice(&mut self, field: Option<usize>, by: Dependent) {
        let Some(field) = field else { return };
        if self.tainted.has(field) {
            self.dependent = first(self.dependent, Some(by));
            self.decided = first(self.decided, Some(by));
        } else if self.beside.has(field) {
            self.together = first(self.together, Some(by));
        }
    }

    /// Marks a place that an edit cannot go back beyond: dependent code before it becomes `lost`.
    const fn closed(mut self) -> Self {
        self.lost = first(self.lost, self.dependent);
        self.dependent = None;
        self.effect = None;
        self.reducer = None;
        self
    }

    /// Converts the facts about a list to those about an item at the head of its `for`. An edit of one item does not
    /// change the list, nor any field written with it or computed from it.
    const fn item(self, item: usize) -> Self {
        let beside = self.beside.or(self.tainted).minus(Bits::NONE.with(item));
        Self { together: first(self.together, self.decided), ..Self::written(item, beside) }
    }
}

const fn first(one: Option<Dependent>, other: Option<Dependent>) -> Option<Dependent> {
    if one.is_some() { one } else { other }
}

/// A node, and the facts about the field on entry to it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    reads: Bits,
    /// The fields among `reads` that may be unwritten.
    optional: Bits,
    writes: Bits,
    /// `true` if it takes the payload of a verdict.
    is_told: bool,
    /// `true` if it is in the current lane, including the forks inside it.
    inside: bool,
    /// `true` if it is in a fork inside the current lane.
    nested: bool,
    /// `true` if the node is on a path from a write of the field to the review.
    on_path: bool,
    /// The field as written in the current lane.
    here: Reach,
    /// The field as written in a fork inside the current lane.
    inner: Reach,
}

impl Place {
    /// A node before its description is read.
    pub(super) const BLANK: Self = Self {
        reads: Bits::NONE,
        optional: Bits::NONE,
        writes: Bits::NONE,
        is_told: false,
        inside: false,
        nested: false,
        on_path: false,
        here: Reach::NOTHING,
        inner: Reach::NOTHING,
    };
}

/// Returns the result of an edit at the review before a node. `places` must have as many elements as the graph has
/// nodes.
pub(super) const fn way_of_edit(spec: &GraphSpec, node: usize, places: &mut [Place]) -> EditWay {
    let names = Names::of(&spec.state);
    let Some(interrupt) = &spec.nodes[node].interrupt else { return EditWay::Straight };
    let Some(field) = names.find(interrupt.field) else { return EditWay::Straight };
    read_nodes(spec, &names, places);
    let reduced = reduced(spec);
    let mut lane = None;
    let mut walk =
        Walk { spec, names: &names, review: node, field: before(spec, &names, node, field, lane), reduced };
    let start = match spec.state.fields[walk.field].input {
        true => Reach::written(walk.field, inputs_beside(spec, walk.field)),
        false => Reach::NOTHING,
    };
    // From the thread itself inward to the branch that contains the review.
    let mut entered = start;
    loop {
        walk.lane(lane, entered, places);
        let Some((fork, branch)) = next_inside(spec, node, lane) else { break };
        let from = spec.forks[fork].from;
        let left = match from {
            Point::Node(from) => walk.ran(&places[from].here, from, places),
            Point::Start | Point::End => start,
        };
        lane = Some((fork, branch));
        let inside = before(spec, &names, node, field, lane);
        entered = match inside == walk.field {
            true => walk.enter_fork(left, fork).closed(),
            false => left.item(inside),
        };
        walk.field = inside;
    }
    let reach = places[node].here;
    if let Some(by) = reach.together {
        return EditWay::Refused(Obstacle::Together { by });
    }
    if let Some(by) = reach.lost {
        return EditWay::Refused(Obstacle::Fork { by });
    }
    if let (Some(by), None, Some(node)) = (reach.dependent, reach.effect, reach.reducer) {
        return EditWay::Refused(Obstacle::Reducer { node, by });
    }
    if let (Some(by), None) = (reach.dependent, reach.effect)
        && let Some((node, field)) = walk.leftover(places)
    {
        return EditWay::Refused(Obstacle::Leftover { node, field, by });
    }
    match (reach.dependent, reach.effect) {
        (None, _) => EditWay::Straight,
        (Some(_), None) => EditWay::Again,
        (Some(by), Some(effect)) => EditWay::Refused(Obstacle::Effect { effect, by }),
    }
}

/// Returns the field to follow in a lane. Outside of the `for` whose item is the reviewed field, that is the list.
const fn before(
    spec: &GraphSpec,
    names: &Names,
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
            && let (Some(item), Some(list)) = (names.find(each.item), names.find(each.list))
            && item == field
            && branch_of(spec, fork, node).is_some()
        {
            field = list;
        }
    }
    field
}

/// Returns the inputs that a caller sets together with one.
const fn inputs_beside(spec: &GraphSpec, input: usize) -> Bits {
    let (mut beside, mut field) = (Bits::NONE, 0);
    while field < spec.state.fields.len() {
        if spec.state.fields[field].input && field != input {
            beside = beside.with(field);
        }
        field += 1;
    }
    beside
}

/// Runs [`way_of_edit`] at run time, when it may allocate.
pub(crate) fn edit_way(spec: &GraphSpec, node: usize) -> EditWay {
    way_of_edit(spec, node, &mut vec![Place::BLANK; spec.nodes.len()])
}

/// Resolves the names of each node.
const fn read_nodes(spec: &GraphSpec, names: &Names, places: &mut [Place]) {
    let mut node = 0;
    while node < spec.nodes.len() {
        let (told, place) = (&spec.nodes[node], &mut places[node]);
        *place = Place::BLANK;
        let mut read = 0;
        while read < told.reads.len() {
            if let Some(field) = names.find(told.reads[read].field) {
                place.reads = place.reads.with(field);
                if let ReadKind::Optional = told.reads[read].kind {
                    place.optional = place.optional.with(field);
                }
            }
            read += 1;
        }
        let mut write = 0;
        while write < told.writes.len() {
            if let Some(field) = names.find(told.writes[write]) {
                place.writes = place.writes.with(field);
            }
            write += 1;
        }
        place.is_told = !matches!((told.rejection, told.question), (Payload::No, Payload::No));
        node += 1;
    }
}

const fn reduced(spec: &GraphSpec) -> Bits {
    let (mut reduced, mut field) = (Bits::NONE, 0);
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
        if super::check::holds(branches[branch].nodes, node) {
            return Some(branch);
        }
        branch += 1;
    }
    None
}

/// The analysis of one field.
struct Walk<'a> {
    spec: &'a GraphSpec,
    names: &'a Names,
    /// The node of the review.
    review: usize,
    field: usize,
    reduced: Bits,
}

impl Walk<'_> {
    /// Returns a node that an edit runs again, or the review, with a field that it reads as an `Option` and that a node on
    /// the path writes: at the second run the field holds the value of the first.
    const fn leftover(&self, places: &mut [Place]) -> Option<(usize, usize)> {
        let (mut moved, mut writes) = (true, Bits::NONE);
        while moved {
            moved = false;
            let mut edge = 0;
            while edge < self.spec.edges.len() {
                let told = &self.spec.edges[edge];
                edge += 1;
                let (Point::Node(from), Point::Node(to)) = (told.from, told.to) else { continue };
                let leads = to == self.review || places[to].on_path;
                let place = &mut places[from];
                let follows = !place.here.is_nothing() || !place.inner.is_nothing();
                if leads && follows && place.inside && from != self.review && !place.on_path {
                    place.on_path = true;
                    writes = writes.or(place.writes);
                    moved = true;
                }
            }
        }
        let mut node = 0;
        while node < places.len() {
            let place = &places[node];
            // A node that writes the field itself proposes another draft, which the edit does not sign.
            let redrafts = place.writes.has(self.field);
            if ((place.on_path && !redrafts) || node == self.review)
                && let Some(field) = place.optional.and(writes).first()
            {
                return Some((node, field));
            }
            node += 1;
        }
        None
    }

    /// Propagates the facts within a lane and the forks inside it until nothing changes.
    const fn lane(&self, lane: Option<(usize, usize)>, entered: Reach, places: &mut [Place]) {
        self.mark(lane, places);
        if let Some((fork, branch)) = lane {
            let nodes = self.spec.forks[fork].branches[branch].nodes;
            let mut edge = 0;
            while edge < self.spec.edges.len() {
                let told = &self.spec.edges[edge];
                if let (EdgeKind::Fork { fork: of, branch: this }, Point::Node(head)) = (told.kind, told.to)
                    && of == fork
                    && this == branch
                    && super::check::holds(nodes, head)
                {
                    places[head].here = entered;
                }
                edge += 1;
            }
        }
        // The sweeps alternate their direction, so that a graph whose edges are in reverse order costs no more.
        let (mut moved, mut down) = (true, true);
        while moved {
            moved = false;
            let mut step = 0;
            while step < self.spec.edges.len() {
                let edge = if down { step } else { self.spec.edges.len() - 1 - step };
                moved = self.edge(&self.spec.edges[edge], lane, entered, places) || moved;
                step += 1;
            }
            down = !down;
        }
    }

    /// Marks the nodes of the lane, and clears the facts of all nodes.
    const fn mark(&self, lane: Option<(usize, usize)>, places: &mut [Place]) {
        let mut node = 0;
        while node < places.len() {
            places[node].inside = lane.is_none();
            places[node].nested = false;
            places[node].here = Reach::NOTHING;
            places[node].inner = Reach::NOTHING;
            node += 1;
        }
        let mut fork = 0;
        if let Some((around, branch)) = lane {
            let (nodes, mut place) = (self.spec.forks[around].branches[branch].nodes, 0);
            while place < nodes.len() {
                places[nodes[place]].inside = true;
                place += 1;
            }
            fork = around + 1;
        }
        while fork < self.spec.forks.len() {
            let (branches, mut branch) = (self.spec.forks[fork].branches, 0);
            while branch < branches.len() {
                let (nodes, mut place) = (branches[branch].nodes, 0);
                while place < nodes.len() {
                    places[nodes[place]].nested = places[nodes[place]].inside;
                    place += 1;
                }
                branch += 1;
            }
            fork += 1;
        }
    }

    /// Propagates the facts along an edge; returns whether anything changed.
    const fn edge(
        &self,
        edge: &EdgeSpec,
        lane: Option<(usize, usize)>,
        start: Reach,
        places: &mut [Place],
    ) -> bool {
        let Point::Node(to) = edge.to else { return false };
        let (mut here, mut inner) = match edge.from {
            Point::Start if lane.is_none() => (start, Reach::NOTHING),
            Point::Node(from) if places[from].inside => {
                let place = places[from];
                if edge.kind.leaves_review() {
                    let (mut here, mut inner) = (place.here, place.inner);
                    let signed = match &self.spec.nodes[from].interrupt {
                        Some(interrupt) => self.names.find(interrupt.field),
                        None => None,
                    };
                    if let Some(signed) = signed {
                        here.told = here.tainted.has(signed);
                        inner.told = inner.tainted.has(signed);
                    }
                    (here, inner)
                } else if place.writes.has(self.field) {
                    let written = self.ran(&Reach::NOTHING, from, places);
                    if place.nested { (Reach::NOTHING, written) } else { (written, Reach::NOTHING) }
                } else {
                    (self.ran(&place.here, from, places), self.ran(&place.inner, from, places))
                }
            }
            _ => return false,
        };
        match edge.kind {
            EdgeKind::Case { route, .. } => {
                let field = self.names.find(self.spec.routes[route].field);
                here.record_choice(field, Dependent::Route(route));
                inner.record_choice(field, Dependent::Route(route));
            }
            EdgeKind::Fork { fork, .. } => {
                here = self.enter_fork(here, fork);
                inner = self.enter_fork(inner, fork);
                if let Some(each) = &self.spec.forks[fork].each
                    && let Some(item) = self.names.find(each.item)
                    && item == self.field
                {
                    (here, inner) = (Reach::NOTHING, Reach::written(self.field, Bits::NONE));
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
            if self.spec.forks[fork].each.is_some() && !self.reduced.has(self.field) {
                inner = Reach::NOTHING;
            }
            inner = inner.closed();
            if !places[to].nested {
                here.meet(&inner);
                inner = Reach::NOTHING;
            }
        }
        let (mut moved, place) = (false, &mut places[to]);
        if !here.is_nothing() {
            moved = place.here.meet(&here);
        }
        if !inner.is_nothing() {
            moved = place.inner.meet(&inner) || moved;
        }
        moved
    }

    /// Returns the facts after a node has run.
    const fn ran(&self, before: &Reach, node: usize, places: &[Place]) -> Reach {
        let place = &places[node];
        if place.writes.has(self.field) {
            return Reach::written(self.field, place.writes.minus(Bits::NONE.with(self.field)));
        }
        let mut after = *before;
        if after.is_nothing() {
            return after;
        }
        if node == self.review && !place.nested {
            let written = Reach::written(self.field, Bits::NONE);
            return Reach { lost: before.lost, together: before.together, ..written };
        }
        if self.spec.nodes[node].effect && after.effect.is_none() {
            after.effect = Some(node);
        }
        if !place.writes.and(self.reduced).same(Bits::NONE) && after.reducer.is_none() {
            after.reducer = Some(node);
        }
        after.told = false;
        let overwritten = place.writes.minus(self.reduced);
        if (place.is_told && before.told) || !place.reads.and(before.tainted).same(Bits::NONE) {
            after.dependent = first(after.dependent, Some(Dependent::Node(node)));
            after.tainted = after.tainted.or(place.writes);
        } else {
            after.tainted = after.tainted.minus(overwritten);
        }
        after.beside = if place.reads.and(before.beside).same(Bits::NONE) {
            after.beside.minus(overwritten)
        } else {
            after.beside.or(place.writes)
        };
        after
    }

    /// Returns the facts after the head of a `for`, which reads its list.
    const fn read_list(&self, mut reach: Reach, fork: usize) -> Reach {
        if let Some(each) = &self.spec.forks[fork].each {
            reach.record_choice(self.names.find(each.list), Dependent::List(fork));
        }
        reach
    }

    /// Returns the facts at the head of a branch or an item. An item depends on what its list depends on.
    const fn enter_fork(&self, reach: Reach, fork: usize) -> Reach {
        let mut reach = self.read_list(reach, fork);
        if let Some(each) = &self.spec.forks[fork].each
            && let (Some(list), Some(item)) = (self.names.find(each.list), self.names.find(each.item))
            && item != self.field
        {
            let one = Bits::NONE.with(item);
            let (tainted, beside) = (reach.tainted.has(list), reach.beside.has(list));
            reach.tainted = if tainted { reach.tainted.or(one) } else { reach.tainted.minus(one) };
            reach.beside = if beside { reach.beside.or(one) } else { reach.beside.minus(one) };
        }
        reach
    }
}
