//! Text helpers for messages: lists, spelling suggestions, chains of errors.

use std::{error::Error, fmt::Display, time::Duration};

/// Formats items as `a`, `b` or `c`, each in backticks; `nothing` if there are none.
pub fn or_list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| format!("`{item}`")).collect();
    match items.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Parses a duration: `10s`, `5m`, `1h`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("`{text}` is not a duration; write 10s, 5m or 1h");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(invalid)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(invalid()),
    };
    let number: u64 = number.parse().map_err(|_| invalid())?;
    match number.checked_mul(seconds) {
        Some(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => Err(invalid()),
    }
}

/// Joins items with semicolons.
pub fn list<T: Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Returns the candidate closest to a word by edit distance, or `None` if none is close enough to be a typo.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Formats an error and its chain of sources.
pub fn causes(error: &dyn Error) -> String {
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
pub fn payload_message(payload: &(dyn std::any::Any + Send)) -> &str {
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
