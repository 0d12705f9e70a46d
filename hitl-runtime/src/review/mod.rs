//! Reviews of drafts: the types that can be signed, edits of a draft, operators, verdicts, and the proof of a
//! signature.

mod approved;
mod conform;
mod draft;
mod edit;
mod json_path;
mod operator;
mod read_back;
mod reviewed;
pub(crate) mod schema;
mod verdict;

#[doc(hidden)]
pub use approved::Signatures;
pub use approved::{Approved, SignatureError};
pub(crate) use approved::{permits, reviews_of, satisfies};
pub(crate) use conform::{Strictness, conforms};
#[doc(hidden)]
pub use draft::Comparison;
pub use draft::Draft;
#[cfg(test)]
pub(crate) use draft::drafts;
pub(crate) use edit::{Edit, EditError, edited};
pub use operator::Operator;
pub(crate) use read_back::{encode, encode_raw, same, same_json};
#[doc(hidden)]
pub use reviewed::Reviewed;
pub use reviewed::{DerivesValidate, Violation};
pub(crate) use reviewed::{draft_violations, read, violations};
pub use verdict::Verdict;
