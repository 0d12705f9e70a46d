//! A set of small numbers for `const fn`.

/// A set of numbers below 256: those of fields in a state, or of covers in a graph.
///
/// It has two words rather than an array, because the const interpreter takes a step for every array index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BitSet {
    low: u128,
    high: u128,
}

impl BitSet {
    /// The empty set.
    pub(super) const EMPTY: Self = Self { low: 0, high: 0 };
    /// The set of all numbers, including those that the state or graph does not use.
    pub(super) const ALL: Self = Self { low: u128::MAX, high: u128::MAX };

    /// Returns the set with `bit` added. A number of 256 or more is ignored.
    pub(super) const fn with(self, bit: usize) -> Self {
        match bit {
            0..128 => Self { low: self.low | (1 << bit), high: self.high },
            128..256 => Self { low: self.low, high: self.high | (1 << (bit - 128)) },
            _ => self,
        }
    }

    /// Returns whether `bit` is in the set.
    pub(super) const fn contains(self, bit: usize) -> bool {
        match bit {
            0..128 => self.low >> bit & 1 == 1,
            128..256 => self.high >> (bit - 128) & 1 == 1,
            _ => false,
        }
    }

    /// Returns the union of both sets.
    pub(super) const fn or(self, other: Self) -> Self {
        Self { low: self.low | other.low, high: self.high | other.high }
    }

    /// Returns the intersection of both sets.
    pub(super) const fn and(self, other: Self) -> Self {
        Self { low: self.low & other.low, high: self.high & other.high }
    }

    /// Returns the difference: the members of this set that are not in the other.
    pub(super) const fn minus(self, other: Self) -> Self {
        Self { low: self.low & !other.low, high: self.high & !other.high }
    }

    /// Returns whether both sets are equal.
    pub(super) const fn same(self, other: Self) -> bool {
        self.low == other.low && self.high == other.high
    }

    /// Returns whether the set has no member.
    pub(super) const fn is_empty(self) -> bool {
        self.low == 0 && self.high == 0
    }

    /// Returns the lowest member.
    pub(super) const fn first(self) -> Option<usize> {
        if self.low != 0 {
            Some(self.low.trailing_zeros() as usize)
        } else if self.high != 0 {
            Some(128 + self.high.trailing_zeros() as usize)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::BitSet;

    #[test]
    fn a_set_has_room_for_256_numbers() {
        let mut set = BitSet::EMPTY;
        for bit in 0..256 {
            let one = BitSet::EMPTY.with(bit);
            assert_eq!(one.first(), Some(bit));
            assert!(one.contains(bit) && BitSet::ALL.contains(bit) && !set.contains(bit));
            assert!(BitSet::ALL.minus(one).or(one).same(BitSet::ALL));
            assert!(set.and(one).is_empty() && !set.same(set.with(bit)));
            set = set.or(one);
        }
        assert!(set.same(BitSet::ALL));
    }

    #[test]
    fn a_number_above_255_is_ignored() {
        assert!(BitSet::EMPTY.with(256).is_empty());
        assert!(!BitSet::ALL.contains(256));
        assert_eq!(BitSet::EMPTY.first(), None);
    }
}
