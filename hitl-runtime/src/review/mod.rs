//! Reviews of drafts: the types that can be signed, edits of a draft, operators, verdicts, and the proof of a
//! signature.

mod approved;
mod draft;
mod edit;
mod json_path;
mod round_trip;
pub(crate) mod schema;
mod schema_check;
mod validation;
mod verdict;

#[doc(hidden)]
pub use approved::Signatures;
pub use approved::{Approved, SignatureError};
pub(crate) use approved::{CurrentRules, applicable_reviews, check_signature, has_begun, satisfies};
#[doc(hidden)]
pub use draft::Comparison;
pub use draft::Draft;
#[cfg(test)]
pub(crate) use draft::drafts;
pub(crate) use edit::{Edit, EditError, apply_edit};
pub(crate) use round_trip::{check_round_trip, check_same_json};
pub(crate) use schema_check::{Strictness, check_schema};
pub use validation::DerivesValidate;
#[doc(hidden)]
pub use validation::DraftVtable;
pub(crate) use validation::{draft_violations, violations};
pub use verdict::{NotedVerdict, Verdict};
