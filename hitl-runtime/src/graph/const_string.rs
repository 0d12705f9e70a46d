//! Strings in `const fn`: equality, and a buffer in which an error message is built.

/// Returns whether two strings are equal (`==` on `str` is not `const`).
///
/// It uses slice patterns, because they are cheap in the const interpreter, and calls of generic functions of `core` are
/// not: with `first_chunk` and `u64::from_le_bytes` this function took ten times as long.
pub(super) const fn str_eq(left: &str, right: &str) -> bool {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    while let (&[a, b, c, d, ref l_rest @ ..], &[e, f, g, h, ref r_rest @ ..]) = (left, right) {
        if a != e || b != f || c != g || d != h {
            return false;
        }
        left = l_rest;
        right = r_rest;
    }
    while let (&[a, ref l_rest @ ..], &[b, ref r_rest @ ..]) = (left, right) {
        if a != b {
            return false;
        }
        left = l_rest;
        right = r_rest;
    }
    true
}

/// A text of at most [`ConstString::MAX_LEN`] bytes. Longer text is truncated, and ends in an ellipsis.
#[derive(Clone)]
pub(super) struct ConstString {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
    full: bool,
}

impl ConstString {
    /// The maximum length in bytes.
    pub(super) const MAX_LEN: usize = 2048;
    const ELLIPSIS: &str = "…";

    /// Creates a text from these parts.
    pub(super) const fn new(parts: &[&str]) -> Self {
        let mut text = Self { bytes: [0; Self::MAX_LEN], len: 0, full: false };
        text.push_all(parts);
        text
    }

    /// Appends these parts.
    pub(super) const fn push_all(&mut self, parts: &[&str]) {
        let mut part = 0;
        while part < parts.len() && !self.full {
            let room = Self::MAX_LEN - Self::ELLIPSIS.len() - self.len;
            if parts[part].len() <= room {
                self.push_str(parts[part]);
            } else {
                let mut cut = room;
                while !parts[part].is_char_boundary(cut) {
                    cut -= 1;
                }
                self.push_str(parts[part].split_at(cut).0);
                self.push_str(Self::ELLIPSIS);
                self.full = true;
            }
            part += 1;
        }
    }

    const fn push_str(&mut self, text: &str) {
        let (_, free) = self.bytes.split_at_mut(self.len);
        let (place, _) = free.split_at_mut(text.len());
        place.copy_from_slice(text.as_bytes());
        self.len += text.len();
    }

    /// Returns the text.
    pub(super) const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => Self::ELLIPSIS, // unreachable: only whole characters are added
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConstString, str_eq};

    #[test]
    fn strings_are_compared_to_their_last_byte() {
        let texts = [
            "",
            "a",
            "b",
            "draft",
            "drafT",
            "Draft",
            "message",
            "messages",
            "12345678",
            "1234567x",
            "x2345678",
            "123456789",
            "12345678x",
            "0123456789abcdef",
            "0123456789abcdeF",
        ];
        for left in texts {
            for right in texts {
                assert_eq!(str_eq(left, right), left == right, "{left} {right}");
            }
        }
    }

    #[test]
    fn parts_are_joined() {
        let mut text = ConstString::new(&["node `", "a", "`"]);
        text.push_all(&["", " – ", "b"]);
        assert_eq!(text.as_str(), "node `a` – b");
    }

    #[test]
    fn long_text_is_truncated_at_a_character_boundary() {
        for lead in 0..8 {
            let lead = "x".repeat(lead);
            for letter in ["a", "é", "…", "🦀"] {
                let mut text = ConstString::new(&[&lead]);
                text.push_all(&[&letter.repeat(ConstString::MAX_LEN), "lost"]);
                text.push_all(&["lost", letter]);
                let text = text.as_str();
                assert!(text.ends_with(&format!("{letter}…")), "{text}");
                assert!(text.len() <= ConstString::MAX_LEN && text.len() > ConstString::MAX_LEN - 8);
            }
        }
    }

    #[test]
    fn truncation_leaves_room_for_the_ellipsis() {
        let whole = "x".repeat(ConstString::MAX_LEN - "…".len());
        assert_eq!(ConstString::new(&[&whole]).as_str(), whole);
        let cut = ConstString::new(&[&whole, "y"]);
        assert_eq!(cut.as_str(), whole + "…");
    }
}
