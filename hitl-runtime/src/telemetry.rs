//! The values of fields in spans and log events. The page `hitl::telemetry` lists all of them with their fields.
//!
//! A span or an event has ids, names, digests and counts, and never a value of a state, a draft, a prompt, a note or the
//! text of an error, which may quote such a value.

use std::borrow::Cow;

use crate::unicode::{escape_hidden, is_hidden};

/// Returns a text from outside of the program, such as the name of a thread or an operator, as a field's value: each
/// hidden character is escaped.
///
/// Pass it to `tracing` as a string and not with `%`: a subscriber that writes text then puts it in quotation marks, so
/// that no name can pass for another field or another line.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_hidden) { Cow::Owned(escape_hidden(text)) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hidden_characters_are_escaped() {
        assert!(matches!(plain("ticket A-9133, \u{e9}"), Cow::Borrowed("ticket A-9133, \u{e9}")));
        assert_eq!(plain("a\u{202e}b\nc\u{2028}"), "a\\u{202e}b\\u{a}c\\u{2028}");
    }
}
