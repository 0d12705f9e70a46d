//! What is known of a graph's fields at a point, and how a step changes that.

use super::bits::Bits;

/// What is known of the fields at a point, on every path to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The fields that have been written.
    pub(super) written: Bits,
    /// The fields that have been signed, and not written since.
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
    /// Fields that are signed from here on, if not written in the same step.
    pub(super) signs: Bits,
    /// Fields whose signature ends here.
    pub(super) unsigns: Bits,
}

impl Step {
    /// It does nothing.
    pub(super) const NOTHING: Self = Self { writes: Bits::NONE, signs: Bits::NONE, unsigns: Bits::NONE };

    /// What is known after the step.
    pub(super) const fn after(&self, before: Facts) -> Facts {
        Facts {
            written: before.written.or(self.writes),
            signed: before.signed.or(self.signs).minus(self.unsigns),
        }
    }

    /// The same step, which writes these fields too, and ends the signatures of those.
    pub(super) const fn and(&self, writes: Bits, unsigns: Bits) -> Self {
        Self { writes: self.writes.or(writes), unsigns: self.unsigns.or(unsigns), ..*self }
    }
}
