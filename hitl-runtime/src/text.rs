//! Text helpers for messages: lists, spelling suggestions, chains of errors.

use std::{error::Error, fmt::Display};

/// Formats items as `a`, `b` or `c`, each in backticks; `nothing` if there are none.
pub(crate) fn or_list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| format!("`{item}`")).collect();
    match items.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Joins items with semicolons.
pub(crate) fn list<T: Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Returns the candidate closest to a word by edit distance, or `None` if none is close enough to be a typo.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Formats an error and its chain of sources.
pub(crate) fn causes(error: &dyn Error) -> String {
    let (mut all, mut previous) = (error.to_string(), error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // Many errors include the text of their source in their own.
        if !previous.contains(&text) {
            all = format!("{all}: {text}");
        }
        previous = text;
        source = cause.source();
    }
    all
}

/// Returns the message of a panic, or `no message` if the payload is not a string.
pub(crate) fn payload_message(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_similar_words_are_suggested() {
        assert_eq!(nearest("amuont", ["order_id", "amount", "reason"]), Some("amount"));
        assert_eq!(nearest("colour", ["order_id", "amount", "reason"]), None);
    }

    #[test]
    fn lists_are_joined_with_commas_and_and() {
        assert_eq!(or_list(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(or_list(["a"]), "`a`");
        assert_eq!(or_list::<&str>([]), "nothing");
    }
}
