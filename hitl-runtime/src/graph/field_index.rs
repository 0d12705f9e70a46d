//! The lookup of fields by name in `const fn`.

use super::bit_set::BitSet;
use super::const_string::str_eq;
use super::{FieldSpec, InterruptSpec, StateSpec};

/// A hash table from names to the fields of a state. A linear search would cost more than the proof itself if a
/// thousand nodes each look up a few names in a long list.
pub(super) struct FieldIndex {
    fields: &'static [FieldSpec],
    slots: [u16; Self::SLOTS],
}

impl FieldIndex {
    /// A prime about twice the maximum number of fields.
    const SLOTS: usize = 509;
    const FREE: u16 = u16::MAX;

    /// Builds the table for a state. Fields beyond [`StateSpec::MAX_FIELDS`] are left out.
    pub(super) const fn new(state: &StateSpec) -> Self {
        let mut index = Self { fields: state.fields, slots: [Self::FREE; Self::SLOTS] };
        let mut field = 0;
        while field < state.fields.len() && field < StateSpec::MAX_FIELDS {
            let mut slot = Self::slot(state.fields[field].name);
            while index.slots[slot] != Self::FREE {
                slot = (slot + 1) % Self::SLOTS;
            }
            index.slots[slot] = field as u16;
            field += 1;
        }
        index
    }

    /// Returns the number of the field of this name.
    pub(super) const fn find(&self, name: &str) -> Option<usize> {
        let mut slot = Self::slot(name);
        while self.slots[slot] != Self::FREE {
            let field = self.slots[slot] as usize;
            if str_eq(self.fields[field].name, name) {
                return Some(field);
            }
            slot = (slot + 1) % Self::SLOTS;
        }
        None
    }

    /// Returns the fields of these names. A name that is not a field is left out.
    pub(super) const fn find_all(&self, names: &[&str]) -> BitSet {
        let (mut fields, mut i) = (BitSet::EMPTY, 0);
        while i < names.len() {
            if let Some(field) = self.find(names[i]) {
                fields = fields.with(field);
            }
            i += 1;
        }
        fields
    }

    /// Returns the fields that the expressions of a review read.
    pub(super) const fn find_expressions(&self, interrupt: &InterruptSpec) -> BitSet {
        let (expressions, mut fields, mut i) = (interrupt.expressions(), BitSet::EMPTY, 0);
        while i < expressions.len() {
            if let Some(expression) = expressions[i] {
                fields = fields.or(self.find_all(expression.reads));
            }
            i += 1;
        }
        fields
    }

    /// Returns the slot at which the search for a name begins: a hash of its length, its first letters and its last. An
    /// even spread matters, since every slot that another name occupies costs a comparison. The function uses slice
    /// patterns for the same reason as [`str_eq`].
    const fn slot(name: &str) -> usize {
        let bytes = name.as_bytes();
        let letters = match *bytes {
            [a, b, .., c, d, e] => {
                (a as u64) << 24 ^ (b as u64) << 18 ^ (c as u64) << 12 ^ (d as u64) << 6 ^ e as u64
            }
            [a, b, c, d] => (a as u64) << 24 ^ (b as u64) << 16 ^ (c as u64) << 8 ^ d as u64,
            [a, b, c] => (a as u64) << 16 ^ (b as u64) << 8 ^ c as u64,
            [a, b] => (a as u64) << 8 ^ b as u64,
            [a] => a as u64,
            [] => 0,
        };
        // Knuth's multiplicative hash: 2^32 divided by the golden ratio.
        let spread = ((letters ^ (bytes.len() as u64) << 29) & 0xFFFF_FFFF) * 0x9E37_79B1;
        (spread >> 16) as usize % Self::SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::FieldIndex;
    use crate::graph::{FieldSpec, StateSpec};

    /// Returns a state with fields of these names.
    fn state(names: impl Iterator<Item = String>) -> StateSpec {
        let fields = names.map(|name| FieldSpec {
            name: name.leak(),
            ty: "u8",
            input: false,
            output: false,
            reduced: false,
            appends: false,
        });
        StateSpec { name: "S", version: 1, fields: fields.collect::<Vec<_>>().leak() }
    }

    #[test]
    fn each_of_256_fields_has_its_own_index() {
        // The names of the second kind differ only in the middle, which the hash ignores.
        for prefix in ["f", "prefix__"] {
            let state = state((0..300).map(|n| format!("{prefix}{n:03}__suffix")));
            let index = FieldIndex::new(&state);
            for (number, field) in state.fields.iter().enumerate() {
                assert_eq!(index.find(field.name), (number < 256).then_some(number));
            }
            assert_eq!(index.find("message"), None);
            assert_eq!(index.find(""), None);
        }
    }
}
