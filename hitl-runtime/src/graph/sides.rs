//! What runs side by side, the branches of a fork or the items of a `for`: what each may change, and what comes of it
//! where they meet.

use super::bits::Bits;
use super::facts::{Facts, Step};
use super::names::Names;
use super::{GraphSpec, Proof};

/// One branch of a fork.
#[derive(Clone, Copy, Debug)]
pub(super) struct BranchProof {
    /// The fields that its nodes may change.
    pub(super) touches: Bits,
    /// The covers that its nodes may end, or give anew.
    pub(super) spoils: Bits,
    /// What holds where it ends: anything, as long as nothing is known of it.
    pub(super) end: Facts,
}

impl BranchProof {
    /// A branch of which nothing has been read yet.
    pub(super) const BLANK: Self = Self { touches: Bits::NONE, spoils: Bits::NONE, end: Facts::ANYTHING };
}

/// One fork.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForkProof {
    /// Where its branches begin in [`Proof::branches`].
    pub(super) first: usize,
    /// The fields that its branches may change.
    pub(super) touched: Bits,
    /// The fields with a reducer that more than one branch may change, or that several items may: what comes out of the
    /// join is neither's.
    pub(super) mixed: Bits,
    /// The covers that its branches may end, or give anew.
    pub(super) spoiled: Bits,
    /// Those that end at the join, whatever its branches say: for what is mixed.
    pub(super) unsigns: Bits,
    /// Where it is a `for`: the item's field, which is another one in each lane.
    pub(super) item: Bits,
    /// Where it is a `for`: every cover. What was signed before it was not signed once for each item.
    pub(super) leaves: Bits,
    /// Where it is a `for`: the lists that its items append to. They are there at the join though no item is.
    pub(super) gathers: Bits,
}

impl ForkProof {
    /// A fork of which nothing has been read yet.
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

    /// What leading into it does to what its point does.
    pub(super) const fn enter(&self, ran: &Step) -> Step {
        ran.and(self.item, self.leaves)
    }

    /// Where it is a `for`, what leading past it does: the same, whether there are items or not.
    pub(super) const fn pass(&self, ran: &Step) -> Step {
        ran.and(self.gathers, self.unsigns)
    }
}

impl<const N: usize> Proof<N> {
    /// Reads the forks of a graph.
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
                self.looks_at(spec.forks[fork].from, names.find(each.list));
                self.forks[fork].leaves = Bits::ALL;
                if let Some(item) = names.find(each.item) {
                    self.forks[fork].item = Bits::NONE.with(item);
                }
            }
            first += spec.forks[fork].branches.len();
            fork += 1;
        }
        // What each node shows of what it touches to the fork at hand.
        let (mut shown, mut spends, mut node) = ([Bits::NONE; N], [Bits::NONE; N], 0);
        while fork > 0 && node < N {
            shown[node] = self.nodes[node].touches;
            spends[node] = self.nodes[node].stopped.signs;
            node += 1;
        }
        // From the innermost fork outwards: what stays inside a `for` is nothing to the forks around it.
        while fork > 0 {
            fork -= 1;
            first -= spec.forks[fork].branches.len();
            self.gather(spec, fork, first, reduced, &shown, &spends);
            if spec.forks[fork].each.is_some() {
                self.keep_inside(spec, fork, reduced, appended, &mut shown, &mut spends);
            }
        }
    }

    /// Gathers what the branches of a fork touch, and which of their nodes race.
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

    /// Of what the body of a `for` touches, only what a reducer joins comes out, and several items may have changed it.
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
            // No signature from around it comes in.
            spends[body[place]] = Bits::NONE;
            place += 1;
        }
        let of_it = &mut self.forks[fork];
        of_it.gathers = writes.and(appended);
        of_it.mixed = of_it.touched.and(reduced);
        of_it.unsigns = self.covers.ended_by(of_it.mixed);
    }

    /// One branch of a fork.
    pub(super) const fn branch(&self, fork: usize, branch: usize) -> &BranchProof {
        &self.branches[self.forks[fork].first + branch]
    }

    /// One fork.
    pub(super) const fn fork(&self, fork: usize) -> &ForkProof {
        &self.forks[fork]
    }

    /// What is known where the branches of a fork have met: all of them have run.
    ///
    /// A field is written if one of them wrote it. A cover holds if one of them has it and whoever may have ended it has it
    /// too, unless a reducer made one value of several. What the items of a `for` leave behind is said by
    /// the edge past it, and so nothing here.
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
