//! What a model took.

use serde::{Deserialize, Serialize};

/// What one call of a model took, as the journal keeps it beside what the node wrote.
///
/// ```
/// use hitl::journal::Usage;
///
/// let text = r#"{"model":"amazon.nova-lite-v1:0","in":812,"out":64,"ms":930}"#;
/// let usage: Usage = serde_json::from_str(text)?;
/// assert_eq!((usage.input_tokens, usage.output_tokens, usage.ms), (Some(812), Some(64), 930));
/// assert_eq!(serde_json::to_string(&usage)?, text);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The model's name.
    pub model: String,
    /// Tokens read, where the model counts them.
    #[serde(rename = "in", default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens written, where the model counts them.
    #[serde(rename = "out", default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}
