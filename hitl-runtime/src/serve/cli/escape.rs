//! Text that somebody else wrote, made fit for a terminal.
//!
//! A draft is what a model proposed, and a model says what a customer made it say. Nothing in it may move the cursor,
//! turn the reading direction, or be there without being seen.

use std::{borrow::Cow, fmt::Write as _};

use unicode_width::UnicodeWidthChar;

use super::render::style;

/// More marks than this on one letter reach into the lines above and below it.
const MARKS: u32 = 4;

/// The text with every character that acts or hides written as `\u{…}`, marked. Line breaks are escaped too: whoever
/// shows several lines splits first.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    escape_as(text, |out, c| {
        let (on, off) = (style::ODD.render(), style::ODD.render_reset());
        let _ = match c {
            '\n' => write!(out, "{on}\\n{off}"),
            '\r' => write!(out, "{on}\\r{off}"),
            '\t' => write!(out, "{on}\\t{off}"),
            c => write!(out, "{on}\\u{{{:x}}}{off}", c as u32),
        };
    })
}

/// JSON text with the same characters as `\u0000` escapes: another spelling of the same document.
pub(super) fn escape_json(json: &str) -> Cow<'_, str> {
    escape_as(json, |out, c| {
        let mut units = [0; 2];
        match c {
            // The white space of a pretty document; in its strings these are escaped already.
            '\n' | '\r' | '\t' => out.push(c),
            c => c.encode_utf16(&mut units).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
        }
    })
}

fn escape_as(text: &str, mut put: impl FnMut(&mut String, char)) -> Cow<'_, str> {
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut before = None;
    let mut marks = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let joins =
            is_joiner(c) && [before, chars.peek().copied()].iter().all(|c| c.is_some_and(|c| !c.is_ascii()));
        let is_mark = c.width() == Some(0);
        marks = if is_mark { marks + 1 } else { 0 };
        if !joins && (acts_or_hides(c) || is_joiner(c) || (is_mark && (before.is_none() || marks > MARKS))) {
            put(&mut out, c);
        } else {
            out.push(c);
        }
        before = Some(c);
    }
    Cow::Owned(out)
}

/// Zero-width joiners are part of emoji and of several scripts, and of no order number.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn acts_or_hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}'
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
        // A space that is none of the usual ones shows as the usual one.
        || (c.is_whitespace() && c != ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(&escape(text)).to_string()
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in
            ["A-9133, 149 dollars", "¿Dónde está? Über 5 €", "订单 A-9133", "👩‍👩‍👧 شكرا", "می‌خواهم", "e\u{301}"]
        {
            assert_eq!(plain(text), text);
        }
    }

    #[test]
    fn what_acts_on_the_terminal_is_spelt_out() {
        assert_eq!(plain("\u{1b}[2J\u{7}ok"), "\\u{1b}[2J\\u{7}ok");
        assert_eq!(plain("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(plain("\u{9b}31m\u{85}"), "\\u{9b}31m\\u{85}");
        assert_eq!(plain("99\u{202e}001\u{2066}"), "99\\u{202e}001\\u{2066}");
    }

    #[test]
    fn what_hides_is_spelt_out() {
        assert_eq!(
            plain("A-91\u{200b}33 A-91\u{200d}33 A\u{ad}B"),
            "A-91\\u{200b}33 A-91\\u{200d}33 A\\u{ad}B"
        );
        assert_eq!(plain("hi\u{e0041}\u{e0042}"), "hi\\u{e0041}\\u{e0042}");
        assert_eq!(plain("1\u{a0}000"), "1\\u{a0}000");
    }

    #[test]
    fn a_heap_of_marks_does_not_reach_into_other_lines() {
        let text = format!("a{}", "\u{301}".repeat(6));
        assert_eq!(plain(&text), format!("a{}\\u{{301}}\\u{{301}}", "\u{301}".repeat(4)));
        assert_eq!(plain("\u{301}a"), "\\u{301}a");
    }

    #[test]
    fn json_is_another_spelling_of_the_same_document() {
        let value = serde_json::json!({ "text": "a\u{202e}b\u{7f}\u{e0041}c\nü" });
        let json = serde_json::to_string_pretty(&value).unwrap_or_default();
        let safe = escape_json(&json);
        assert!(!safe.chars().any(|c| c != '\n' && acts_or_hides(c)), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).ok(), Some(value));
    }
}
