//! Unicode checks: hidden characters, words of mixed scripts, and rules for the names in a journal.
//!
//! The tables are Unicode's own, from `regex-syntax`, `unicode-script` and `unicode-security` (UTS #39).

use std::{fmt::Write as _, sync::LazyLock};

use regex_syntax::{
    Parser,
    hir::{Class, HirKind},
};
use unicode_normalization::is_nfc;
use unicode_script::{Script, UnicodeScript};
use unicode_security::{
    mixed_script::{AugmentedScriptSet, MixedScript},
    skeleton,
};

/// A set of characters, as sorted ranges.
#[derive(Debug)]
pub struct Table(Vec<(char, char)>);

impl Table {
    /// Parses a character class such as `[\p{Z}]`. If that fails, the set has every character beyond ASCII, so that
    /// [`HIDDEN`] fails closed.
    pub fn new(class: &str) -> Self {
        let ranges = match Parser::new().parse(class).map(regex_syntax::hir::Hir::into_kind) {
            Ok(HirKind::Class(Class::Unicode(class))) => {
                class.ranges().iter().map(|range| (range.start(), range.end())).collect()
            }
            _ => vec![('\u{80}', char::MAX)],
        };
        Self(ranges)
    }

    /// Returns the characters of the set.
    pub fn chars(&self) -> impl Iterator<Item = char> {
        self.0.iter().flat_map(|&(first, last)| first..=last)
    }

    /// Returns whether a character is in the set.
    pub fn contains(&self, c: char) -> bool {
        let index = self.0.partition_point(|(_, end)| *end < c);
        self.0.get(index).is_some_and(|(start, _)| *start <= c)
    }
}

/// Characters that are invisible, have no shape of their own, or act as controls: all of
/// `Default_Ignorable_Code_Point`, controls, format controls, unassigned and private-use characters, the braille blank,
/// the object replacement character, and every white space except the ASCII space.
static HIDDEN: LazyLock<Table> = LazyLock::new(|| {
    Table::new(r"[\p{Default_Ignorable_Code_Point}\p{C}\p{Z}\p{White_Space}\x{2800}\x{fffc}--\x20]")
});

/// Returns whether a reader would not see the character, or not see its effect.
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_control() } else { HIDDEN.contains(c) }
}

/// Returns the text with each hidden character escaped as `\u{…}`.
pub fn escape_hidden(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns single-line JSON text with each hidden character as a `\uXXXX` escape: an equivalent document.
pub fn escape_hidden_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Splits a text into words: runs of letters, digits and their combining marks.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let belongs = |c: char| c.is_alphanumeric() || (!c.is_ascii() && c.script() == Script::Inherited);
    text.split(move |c| !belongs(c) || is_hidden(c)).filter(|word| !word.is_empty())
}

/// Returns whether a word mixes scripts that no language writes together. This follows the level "highly restrictive"
/// of UTS #39, which allows one script, or Latin with Chinese, Japanese or Korean.
fn is_mixed(word: &str) -> bool {
    if word.is_ascii() || word.is_single_script() {
        return false;
    }
    let mut rest = AugmentedScriptSet::default();
    for c in word.chars().map(AugmentedScriptSet::for_char) {
        if c.is_all() || !c.base.contains_script(Script::Latin) {
            rest.intersect_with(c);
        }
    }
    !(rest.hanb || rest.jpan || rest.kore)
}

/// Returns the scripts that the words of a text mix, sorted by name; empty if no word mixes scripts.
fn mixed_scripts(text: &str) -> Vec<&'static str> {
    if text.is_ascii() {
        return Vec::new();
    }
    let scripts: std::collections::BTreeSet<&str> = words(text)
        .filter(|word| is_mixed(word))
        .flat_map(str::chars)
        .map(|c| c.script())
        .filter(|script| !matches!(script, Script::Common | Script::Inherited | Script::Unknown))
        .map(|script| script.full_name())
        .collect();
    scripts.into_iter().collect()
}

/// Returns the letters and digits of other scripts that look like ASCII, each with its look-alike: the Cyrillic `А` of
/// `А-9133`. Empty if the text also has letters or digits that do not look like ASCII, since a reader notices those.
fn look_alikes(text: &str) -> Vec<(char, String)> {
    if text.is_ascii() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for c in text.chars().filter(|c| !c.is_ascii() && c.is_alphanumeric()) {
        if matches!(c.script(), Script::Latin | Script::Inherited) {
            continue;
        }
        let like: String = skeleton(c.encode_utf8(&mut [0; 4])).collect();
        if like.is_empty() || !like.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Vec::new();
        }
        if !found.iter().any(|(known, _)| *known == c) {
            found.push((c, like));
        }
    }
    found
}

/// Returns a mark for a text that could be mistaken for another one: `mixed scripts: Cyrillic, Latin`.
pub fn mark(text: &str) -> Option<String> {
    let mixed = mixed_scripts(text);
    if !mixed.is_empty() {
        return Some(format!("mixed scripts: {}", mixed.join(", ")));
    }
    let alike = look_alikes(text);
    let describe = |(c, like): &(char, String)| format!("U+{:04X} like {like}", *c as u32);
    let words: Vec<String> = alike.iter().take(4).map(describe).collect();
    let more = if alike.len() > 4 { ", …" } else { "" };
    (!words.is_empty()).then(|| format!("look-alike letters: {}{more}", words.join(", ")))
}

/// Returns the reason to reject the name of a thread or of an operator, or `None` if it is acceptable.
pub fn name_problem(name: &str) -> Option<&'static str> {
    if name.is_ascii() && !name.contains(char::is_control) && name.trim() == name {
        return None;
    }
    if name.trim() != name {
        Some("starts or ends with white space")
    } else if name.contains(char::is_control) {
        Some("contains a control character")
    } else if name.contains(is_hidden) {
        Some("contains an invisible character")
    } else if !is_nfc(name) {
        Some("is not in Unicode's composed form (NFC)")
    } else if words(name).any(is_mixed) {
        Some("mixes scripts in one word and could be mistaken for another name")
    } else {
        None
    }
}

/// Returns whether two names look the same to a person, ignoring case.
pub fn looks_like(name: &str, other: &str) -> bool {
    let (lower, other) = (name.to_lowercase(), other.to_lowercase());
    // Compared character by character: most names differ in the first one.
    if skeleton(&lower).eq(skeleton(&other)) {
        return true;
    }
    // A capital may look like another letter: `I` like `l`.
    let capitals = skeleton(name).collect::<String>().to_lowercase();
    skeleton(&capitals).eq(skeleton(&other))
}

/// Returns the marks of a name that could be mistaken for another one: by itself, or for one of these others.
pub fn marks<'a>(name: &str, others: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let alike = others.into_iter().find(|other| *other != name && looks_like(name, other));
    mark(name)
        .into_iter()
        .chain(alike.map(|other| format!("looks like `{other}`, another name here")))
        .collect()
}

/// Emoji sequences, whose joiners, selectors and tags would be hidden characters elsewhere.
pub mod emoji {
    use super::*;

    static EMOJI: LazyLock<Table> = LazyLock::new(|| Table::new(r"[\p{Emoji}]"));
    static PICTURES: LazyLock<Table> = LazyLock::new(|| Table::new(r"[\p{Extended_Pictographic}]"));
    static TONES: LazyLock<Table> = LazyLock::new(|| Table::new(r"[\p{Emoji_Modifier}]"));

    /// The tags of the three flags that Unicode recommends for interchange. Other tag sequences stay hidden characters,
    /// because tags can spell any ASCII text.
    const FLAGS: [&str; 3] = ["gbeng", "gbsct", "gbwls"];

    /// Marks the characters that would be hidden elsewhere but are part of an emoji sequence here (UTS #51): a joiner
    /// between two pictographs, a variation selector after an emoji, the tags of a flag.
    pub fn parts(text: &[char]) -> Vec<bool> {
        let mut out = vec![false; text.len()];
        let is_picture = |c: char| PICTURES.contains(c) && !is_hidden(c) && !c.is_ascii();
        for (i, c) in text.iter().enumerate() {
            let before = i.checked_sub(1).map(|i| text[i]);
            let after = text.get(i + 1).copied();
            match c {
                '\u{fe0e}' | '\u{fe0f}' => {
                    out[i] = match before {
                        // A keycap sequence: `1`, the variation selector, U+20E3.
                        Some(key) if key.is_ascii() => EMOJI.contains(key) && after == Some('\u{20e3}'),
                        Some(emoji) => EMOJI.contains(emoji) && !is_hidden(emoji),
                        None => false,
                    };
                }
                '\u{200d}' => {
                    let mut end = i;
                    while let Some(at) = end.checked_sub(1)
                        && (text[at] == '\u{fe0f}' || TONES.contains(text[at]))
                        && i - at <= 2
                    {
                        end = at;
                    }
                    let left = end.checked_sub(1).map(|at| text[at]);
                    out[i] = left.is_some_and(is_picture) && after.is_some_and(is_picture);
                }
                '\u{1f3f4}' => {
                    let tags: Vec<char> = text[i + 1..].iter().copied().take(6).collect();
                    let is_flag = FLAGS.iter().any(|flag| {
                        let encoded = flag.chars().filter_map(|c| char::from_u32(0xe0000 + c as u32));
                        encoded.chain(['\u{e007f}']).eq(tags.iter().copied())
                    });
                    if is_flag {
                        out[i + 1..i + 7].fill(true);
                    }
                }
                _ => {}
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(class: &str) -> Vec<char> {
        Table::new(class).chars().collect()
    }

    #[test]
    fn the_unicode_tables_are_complete() {
        // Counts from DerivedCoreProperties.txt and DerivedGeneralCategory.txt: a smaller table would miss hidden
        // characters.
        let ignorable = members(r"[\p{Default_Ignorable_Code_Point}]");
        let format_controls = members(r"[\p{Cf}]");
        assert_eq!(ignorable.len(), 4_174);
        assert!(format_controls.len() >= 170, "{}", format_controls.len());
        for c in ignorable.into_iter().chain(format_controls) {
            assert!(is_hidden(c), "{:x}", c as u32);
        }
        for c in "aZ 0~éж字あ한ا€👩\u{301}".chars() {
            assert!(!is_hidden(c), "{:x}", c as u32);
        }
        assert!(Table::new("[").contains('é'), "an invalid table must contain every character");
    }

    #[test]
    fn an_escaped_log_line_is_the_same_document() {
        let text = "a\u{200b}\u{e0041}\u{202e}\n\"👩\u{200d}🚀";
        let json = serde_json::to_string(text).unwrap_or_default();
        let spelled = escape_hidden_json(&json);
        assert!(!spelled.contains(is_hidden), "{spelled}");
        assert_eq!(serde_json::from_str::<String>(&spelled).ok().as_deref(), Some(text));
    }

    #[test]
    fn a_look_alike_name_is_rejected() {
        for right in [
            "mara",
            "Mara O'Neil",
            "user@bank.example",
            "auth0|65f",
            "José",
            "李雷",
            "山田Taro",
            "Мария",
            "김 Kim",
            "𐐀",
        ] {
            assert_eq!(name_problem(right), None, "{right}");
        }
        for wrong in [
            " mara",
            "mara ",
            "mara\u{a0}",
            "ma\tra",
            "ma\u{200b}ra",
            "mara\u{200d}",
            "ma\u{ad}ra",
            "m\u{430}ra",
            "p\u{430}y",
            "Jose\u{301}",
            "mara\u{e0041}",
            "a\u{3164}b",
            "\u{202e}aram",
            "mara\u{fe0f}",
            "ma\u{2800}ra",
            "x\u{391}",
        ] {
            assert!(name_problem(wrong).is_some(), "{}", escape_hidden(wrong));
        }
    }

    #[test]
    fn look_alikes_of_reserved_names_are_detected() {
        for disguise in ["hitl", "HITL", "Hitl", "h\u{456}tl", "hitI", "\u{441}fo"] {
            let name = if disguise.ends_with("fo") { "cfo" } else { "hitl" };
            assert!(looks_like(disguise, name), "{disguise}");
        }
        assert!(!looks_like("hilda", "hitl") && !looks_like("hit", "hitl"));
    }

    #[test]
    fn names_are_marked_alone_and_beside_look_alikes() {
        let cyrillic = "\u{441}\u{435}\u{43e}";
        let [alone] = &marks(cyrillic, ["mara", cyrillic])[..] else { panic!() };
        assert_eq!(alone, "look-alike letters: U+0441 like c, U+0435 like e, U+043E like o");
        let both = marks(cyrillic, ["mara", "ceo"]);
        assert_eq!(both[1..], ["looks like `ceo`, another name here"]);
        assert_eq!(marks("ceo", ["mara", cyrillic]).len(), 1);
        assert!(marks("mara", ["omar"]).is_empty());
    }

    #[test]
    fn mixed_scripts_and_look_alikes_are_detected() {
        for right in [
            "订单 A-9133",
            "привет мир A-9133",
            "iPhone用ケース",
            "Über 5 €",
            "γειά",
            "한국어 OK",
            "שלום 123",
        ] {
            assert!(mixed_scripts(right).is_empty() && look_alikes(right).is_empty(), "{right}");
        }
        assert_eq!(mixed_scripts("r\u{430}yp\u{430}l"), ["Cyrillic", "Latin"]);
        assert_eq!(look_alikes("\u{410}-9133"), [('\u{410}', "A".to_owned())]);
        assert_eq!(look_alikes("to \u{421}\u{43e}\u{441}\u{43e} Ltd").len(), 3);
    }
}
