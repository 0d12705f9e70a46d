//! The data-flow facts of a graph, and their transfer functions.

use super::bit_set::BitSet;

/// The facts that hold at a point on every path to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The fields that are written.
    pub(super) written: BitSet,
    /// The covers that hold: a review has signed the field for the effect, and since then the effect has not run on it,
    /// and no signed or shown field has changed.
    pub(super) signed: BitSet,
}

impl Facts {
    /// The facts of a point that no path reaches: all of them (the top element).
    pub(super) const TOP: Self = Self { written: BitSet::ALL, signed: BitSet::ALL };

    /// Returns the facts that hold where two paths meet.
    pub(super) const fn meet(self, other: Self) -> Self {
        Self { written: self.written.and(other.written), signed: self.signed.and(other.signed) }
    }

    pub(super) const fn same(self, other: Self) -> bool {
        self.written.same(other.written) && self.signed.same(other.signed)
    }
}

/// The transfer function of leaving a point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    /// The fields that are written from here on.
    pub(super) writes: BitSet,
    /// The covers that hold from here on.
    pub(super) signs: BitSet,
    /// The covers that end here, before those of `signs` begin.
    pub(super) unsigns: BitSet,
}

impl Transfer {
    /// The transfer function that changes nothing.
    pub(super) const IDENTITY: Self =
        Self { writes: BitSet::EMPTY, signs: BitSet::EMPTY, unsigns: BitSet::EMPTY };

    /// Returns the facts after the transfer function, given those before it.
    pub(super) const fn apply(&self, before: Facts) -> Facts {
        Facts {
            written: before.written.or(self.writes),
            signed: before.signed.minus(self.unsigns).or(self.signs),
        }
    }

    /// Returns the transfer function that also writes these fields, and finally ends these covers.
    pub(super) const fn with(&self, writes: BitSet, unsigns: BitSet) -> Self {
        Self {
            writes: self.writes.or(writes),
            signs: self.signs.minus(unsigns),
            unsigns: self.unsigns.or(unsigns),
        }
    }
}
