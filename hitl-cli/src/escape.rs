//! Escaping untrusted text for a terminal.
//!
//! A model proposes a draft, and a customer may control what the model writes. No character of it may move the cursor,
//! change the reading direction, or be invisible.

use std::{borrow::Cow, fmt::Write as _};

use hitl_core::unicode::mark;

use super::{
    bidi::{ISOLATE, POP, has_rtl, isolate_rtl, map_hidden},
    render::style::{SUSPICIOUS, paint},
};

/// Escapes a value for display. Control characters and invisible ones become highlighted `\u{…}`; a value with
/// right-to-left text is isolated; a value that could be confused with another one gets a remark. Line breaks are
/// escaped too, so split text of several lines first.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if is_plain_ascii(text) {
        return Cow::Borrowed(text);
    }
    let shown = shown(text);
    Cow::Owned(if has_rtl(text) {
        format!("{ISOLATE}{shown}{POP}{}", remark(text))
    } else {
        shown + &remark(text)
    })
}

/// Escapes a sentence that contains values: like [`escape`], but each right-to-left stretch is isolated separately.
pub(super) fn escape_sentence(text: &str) -> Cow<'_, str> {
    if is_plain_ascii(text) {
        return Cow::Borrowed(text);
    }
    let shown = shown(text);
    Cow::Owned(if has_rtl(text) { isolate_rtl(&shown) + &remark(text) } else { shown + &remark(text) })
}

/// Returns whether a terminal shows the text unchanged and unambiguously.
pub(super) fn is_plain(text: &str) -> bool {
    is_plain_ascii(text)
        || (map_hidden(text, |out, _| out.push('\\')) == text && !has_rtl(text) && mark(text).is_none())
}

/// Writes the same characters as `\u0000` escapes in JSON text. The document stays equivalent.
pub(super) fn escape_json(json: &str) -> Cow<'_, str> {
    if is_plain_ascii(json) {
        return Cow::Borrowed(json);
    }
    let escaped = map_hidden(json, |out, c| {
        let mut units = [0; 2];
        match c {
            // White space between the tokens of a formatted document; inside strings it is escaped already.
            '\n' | '\r' | '\t' => out.push(c),
            c => c.encode_utf16(&mut units).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            }),
        }
    });
    Cow::Owned(escaped)
}

fn is_plain_ascii(text: &str) -> bool {
    text.bytes().all(|b| (b' '..=b'~').contains(&b))
}

fn shown(text: &str) -> String {
    map_hidden(text, |out, c| {
        let (on, off) = (SUSPICIOUS.render(), SUSPICIOUS.render_reset());
        let _ = match c {
            '\n' => write!(out, "{on}\\n{off}"),
            '\r' => write!(out, "{on}\\r{off}"),
            '\t' => write!(out, "{on}\\t{off}"),
            c => write!(out, "{on}\\u{{{:x}}}{off}", c as u32),
        };
    })
}

/// Returns the remark for a text that could be confused with another one.
fn remark(text: &str) -> String {
    mark(text).map(|mark| format!(" {}", paint(SUSPICIOUS, format_args!("({mark})")))).unwrap_or_default()
}

/// Escapes a name, with the remarks of `marks` for names that it could be confused with.
pub(super) fn escape_name(name: &str, marks: &[String]) -> String {
    let own = mark(name);
    let others = marks.iter().filter(|note| Some(*note) != own.as_ref());
    let others = others.map(|note| format!(" {}", paint(SUSPICIOUS, format_args!("({})", shown(note)))));
    escape(name).into_owned() + &others.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitl_core::unicode::Table;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(&escape(text)).to_string()
    }

    #[test]
    fn ordinary_text_is_unchanged() {
        for text in ["A-9133, 149 dollars", "¿Dónde está? Über 5 €", "订单 A-9133", "e\u{301}", "привет 12"]
        {
            assert_eq!(plain(text), text);
        }
    }

    #[test]
    fn emoji_sequences_stay_as_they_are() {
        for text in [
            "👩‍👩‍👧",
            "👩🏽‍🚀 ok",
            "🏳️‍🌈",
            "❤️‍🔥",
            "1️⃣ #️⃣",
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "🇦🇲",
            "✔︎",
        ] {
            assert_eq!(plain(text), text);
        }
        for (text, shown) in [
            ("1\u{fe0f}2", "1\\u{fe0f}2"),
            ("a\u{200d}👩", "a\\u{200d}👩"),
            ("👩\u{200d}", "👩\\u{200d}"),
            ("👩\u{200d}\u{200d}👩", "👩\\u{200d}\\u{200d}👩"),
            ("👩\u{fe0f}\u{fe0f}", "👩\u{fe0f}\\u{fe0f}"),
            ("می\u{200c}خواهم", "\u{2068}می\\u{200c}خواهم\u{2069}"),
            // A sequence of tags that is not a flag.
            ("🏴\u{e0070}\u{e0061}\u{e0079}\u{e007f}", "🏴\\u{e0070}\\u{e0061}\\u{e0079}\\u{e007f}"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn ignorable_characters_are_escaped() {
        let table = Table::new(r"[\p{Default_Ignorable_Code_Point}\p{Cf}]");
        for c in table.chars() {
            for text in [
                format!("A-91{c}33"),
                format!("{c}"),
                format!("شك{c}را"),
                format!("👩{c}a"),
                format!("订{c}单"),
            ] {
                let shown = plain(&text);
                let is_selector = matches!(c, '\u{fe0e}' | '\u{fe0f}') && text.starts_with('👩');
                let inside = shown.trim_start_matches(ISOLATE).trim_end_matches(POP);
                assert_eq!(inside.contains(c), is_selector, "{:x}: {shown:?}", c as u32);
                assert!(is_selector || shown.contains(&format!("\\u{{{:x}}}", c as u32)), "{shown:?}");
                assert!(!is_plain(&text) || is_selector);
                let json = escape_json(&text).into_owned();
                assert_eq!(json.contains(c), is_selector, "{json}");
                assert_eq!(serde_json::from_str::<String>(&format!("\"{json}\"")).ok(), Some(text));
            }
        }
    }

    #[test]
    fn a_right_to_left_value_is_isolated() {
        assert_eq!(plain("שלום 12"), "\u{2068}שלום 12\u{2069}");
        assert_eq!(plain("a\u{2067}ש\u{2069}"), "\u{2068}a\\u{2067}ש\\u{2069}\u{2069}");
        assert!(!is_plain("שלום") && is_plain("订单"));
        assert_eq!(
            anstream::adapter::strip_str(&escape_sentence("no `ש` 1")).to_string(),
            "no `\u{2068}ש\u{2069}` 1"
        );
    }

    #[test]
    fn a_look_alike_is_marked() {
        assert_eq!(plain("p\u{430}ypal"), "p\u{430}ypal (mixed scripts: Cyrillic, Latin)");
        assert_eq!(plain("\u{410}-9133"), "\u{410}-9133 (look-alike letters: U+0410 like A)");
        assert!(escape("p\u{430}ypal").contains('\u{1b}'), "in a style that no value has");
    }

    proptest::proptest! {
        #[test]
        fn no_text_has_unescaped_hidden_characters(text in r"(\PC|\p{C}|[a-z👩❤ש1\u{200d}\u{fe0f}\u{2066}-\u{2069}\u{e0061}\u{1f3f4}]){0,24}") {
            for shown in [plain(&text), anstream::adapter::strip_str(&escape_sentence(&text)).to_string()] {
                let own = text.matches([ISOLATE, POP]).count();
                let mut open = 0_i32;
                let chars: Vec<char> = shown.chars().collect();
                let parts = hitl_core::unicode::emoji::parts(&chars);
                for (c, in_emoji) in chars.iter().zip(parts) {
                    match *c {
                        ISOLATE => open += 1,
                        POP => open -= 1,
                        c => proptest::prop_assert!(in_emoji || !hitl_core::unicode::is_hidden(c), "{:x} of {text:?} ({own})", c as u32),
                    }
                    proptest::prop_assert!((0..=1).contains(&open), "{shown:?}");
                }
                proptest::prop_assert_eq!(open, 0);
                proptest::prop_assert_eq!(shown.contains(ISOLATE), has_rtl(&text));
            }
            let json = serde_json::to_string(&text).unwrap_or_default();
            let read: Option<String> = serde_json::from_str(&escape_json(&json)).ok();
            proptest::prop_assert_eq!(read.as_ref(), Some(&text));
        }
    }

    #[test]
    fn ordinary_scripts_are_not_marked() {
        for text in ["привет A-9133", "Ελλάδα", "한국어", "ひらがなカタカナ漢字"] {
            assert_eq!(plain(text), text);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(plain("\u{1b}[2J\u{7}ok"), "\\u{1b}[2J\\u{7}ok");
        assert_eq!(plain("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(plain("\u{9b}31m\u{85}"), "\\u{9b}31m\\u{85}");
        assert_eq!(plain("99\u{202e}001\u{2066}"), "99\\u{202e}001\\u{2066}");
    }

    #[test]
    fn invisible_characters_are_escaped() {
        assert_eq!(
            plain("A-91\u{200b}33 A-91\u{200d}33 A\u{ad}B"),
            "A-91\\u{200b}33 A-91\\u{200d}33 A\\u{ad}B"
        );
        assert_eq!(plain("hi\u{e0041}\u{e0042}"), "hi\\u{e0041}\\u{e0042}");
        assert_eq!(plain("1\u{a0}000"), "1\\u{a0}000");
    }

    #[test]
    fn excess_combining_marks_are_escaped() {
        let text = format!("a{}", "\u{301}".repeat(6));
        assert_eq!(plain(&text), format!("a{}\\u{{301}}\\u{{301}}", "\u{301}".repeat(4)));
        assert_eq!(plain("\u{301}a"), "\\u{301}a");
    }

    #[test]
    fn escaped_json_is_the_same_document() {
        let value = serde_json::json!({ "text": "a\u{202e}b\u{7f}\u{e0041}c\nü" });
        let json = serde_json::to_string_pretty(&value).unwrap_or_default();
        let safe = escape_json(&json);
        assert!(!safe.chars().any(|c| c != '\n' && hitl_core::unicode::is_hidden(c)), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).ok(), Some(value));
    }
}
