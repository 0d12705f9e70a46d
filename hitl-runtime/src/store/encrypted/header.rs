//! The plaintext header of an encrypted value.
//!
//! | bytes | content |
//! |---|---|
//! | 5 | `\0hitl`; JSON never begins with a zero byte |
//! | 1 | the version of this header |
//! | 2 + n | the id of the vault's key |
//! | 2 + n | the data key, wrapped by the vault |
//! | 2 + n | the context, as JSON |
//! | 32 | the nonce |
//!
//! The ciphertext follows, with its tag of 16 bytes. The whole header is associated data of the ciphertext.

const MAGIC: &[u8] = b"\0hitl";
pub(super) const VERSION: u8 = 1;

/// The nonce of one value. The key that encrypts the value is derived from it and from the data key.
pub(super) type Nonce = [u8; 32];

#[derive(Debug, PartialEq)]
pub(super) struct Header<'a> {
    pub key_id: &'a str,
    pub wrapped: &'a [u8],
    pub context: &'a str,
    pub nonce: &'a Nonce,
    /// The whole header, as it is stored.
    pub bytes: &'a [u8],
}

/// The result of [`parse`].
#[derive(Debug, PartialEq)]
pub(super) enum ParsedValue<'a> {
    Encrypted(Header<'a>, &'a [u8]),
    Plaintext,
    NewerVersion(u8),
    Damaged,
}

/// Returns a header without its nonce, which is the same for all values under one data key; `None` if a part is too
/// long.
pub(super) fn prefix(key_id: &str, wrapped: &[u8], context: &str) -> Option<Vec<u8>> {
    let mut bytes = [MAGIC, &[VERSION]].concat();
    for part in [key_id.as_bytes(), wrapped, context.as_bytes()] {
        bytes.extend(u16::try_from(part.len()).ok()?.to_be_bytes());
        bytes.extend(part);
    }
    Some(bytes)
}

/// Splits a value into its header and its ciphertext.
pub(super) fn parse(value: &[u8]) -> ParsedValue<'_> {
    match value.strip_prefix(MAGIC).map(<[u8]>::split_first) {
        None => ParsedValue::Plaintext,
        Some(Some((&VERSION, rest))) => parse_current_version(value, rest).unwrap_or(ParsedValue::Damaged),
        Some(Some((&version, _))) => ParsedValue::NewerVersion(version),
        Some(None) => ParsedValue::Damaged,
    }
}

fn parse_current_version<'a>(value: &'a [u8], mut rest: &'a [u8]) -> Option<ParsedValue<'a>> {
    let mut part = || -> Option<&'a [u8]> {
        let (length, after) = rest.split_first_chunk()?;
        let (part, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        rest = after;
        Some(part)
    };
    let (key_id, wrapped, context) = (part()?, part()?, part()?);
    let (nonce, ciphertext) = rest.split_first_chunk()?;
    let header = Header {
        key_id: str::from_utf8(key_id).ok()?,
        wrapped,
        context: str::from_utf8(context).ok()?,
        nonce,
        bytes: &value[..value.len() - ciphertext.len()],
    };
    Some(ParsedValue::Encrypted(header, ciphertext))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn value() -> Vec<u8> {
        [&prefix("alias/hitl", b"wrapped", "{}").unwrap(), &[3; 32][..], b"ciphertext"].concat()
    }

    #[test]
    fn a_header_round_trips() {
        let value = value();
        let ParsedValue::Encrypted(header, ciphertext) = parse(&value) else { panic!() };
        assert_eq!((header.key_id, header.wrapped, header.context), ("alias/hitl", &b"wrapped"[..], "{}"));
        assert_eq!((header.nonce, ciphertext), (&[3; 32], &b"ciphertext"[..]));
        assert_eq!([header.bytes, ciphertext].concat(), value);
    }

    #[test]
    fn plain_damaged_and_newer_values_are_distinguished() {
        for plain in [&b""[..], b"{}", b"\0", b"\0hit", br#"{"at":1}"#] {
            assert_eq!(parse(plain), ParsedValue::Plaintext);
        }
        let value = value();
        let head = value.len() - b"ciphertext".len();
        assert!((MAGIC.len()..head).all(|end| parse(&value[..end]) == ParsedValue::Damaged));
        let newer = [MAGIC, &[VERSION + 1], &value[MAGIC.len() + 1..]].concat();
        assert_eq!(parse(&newer), ParsedValue::NewerVersion(VERSION + 1));
        assert_eq!(prefix("", &[0; 70_000], ""), None);
    }
}
