//! What can go wrong with keys, and with what they have sealed.

/// Why there is no data key. Nothing here shows a key or a value.
///
/// ```
/// use hitl::store::sealed::KeyError;
///
/// let error = KeyError::Disabled { key: "alias/hitl".into() };
/// assert_eq!(error.to_string(), "the key `alias/hitl` is disabled; enable it, and nothing is lost");
/// assert!(!error.may_pass());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The vault has had too many requests.
    #[error(
        "the vault of `{key}` was throttled each time that it was asked; do it again, let data keys live longer \
         (`Bounds::age`), or raise the account's quota"
    )]
    Throttled {
        /// The vault's key.
        key: String,
    },
    /// The vault was not reached, or has failed itself.
    #[error("the vault of `{key}` does not answer: {problem}; do it again")]
    Unavailable {
        /// The vault's key.
        key: String,
        /// How that shows.
        problem: String,
    },
    /// Somebody has disabled the key.
    #[error("the key `{key}` is disabled; enable it, and nothing is lost")]
    Disabled {
        /// The vault's key.
        key: String,
    },
    /// The key is to be deleted, or its material is not there.
    #[error(
        "the key `{key}` cannot be used as it stands; if it is to be deleted, cancel that now: without it no value \
         can ever be read again; if its material is imported, import it again"
    )]
    InvalidState {
        /// The vault's key.
        key: String,
    },
    /// This program may not use the key.
    #[error("this program may not use the key `{key}`: {problem}")]
    Denied {
        /// The vault's key.
        key: String,
        /// Which right is missing.
        problem: String,
    },
    /// There is no such key.
    #[error("there is no key `{key}` in this region and account; see that its name is right")]
    Unknown {
        /// The vault's key.
        key: String,
    },
    /// The key is of a kind that makes no data keys.
    #[error(
        "the key `{key}` makes no data keys; it must be a symmetric encryption key (`SYMMETRIC_DEFAULT`, \
         `ENCRYPT_DECRYPT`)"
    )]
    Unfit {
        /// The vault's key.
        key: String,
    },
    /// The vault cannot be asked as things are set up, or does not know who asks.
    #[error("the vault's region and credentials: {problem}")]
    Unconfigured {
        /// What is missing, and what to do.
        problem: &'static str,
    },
    /// A data key is wrapped under a key that this program does not trust.
    #[error(
        "its data key is wrapped under `{key}`, which this program does not trust; if it was sealed under that key \
         before, name it with `KmsKeys::also_reading`; otherwise somebody has planted it"
    )]
    Untrusted {
        /// The key that it claims.
        key: String,
    },
    /// A wrapped data key is not what the vault once gave, or was given for another context.
    #[error("the vault has not wrapped its data key for this context: the value was changed in the store")]
    Refused,
    /// The vault's answer is of no use.
    #[error("the vault's answer cannot be used: {problem}")]
    BadAnswer {
        /// What is wrong with it.
        problem: String,
    },
}

impl KeyError {
    /// Whether the same call may succeed a little later, with nothing mended.
    ///
    /// ```
    /// use hitl::store::sealed::KeyError;
    ///
    /// assert!(KeyError::Throttled { key: "alias/hitl".into() }.may_pass());
    /// ```
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Unavailable { .. })
    }

    /// Whether it is one value that is wrong, and not the vault or this program's access to it.
    pub(super) fn is_about_a_value(&self) -> bool {
        matches!(self, Self::Untrusted { .. } | Self::Refused)
    }
}

/// Why an entry that is there is not read. Nothing here shows what it holds.
///
/// ```
/// use hitl::store::sealed::SealError;
///
/// assert!(SealError::Tampered.to_string().starts_with("it does not open with its key"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It is not what was sealed for this thread and this place.
    #[error(
        "it does not open with its key: it was changed in the store, or brought there from another place or thread; \
         see who can write to the store, and restore the thread from a backup"
    )]
    Tampered,
    /// It is in the clear.
    #[error(
        "it is not sealed; if it was written before the store was, open the store with `Sealed::admitting_plain`; \
         otherwise somebody has planted it"
    )]
    Plain,
    /// It was sealed for another context.
    #[error(
        "it was sealed for the context {found}, and this program says {expected}; give the `Keyring` the context that \
         it had"
    )]
    OtherContext {
        /// The context that stands beside it, as JSON.
        found: String,
        /// The keyring's, as JSON.
        expected: String,
    },
    /// Its data key is not one of ours.
    #[error(transparent)]
    Key(#[from] KeyError),
}
