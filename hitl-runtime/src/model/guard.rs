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
/// use hitl::model::{Answer, Assessment, Guarded, OrGuarded, Script, Stop};
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
/// async fn read(text: &str, model: Deps<Script>) -> Result<Guarded<String>> {
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
///     Mailroom<Letter, Script> {
///         start -> read -> match reading {
///             Guarded::Passed(_) => file -> end,
///             Guarded::Intervened(_) => answer_by_hand -> end,
///         };
///     }
/// }
///
/// // A guardrail's answer is for the customer, its assessment for you.
/// let mut assessment = Assessment::default();
/// assessment.guardrail = Some("gr42".into());
/// let stopped = Answer::from("We cannot help with this.".to_owned()).stopped(Stop::Intervened(assessment));
/// let mailroom = Mailroom::new(Script::new([stopped]), MemoryStore::new());
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
pub trait OrGuarded<T> {
    /// Returns [`Guarded::Passed`] for a success and [`Guarded::Intervened`] for [`ModelError::Intervened`].
    ///
    /// # Errors
    /// Every other [`ModelError`].
    ///
    /// ```
    /// use hitl::model::{Guarded, ModelError, OrGuarded};
    ///
    /// let answer: Result<u32, ModelError> = Err(ModelError::Intervened { assessment: Default::default() });
    /// assert!(matches!(answer.guarded(), Ok(Guarded::Intervened(_))));
    /// ```
    fn guarded(self) -> Result<Guarded<T>, ModelError>;
}

impl<T> OrGuarded<T> for Result<T, ModelError> {
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
/// use hitl::model::{Assessment, Finding, Policy, Stage};
///
/// let mut assessment = Assessment::default();
/// assessment.findings.push(Finding::blocked(Stage::Input, Policy::Topic, "Investment advice"));
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
    pub findings: Vec<Finding>,
}

impl Assessment {
    /// Returns whether the guardrail masked parts of the text and blocked nothing.
    #[must_use]
    pub fn only_masked(&self) -> bool {
        let masked = self.findings.iter().any(|finding| finding.action == Action::Masked);
        masked && self.findings.iter().all(|finding| finding.action != Action::Blocked)
    }
}

impl fmt::Display for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.guardrail {
            Some(id) => write!(f, "the guardrail `{id}` blocked the text")?,
            None => f.write_str("the guardrail blocked the text")?,
        }
        let blocked = self.findings.iter().filter(|finding| finding.action == Action::Blocked);
        for (at, finding) in blocked.enumerate() {
            write!(f, "{} {finding}", if at == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// A finding of a guardrail.
///
/// ```
/// use hitl::model::{Action, Finding, Policy, Stage};
///
/// let finding = Finding { action: Action::Masked, ..Finding::blocked(Stage::Answer, Policy::Personal, "EMAIL") };
/// assert_eq!(finding.to_string(), "personal information `EMAIL` in the response");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The direction of the text.
    pub stage: Stage,
    /// The policy that made the finding.
    pub policy: Policy,
    /// The policy's name for it: a topic, or a kind of content or of personal data. Never the text itself.
    pub name: String,
    /// The reaction of the guardrail.
    pub action: Action,
}

impl Finding {
    /// Creates a finding with [`Action::Blocked`].
    pub fn blocked(stage: Stage, policy: Policy, name: impl Into<String>) -> Self {
        Self { stage, policy, name: name.into(), action: Action::Blocked }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = match self.policy {
            Policy::Topic => "topic",
            Policy::Content => "content",
            Policy::Word => "listed word",
            Policy::Personal => "personal information",
            Policy::Grounding => "grounding",
            Policy::Reasoning => "reasoning",
        };
        let stage = match self.stage {
            Stage::Input => "request",
            Stage::Answer => "response",
        };
        write!(f, "{policy} `{}` in the {stage}", self.name)
    }
}

/// The reaction of a guardrail to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It blocked the text.
    Blocked,
    /// It passed the text without this part.
    Masked,
    /// It only reported the finding.
    Noted,
}

/// The direction of a text that a guardrail checks.
///
/// ```
/// use hitl::model::Stage;
///
/// assert_eq!(serde_json::to_string(&Stage::Input)?, r#""input""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// From the user to the model.
    Input,
    /// From the model to the user.
    Answer,
}

/// A policy of a guardrail.
///
/// ```
/// use hitl::model::Policy;
///
/// assert_eq!(serde_json::to_string(&Policy::Personal)?, r#""personal""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Policy {
    /// Topics that are denied.
    Topic,
    /// Harmful content, and prompt attacks.
    Content,
    /// Words of a list.
    Word,
    /// Personal data, and patterns of confidential data.
    Personal,
    /// Contextual grounding: answers that their source does not support, or that are not relevant.
    Grounding,
    /// Automated reasoning, by logical rules.
    Reasoning,
}
