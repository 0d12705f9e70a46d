//! JSON text whose numbers and keys canonical JSON can represent exactly.
//!
//! A number of canonical JSON is a double. The text is checked before any parser rounds it, so that two texts with
//! different numbers never become equal values, whichever number features of `serde_json` this build has.

use std::borrow::Cow;

use serde_json::Value;

use super::canonical::{self, DigestError};

/// The largest integer with an exact canonical form. Two neighbors beyond it share a double, and therefore would share
/// a digest.
const LARGEST_INTEGER: u64 = 1 << 53;

/// The maximum nesting depth, the same as that of `serde_json`.
const DEEPEST: usize = 128;

/// The integers that a text may contain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integers {
    /// The integers that canonical JSON represents exactly, for signed values.
    Canonical,
    /// The integers of `i64` and `u64`, which a [`Value`] keeps, for external input before its type is known.
    Lossless,
}

/// Parses external JSON into a value without loss.
///
/// # Errors
/// If the text is not JSON, names a key twice in one object, or contains a number that a [`Value`] would round. The
/// error has the path.
#[allow(dead_code)] // Not every front end is compiled in.
pub fn parse(json: &str) -> Result<Value, DigestError> {
    let invalid = |error: serde_json::Error| DigestError { path: String::new(), problem: error.to_string() };
    let value: Value = serde_json::from_str(json).map_err(invalid)?;
    normal(json, Integers::Lossless).map(|_| value)
}

/// Returns the JSON with each number in its normal spelling: `100.0` and `1e2` become `100`, `-0.0` becomes `0`, `0.10`
/// becomes `0.1`.
///
/// # Errors
/// If the text is not JSON or nests too deeply, if a number is not exactly representable as a double, or if an object
/// has two members of one name. The error has the path.
pub(crate) fn normal(json: &str, integers: Integers) -> Result<Cow<'_, str>, DigestError> {
    let mut reader = Reader { json, at: 0, copied: 0, out: String::new(), integers };
    reader.value(0)?;
    if !reader.json[reader.at..].trim_ascii().is_empty() {
        return Err(reader.malformed());
    }
    if reader.copied == 0 {
        return Ok(Cow::Borrowed(json));
    }
    reader.out.push_str(&json[reader.copied..]);
    Ok(Cow::Owned(reader.out))
}

/// A single-pass reader of JSON text, which starts to copy at the first number that is not in its normal spelling.
struct Reader<'a> {
    json: &'a str,
    at: usize,
    /// The number of bytes of `json` that are in `out`.
    copied: usize,
    out: String,
    integers: Integers,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<(), DigestError> {
        if depth > DEEPEST {
            return Err(problem(format!("it is nested deeper than {DEEPEST} levels")));
        }
        match self.next() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => Err(self.malformed()),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), DigestError> {
        self.at += 1;
        let mut keys: Vec<Cow<'a, str>> = Vec::new();
        if self.is_next(b'}') {
            return Ok(());
        }
        loop {
            if self.next() != Some(b'"') {
                return Err(self.malformed());
            }
            let key = self.string()?;
            if !self.is_next(b':') {
                return Err(self.malformed());
            }
            self.value(depth + 1).map_err(|error| inside(&key, error))?;
            keys.push(key);
            if self.is_next(b',') {
                continue;
            }
            if !self.is_next(b'}') {
                return Err(self.malformed());
            }
            keys.sort_unstable();
            let twice = keys.windows(2).find(|pair| pair[0] == pair[1]);
            return match twice {
                Some(pair) => {
                    Err(inside(&pair[0], problem("the key is duplicated; remove one of the two".to_owned())))
                }
                None => Ok(()),
            };
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), DigestError> {
        self.at += 1;
        if self.is_next(b']') {
            return Ok(());
        }
        for i in 0.. {
            self.value(depth + 1).map_err(|error| inside(&format!("[{i}]"), error))?;
            if self.is_next(b',') {
                continue;
            }
            if !self.is_next(b']') {
                return Err(self.malformed());
            }
            break;
        }
        Ok(())
    }

    /// Reads a string and returns it without its quotation marks.
    fn string(&mut self) -> Result<Cow<'a, str>, DigestError> {
        let start = self.at;
        let bytes = self.json.as_bytes();
        let mut escaped = false;
        self.at += 1;
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
                None => return Err(self.malformed()),
            }
        }
        self.at += 1;
        let json = self.json.get(start..self.at).ok_or_else(|| self.malformed())?;
        if escaped {
            return serde_json::from_str(json).map(Cow::Owned).map_err(|error| problem(error.to_string()));
        }
        Ok(Cow::Borrowed(&json[1..json.len() - 1]))
    }

    fn number(&mut self) -> Result<(), DigestError> {
        let start = self.at;
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        self.at += self.json.as_bytes()[start..].iter().take_while(|byte| is_part(byte)).count();
        let token = &self.json[start..self.at];
        let normal = match number(token).map_err(problem)? {
            Number::Normal => return Ok(()),
            Number::Spelt(normal) => normal,
            Number::Large if self.integers == Integers::Lossless => return Ok(()),
            Number::Large => return Err(problem(beyond(token))),
        };
        self.out.push_str(&self.json[self.copied..start]);
        self.out.push_str(&normal);
        self.copied = self.at;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), DigestError> {
        if !self.json[self.at..].starts_with(word) {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(())
    }

    /// Skips whitespace and returns the next byte, without consuming it.
    fn next(&mut self) -> Option<u8> {
        let rest = &self.json.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.json.as_bytes().get(self.at).copied()
    }

    /// Skips whitespace and consumes the next byte if it is `byte`. Returns whether it did.
    fn is_next(&mut self, byte: u8) -> bool {
        let is = self.next() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn malformed(&self) -> DigestError {
        problem(format!("it is not valid JSON at byte {}", self.at.min(self.json.len())))
    }
}

/// A number that is exactly representable as a double, or a large integer.
enum Number {
    /// In its normal spelling.
    Normal,
    /// In another spelling; the normal one is given.
    Spelt(String),
    /// An integer beyond 2^53 that fits `i64` or `u64`.
    Large,
}

/// Checks a number against the double that it would be parsed as.
fn number(token: &str) -> Result<Number, String> {
    let whole = token.strip_prefix('-').unwrap_or(token);
    if !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return match whole.parse::<u64>() {
            Ok(0) if token != "0" => Ok(Number::Spelt("0".to_owned())),
            Ok(magnitude) if magnitude <= LARGEST_INTEGER => Ok(Number::Normal),
            Ok(_) if !token.starts_with('-') || token.parse::<i64>().is_ok() => Ok(Number::Large),
            _ => Err(beyond(token)),
        };
    }
    if let Some(spelt) = without_fraction(token) {
        return Ok(Number::Spelt(spelt));
    }
    let double = token.parse::<f64>().map_err(|_| format!("{} is not a number", short(token)))?;
    if !double.is_finite() {
        return Err(format!("{} is too large for an exact JSON number; make it a string", short(token)));
    }
    // A double is parsed from many decimals. Only its shortest one is accepted.
    if digits(token) != digits(&format!("{double:e}")) {
        return Err(format!(
            "{} is not an exact JSON number: the nearest one is {double:?}; write that, or make it a string",
            short(token)
        ));
    }
    let spelt = spelt(double);
    Ok(if spelt == token { Number::Normal } else { Number::Spelt(spelt) })
}

/// Returns the normal spelling of an integer that is spelled with a fraction of zeros, as `149.0` is: the form in which
/// `serde_json` writes most doubles. `None` for any other number.
fn without_fraction(token: &str) -> Option<String> {
    let (whole, fraction) = token.split_once('.')?;
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte == b'0') {
        return None;
    }
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    match digits.parse::<u64>().ok()? {
        0 => Some("0".to_owned()),
        magnitude => (magnitude <= LARGEST_INTEGER).then(|| whole.to_owned()),
    }
}

/// Returns the normal spelling of a double.
fn spelt(double: f64) -> String {
    if double == 0.0 {
        return "0".to_owned();
    }
    if double.fract() == 0.0 && double.abs() <= LARGEST_INTEGER as f64 {
        // Exact, because the double has no fraction and fits.
        return (double as i64).to_string();
    }
    serde_json::Number::from_f64(double).map_or_else(|| double.to_string(), |number| number.to_string())
}

/// Returns the value of a decimal independently of its spelling: its sign, its digits without leading and trailing
/// zeros, and the power of ten of the last digit. Returns `None` for zero, whose sign is ignored.
fn digits(token: &str) -> Option<(bool, String, i64)> {
    let (negative, token) = match token.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, token),
    };
    let (mantissa, exponent) = token.split_once(['e', 'E']).unwrap_or((token, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return None;
    }
    // No double has an exponent that overflows `i64`, and this value equals none.
    let exponent: i64 = exponent.parse().unwrap_or(i64::MIN);
    let zeros = all.len() - all.trim_end_matches('0').len();
    let last =
        exponent.saturating_sub(length(fraction)).saturating_add(i64::try_from(zeros).unwrap_or(i64::MAX));
    Some((negative, significant.to_owned(), last))
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// Writes a number as canonical JSON.
///
/// # Errors
/// If the number has no exact canonical form.
pub(super) fn canonical(number: &serde_json::Number, out: &mut Vec<u8>) -> Result<(), DigestError> {
    if let Some(integer) = number.as_i64().filter(|integer| integer.unsigned_abs() <= LARGEST_INTEGER) {
        return canonical::plain(&integer, out);
    }
    // With `serde_json/arbitrary_precision` a number keeps its original text, without rounding. Otherwise its text is
    // the shortest one of its double.
    let token = number.to_string();
    let normal = match self::number(&token).map_err(problem)? {
        Number::Normal => token,
        Number::Spelt(normal) => normal,
        Number::Large => return Err(problem(beyond(&token))),
    };
    match normal.parse::<f64>() {
        Ok(double) if normal.contains(['.', 'e', 'E']) => {
            out.extend_from_slice(ryu_js::Buffer::new().format_finite(double).as_bytes());
        }
        _ => out.extend_from_slice(normal.as_bytes()),
    }
    Ok(())
}

/// Returns whether two JSON numbers are equal, regardless of their spelling.
pub(crate) fn is_same_number(a: &serde_json::Number, b: &serde_json::Number) -> bool {
    let form = |number| {
        let mut out = Vec::new();
        canonical(number, &mut out).ok().map(|()| out)
    };
    a == b || form(a).is_some_and(|a| Some(a) == form(b))
}

fn beyond(token: &str) -> String {
    format!("{} is beyond 2^53, where canonical JSON is no longer exact; make it a string", short(token))
}

/// Returns a number for an error message, cut at 48 bytes.
fn short(token: &str) -> Cow<'_, str> {
    if token.len() <= 48 { Cow::Borrowed(token) } else { Cow::Owned(format!("{}…", &token[..48])) }
}

fn problem(problem: String) -> DigestError {
    DigestError { path: String::new(), problem }
}

/// Returns the error of a part with the part added to its path.
pub(super) fn inside(part: &str, error: DigestError) -> DigestError {
    let dot = if error.path.is_empty() || error.path.starts_with('[') { "" } else { "." };
    DigestError { path: format!("{part}{dot}{}", error.path), ..error }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<String, String> {
        normal(json, Integers::Canonical).map(Cow::into_owned).map_err(|error| error.to_string())
    }

    #[test]
    fn a_number_has_one_spelling() {
        for (token, spelt) in [
            ("100", "100"),
            ("100.0", "100"),
            ("1e2", "100"),
            ("1E+2", "100"),
            ("0.10", "0.1"),
            ("1e-1", "0.1"),
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0e999999999999999999999", "0"),
            ("-7.50", "-7.5"),
            ("9007199254740992", "9007199254740992"),
            ("-9007199254740992.0", "-9007199254740992"),
            ("1e30", "1e+30"),
            ("5e-324", "5e-324"),
        ] {
            assert_eq!(of(token).unwrap().replace("e30", "e+30"), spelt, "{token}");
            assert_eq!(of(&of(token).unwrap()), of(token), "{token}: once more");
        }
    }

    #[test]
    fn numbers_that_no_double_represents_are_rejected() {
        for token in [
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551615",
            "340282366920938463463374607431768211455",
            "9007199254740993.0",
            "0.1000000000000000055511151231257827",
            "0.12345678901234567890",
            "1e400",
            "-1e400",
            "1e-400",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0.1e99999999999999999999",
        ] {
            let error = of(&format!(r#"{{"a":[0,{{"n":{token}}}]}}"#)).unwrap_err();
            assert!(error.starts_with("a[1].n: "), "{error}");
            assert!(error.contains(token) && error.contains("string"), "{error}");
        }
        let long = format!("0.{}", "1".repeat(5000));
        assert!(of(&long).unwrap_err().len() < 300);
    }

    #[test]
    fn external_json_may_contain_any_64_bit_integer() {
        for token in ["18446744073709551615", "-9223372036854775808", "9007199254740993"] {
            assert_eq!(parse(token).unwrap().to_string(), token);
        }
        for token in ["18446744073709551616", "-9223372036854775809", "0.12345678901234567890"] {
            assert!(parse(token).is_err(), "{token}");
        }
        assert_eq!(parse("[1.5, 149.0]").unwrap().to_string(), "[1.5,149.0]");
    }

    #[test]
    fn duplicate_keys_are_rejected() {
        let error = of(r#"{"to":{"iban":1,"name":2,"ib\u0061n":3}}"#).unwrap_err();
        assert!(error.starts_with("to.iban: the key is duplicated"), "{error}");
        assert!(of(r#"{"a":{"iban":1},"b":{"iban":1}}"#).is_ok());
        assert!(parse(r#"{"a":1,"a":2}"#).is_err());
    }

    #[test]
    fn everything_but_numbers_is_unchanged() {
        let json = " { \"1.0\" : [ 1.0 , \"2.0\\\"3.0\" , null ,true,false, {} , [] ] } ";
        assert_eq!(of(json).unwrap(), json.replace("[ 1.0", "[ 1"));
    }

    #[test]
    fn invalid_json_is_an_error_and_no_panic() {
        let json = r#"{"a":[1.5,"é\n\u00e9",true,null],"b":{"c":-0.0}}"#;
        for (cut, _) in json.char_indices().skip(1) {
            assert!(of(&json[..cut]).is_err(), "{}", &json[..cut]);
        }
        for json in [
            "",
            "1 2",
            "[1,]",
            "{1:2}",
            "{\"a\" 1}",
            "nul",
            "\"\\",
            "\"é",
            "-",
            "1.2.3",
            "[".repeat(5000).as_str(),
        ] {
            assert!(of(json).is_err(), "{json}");
        }
    }
}
