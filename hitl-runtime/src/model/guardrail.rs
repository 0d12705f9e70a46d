//! Guardrail results as values on which a graph can route.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ModelError;

/// The result of a call to a model with a guardrail: a value for a field of the state, on which a `match` routes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::model::{Assessment, Completion, FinishReason, Guarded, MockModel, ModelResultExt};
/// use hitl::prelude::*;
///
/// #[state]
/// struct Letter {
///     #[input]
///     text: String,
///     reading: Guarded<String>,
///     #[output]
///     outcome: String,
/// }
///
/// #[node(Letter, writes = reading)]
/// async fn read(text: &str, model: Deps<MockModel>) -> Result<Guarded<String>> {
///     // Every other error is still one.
///     Ok(model.text(text).await.guarded()?)
/// }
///
/// #[node(Letter, writes = outcome)]
/// async fn file(reading: &Guarded<String>) -> Result<String> {
///     Ok(format!("filed: {reading:?}"))
/// }
///
/// #[node(Letter, writes = outcome)]
/// async fn answer_by_hand(reading: &Guarded<String>) -> Result<String> {
///     Ok(match reading {
///         Guarded::Intervened(assessment) => format!("for a person: {assessment}"),
///         Guarded::Passed(text) => text.clone(),
///     })
/// }
///
/// graph! {
///     Mailroom<Letter, MockModel> {
///         start -> read -> match reading {
///             Guarded::Passed(_) => file -> end,
///             Guarded::Intervened(_) => answer_by_hand -> end,
///         };
///     }
/// }
///
/// // A guardrail's message is for the customer, its assessment for you.
/// let mut assessment = Assessment::default();
/// assessment.guardrail = Some("gr42".into());
/// let stopped = Completion::from("We cannot help with this.".to_owned())
///     .with_finish_reason(FinishReason::Intervened(assessment));
/// let mailroom = Mailroom::new(MockModel::new([stopped]), MemoryStore::new());
/// let turn = mailroom.start("letter-1", LetterInput { text: "How do I cheat?".into() }).await?;
/// let MailroomTurn::Done(outcome) = turn else { panic!("{turn}") };
/// assert_eq!(outcome, "for a person: the guardrail `gr42` blocked the text");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guarded<T> {
    /// The guardrail passed it, possibly with parts masked.
    Passed(T),
    /// The guardrail stopped it.
    Intervened(Assessment),
}

/// Turns the intervention of a guardrail from an error into a value.
pub trait ModelResultExt<T> {
    /// Returns [`Guarded::Passed`] for a success and [`Guarded::Intervened`] for [`ModelError::Intervened`].
    ///
    /// # Errors
    /// Every other [`ModelError`].
    ///
    /// ```
    /// use hitl::model::{Guarded, ModelError, ModelResultExt};
    ///
    /// let result: Result<u32, ModelError> = Err(ModelError::Intervened { assessment: Default::default() });
    /// assert!(matches!(result.guarded(), Ok(Guarded::Intervened(_))));
    /// ```
    fn guarded(self) -> Result<Guarded<T>, ModelError>;
}

impl<T> ModelResultExt<T> for Result<T, ModelError> {
    fn guarded(self) -> Result<Guarded<T>, ModelError> {
        match self {
            Ok(value) => Ok(Guarded::Passed(value)),
            Err(ModelError::Intervened { assessment }) => Ok(Guarded::Intervened(assessment)),
            Err(error) => Err(error),
        }
    }
}

/// The assessment of a guardrail. It never contains the text that was found, so it can be journaled and shown: a text
/// that a guardrail stops often must not be stored.
///
/// ```
/// use hitl::model::{Assessment, ContentSource, GuardrailFinding, GuardrailPolicy};
///
/// let mut assessment = Assessment::default();
/// let finding = GuardrailFinding::blocked(ContentSource::Input, GuardrailPolicy::Topic, "Investment advice");
/// assessment.findings.push(finding);
/// assert_eq!(assessment.to_string(), "the guardrail blocked the text: topic `Investment advice` in the request");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
/// let mut finding = GuardrailFinding::blocked(ContentSource::Output, GuardrailPolicy::Personal, "EMAIL");
/// finding.action = GuardrailAction::Masked;
/// assert_eq!(finding.to_string(), "personal information `EMAIL` in the response");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
