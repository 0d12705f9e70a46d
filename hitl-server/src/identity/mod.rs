//! The callers of a server: who they are, and what they may do.

mod access;
mod jwks;
mod operator_auth;
mod token;

pub(crate) use access::{DecidableReviews, Visibility, authorize, is_known};
pub use access::{Right, UnknownRight};
pub use jwks::InvalidKeys;
pub(crate) use jwks::is_private;
pub(crate) use operator_auth::Caller;
pub use operator_auth::OperatorAuth;
pub use token::TokenVerifier;
