//! Guardrail results as values on which a graph can route.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Assessment, ModelError};

/// The result of a call to a model with a guardrail: a value for a field of the state, on which a `match` routes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::{model::{Assessment, Completion, FinishReason, Guarded, ModelResultExt}, testkit::MockModel};
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
/// let assessment = Assessment::new(Some("gr42".into()), "", vec![]);
/// let stopped = Completion::from("We cannot help with this.".to_owned())
///     .with_finish_reason(FinishReason::Intervened(assessment));
/// let mailroom = Mailroom::new(MockModel::new([stopped]), MemoryStore::new());
/// let turn = mailroom.start("letter-1", LetterInput { text: "How do I cheat?".into() }).await?;
/// let MailroomTurn::Done(outcome) = turn else { panic!("{turn}") };
/// assert_eq!(outcome, "for a person: the guardrail `gr42` blocked the text");
/// # Ok(())
/// # }
/// ```
// Exhaustive by definition, so that a graph can route on it without an arm for the unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guarded<T> {
    /// The guardrail passed it, possibly with parts masked.
    Passed(T),
    /// The guardrail stopped it.
    Intervened(Assessment),
}

/// Turns the intervention of a guardrail from an error into a value.
pub trait ModelResultExt<T>: sealed::Sealed {
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

mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for Result<T, super::ModelError> {}
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
