//! The static question behind an edit: what lies between a field's last write and a review of it, and depends on it?
//!
//! An edited draft must take the way that it would have taken had the node proposed it. For each review of a field `F`
//! this module walks every path from a write of `F` to the review and notes what depends on `F`: a node that reads it, or
//! reads a field that was computed from it on the way; a `match` or the list of a `for` on such a field; a node that a
//! verdict tells of the draft.
//!
//! - Nothing depends on it: the edit signs where it stands ([`EditWay::Straight`]).
//! - Something does: the thread goes back to where `F` was written, and on from there ([`EditWay::Again`]).
//! - It cannot go back ([`EditWay::Refused`]): an effect on the way would run a second time; a fork begins or ends on the
//!   way, behind something that depends on `F`, and the other branches have run; or the way is decided by a field that was
//!   set together with `F` and that an edit of `F` leaves as it is: one that the same node wrote; where `F` is an input,
//!   another input; where `F` is the item of a `for`, its list, and what was written with that or computed from it. rustc
//!   refuses such a graph unless the review says that it takes no edit.
//!
//! A review in a loop starts afresh: what was signed and done in one round is over, and an edit in the next round goes back
//! no further than to the node itself.
//!
//! The rule for effects is simple and conservative: where the way is not straight, no effect may stand on it at all,
//! whatever it reads. The analysis is a may-analysis: what one path does counts for all of them, so that a refusal may be
//! stricter than a run would need, and never laxer. Its invariant: `Straight` means that no path has a dependency.
//!
//! A field is followed within one lane (the thread itself, a branch, an item), because that is what can go back. Where the
//! write lies before the fork that a review is inside of, the edit goes back to the head of the branch, and the stretch
//! before the fork must be straight. Where it lies inside a fork that has met before the review, the edit goes back to the
//! join, and the stretch inside must be straight. A fork that lies wholly between the write and the review is run again.

use super::bits::Bits;
use super::names::Names;
use super::{EdgeKind, EdgeSpec, GraphSpec, Payload, Point};

/// How an edit of the field that a review signs goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EditWay {
    /// Nothing on the way to the review depends on the field.
    Straight,
    /// Something does, and the way can be taken again.
    Again,
    /// Something does, and the way cannot be taken again.
    Refused(Obstacle),
}

/// Why a way cannot be taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// This effect would run a second time.
    Effect { effect: usize, by: Dependent },
    /// A fork begins or ends behind what depends on the field.
    Fork { by: Dependent },
    /// The way is decided by what was written together with the field.
    Together { by: Dependent },
}

/// What depends on a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependent {
    /// A node reads it, or is told of it by a verdict.
    Node(usize),
    /// A `match` looks at it.
    Route(usize),
    /// A `for` goes through it; the number of its fork.
    List(usize),
}

/// What is known of the field's value at a point, of all paths that it comes there by.
#[derive(Clone, Copy)]
struct Reach {
    /// The field itself, and those computed from it since. Empty where it does not come.
    tainted: Bits,
    /// The fields that were written together with it, and those computed from them since.
    beside: Bits,
    /// What depends on it since the place that an edit goes back to.
    dependent: Option<Dependent>,
    /// An effect since that place.
    effect: Option<usize>,
    /// What depends on it before that place.
    lost: Option<Dependent>,
    /// What depends on the field, and decides the way.
    decided: Option<Dependent>,
    /// What depends on a field of `beside`, and decides the way.
    together: Option<Dependent>,
    /// Whether a verdict on it, or on what was computed from it, leads here.
    told: bool,
}

impl Reach {
    const NOTHING: Self = Self {
        tainted: Bits::NONE,
        beside: Bits::NONE,
        dependent: None,
        effect: None,
        lost: None,
        decided: None,
        together: None,
        told: false,
    };

    /// The field has just been written, together with these.
    const fn written(field: usize, beside: Bits) -> Self {
        Self { tainted: Bits::NONE.with(field), beside, ..Self::NOTHING }
    }

    const fn is_nothing(&self) -> bool {
        self.tainted.same(Bits::NONE)
    }

    /// Takes in what is known of another path; says whether anything was new.
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
        !self.tainted.same(before.tainted)
            || !self.beside.same(before.beside)
            || self.dependent.is_some() != before.dependent.is_some()
            || self.effect.is_some() != before.effect.is_some()
            || self.lost.is_some() != before.lost.is_some()
            || self.decided.is_some() != before.decided.is_some()
            || self.together.is_some() != before.together.is_some()
            || self.told != before.told
    }

    /// Something looks at a field, and the way depends on it.
    const fn looked_at(&mut self, field: Option<usize>, by: Dependent) {
        let Some(field) = field else { return };
        if self.tainted.has(field) {
            self.dependent = first(self.dependent, Some(by));
            self.decided = first(self.decided, Some(by));
        } else if self.beside.has(field) {
            self.together = first(self.together, Some(by));
        }
    }

    /// From here on an edit can go back no further: what depended on the field is behind that place.
    const fn closed(mut self) -> Self {
        self.lost = first(self.lost, self.dependent);
        self.dependent = None;
        self.effect = None;
        self
    }

    /// What is known of an item where its `for` begins, from what is known of the list. An edit of one item leaves the list
    /// as it is, and all that was written with it or computed from it.
    const fn item(self, item: usize) -> Self {
        let beside = self.beside.or(self.tainted).minus(Bits::NONE.with(item));
        Self { together: first(self.together, self.decided), ..Self::written(item, beside) }
    }
}

const fn first(one: Option<Dependent>, other: Option<Dependent>) -> Option<Dependent> {
    if one.is_some() { one } else { other }
}

/// A node on the way.
#[derive(Clone, Copy)]
pub(super) struct Place {
    reads: Bits,
    writes: Bits,
    /// Whether a verdict may tell it of the draft.
    is_told: bool,
    /// Whether it is in the lane at hand, or in a fork within that.
    inside: bool,
    /// Whether it is in a fork within the lane at hand.
    nested: bool,
    /// The field as it was written in the lane at hand.
    here: Reach,
    /// The field as it was written in a fork within it.
    inner: Reach,
}

impl Place {
    /// A node of which nothing has been read yet.
    pub(super) const BLANK: Self = Self {
        reads: Bits::NONE,
        writes: Bits::NONE,
        is_told: false,
        inside: false,
        nested: false,
        here: Reach::NOTHING,
        inner: Reach::NOTHING,
    };
}

/// How an edit of what is signed before a node goes on. `places` has room for each of the graph's nodes.
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
    // From the thread itself into the branch that the review is in.
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
    match (reach.dependent, reach.effect) {
        (None, _) => EditWay::Straight,
        (Some(_), None) => EditWay::Again,
        (Some(by), Some(effect)) => EditWay::Refused(Obstacle::Effect { effect, by }),
    }
}

/// The field by which a reviewed one can be followed in a lane: outside of the `for` whose item it is, that is the list.
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
    // Inner forks come after the ones around them.
    while fork > outermost {
        fork -= 1;
        if let Some(each) = &spec.forks[fork].each
            && let (Some(item), Some(list)) = (names.find(each.item), names.find(each.list))
            && item == field
            && is_inside(spec, fork, node)
        {
            field = list;
        }
    }
    field
}

const fn is_inside(spec: &GraphSpec, fork: usize, node: usize) -> bool {
    let (branches, mut branch) = (spec.forks[fork].branches, 0);
    while branch < branches.len() {
        if super::check::holds(branches[branch].nodes, node) {
            return true;
        }
        branch += 1;
    }
    false
}

/// The inputs that a caller gives together with one.
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

/// As [`way_of_edit`], at run time.
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

/// The next branch on the way from a lane into a node that is inside of it.
const fn next_inside(spec: &GraphSpec, node: usize, lane: Option<(usize, usize)>) -> Option<(usize, usize)> {
    // Inner forks come after the ones around them.
    let mut fork = match lane {
        Some((fork, _)) => fork + 1,
        None => 0,
    };
    while fork < spec.forks.len() {
        let (branches, mut branch) = (spec.forks[fork].branches, 0);
        while branch < branches.len() {
            if super::check::holds(branches[branch].nodes, node) {
                return Some((fork, branch));
            }
            branch += 1;
        }
        fork += 1;
    }
    None
}

/// One field on its way through the lanes of a graph.
struct Walk<'a> {
    spec: &'a GraphSpec,
    names: &'a Names,
    /// The node that is reviewed.
    review: usize,
    field: usize,
    reduced: Bits,
}

impl Walk<'_> {
    /// Lets the field come as far as it comes within a lane, the forks in it included.
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
        // Up and down in turn, so that a graph that is written backwards costs no more.
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

    /// Says of each node whether it is in the lane, and forgets what came to it.
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

    /// Takes the field along an edge; says whether it brought anything new.
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
                here.looked_at(field, Dependent::Route(route));
                inner.looked_at(field, Dependent::Route(route));
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
                here = self.looks_at_list(here, fork);
                inner = self.looks_at_list(inner, fork);
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
            // What an item of a `for` has without a reducer ends with the item.
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

    /// What is known once a node has run.
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

    /// What is known behind the head of a `for`, which looks at its list.
    const fn looks_at_list(&self, mut reach: Reach, fork: usize) -> Reach {
        if let Some(each) = &self.spec.forks[fork].each {
            reach.looked_at(self.names.find(each.list), Dependent::List(fork));
        }
        reach
    }

    /// What is known in a branch, or in an item, which is as its list is.
    const fn enter_fork(&self, reach: Reach, fork: usize) -> Reach {
        let mut reach = self.looks_at_list(reach, fork);
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
