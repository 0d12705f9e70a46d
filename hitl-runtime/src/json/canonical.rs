//! Canonical JSON (RFC 8785): each value has exactly one serialized form.

use serde::Serialize;
use serde_json::Value;

use super::exact::{self, inside};

/// Writes a value as canonical JSON.
///
/// # Errors
/// If the value holds a number without an exact canonical form. The error has the path to the number.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), DigestError> {
    match value {
        Value::Number(number) => return exact::canonical(number, out),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write(item, out).map_err(|error| inside(&format!("[{i}]"), error))?;
            }
            out.push(b']');
        }
        Value::Object(map) => {
            out.push(b'{');
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            for (i, (key, item)) in members.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                plain(key, out)?;
                out.push(b':');
                write(item, out).map_err(|error| inside(key, error))?;
            }
            out.push(b'}');
        }
        Value::String(text) => plain(text, out)?,
        Value::Bool(_) | Value::Null => plain(value, out)?,
    }
    Ok(())
}

/// Writes strings, `true`, `false`, `null`, and integers of at most 2^53, for which the output of `serde_json` is
/// already canonical.
pub(crate) fn plain<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), DigestError> {
    serde_json::to_writer(out, value)
        .map_err(|error| DigestError { path: String::new(), problem: error.to_string() })
}

/// The error for a draft that has no canonical JSON.
///
/// ```
/// use hitl::journal::DigestError;
///
/// let error = DigestError::new("cents", "9007199254740993 is beyond 2^53");
/// assert_eq!(error.to_string(), "cents: 9007199254740993 is beyond 2^53");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
#[non_exhaustive]
pub struct DigestError {
    /// The path inside the draft.
    pub path: String,
    /// The problem at that path.
    pub problem: String,
}

impl DigestError {
    /// Creates an error.
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(value: &Value) -> Result<String, DigestError> {
        let mut out = Vec::new();
        write(value, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_examples_of_the_rfc_are_canonical() {
        let value = json!({
            "numbers": [333_333_333.333_333_3, 1e30, 4.50, 2e-3, 0.000_000_000_000_000_000_000_000_001],
            "string": "\u{20ac}$\u{f}\nA'B\"\\\\\"/",
            "literals": [null, true, false],
        });
        assert_eq!(
            form(&value).unwrap(),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        let form = form(&value).unwrap();
        let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
        assert!(order.map(|word| form.find(word).unwrap()).is_sorted(), "{form}");
    }

    /// Compares the output with that of an independent implementation, for every value that [`write`] accepts.
    #[test]
    fn the_reference_implementation_agrees() {
        let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
        for _ in 0..20_000 {
            let value = chance.value(4);
            let theirs = String::from_utf8(serde_json_canonicalizer::to_vec(&value).unwrap()).unwrap();
            match form(&value) {
                Ok(ours) => assert_eq!(ours, theirs),
                Err(error) => assert!(error.problem.contains("beyond 2^53"), "{error}"),
            }
        }
    }

    /// A generator of random values (xorshift).
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }

        fn value(&mut self, depth: u32) -> Value {
            match self.below(if depth == 0 { 6 } else { 8 }) {
                0 => Value::Null,
                1 => (self.below(2) == 0).into(),
                2 => (self.below(u64::MAX) >> self.below(64)).into(),
                3 => (self.below(u64::MAX) as i64 >> self.below(64)).into(),
                4 => f64::from_bits(self.below(u64::MAX)).into(),
                5 => self.text().into(),
                6 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
                _ => (0..self.below(5)).map(|_| (self.text(), self.value(depth - 1))).collect(),
            }
        }

        fn text(&mut self) -> String {
            const LETTERS: [char; 14] = [
                'a', 'Z', '"', '\\', '/', '\n', '\u{1}', '\u{7f}', '\u{80}', 'ö', '€', '\u{fb33}', '😀',
                '\u{e000}',
            ];
            (0..self.below(6)).map(|_| LETTERS[self.below(14) as usize]).collect()
        }
    }

    #[test]
    fn an_inexact_number_is_reported_with_its_path() {
        let path = |value| form(&value).unwrap_err().path;
        let beyond = (1u64 << 53) + 1;
        assert_eq!(path(json!({ "a": { "cents": beyond } })), "a.cents");
        assert_eq!(path(json!({ "lines": [0, { "cents": -i64::MAX }] })), "lines[1].cents");
        assert_eq!(path(json!([[beyond]])), "[0][0]");
        assert_eq!(form(&json!(1u64 << 53)).unwrap(), "9007199254740992");
    }
}
