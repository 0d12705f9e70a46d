//! A set of small numbers for `const fn`.

/// A set of numbers below 256: those of fields in a state, or of covers in a graph.
///
/// It has two words rather than an array, because the const interpreter takes a step for every array index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    low: u128,
    high: u128,
}

impl Bits {
    /// The empty set.
    pub(super) const NONE: Self = Self { low: 0, high: 0 };
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
    pub(super) const fn has(self, bit: usize) -> bool {
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
    use super::Bits;

    #[test]
    fn a_set_knows_its_256_fields() {
        let mut set = Bits::NONE;
        for bit in 0..256 {
            let one = Bits::NONE.with(bit);
            assert_eq!(one.first(), Some(bit));
            assert!(one.has(bit) && Bits::ALL.has(bit) && !set.has(bit));
            assert!(Bits::ALL.minus(one).or(one).same(Bits::ALL));
            assert!(set.and(one).same(Bits::NONE) && !set.same(set.with(bit)));
            set = set.or(one);
        }
        assert!(set.same(Bits::ALL));
    }

    #[test]
    fn a_number_beyond_the_last_field_is_no_field() {
        assert!(Bits::NONE.with(256).same(Bits::NONE));
        assert!(!Bits::ALL.has(256));
        assert_eq!(Bits::NONE.first(), None);
    }
}
