//! JSON as a journal keeps it: exact numbers, a canonical form, and errors with the path of a value.

pub(crate) mod canonical;
mod codec;
pub mod exact;
pub(crate) mod finite;

use std::collections::BTreeMap;

use serde_json::value::RawValue;

pub use canonical::DigestError;
pub(crate) use codec::{encode, encode_raw, json_violation, read};

/// Field values as JSON, by field name.
///
/// ```
/// use hitl::journal::Values;
///
/// let wrote: Values = serde_json::from_str(r#"{"plan": "refund it", "risk": 3}"#)?;
/// assert_eq!(wrote["risk"].get(), "3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Values = BTreeMap<String, Box<RawValue>>;
