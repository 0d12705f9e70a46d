//! Forks in the proof: the changes that the branches of a fork, or the items of a `for`, may make, and the facts at
//! their join.

use super::bits::Bits;
use super::facts::{Facts, Step};
use super::names::Names;
use super::{GraphSpec, Proof};

/// The proof of one branch of a fork.
#[derive(Clone, Copy, Debug)]
pub(super) struct BranchProof {
    /// The fields that its nodes may change.
    pub(super) touches: Bits,
    /// The covers that its nodes may end or renew.
    pub(super) spoils: Bits,
    /// The facts at its end: the top element as long as no path has come there.
    pub(super) end: Facts,
}

impl BranchProof {
    /// The proof of a branch before its nodes are read.
    pub(super) const BLANK: Self = Self { touches: Bits::NONE, spoils: Bits::NONE, end: Facts::ANYTHING };
}

/// The proof of one fork.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForkProof {
    /// The index of its first branch in [`Proof::branches`].
    pub(super) first: usize,
    /// The fields that its branches may change.
    pub(super) touched: Bits,
    /// The fields with a reducer that more than one branch or item may change: their value after the join is that of
    /// none of them.
    pub(super) mixed: Bits,
    /// The covers that its branches may end or renew.
    pub(super) spoiled: Bits,
    /// The covers that end at the join because of `mixed`, even if every branch has them.
    pub(super) unsigns: Bits,
    /// If it is a `for`, the field of the item, which differs between lanes.
    pub(super) item: Bits,
    /// If it is a `for`, every cover: a signature before it was not given once for each item.
    pub(super) leaves: Bits,
    /// If it is a `for`, the lists that its items append to. They are written at the join even if there is no item.
    pub(super) gathers: Bits,
}

impl ForkProof {
    /// The proof of a fork before its branches are read.
    pub(super) const BLANK: Self = Self {
        first: 0,
        touched: Bits::NONE,
        mixed: Bits::NONE,
        spoiled: Bits::NONE,
        unsigns: Bits::NONE,
        item: Bits::NONE,
        leaves: Bits::NONE,
        gathers: Bits::NONE,
    };

    /// Returns the transfer function of an edge into the fork, given that of the point it leaves.
    pub(super) const fn enter(&self, ran: &Step) -> Step {
        ran.and(self.item, self.leaves)
    }

    /// Returns the transfer function of the edge past a `for`. It applies to any number of items.
    pub(super) const fn pass(&self, ran: &Step) -> Step {
        ran.and(self.gathers, self.unsigns)
    }
}

impl<const N: usize> Proof<N> {
    /// Adds the proofs of the forks of a graph.
    pub(super) const fn side_by_side(
        &mut self,
        spec: &GraphSpec,
        names: &Names,
        reduced: Bits,
        appended: Bits,
    ) {
        let (mut fork, mut first) = (0, 0);
        while fork < spec.forks.len() {
            if let Some(each) = &spec.forks[fork].each {
                self.assume_written(spec.forks[fork].from, names.find(each.list));
                self.forks[fork].leaves = Bits::ALL;
                if let Some(item) = names.find(each.item) {
                    self.forks[fork].item = Bits::NONE.with(item);
                }
            }
            first += spec.forks[fork].branches.len();
            fork += 1;
        }
        // The changes of each node that the current fork sees.
        let (mut shown, mut spends, mut node) = ([Bits::NONE; N], [Bits::NONE; N], 0);
        while fork > 0 && node < N {
            shown[node] = self.nodes[node].touches;
            spends[node] = self.nodes[node].stopped.signs;
            node += 1;
        }
        // From the innermost fork outward: a `for` hides changes from the forks around it.
        while fork > 0 {
            fork -= 1;
            first -= spec.forks[fork].branches.len();
            self.gather(spec, fork, first, reduced, &shown, &spends);
            if spec.forks[fork].each.is_some() {
                self.keep_inside(spec, fork, reduced, appended, &mut shown, &mut spends);
            }
        }
    }

    /// Collects the changes of each branch of a fork, and the races between their nodes.
    const fn gather(
        &mut self,
        spec: &GraphSpec,
        fork: usize,
        first: usize,
        reduced: Bits,
        shown: &[Bits; N],
        spends: &[Bits; N],
    ) {
        let branches = spec.forks[fork].branches;
        let (mut earlier, mut twice, mut spoiled, mut branch) = (Bits::NONE, Bits::NONE, Bits::NONE, 0);
        while branch < branches.len() {
            let (mut touches, mut spent, mut place) = (Bits::NONE, Bits::NONE, 0);
            while place < branches[branch].nodes.len() {
                let number = branches[branch].nodes[place];
                let node = &mut self.nodes[number];
                node.races = node.races.or(shown[number].and(earlier).minus(reduced));
                touches = touches.or(shown[number]);
                spent = spent.or(spends[number]);
                place += 1;
            }
            spent = spent.or(self.covers.ended_by(touches));
            self.branches[first + branch].touches = touches;
            self.branches[first + branch].spoils = spent;
            spoiled = spoiled.or(spent);
            twice = twice.or(earlier.and(touches));
            earlier = earlier.or(touches);
            branch += 1;
        }
        let of_it = &mut self.forks[fork];
        (of_it.first, of_it.touched, of_it.mixed) = (first, earlier, twice.and(reduced));
        (of_it.spoiled, of_it.unsigns) = (spoiled, self.covers.ended_by(of_it.mixed));
    }

    /// Hides the changes in the body of a `for` from the forks around it. Only fields with a reducer leave it, and
    /// several items may have changed them.
    const fn keep_inside(
        &mut self,
        spec: &GraphSpec,
        fork: usize,
        reduced: Bits,
        appended: Bits,
        shown: &mut [Bits; N],
        spends: &mut [Bits; N],
    ) {
        let (body, mut writes, mut place) = (spec.forks[fork].body(), Bits::NONE, 0);
        while place < body.len() {
            let node = &mut self.nodes[body[place]];
            node.of_items = true;
            writes = writes.or(node.writes);
            shown[body[place]] = shown[body[place]].and(reduced);
            // No signature from outside is valid inside, so none is spent there.
            spends[body[place]] = Bits::NONE;
            place += 1;
        }
        let of_it = &mut self.forks[fork];
        of_it.gathers = writes.and(appended);
        of_it.mixed = of_it.touched.and(reduced);
        of_it.unsigns = self.covers.ended_by(of_it.mixed);
    }

    /// Returns the proof of one branch of a fork.
    pub(super) const fn branch(&self, fork: usize, branch: usize) -> &BranchProof {
        &self.branches[self.forks[fork].first + branch]
    }

    /// Returns the proof of a fork.
    pub(super) const fn fork(&self, fork: usize) -> &ForkProof {
        &self.forks[fork]
    }

    /// Returns the facts at the join of a fork: all of its branches have run.
    ///
    /// A field is written if some branch writes it. A cover holds if some branch has it, and every branch that may have
    /// ended it has it, too, unless a reducer combines the values of several branches. For a `for`, the result is the
    /// top element, since the edge past it carries the facts that its items leave.
    pub(super) const fn joined(&self, spec: &GraphSpec, fork: usize) -> Facts {
        if spec.forks[fork].each.is_some() {
            return Facts::ANYTHING;
        }
        let (mut written, mut signed, mut unsigned) = (Bits::NONE, Bits::NONE, Bits::NONE);
        let mut branch = 0;
        while branch < spec.forks[fork].branches.len() {
            let one = self.branch(fork, branch);
            written = written.or(one.end.written);
            signed = signed.or(one.end.signed);
            unsigned = unsigned.or(one.spoils.minus(one.end.signed));
            branch += 1;
        }
        Facts { written, signed: signed.minus(unsigned).minus(self.forks[fork].unsigns) }
    }
}
