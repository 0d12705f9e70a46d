//! What a guardrail found, as a value that a graph can route on.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ModelError;

/// What came of asking a model that a guardrail watches: a value for a field of the state, on which a `match` routes.
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
/// assert_eq!(outcome, "for a person: the guardrail `gr42` stopped it");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guarded<T> {
    /// The guardrail let it through, perhaps with parts masked.
    Passed(T),
    /// The guardrail stopped it.
    Intervened(Assessment),
}

/// Makes a value of a guardrail's intervention, so that a graph can route on it.
pub trait OrGuarded<T> {
    /// [`Guarded::Passed`] for a success, [`Guarded::Intervened`] for [`ModelError::Intervened`].
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

/// What a guardrail found. It never holds the text that was found, so that it can be journaled and shown: what a
/// guardrail stops is often what should be kept nowhere.
///
/// ```
/// use hitl::model::{Assessment, Finding, Policy, Stage};
///
/// let mut assessment = Assessment::default();
/// assessment.findings.push(Finding::blocked(Stage::Input, Policy::Topic, "Investment advice"));
/// assert_eq!(assessment.to_string(), "the guardrail stopped it: topic `Investment advice` in the request");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Assessment {
    /// Which guardrail: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<String>,
    /// What it answers in the model's place.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What it found, as far as it says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl Assessment {
    /// Whether all that was done is to mask some of the text.
    #[must_use]
    pub fn only_masked(&self) -> bool {
        let masked = self.findings.iter().any(|finding| finding.action == Action::Masked);
        masked && self.findings.iter().all(|finding| finding.action != Action::Blocked)
    }
}

impl fmt::Display for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.guardrail {
            Some(id) => write!(f, "the guardrail `{id}` stopped it")?,
            None => f.write_str("the guardrail stopped it")?,
        }
        let blocked = self.findings.iter().filter(|finding| finding.action == Action::Blocked);
        for (at, finding) in blocked.enumerate() {
            write!(f, "{} {finding}", if at == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// One thing that a guardrail found.
///
/// ```
/// use hitl::model::{Action, Finding, Policy, Stage};
///
/// let finding = Finding { action: Action::Masked, ..Finding::blocked(Stage::Answer, Policy::Personal, "EMAIL") };
/// assert_eq!(finding.to_string(), "personal information `EMAIL` in the answer");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Where it was found.
    pub stage: Stage,
    /// Which of the guardrail's policies found it.
    pub policy: Policy,
    /// The policy's name for it: a topic, a kind of content or of personal data. Never the text itself.
    pub name: String,
    /// What was done about it.
    pub action: Action,
}

impl Finding {
    /// A finding for which something was stopped.
    pub fn blocked(stage: Stage, policy: Policy, name: impl Into<String>) -> Self {
        Self { stage, policy, name: name.into(), action: Action::Blocked }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = match self.policy {
            Policy::Topic => "topic",
            Policy::Content => "content",
            Policy::Word => "word of the list",
            Policy::Personal => "personal information",
            Policy::Grounding => "grounding",
            Policy::Reasoning => "reasoning",
        };
        let stage = match self.stage {
            Stage::Input => "request",
            Stage::Answer => "answer",
        };
        write!(f, "{policy} `{}` in the {stage}", self.name)
    }
}

/// What a guardrail did about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It stopped the text.
    Blocked,
    /// It let the text through without this part.
    Masked,
    /// It only took note.
    Noted,
}

/// Which way a text goes that a guardrail reads.
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
    /// To the model.
    Input,
    /// From the model.
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
    /// Topics that are not spoken of.
    Topic,
    /// Harmful content, and attacks on the prompt.
    Content,
    /// A list of words.
    Word,
    /// Personal data, and patterns that are kept secret.
    Personal,
    /// Whether the answer is founded on its source.
    Grounding,
    /// Rules of logic.
    Reasoning,
}
