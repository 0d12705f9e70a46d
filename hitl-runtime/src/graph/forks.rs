//! Forks in the proof: the changes that the branches of a fork, or the items of a `for`, may make, and the facts at
//! their join.

use super::bit_set::BitSet;
use super::facts::{Facts, Transfer};
use super::field_index::FieldIndex;
use super::{GraphSpec, Proof};

/// The proof of one branch of a fork.
#[derive(Clone, Copy, Debug)]
pub(super) struct BranchProof {
    /// The fields that its nodes may change.
    pub(super) touches: BitSet,
    /// The covers that its nodes may end or renew.
    pub(super) ended_covers: BitSet,
    /// The facts at its end: the top element as long as no path has come there.
    pub(super) end: Facts,
}

impl BranchProof {
    /// The proof of a branch before its nodes are read.
    pub(super) const BLANK: Self =
        Self { touches: BitSet::EMPTY, ended_covers: BitSet::EMPTY, end: Facts::TOP };
}

/// The proof of one fork.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForkProof {
    /// The index of its first branch in [`Proof::branches`].
    pub(super) first: usize,
    /// The fields that its branches may change.
    pub(super) touched: BitSet,
    /// The fields with a reducer that more than one branch or item may change: their value after the join is that of
    /// none of them.
    pub(super) merged: BitSet,
    /// The covers that its branches may end or renew.
    pub(super) ended_covers: BitSet,
    /// The covers that end at the join because of `merged`, even if every branch has them.
    pub(super) unsigns: BitSet,
    /// If it is a `for`, the field of the item, which differs between lanes.
    pub(super) item: BitSet,
    /// If it is a `for`, every cover: a signature before it was not given once for each item.
    pub(super) ends_on_entry: BitSet,
    /// If it is a `for`, the lists that its items append to. They are written at the join even if there is no item.
    pub(super) appended: BitSet,
}

impl ForkProof {
    /// The proof of a fork before its branches are read.
    pub(super) const BLANK: Self = Self {
        first: 0,
        touched: BitSet::EMPTY,
        merged: BitSet::EMPTY,
        ended_covers: BitSet::EMPTY,
        unsigns: BitSet::EMPTY,
        item: BitSet::EMPTY,
        ends_on_entry: BitSet::EMPTY,
        appended: BitSet::EMPTY,
    };

    /// Returns the transfer function of an edge into the fork, given that of leaving the point before it.
    pub(super) const fn enter(&self, transfer: &Transfer) -> Transfer {
        transfer.with(self.item, self.ends_on_entry)
    }

    /// Returns the transfer function of the edge past a `for`. It applies to any number of items.
    pub(super) const fn bypass(&self, transfer: &Transfer) -> Transfer {
        transfer.with(self.appended, self.unsigns)
    }
}

impl<const N: usize> Proof<N> {
    /// Adds the proofs of the forks of a graph.
    pub(super) const fn add_forks(
        &mut self,
        spec: &GraphSpec,
        index: &FieldIndex,
        reduced: BitSet,
        appended: BitSet,
    ) {
        let (mut fork, mut first) = (0, 0);
        while fork < spec.forks.len() {
            if let Some(each) = &spec.forks[fork].each {
                self.assume_written(spec.forks[fork].from, index.find(each.list));
                self.forks[fork].ends_on_entry = BitSet::ALL;
                if let Some(item) = index.find(each.item) {
                    self.forks[fork].item = BitSet::EMPTY.with(item);
                }
            }
            first += spec.forks[fork].branches.len();
            fork += 1;
        }
        // The changes of each node that the current fork sees.
        let (mut visible, mut spends, mut node) = ([BitSet::EMPTY; N], [BitSet::EMPTY; N], 0);
        while fork > 0 && node < N {
            visible[node] = self.nodes[node].touches;
            spends[node] = self.nodes[node].verdict_transfer.signs;
            node += 1;
        }
        // From the innermost fork outward: a `for` hides changes from the forks around it.
        while fork > 0 {
            fork -= 1;
            first -= spec.forks[fork].branches.len();
            self.collect_changes(spec, fork, first, reduced, &visible, &spends);
            if spec.forks[fork].each.is_some() {
                self.hide_item_changes(spec, fork, reduced, appended, &mut visible, &mut spends);
            }
        }
    }

    /// Collects the changes of each branch of a fork, and the races between their nodes.
    const fn collect_changes(
        &mut self,
        spec: &GraphSpec,
        fork: usize,
        first: usize,
        reduced: BitSet,
        visible: &[BitSet; N],
        spends: &[BitSet; N],
    ) {
        let branches = spec.forks[fork].branches;
        let (mut earlier, mut twice, mut ended_covers, mut branch) =
            (BitSet::EMPTY, BitSet::EMPTY, BitSet::EMPTY, 0);
        while branch < branches.len() {
            let (mut touches, mut spent, mut i) = (BitSet::EMPTY, BitSet::EMPTY, 0);
            while i < branches[branch].nodes.len() {
                let number = branches[branch].nodes[i];
                let node = &mut self.nodes[number];
                node.races = node.races.or(visible[number].and(earlier).minus(reduced));
                touches = touches.or(visible[number]);
                spent = spent.or(spends[number]);
                i += 1;
            }
            spent = spent.or(self.covers.ended_by(touches));
            self.branches[first + branch].touches = touches;
            self.branches[first + branch].ended_covers = spent;
            ended_covers = ended_covers.or(spent);
            twice = twice.or(earlier.and(touches));
            earlier = earlier.or(touches);
            branch += 1;
        }
        let this_fork = &mut self.forks[fork];
        (this_fork.first, this_fork.touched, this_fork.merged) = (first, earlier, twice.and(reduced));
        (this_fork.ended_covers, this_fork.unsigns) = (ended_covers, self.covers.ended_by(this_fork.merged));
    }

    /// Hides the changes in the body of a `for` from the forks around it. Only fields with a reducer leave it, and
    /// several items may have changed them.
    const fn hide_item_changes(
        &mut self,
        spec: &GraphSpec,
        fork: usize,
        reduced: BitSet,
        appended: BitSet,
        visible: &mut [BitSet; N],
        spends: &mut [BitSet; N],
    ) {
        let (body, mut writes, mut i) = (spec.forks[fork].body(), BitSet::EMPTY, 0);
        while i < body.len() {
            let node = &mut self.nodes[body[i]];
            node.per_item = true;
            writes = writes.or(node.writes);
            visible[body[i]] = visible[body[i]].and(reduced);
            // No signature from outside is valid inside, so none is spent there.
            spends[body[i]] = BitSet::EMPTY;
            i += 1;
        }
        let this_fork = &mut self.forks[fork];
        this_fork.appended = writes.and(appended);
        this_fork.merged = this_fork.touched.and(reduced);
        this_fork.unsigns = self.covers.ended_by(this_fork.merged);
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
            return Facts::TOP;
        }
        let (mut written, mut signed, mut unsigned) = (BitSet::EMPTY, BitSet::EMPTY, BitSet::EMPTY);
        let mut branch = 0;
        while branch < spec.forks[fork].branches.len() {
            let one = self.branch(fork, branch);
            written = written.or(one.end.written);
            signed = signed.or(one.end.signed);
            unsigned = unsigned.or(one.ended_covers.minus(one.end.signed));
            branch += 1;
        }
        Facts { written, signed: signed.minus(unsigned).minus(self.forks[fork].unsigns) }
    }
}
