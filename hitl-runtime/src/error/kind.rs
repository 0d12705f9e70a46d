//! Kinds of errors, by what a caller can do about them.

use hitl_core::store::StoreError;

use super::Error;

/// The kind of an [`Error`]: what a caller can do about it. The [`code`](Error::code) names the error itself.
///
/// ```
/// use hitl::{Error, ErrorKind, ThreadId};
///
/// let error = Error::UnknownThread { thread: ThreadId::new("ticket-A-9133")? };
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// # Ok::<(), hitl::InvalidThreadId>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is malformed: correct it.
    Malformed,
    /// The operator may not do this: another one may.
    Forbidden,
    /// The thread or the place does not exist.
    NotFound,
    /// The state of the thread has changed, or does not allow this: reload the thread.
    Conflict,
    /// Another process holds the thread, or the graph is stopped: retry when that is over.
    Busy,
    /// Code of the program failed on the thread: fix that code.
    UserCode,
    /// The verdict or the edit is invalid: correct it.
    Invalid,
    /// The journal cannot be trusted: see [`Agent::verify`](crate::Agent::verify).
    Corrupt,
    /// The program lacks a setting, or a service of the system: correct its configuration.
    Misconfigured,
    /// The store or the vault of its keys failed: retry later.
    Unavailable,
}

impl Error {
    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidThreadId(_)
            | Self::InvalidInput { .. }
            | Self::Store(StoreError::InvalidPageToken(_) | StoreError::InvalidAppend { .. }) => {
                ErrorKind::Malformed
            }
            Self::RoleMissing { .. }
            | Self::OwnRequest { .. }
            | Self::RequesterUnknown { .. }
            | Self::BadOperator { .. }
            | Self::MayNotStop { .. } => ErrorKind::Forbidden,
            Self::UnknownThread { .. } | Self::NoSuchPlace { .. } => ErrorKind::NotFound,
            Self::ThreadExists { .. }
            | Self::Stale { .. }
            | Self::AlreadyDecided { .. }
            | Self::Expired { .. }
            | Self::NotInDoubt { .. }
            | Self::Cancelled { .. }
            | Self::ThreadEnded { .. }
            | Self::NotPaused { .. }
            | Self::GraphChanged { .. }
            | Self::SignatureNotCarried { .. }
            | Self::EffectUnderWay { .. } => ErrorKind::Conflict,
            Self::OtherCode { .. } | Self::NeedsRunner { .. } | Self::Stopped { .. } => ErrorKind::Busy,
            Self::UserCodeFailed { .. } => ErrorKind::UserCode,
            Self::Invalid { .. }
            | Self::UnknownKey { .. }
            | Self::InvalidPatch { .. }
            | Self::Unchanged { .. }
            | Self::BadVerdict { .. } => ErrorKind::Invalid,
            Self::Damaged { .. }
            | Self::Unauthenticated { .. }
            | Self::Store(StoreError::Decryption { .. }) => ErrorKind::Corrupt,
            Self::NoRandomness { .. }
            | Self::NotSetUp { .. }
            | Self::Store(StoreError::NotAStore { .. } | StoreError::NewerSchema { .. }) => {
                ErrorKind::Misconfigured
            }
            Self::Store(StoreError::Conflict { .. }) => ErrorKind::Conflict,
            Self::Store(_) => ErrorKind::Unavailable,
        }
    }
}
