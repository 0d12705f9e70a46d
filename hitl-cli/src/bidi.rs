//! Characters that are safe to print on a terminal, and isolation of bidirectional text.

use std::{fmt::Write as _, iter::repeat_n};

use hitl_core::unicode::{self, emoji};
use unicode_bidi::{BidiClass, bidi_class};
use unicode_width::UnicodeWidthChar;

/// The maximum number of combining marks per letter: more reach into adjacent lines.
const MAX_MARKS: u32 = 4;

/// First strong isolate: the text up to [`POP`] is laid out independently.
pub(super) const ISOLATE: char = '\u{2068}';
/// Pop directional isolate: ends the isolated text.
pub(super) const POP: char = '\u{2069}';

/// Replaces every control character and invisible character by the output of `put`.
pub(super) fn map_hidden(text: &str, mut put: impl FnMut(&mut String, char)) -> String {
    let chars: Vec<char> = text.chars().collect();
    let in_emoji = emoji::parts(&chars);
    let mut out = String::with_capacity(text.len());
    let (mut first, mut marks) = (true, 0);
    for (c, in_emoji) in chars.into_iter().zip(in_emoji) {
        let is_mark = c.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        if !in_emoji && (unicode::is_hidden(c) || (is_mark && (first || marks > MAX_MARKS))) {
            put(&mut out, c);
        } else {
            out.push(c);
        }
        first = false;
    }
    out
}

/// Returns whether a terminal may lay out the character from right to left, or reorder adjacent text because of it.
pub(super) fn is_rtl(c: char) -> bool {
    // A hidden character is escaped in ASCII.
    !c.is_ascii()
        && !unicode::is_hidden(c)
        && matches!(bidi_class(c), BidiClass::R | BidiClass::AL | BidiClass::AN)
}

/// Returns whether the text contains right-to-left characters.
pub(super) fn has_rtl(text: &str) -> bool {
    text.contains(is_rtl)
}

/// Isolates each right-to-left stretch of the text, so that it cannot reorder adjacent text.
pub(super) fn isolate_rtl(text: &str) -> String {
    let is_strong = |c: char| bidi_class(c) == BidiClass::L;
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(start) = rest.find(is_rtl) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let stop = rest.find(is_strong).unwrap_or(rest.len());
        let end =
            rest[..stop].char_indices().rfind(|(_, c)| is_rtl(*c)).map_or(stop, |(at, c)| at + c.len_utf8());
        let _ = write!(out, "{ISOLATE}{}{POP}", &rest[..end]);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Isolates the right-to-left strings in JSON text. The inserted marks can be told from those of the strings, which are
/// escaped, and [`strip_isolates`] removes them.
pub(super) fn isolate_rtl_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let inside = &rest[start + 1..];
        let mut escaped = false;
        let end = inside.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { break };
        let string = &inside[..end];
        out.push_str(&rest[..=start]);
        if has_rtl(string) {
            let _ = write!(out, "{ISOLATE}{string}{POP}");
        } else {
            out.push_str(string);
        }
        out.push('"');
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    out
}

/// Removes the marks of [`isolate_rtl_json`].
pub(super) fn strip_isolates(text: &str) -> String {
    text.replace([ISOLATE, POP], "")
}

/// Closes the isolates of a line at its end, and reopens them at the start of the next. `open` is the number of open
/// ones.
pub(super) fn balance_isolates(line: &str, open: &mut usize) -> String {
    let mut out: String = repeat_n(ISOLATE, *open).collect();
    for c in line.chars() {
        match c {
            ISOLATE => *open += 1,
            POP => *open = open.saturating_sub(1),
            _ => {}
        }
    }
    out.push_str(line);
    out.extend(repeat_n(POP, *open));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isolate_is_closed_and_reopened_at_a_line_break() {
        let mut open = 0;
        assert_eq!(balance_isolates("a \u{2068}b", &mut open), "a \u{2068}b\u{2069}");
        assert_eq!(balance_isolates("c", &mut open), "\u{2068}c\u{2069}");
        assert_eq!(balance_isolates("d\u{2069} e", &mut open), "\u{2068}d\u{2069} e");
        assert_eq!(open, 0);
    }

    #[test]
    fn isolated_json_strings_are_restored() {
        let json = r#"{ "שם": "a\"b", "n": 1, "s": "א\\", "t": "x" }"#;
        let isolated = isolate_rtl_json(json);
        assert_eq!(
            isolated,
            "{ \"\u{2068}שם\u{2069}\": \"a\\\"b\", \"n\": 1, \"s\": \"\u{2068}א\\\\\u{2069}\", \"t\": \"x\" }"
        );
        assert_eq!(strip_isolates(&isolated), json);
    }

    #[test]
    fn a_sentence_isolates_only_right_to_left_text() {
        assert_eq!(
            isolate_rtl("no thread `שלום 12 עולם`; open: 3 א"),
            "no thread `\u{2068}שלום 12 עולם\u{2069}`; open: 3 \u{2068}א\u{2069}"
        );
        assert_eq!(isolate_rtl("plain"), "plain");
    }
}
