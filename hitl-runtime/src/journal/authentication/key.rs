//! A journal key, and the computation and verification of MACs with it.

use std::{fmt, str::FromStr};

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::MAC;
use crate::Digest;

/// A key that authenticates entries: at least 32 secret bytes, or a key in AWS KMS that never leaves KMS.
///
/// The key's id is in each entry that it signs, so that keys can be replaced. The id is derived from the key unless
/// [`named`](Self::named) sets another one. The secret is overwritten when the key is dropped, and never displayed.
///
/// ```
/// use hitl::journal::JournalKey;
///
/// // `openssl rand -hex 32`, kept where the store's users cannot read it.
/// let key: JournalKey = "front-2026:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".parse()?;
/// assert_eq!(key.id(), "front-2026");
/// assert!("too short".parse::<JournalKey>().is_err());
/// # Ok::<(), hitl::journal::InvalidJournalKey>(())
/// ```
#[derive(Clone)]
pub struct JournalKey {
    id: String,
    secret: Secret,
}

#[derive(Clone)]
enum Secret {
    Local(Zeroizing<Vec<u8>>),
    #[cfg(feature = "kms")]
    Kms(std::sync::Arc<super::kms::KmsMac>),
}

/// The error for a text or bytes that are not a valid key. It never contains them.
///
/// ```
/// use hitl::journal::JournalKey;
///
/// let error = JournalKey::new([1; 16]).unwrap_err();
/// assert_eq!(error.to_string(), "a journal key needs at least 32 bytes, but this one has 16; create one with `openssl rand -hex 32`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJournalKey {
    /// Too few bytes to be safe from guessing.
    #[error(
        "a journal key needs at least 32 bytes, but this one has {bytes}; create one with `openssl rand -hex 32`"
    )]
    Short {
        /// The number of bytes.
        bytes: usize,
    },
    /// Neither hexadecimal nor Base64.
    #[error(
        "a journal key is at least 32 bytes as hexadecimal digits or Base64 (`openssl rand -hex 32`), optionally after an id and a colon, or `kms:` and an AWS KMS key"
    )]
    Encoding,
    /// An invalid id.
    #[error("the id of a journal key has 1 to 256 letters, digits and `._-+=@/:`, and is not `kms`")]
    Id,
    /// A KMS key in a program that is built without the feature `kms`.
    #[error(
        "the journal key is an AWS KMS key, but this program was built without the feature `kms`; enable it"
    )]
    NotBuilt,
}

/// The error for a MAC that cannot be computed or is not valid.
#[derive(Debug)]
pub(crate) enum MacError {
    /// The entry is not authentic, with the reason.
    Refused(String),
    /// The program has no key that signs such an entry.
    NoKey(&'static str),
    /// The key service is not available.
    #[cfg_attr(not(feature = "kms"), expect(dead_code, reason = "only a vault can be out of reach"))]
    Unavailable { key: String, problem: String },
}

impl JournalKey {
    /// The minimum number of bytes.
    const LEAST: usize = 32;

    /// Returns a key from secret random bytes.
    ///
    /// # Errors
    /// [`InvalidJournalKey::Short`] for fewer than 32 bytes.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, InvalidJournalKey> {
        Self::local(Zeroizing::new(secret.as_ref().to_vec()))
    }

    fn local(secret: Zeroizing<Vec<u8>>) -> Result<Self, InvalidJournalKey> {
        if secret.len() < Self::LEAST {
            return Err(InvalidJournalKey::Short { bytes: secret.len() });
        }
        let id = Digest::of_parts(&[b"hitl journal key id 1\0", &secret]).short();
        Ok(Self { id, secret: Secret::Local(secret) })
    }

    /// Returns an HMAC key of AWS KMS (`HMAC_256`), by its id, its ARN or an alias, which also is its id in entries. Do
    /// not point an alias to another key, because the MACs of the old key would no longer verify. To be able to replace
    /// the key later, name the key itself.
    ///
    /// The program that signs needs `kms:GenerateMac` on the key, and every program that reads needs `kms:VerifyMac`. A
    /// runner that may only verify cannot give a verdict in the name of the front end. KMS is called once for each
    /// entry that is written, and once for each entry that is read and that this process does not remember as valid.
    ///
    /// ```
    /// use hitl::journal::JournalKey;
    ///
    /// let key = JournalKey::kms("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    /// # drop(key);
    /// ```
    #[cfg(feature = "kms")]
    pub fn kms(key: impl Into<String>) -> Self {
        let id = key.into();
        Self { secret: Secret::Kms(super::kms::KmsMac::new(id.clone(), None).into()), id }
    }

    /// Returns a [`JournalKey::kms`] with a client that you provide.
    #[cfg(feature = "kms")]
    pub fn kms_with_client(client: aws_sdk_kms::Client, key: impl Into<String>) -> Self {
        let id = key.into();
        Self { secret: Secret::Kms(super::kms::KmsMac::new(id.clone(), Some(client)).into()), id }
    }

    /// Returns the same key with another id.
    ///
    /// # Errors
    /// [`InvalidJournalKey::Id`] if the id is not 1 to 256 letters, digits and `._-+=@/:`, or is `kms`.
    pub fn named(self, id: impl Into<String>) -> Result<Self, InvalidJournalKey> {
        let id = id.into();
        if is_id(&id) && id != "kms" { Ok(Self { id, ..self }) } else { Err(InvalidJournalKey::Id) }
    }

    /// Returns the id of the key in the entries that it signs.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) async fn mac(&self, message: &[u8]) -> Result<[u8; MAC], MacError> {
        match &self.secret {
            Secret::Local(secret) => Ok(hmac(secret, message)?.finalize().into_bytes().into()),
            #[cfg(feature = "kms")]
            Secret::Kms(kms) => called(kms.generate(message)).await,
        }
    }

    /// Returns whether the MAC is valid for the message. The comparison with a local key takes constant time.
    pub(super) async fn is_valid(&self, message: &[u8], mac: [u8; MAC]) -> Result<bool, MacError> {
        match &self.secret {
            Secret::Local(secret) => Ok(hmac(secret, message)?.verify_slice(&mac).is_ok()),
            #[cfg(feature = "kms")]
            Secret::Kms(kms) => called(kms.is_valid(message, mac)).await,
        }
    }
}

/// Boxes a call of the key service, because its future is large and most keys need none.
#[cfg(feature = "kms")]
fn called<'a, T>(
    call: impl Future<Output = Result<T, MacError>> + Send + 'a,
) -> futures_util::future::BoxFuture<'a, Result<T, MacError>> {
    Box::pin(call)
}

fn hmac(secret: &[u8], message: &[u8]) -> Result<Hmac<Sha256>, MacError> {
    let mac = Hmac::<Sha256>::new_from_slice(secret);
    // Infallible in practice: HMAC accepts a key of any length.
    let mut mac = mac.map_err(|_| MacError::Refused("its key cannot be used for HMAC".to_owned()))?;
    mac.update(message);
    Ok(mac)
}

/// Returns whether a text is valid as the id of a key. Such an id needs no escaping in JSON.
pub(super) fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+=@/:".contains(&byte);
    (1..=256).contains(&text.len()) && text.bytes().all(plain)
}

/// The syntax is `<hex or Base64>`, `<id>:<hex or Base64>`, or `kms:<key>`.
impl FromStr for JournalKey {
    type Err = InvalidJournalKey;

    fn from_str(text: &str) -> Result<Self, InvalidJournalKey> {
        match text.trim().split_once(':') {
            None => Self::local(decode(text.trim()).ok_or(InvalidJournalKey::Encoding)?),
            Some(("kms", key)) => by_kms(key),
            Some((id, secret)) => {
                Self::local(decode(secret.trim()).ok_or(InvalidJournalKey::Encoding)?)?.named(id)
            }
        }
    }
}

#[cfg(feature = "kms")]
fn by_kms(key: &str) -> Result<JournalKey, InvalidJournalKey> {
    if is_id(key) { Ok(JournalKey::kms(key)) } else { Err(InvalidJournalKey::Id) }
}

#[cfg(not(feature = "kms"))]
fn by_kms(_: &str) -> Result<JournalKey, InvalidJournalKey> {
    Err(InvalidJournalKey::NotBuilt)
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let pairs = (0..text.len()).step_by(2);
        let bytes: Option<Vec<u8>> = pairs.map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect();
        return bytes.map(Zeroizing::new);
    }
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, lenient).decode(text).ok().map(Zeroizing::new)
}

impl fmt::Debug for JournalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_hex_and_base64() {
        let hex = "00ff".repeat(16);
        let key: JournalKey = hex.parse().unwrap();
        let base64 = "AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8=";
        for text in [base64, &base64.replace('/', "_"), base64.trim_end_matches('=')] {
            assert_eq!(text.parse::<JournalKey>().unwrap().id(), key.id(), "{text}");
        }
        let named: JournalKey = format!("runner-2026:{hex}").parse().unwrap();
        assert_eq!(named.id(), "runner-2026");
    }

    #[test]
    fn an_invalid_key_is_rejected_and_not_echoed() {
        let secret = "5ec2e7".repeat(5);
        for text in [&secret, "a b", "", ":", &format!("an id:{}", "00".repeat(32)), &"ä".repeat(40)] {
            let error = text.parse::<JournalKey>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("5ec2e7"), "{error}");
        }
        let key = JournalKey::new([0x5e; 32]).unwrap();
        assert_eq!(format!("{key:?}"), format!("JournalKey {{ id: {:?}, .. }}", key.id()));
    }
}
