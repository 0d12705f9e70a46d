//! Why there is no answer.

use std::{error::Error as StdError, time::Duration};

use serde::Serialize;

use super::Assessment;

type Cause = Box<dyn StdError + Send + Sync>;

/// Why there is no answer. Each says what to do.
///
/// ```
/// use hitl::model::ModelError;
///
/// let error = ModelError::Throttled { wait: None, source: None };
/// assert_eq!(error.to_string(), "the model takes no more requests for now: try again later, or ask for a higher quota");
/// assert_eq!((error.code(), error.is_transient()), ("throttled", true));
///
/// let error = ModelError::Declined { reason: "the message names no order".into() };
/// assert_eq!(error.to_string(), "the message names no order");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Too many requests, or too many tokens, in too short a time.
    #[error(
        "the model takes no more requests for now: try again {}, or ask for a higher quota",
        wait.map_or("later".to_owned(), |wait| format!("in {} s", wait.as_secs_f64().ceil()))
    )]
    Throttled {
        /// How long to wait, where the service says so.
        wait: Option<Duration>,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// No answer in time. Whether the model was at work, and has to be paid, nobody knows.
    #[error(
        "the model gave no answer{}: try again, ask for less, or give it longer with `timeout`",
        after.map_or(" in time".to_owned(), |after| format!(" within {} s", after.as_secs_f64()))
    )]
    TimedOut {
        /// How long it was waited for, where it was us who waited.
        after: Option<Duration>,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The model's own filter kept the answer back.
    #[error("the model's own content filter kept the answer back: put the request in other words")]
    Filtered,
    /// A guardrail stopped the request or its answer. [`OrGuarded`](super::OrGuarded) makes a value of it, on which a
    /// graph can route.
    #[error("{assessment}: put it in other words, or route on it with `.guarded()`")]
    Intervened {
        /// What the guardrail found.
        assessment: Assessment,
    },
    /// The answer broke off.
    #[error("the answer was cut off after {} characters: {advice}", text.chars().count())]
    CutOff {
        /// What was said until then.
        text: String,
        /// What to do.
        advice: &'static str,
    },
    /// The service has no such model, or not here.
    #[error("there is no model `{model}` here: check its id, the region, and that the account may use it")]
    UnknownModel {
        /// What was asked for.
        model: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// Nothing to sign in with was found.
    #[error("there are no credentials for the model: {advice}")]
    NoCredentials {
        /// What to do.
        advice: &'static str,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// What it signed in with is no longer valid, or never was.
    #[error("the credentials for the model are expired or wrong: {advice}")]
    BadCredentials {
        /// What to do.
        advice: &'static str,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// Known, and not allowed.
    #[error("the model may not be used: {problem}")]
    Denied {
        /// What is not allowed, and what to do.
        problem: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The program was not told enough, or something wrong, to reach a model at all.
    #[error("the model is not set up: {problem}")]
    Unconfigured {
        /// What is missing or wrong, and what to do.
        problem: String,
    },
    /// The service does not take the request as it is; the same again would end the same.
    #[error("the model's service does not take this request: {problem}")]
    Refused {
        /// What is wrong with it.
        problem: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// No answer came: the network, or a fault of the service.
    #[error("the model gave no answer: {problem}")]
    Unavailable {
        /// What happened and what to do.
        problem: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The model will not, or cannot, answer this.
    #[error("{reason}")]
    Declined {
        /// What it said.
        reason: String,
    },
    /// No answer had the form that was asked for.
    #[error(
        "no answer fits `{form}` after {} attempts; the last: {}",
        attempts.len(),
        attempts.last().map_or("none", |attempt| attempt.problem.as_str())
    )]
    Misfit {
        /// The type that was asked for.
        form: String,
        /// Every answer, and what was wrong with it.
        attempts: Vec<Attempt>,
    },
    /// A [`Script`](super::Script) has nothing to say to this.
    #[error("nothing in the script answers this: {problem}")]
    Unscripted {
        /// What was asked, and what to do.
        problem: String,
    },
}

impl ModelError {
    /// A word that programs can hold on to: it stays when the sentence changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "throttled",
            Self::TimedOut { .. } => "timed_out",
            Self::Filtered => "content_filtered",
            Self::Intervened { .. } => "guardrail_intervened",
            Self::CutOff { .. } => "cut_off",
            Self::UnknownModel { .. } => "unknown_model",
            Self::NoCredentials { .. } => "no_credentials",
            Self::BadCredentials { .. } => "bad_credentials",
            Self::Denied { .. } => "denied",
            Self::Unconfigured { .. } => "unconfigured",
            Self::Refused { .. } => "refused",
            Self::Unavailable { .. } => "unavailable",
            Self::Declined { .. } => "declined",
            Self::Misfit { .. } => "misfit",
            Self::Unscripted { .. } => "unscripted",
        }
    }

    /// Whether the same request may fare better in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::TimedOut { .. } | Self::Unavailable { .. })
    }
}

/// An answer that did not fit.
///
/// ```
/// use hitl::model::{Attempt, ModelError};
///
/// let attempt = Attempt { answer: r#"{"dollars": 900}"#.into(), problem: "dollars: greater than 500".into() };
/// let error = ModelError::Misfit { form: "Refund".into(), attempts: vec![attempt] };
/// assert_eq!(error.to_string(), "no answer fits `Refund` after 1 attempts; the last: dollars: greater than 500");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// What the model said.
    pub answer: String,
    /// What was wrong with it.
    pub problem: String,
}
