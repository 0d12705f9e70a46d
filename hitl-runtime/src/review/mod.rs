//! What a person signs, and what they may answer.

mod approved;
mod edit;
mod json_path;
mod operator;
mod reviewed;
pub(crate) mod schema;
mod verdict;

#[doc(hidden)]
pub use approved::Signatures;
pub(crate) use approved::permits;
pub use approved::{Approved, SignatureError};
pub(crate) use edit::{Edit, EditError, edited};
pub use operator::Operator;
#[doc(hidden)]
pub use reviewed::Reviewed;
pub use reviewed::{DerivesDeserialize, DerivesJsonSchema, DerivesSerialize, DerivesValidate, Violation};
pub(crate) use reviewed::{read, violations};
pub use verdict::Verdict;
