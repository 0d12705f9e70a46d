//! Journal keys from environment variables.

use std::{fs, io};

use zeroize::Zeroizing;

use super::{InvalidJournalKey, JournalKey, JournalKeys, Purpose};
use crate::{
    Error,
    env::{NotUnicode, optional_var},
};

/// The error for environment variables that do not give usable keys. It never contains a key.
///
/// ```
/// use hitl::journal::UnusableJournalKeys;
///
/// let error = UnusableJournalKeys::Twice { variable: "HITL_JOURNAL_KEY" };
/// assert_eq!(error.to_string(), "HITL_JOURNAL_KEY and HITL_JOURNAL_KEY_FILE are both set: keep one");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableJournalKeys {
    /// A variable that is not valid Unicode.
    #[error("{variable} is not valid Unicode; set it to UTF-8 text")]
    NotUnicode {
        /// The variable's name.
        variable: &'static str,
    },
    /// Both a key and a file of keys.
    #[error("{variable} and {variable}_FILE are both set: keep one")]
    Twice {
        /// The first variable's name.
        variable: &'static str,
    },
    /// A file of keys that cannot be read.
    #[error("the file that {variable} names cannot be read: {source}")]
    File {
        /// The variable's name.
        variable: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A value that is not a valid list of keys.
    #[error("{variable}: {source}")]
    Invalid {
        /// The variable's name.
        variable: &'static str,
        /// The cause.
        source: InvalidJournalKey,
    },
    /// Keys for verdicts, without a key for the other entries.
    #[error(
        "HITL_JOURNAL_VERDICT_KEY is set, but HITL_JOURNAL_KEY is not; set it to the key that signs all other entries"
    )]
    VerdictsAlone,
}

impl From<UnusableJournalKeys> for Error {
    fn from(error: UnusableJournalKeys) -> Self {
        Self::NotSetUp { problem: error.to_string() }
    }
}

impl From<NotUnicode> for UnusableJournalKeys {
    fn from(NotUnicode(variable): NotUnicode) -> Self {
        Self::NotUnicode { variable }
    }
}

impl JournalKeys {
    /// Returns the keys from the environment; `None` if all of the variables are unset or blank.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `HITL_JOURNAL_KEY` | the key that signs entries, followed by older keys that only verify; separated by commas
    /// or line breaks |
    /// | `HITL_JOURNAL_KEY_FILE` | a file with the same content, instead of the variable |
    /// | `HITL_JOURNAL_VERDICT_KEY`, `HITL_JOURNAL_VERDICT_KEY_FILE` | the keys for verdicts; if set, the keys above
    /// are not valid for verdicts |
    ///
    /// A key is at least 32 bytes as hexadecimal digits or Base64, optionally after an id and a colon. With the feature
    /// `kms`, it may also be `kms:` and an HMAC key of AWS KMS.
    ///
    /// ```
    /// use hitl::journal::JournalKeys;
    ///
    /// # fn example() -> Result<(), hitl::journal::UnusableJournalKeys> {
    /// let keys: Option<JournalKeys> = JournalKeys::from_env()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`UnusableJournalKeys`] if a variable is set to something that is not a key. Such a variable is never treated as
    /// unset.
    pub fn from_env() -> Result<Option<Self>, UnusableJournalKeys> {
        let all = listed("HITL_JOURNAL_KEY", "HITL_JOURNAL_KEY_FILE")?;
        let verdicts = listed("HITL_JOURNAL_VERDICT_KEY", "HITL_JOURNAL_VERDICT_KEY_FILE")?;
        Self::from_lists(all, verdicts)
    }

    /// Returns whether `HITL_JOURNAL_KEY` or `HITL_JOURNAL_KEY_FILE` is set, not blank, and valid Unicode.
    #[doc(hidden)]
    pub fn are_asked_for() -> bool {
        ["HITL_JOURNAL_KEY", "HITL_JOURNAL_KEY_FILE"]
            .into_iter()
            .any(|name| optional_var(name).is_ok_and(|value| value.is_some()))
    }

    fn from_lists(
        all: Option<Vec<JournalKey>>,
        verdicts: Option<Vec<JournalKey>>,
    ) -> Result<Option<Self>, UnusableJournalKeys> {
        let (all, verdicts) = match (all, verdicts) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(UnusableJournalKeys::VerdictsAlone),
            (Some(all), None) => (all, Vec::new()),
            (Some(all), Some(verdicts)) => (all, verdicts),
        };
        let purpose = if verdicts.is_empty() { Purpose::Everything } else { Purpose::Running };
        let lists = [(verdicts, Purpose::Verdicts), (all, purpose)];
        let mut keys = Self(Vec::new());
        for (list, purpose) in lists {
            for (number, key) in list.into_iter().enumerate() {
                keys =
                    if number == 0 { keys.and_signing(key, purpose) } else { keys.verifying(key, purpose) };
            }
        }
        Ok(Some(keys))
    }
}

fn listed(
    name: &'static str,
    file_name: &'static str,
) -> Result<Option<Vec<JournalKey>>, UnusableJournalKeys> {
    let (name, text) = match (optional_var(name)?.map(Zeroizing::new), optional_var(file_name)?) {
        (Some(_), Some(_)) => return Err(UnusableJournalKeys::Twice { variable: name }),
        (Some(text), None) => (name, text),
        (None, Some(path)) => {
            let text = fs::read_to_string(path);
            let text = text.map_err(|source| UnusableJournalKeys::File { variable: file_name, source })?;
            (file_name, Zeroizing::new(text))
        }
        (None, None) => return Ok(None),
    };
    list(&text).map(Some).map_err(|source| UnusableJournalKeys::Invalid { variable: name, source })
}

/// Parses a list of keys, separated by commas or line breaks. An empty element is an error, so a superfluous comma is
/// one.
fn list(text: &str) -> Result<Vec<JournalKey>, InvalidJournalKey> {
    text.trim().split([',', '\n']).map(str::parse).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::journal::authentication::Act;

    #[test]
    fn an_invalid_key_list_is_rejected() {
        let key = |byte: &str| byte.repeat(32);
        let keys = list(&format!("new:{},old:{}\n", key("01"), key("02"))).unwrap();
        assert_eq!(keys.iter().map(JournalKey::id).collect::<Vec<_>>(), ["new", "old"]);
        for wrong in ["", ",", &format!("{},", key("01")), "01", &format!("{} {}", key("01"), key("02"))] {
            assert!(list(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_keys_do_not_sign_verdicts_if_there_are_verdict_keys() {
        let one = |byte: u8| Some(vec![JournalKey::new([byte; 32]).unwrap()]);
        let together = JournalKeys::from_lists(one(1), None).unwrap().unwrap();
        assert!(together.sign_for(Act::Verdict) && !together.separate());
        let apart = JournalKeys::from_lists(one(1), one(2)).unwrap().unwrap();
        assert!(apart.sign_for(Act::Verdict) && apart.sign_for(Act::Run) && apart.separate());
        let error = JournalKeys::from_lists(None, one(2)).unwrap_err();
        assert!(matches!(error, UnusableJournalKeys::VerdictsAlone), "{error}");
        assert!(JournalKeys::from_lists(None, None).unwrap().is_none());
    }
}
