//! The findings of a guardrail, without the text in which they were made.

use std::fmt;

#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The assessment of a guardrail. It never contains the text that was found, so it can be journaled and shown: a text
/// that a guardrail stops often must not be stored.
///
/// ```
/// use hitl::model::{Assessment, ContentSource, GuardrailFinding, GuardrailPolicy};
///
/// let finding = GuardrailFinding::blocked(ContentSource::Input, GuardrailPolicy::Topic, "Investment advice");
/// let assessment = Assessment::new(None, "", vec![finding]);
/// assert_eq!(assessment.to_string(), "the guardrail blocked the text: topic `Investment advice` in the request");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[non_exhaustive]
pub struct Assessment {
    /// The id of the guardrail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<String>,
    /// The message that the guardrail returns in place of the model's response.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The findings, as far as the guardrail reports them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<GuardrailFinding>,
}

impl Assessment {
    /// Creates an assessment with these findings.
    pub fn new(
        guardrail: Option<String>,
        message: impl Into<String>,
        findings: Vec<GuardrailFinding>,
    ) -> Self {
        Self { guardrail, message: message.into(), findings }
    }

    /// Returns whether the guardrail masked parts of the text and blocked nothing.
    #[must_use]
    pub fn only_masked(&self) -> bool {
        let masked = self.findings.iter().any(|finding| finding.action == GuardrailAction::Masked);
        masked && self.findings.iter().all(|finding| finding.action != GuardrailAction::Blocked)
    }
}

impl fmt::Display for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.guardrail {
            Some(id) => write!(f, "the guardrail `{id}` blocked the text")?,
            None => f.write_str("the guardrail blocked the text")?,
        }
        let blocked = self.findings.iter().filter(|finding| finding.action == GuardrailAction::Blocked);
        for (at, finding) in blocked.enumerate() {
            write!(f, "{} {finding}", if at == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// A finding of a guardrail.
///
/// ```
/// use hitl::model::{ContentSource, GuardrailAction, GuardrailFinding, GuardrailPolicy};
///
/// let finding = GuardrailFinding::blocked(ContentSource::Output, GuardrailPolicy::Personal, "EMAIL")
///     .with_action(GuardrailAction::Masked);
/// assert_eq!(finding.to_string(), "personal information `EMAIL` in the response");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[non_exhaustive]
pub struct GuardrailFinding {
    /// The source of the text.
    #[serde(rename = "stage")]
    pub source: ContentSource,
    /// The policy that made the finding.
    pub policy: GuardrailPolicy,
    /// The policy's name for it: a topic, or a kind of content or of personal data. Never the text itself.
    pub name: String,
    /// The reaction of the guardrail.
    pub action: GuardrailAction,
}

impl GuardrailFinding {
    /// Creates a finding with [`GuardrailAction::Blocked`].
    pub fn blocked(source: ContentSource, policy: GuardrailPolicy, name: impl Into<String>) -> Self {
        Self { source, policy, name: name.into(), action: GuardrailAction::Blocked }
    }

    /// Sets the reaction of the guardrail.
    #[must_use]
    pub fn with_action(self, action: GuardrailAction) -> Self {
        Self { action, ..self }
    }
}

impl fmt::Display for GuardrailFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = match self.policy {
            GuardrailPolicy::Topic => "topic",
            GuardrailPolicy::Content => "content",
            GuardrailPolicy::Word => "listed word",
            GuardrailPolicy::Personal => "personal information",
            GuardrailPolicy::Grounding => "grounding",
            GuardrailPolicy::Reasoning => "reasoning",
        };
        let direction = match self.source {
            ContentSource::Input => "request",
            ContentSource::Output => "response",
        };
        write!(f, "{policy} `{}` in the {direction}", self.name)
    }
}

/// The reaction of a guardrail to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GuardrailAction {
    /// It blocked the text.
    Blocked,
    /// It passed the text without this part.
    Masked,
    /// It only reported the finding.
    Noted,
}

/// The source of a text that a guardrail checks.
///
/// ```
/// use hitl::model::ContentSource;
///
/// assert_eq!(serde_json::to_string(&ContentSource::Input)?, r#""input""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// Exhaustive by definition: a text goes to the model, or comes from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContentSource {
    /// From the user to the model.
    Input,
    /// From the model to the user.
    #[serde(rename = "answer")]
    Output,
}

/// A policy of a guardrail.
///
/// ```
/// use hitl::model::GuardrailPolicy;
///
/// assert_eq!(serde_json::to_string(&GuardrailPolicy::Personal)?, r#""personal""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GuardrailPolicy {
    /// Topics that are denied.
    Topic,
    /// Harmful content, and prompt attacks.
    Content,
    /// Words of a list.
    Word,
    /// Personal data, and patterns of confidential data.
    Personal,
    /// Contextual grounding: responses that their source does not support, or that are not relevant.
    Grounding,
    /// Automated reasoning, by logical rules.
    Reasoning,
}
