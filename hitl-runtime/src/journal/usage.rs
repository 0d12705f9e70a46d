//! Token usage and duration of model calls, as the journal keeps them.

use std::time::Duration;

use hitl_core::millis;
use serde::{Deserialize, Serialize};

/// The usage of one model call, which the journal keeps in the node's entry.
///
/// ```
/// use std::time::Duration;
/// use hitl::journal::Usage;
///
/// let text = r#"{"model":"amazon.nova-lite-v1:0","in":812,"out":64,"ms":930}"#;
/// let usage: Usage = serde_json::from_str(text)?;
/// assert_eq!((usage.input_tokens, usage.output_tokens), (Some(812), Some(64)));
/// assert_eq!(usage.duration, Duration::from_millis(930));
/// assert_eq!(serde_json::to_string(&usage)?, text);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// The model's name.
    pub model: String,
    /// The number of input tokens, if the model reports it.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// The number of output tokens, if the model reports it.
    #[serde(rename = "out", default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// The duration of the call.
    #[serde(rename = "ms", with = "millis")]
    pub duration: Duration,
}
