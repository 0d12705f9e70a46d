//! What is known of a graph's fields at a point, and how a step changes that.

use super::bits::Bits;

/// What is known of the fields at a point, on every path to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The fields that have been written.
    pub(super) written: Bits,
    /// The covers that hold: a review has signed the field for the effect, and neither has the effect run on it nor has
    /// anything changed that was signed.
    pub(super) signed: Bits,
}

impl Facts {
    /// What is known of a point that nothing leads to: anything at all.
    pub(super) const ANYTHING: Self = Self { written: Bits::ALL, signed: Bits::ALL };

    /// What is known where two paths meet.
    pub(super) const fn meet(self, other: Self) -> Self {
        Self { written: self.written.and(other.written), signed: self.signed.and(other.signed) }
    }

    pub(super) const fn same(self, other: Self) -> bool {
        self.written.same(other.written) && self.signed.same(other.signed)
    }
}

/// What leaving a point does to what is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Fields that are written from here on.
    pub(super) writes: Bits,
    /// Covers that hold from here on.
    pub(super) signs: Bits,
    /// Covers that ended here, before those of `signs` began.
    pub(super) unsigns: Bits,
}

impl Step {
    /// It does nothing.
    pub(super) const NOTHING: Self = Self { writes: Bits::NONE, signs: Bits::NONE, unsigns: Bits::NONE };

    /// What is known after the step.
    pub(super) const fn after(&self, before: Facts) -> Facts {
        Facts {
            written: before.written.or(self.writes),
            signed: before.signed.minus(self.unsigns).or(self.signs),
        }
    }

    /// The same step, which writes these fields too, and at last ends those covers.
    pub(super) const fn and(&self, writes: Bits, unsigns: Bits) -> Self {
        Self {
            writes: self.writes.or(writes),
            signs: self.signs.minus(unsigns),
            unsigns: self.unsigns.or(unsigns),
        }
    }
}
