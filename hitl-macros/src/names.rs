//! Names: their spelling in messages, and the closest known name to an unknown one.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Path, ext::IdentExt};

/// Returns the name without `r#`.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// Returns the last segment of a path, which is the name of a node.
pub(crate) fn last(path: &Path) -> Option<&Ident> {
    path.segments.last().map(|segment| &segment.ident)
}

/// Returns whether a path ends in `word`.
pub(crate) fn ends_in(path: &Path, word: &str) -> bool {
    last(path).is_some_and(|ident| ident == word)
}

/// Converts `send_mail` to `SendMail`.
pub(crate) fn camel(name: &str) -> String {
    name.split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters)
        })
        .collect()
}

/// Returns the known word that is most similar to `word`, if it is similar enough to be a typo.
pub(crate) fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, candidate)| {
            *likeness > 0.84 || (word.len() > 2 && strsim::osa_distance(word, candidate) == 1)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Formats a list of words: `a`, `a and b`, `a, b and c`, each in backticks.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// Formats tokens as a person would write them: `Vec<String>`, not `Vec < String >`.
pub(crate) fn text(tokens: impl ToTokens) -> String {
    let mut out = String::new();
    write(tokens.into_token_stream(), &mut out);
    out
}

fn write(tokens: TokenStream, out: &mut String) {
    let (mut tight, mut spaced) = (true, false);
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => (" { ", " }"),
                    Delimiter::None => ("", ""),
                };
                out.push_str(open);
                write(group.stream(), out);
                out.push_str(close);
                tight = false;
            }
            TokenTree::Punct(punct) => {
                let sign = punct.as_char();
                if matches!(sign, '=' | '|' | '+' | '-') && !tight && !out.is_empty() {
                    if !out.ends_with(' ') {
                        out.push(' ');
                    }
                    spaced = true;
                }
                out.push(sign);
                if punct.spacing() == Spacing::Alone && (spaced || matches!(sign, ',' | ';')) {
                    out.push(' ');
                    spaced = false;
                }
                tight = true;
            }
            word => {
                if !tight {
                    out.push(' ');
                }
                out.push_str(&word.to_string());
                tight = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn types_and_patterns_are_printed_as_written() {
        for (tokens, expected) in [
            (quote!(Vec<String>), "Vec<String>"),
            (
                quote!(std::collections::BTreeMap<String, (u8, [f64; 3])>),
                "std::collections::BTreeMap<String, (u8, [f64; 3])>",
            ),
            (quote!(Option<&'a str>), "Option<&'a str>"),
            (quote!(Box<dyn Fn(u8) -> u8 + Send>), "Box<dyn Fn(u8) -> u8 + Send>"),
            (quote!(Risk::High | Risk::Low), "Risk::High | Risk::Low"),
            (quote!(1..=5), "1..=5"),
            (quote!(&mut T), "&mut T"),
        ] {
            assert_eq!(text(tokens), expected);
        }
    }

    #[test]
    fn variants_are_camel_case() {
        assert_eq!(camel("execute"), "Execute");
        assert_eq!(camel("send_mail_2"), "SendMail2");
        assert_eq!(camel("_x"), "X");
    }

    #[test]
    fn similar_names_are_suggested() {
        let known = ["writes", "effect", "idempotent", "risk"];
        assert_eq!(near("write", known), Some("writes"));
        assert_eq!(near("efect", known), Some("effect"));
        assert_eq!(near("colour", known), None);
    }
}
