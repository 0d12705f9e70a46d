//! An error message that `const fn` can build.

/// A text of at most [`Sentence::MOST`] bytes. Longer text is truncated, and ends in an ellipsis.
#[derive(Clone)]
pub(super) struct Sentence {
    bytes: [u8; Self::MOST],
    len: usize,
    full: bool,
}

impl Sentence {
    /// The maximum length in bytes.
    pub(super) const MOST: usize = 2048;
    const ELLIPSIS: &str = "…";

    /// Creates a text from these parts.
    pub(super) const fn of(parts: &[&str]) -> Self {
        let mut sentence = Self { bytes: [0; Self::MOST], len: 0, full: false };
        sentence.add(parts);
        sentence
    }

    /// Appends these parts.
    pub(super) const fn add(&mut self, parts: &[&str]) {
        let mut part = 0;
        while part < parts.len() && !self.full {
            let room = Self::MOST - Self::ELLIPSIS.len() - self.len;
            if parts[part].len() <= room {
                self.push(parts[part]);
            } else {
                let mut cut = room;
                while !parts[part].is_char_boundary(cut) {
                    cut -= 1;
                }
                self.push(parts[part].split_at(cut).0);
                self.push(Self::ELLIPSIS);
                self.full = true;
            }
            part += 1;
        }
    }

    const fn push(&mut self, text: &str) {
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
    use super::Sentence;

    #[test]
    fn parts_are_joined() {
        let mut sentence = Sentence::of(&["node `", "a", "`"]);
        sentence.add(&["", " – ", "b"]);
        assert_eq!(sentence.as_str(), "node `a` – b");
    }

    #[test]
    fn what_does_not_fit_is_cut_between_two_characters() {
        for lead in 0..8 {
            let lead = "x".repeat(lead);
            for letter in ["a", "é", "…", "🦀"] {
                let mut sentence = Sentence::of(&[&lead]);
                sentence.add(&[&letter.repeat(Sentence::MOST), "lost"]);
                sentence.add(&["lost", letter]);
                let text = sentence.as_str();
                assert!(text.ends_with(&format!("{letter}…")), "{text}");
                assert!(text.len() <= Sentence::MOST && text.len() > Sentence::MOST - 8);
            }
        }
    }

    #[test]
    fn the_last_byte_that_leaves_room_for_the_ellipsis_is_used() {
        let whole = "x".repeat(Sentence::MOST - "…".len());
        assert_eq!(Sentence::of(&[&whole]).as_str(), whole);
        let cut = Sentence::of(&[&whole, "y"]);
        assert_eq!(cut.as_str(), whole + "…");
    }
}
