//! The errors of a fold: an entry that cannot be applied.

use crate::{state::FieldError, user_code::UserCodeError};

/// The error for entries that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FoldError {
    /// The bytes are not a valid continuation of the journal.
    #[error("{0}")]
    Damaged(String),
    /// The entry does not fit the state of this program.
    #[error("{0}")]
    Changed(#[from] FieldError),
    /// The function of `#[state(migrate = …)]` rejected the entry's values.
    #[error("{}", .0.problem)]
    Unmigrated(Unmigrated),
}

/// A failed migration.
#[derive(Clone, Debug)]
pub(crate) struct Unmigrated {
    /// The version that the values were written under.
    pub(crate) from: u32,
    pub(crate) problem: String,
}

impl FoldError {
    /// Returns the failure in user code that caused the error, if it is one.
    pub(crate) fn as_user_code_error(&self) -> Option<UserCodeError> {
        match self {
            Self::Changed(error) => error.as_user_code_error(),
            Self::Damaged(_) | Self::Unmigrated { .. } => None,
        }
    }
}
