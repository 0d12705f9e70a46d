//! Names in `const fn`: comparing two, and finding a field by its own.

use super::{FieldSpec, StateSpec};

/// Whether two names are the same (`==` on `str` is not `const`).
pub(super) const fn same(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    while let (Some((l, l_rest)), Some((r, r_rest))) = (
        left.split_first_chunk::<8>(),
        right.split_first_chunk::<8>(),
    ) {
        if u64::from_le_bytes(*l) != u64::from_le_bytes(*r) {
            return false;
        }
        (left, right) = (l_rest, r_rest);
    }
    while let ([l, l_rest @ ..], [r, r_rest @ ..]) = (left, right) {
        if *l != *r {
            return false;
        }
        (left, right) = (l_rest, r_rest);
    }
    true
}

/// The fields of a state by their names: a hash table, because a thousand nodes that each look a few names up in a long
/// list would cost more than the proof itself.
pub(super) struct Names {
    fields: &'static [FieldSpec],
    slots: [u16; Self::SLOTS],
}

impl Names {
    const SLOT_BITS: u32 = 9;
    const SLOTS: usize = 1 << Self::SLOT_BITS;
    const FREE: u16 = u16::MAX;

    /// The table for a state. Fields beyond the most that a state may have are left out.
    pub(super) const fn of(state: &StateSpec) -> Self {
        let mut names = Self {
            fields: state.fields,
            slots: [Self::FREE; Self::SLOTS],
        };
        let mut field = 0;
        while field < state.fields.len() && field < StateSpec::MAX_FIELDS {
            let mut slot = Self::slot(state.fields[field].name);
            while names.slots[slot] != Self::FREE {
                slot = (slot + 1) % Self::SLOTS;
            }
            names.slots[slot] = field as u16;
            field += 1;
        }
        names
    }

    /// The number of the field of this name.
    pub(super) const fn find(&self, name: &str) -> Option<usize> {
        let mut slot = Self::slot(name);
        while self.slots[slot] != Self::FREE {
            let field = self.slots[slot] as usize;
            if same(self.fields[field].name, name) {
                return Some(field);
            }
            slot = (slot + 1) % Self::SLOTS;
        }
        None
    }

    /// Where the search for a name begins.
    const fn slot(name: &str) -> usize {
        let bytes = name.as_bytes();
        let ends = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (Some(head), Some(tail)) => {
                u64::from_le_bytes(*head) ^ u64::from_le_bytes(*tail).rotate_left(29)
            }
            _ => {
                let (mut rest, mut all) = (bytes, 0);
                while let [byte, tail @ ..] = rest {
                    all = all << 8 | *byte as u64;
                    rest = tail;
                }
                all
            }
        };
        let mixed = (ends ^ bytes.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> (u64::BITS - Self::SLOT_BITS)) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, same};
    use crate::graph::{FieldSpec, StateSpec};

    #[test]
    fn names_are_compared_to_their_last_byte() {
        let names = [
            "", "a", "b", "draft", "drafT", "Draft", "message", "messages", "12345678", "1234567x",
            "x2345678", "123456789", "12345678x", "0123456789abcdef", "0123456789abcdeF",
        ];
        for left in names {
            for right in names {
                assert_eq!(same(left, right), left == right, "{left} {right}");
            }
        }
    }

    /// A state whose fields bear these names.
    fn state(names: impl Iterator<Item = String>) -> StateSpec {
        let fields = names.map(|name| FieldSpec {
            name: name.leak(),
            ty: "u8",
            input: false,
            output: false,
            reduced: false,
        });
        StateSpec {
            name: "S",
            fields: fields.collect::<Vec<_>>().leak(),
        }
    }

    #[test]
    fn each_of_256_fields_is_found_and_no_other() {
        // The second kind of name differs in the middle only, where the hash does not look.
        for prefix in ["f", "prefix__"] {
            let state = state((0..300).map(|n| format!("{prefix}{n:03}__suffix")));
            let names = Names::of(&state);
            for (number, field) in state.fields.iter().enumerate() {
                assert_eq!(names.find(field.name), (number < 256).then_some(number));
            }
            assert_eq!(names.find("message"), None);
            assert_eq!(names.find(""), None);
        }
    }
}
