//! The data-flow facts of a graph, and their transfer functions.

use super::bits::Bits;

/// The facts that hold at a point on every path to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The fields that are written.
    pub(super) written: Bits,
    /// The covers that hold: a review has signed the field for the effect, and since then the effect has not run on it,
    /// and no signed or shown field has changed.
    pub(super) signed: Bits,
}

impl Facts {
    /// The facts of a point that no path reaches: all of them (the top element).
    pub(super) const ANYTHING: Self = Self { written: Bits::ALL, signed: Bits::ALL };

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
pub(super) struct Step {
    /// The fields that are written from here on.
    pub(super) writes: Bits,
    /// The covers that hold from here on.
    pub(super) signs: Bits,
    /// The covers that end here, before those of `signs` begin.
    pub(super) unsigns: Bits,
}

impl Step {
    /// The step that changes nothing.
    pub(super) const NOTHING: Self = Self { writes: Bits::NONE, signs: Bits::NONE, unsigns: Bits::NONE };

    /// Returns the facts after the step.
    pub(super) const fn after(&self, before: Facts) -> Facts {
        Facts {
            written: before.written.or(self.writes),
            signed: before.signed.minus(self.unsigns).or(self.signs),
        }
    }

    /// Returns the step that also writes these fields, and finally ends these covers.
    pub(super) const fn and(&self, writes: Bits, unsigns: Bits) -> Self {
        Self {
            writes: self.writes.or(writes),
            signs: self.signs.minus(unsigns),
            unsigns: self.unsigns.or(unsigns),
        }
    }
}
