//! Errors of data keys and of encrypted values.

use crate::StoreError;

/// The reason why no data key is available. No variant shows a key or a value.
///
/// ```
/// use hitl::store::encrypted::KeyError;
///
/// let error = KeyError::Disabled { key: "alias/hitl".into() };
/// assert_eq!(error.to_string(), "the key `alias/hitl` is disabled; enable it (no data is lost)");
/// assert!(!error.is_transient());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The vault throttled every attempt.
    #[error(
        "the vault throttled every request for the key `{key}`; retry later, raise `Bounds::age` so that data keys are \
         used for longer, or raise the account's quota"
    )]
    Throttled {
        /// The vault's key.
        key: String,
    },
    /// The vault was not reached, or had an internal error.
    #[error("the vault of the key `{key}` is unavailable: {problem}; retry")]
    Unavailable {
        /// The vault's key.
        key: String,
        /// A description of the failure.
        problem: String,
    },
    /// The key is disabled.
    #[error("the key `{key}` is disabled; enable it (no data is lost)")]
    Disabled {
        /// The vault's key.
        key: String,
    },
    /// The key is scheduled for deletion, or its key material is missing.
    #[error(
        "the key `{key}` is in a state in which it cannot be used; if it is scheduled for deletion, cancel the \
         deletion now, because without the key no entry can ever be decrypted; if its key material was imported, \
         import it again"
    )]
    InvalidState {
        /// The vault's key.
        key: String,
    },
    /// This program has no permission to use the key.
    #[error("this program has no permission to use the key `{key}`: {problem}")]
    Denied {
        /// The vault's key.
        key: String,
        /// The missing permission.
        problem: String,
    },
    /// There is no such key.
    #[error("the key `{key}` does not exist in this region and account; check its name")]
    NotFound {
        /// The vault's key.
        key: String,
    },
    /// The key cannot generate data keys, because it is of another type.
    #[error(
        "the key `{key}` cannot generate data keys; use a symmetric encryption key (`SYMMETRIC_DEFAULT`, \
         `ENCRYPT_DECRYPT`)"
    )]
    WrongKeyType {
        /// The vault's key.
        key: String,
    },
    /// The vault's region or credentials are missing, or the credentials are rejected.
    #[error("the vault cannot be accessed: {problem}")]
    Unconfigured {
        /// The missing setting, and the remedy.
        problem: &'static str,
    },
    /// A data key that is wrapped under a key that this program does not trust.
    #[error(
        "its data key is wrapped under `{key}`, which this program does not trust; if the store was encrypted under \
         that key before, add it with `KmsKeys::decryption_key`; otherwise the entry is forged; check who can write to \
         the store"
    )]
    Untrusted {
        /// The key that the value names.
        key: String,
    },
    /// A wrapped data key that the vault did not issue for this context.
    #[error(
        "the vault did not wrap its data key for this context: the entry was changed in the store; restore the thread \
         from a backup"
    )]
    InvalidWrappedKey,
    /// A response of the vault that cannot be used.
    #[error("the vault's response cannot be used: {problem}")]
    InvalidResponse {
        /// A description of the problem.
        problem: String,
    },
}

impl KeyError {
    /// Returns the error of a data key behind an error of the store.
    ///
    /// ```
    /// use hitl::{StoreError, store::encrypted::KeyError};
    ///
    /// let disabled = KeyError::Disabled { key: "alias/hitl".into() };
    /// assert_eq!(KeyError::of(&StoreError::Key(disabled.clone().into())), Some(&disabled));
    /// ```
    pub fn of(error: &StoreError) -> Option<&Self> {
        match error {
            StoreError::Key(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// Returns whether the same call may succeed later without intervention.
    ///
    /// ```
    /// use hitl::store::encrypted::KeyError;
    ///
    /// assert!(KeyError::Throttled { key: "alias/hitl".into() }.is_transient());
    /// ```
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable { .. })
    }

    /// Returns whether the error is about one value, and not about the vault or this program's access to it.
    pub(super) fn is_value_error(&self) -> bool {
        matches!(self, Self::Untrusted { .. } | Self::InvalidWrappedKey)
    }
}

/// The reason why an existing entry is rejected. No variant shows its content.
///
/// ```
/// use hitl::store::encrypted::DecryptError;
///
/// assert!(DecryptError::Tampered.to_string().starts_with("it does not decrypt with its key"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// The entry is not what was encrypted for this thread and this place.
    #[error(
        "it does not decrypt with its key: it was changed in the store, or copied there from another place or thread; \
         check who can write to the store, and restore the thread from a backup"
    )]
    Tampered,
    /// The entry is in plaintext.
    #[error(
        "it is not encrypted; if it was written before the store was encrypted, open the store with \
         `EncryptedStore::allow_plaintext`; otherwise it is forged; check who can write to the store"
    )]
    Plaintext,
    /// The entry was encrypted for another context.
    #[error(
        "it was encrypted for the context {found}, but this program uses {expected}; give the `Keyring` the original \
         context"
    )]
    ContextMismatch {
        /// The context in the entry's header, as JSON.
        found: String,
        /// The context of the keyring, as JSON.
        expected: String,
    },
    /// The entry's data key cannot be unwrapped.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl DecryptError {
    /// Returns the reason for which a store rejected an entry on reading.
    pub fn of(error: &StoreError) -> Option<&Self> {
        match error {
            StoreError::Decryption { problem, .. } => problem.downcast_ref(),
            _ => None,
        }
    }
}
