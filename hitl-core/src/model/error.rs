//! The errors of model calls.

use std::{error::Error as StdError, time::Duration};

use serde::Serialize;

use super::Assessment;

type Cause = Box<dyn StdError + Send + Sync>;

/// The reasons why a model call has no usable response. Each message says what to do.
///
/// ```
/// use hitl::model::ModelError;
///
/// let error = ModelError::Throttled { wait: None, source: None };
/// assert_eq!(error.to_string(), "the rate limit of the model is exceeded: retry later, or request a higher quota");
/// assert_eq!((error.code(), error.is_transient()), ("throttled", true));
///
/// let error = ModelError::Declined { reason: "the message names no order".into() };
/// assert_eq!(error.to_string(), "the message names no order");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Rate limit exceeded: too many requests, or too many tokens, in too short a time.
    #[error(
        "the rate limit of the model is exceeded: retry {}, or request a higher quota",
        wait.map_or("later".to_owned(), |wait| format!("in {} s", wait.as_secs_f64().ceil()))
    )]
    Throttled {
        /// The time to wait before a retry, if the service names one.
        wait: Option<Duration>,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// No response in time. The model may have done the work, and it may have to be paid for.
    #[error(
        "the model did not respond{}: retry, request a shorter response, or raise the `timeout`",
        after.map_or(" in time".to_owned(), |after| format!(" within {} s", after.as_secs_f64()))
    )]
    TimedOut {
        /// The timeout that expired, if it was set on this side.
        after: Option<Duration>,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The model's own content filter withheld the response.
    #[error("the model's content filter withheld the response: rephrase the request")]
    Filtered,
    /// A guardrail stopped the request or the response. `hitl::model::ModelResultExt` turns this error
    /// into a value on which a graph can route.
    #[error("{assessment}: rephrase the text, or route on this result with `.guarded()`")]
    Intervened {
        /// The findings of the guardrail.
        assessment: Assessment,
    },
    /// The response is incomplete.
    #[error("the response was cut off after {} characters: {advice}", text.chars().count())]
    CutOff {
        /// The text up to that point.
        text: String,
        /// The advice in the message.
        advice: &'static str,
    },
    /// The service does not have the model, or not in this region or for this account.
    #[error(
        "the service does not offer the model `{model}`: check its id, the region, and the permissions of the account"
    )]
    UnknownModel {
        /// The model that was requested.
        model: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// No credentials were found.
    #[error("no credentials for the model were found: {advice}")]
    NoCredentials {
        /// The advice in the message.
        advice: &'static str,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The credentials have expired or are invalid.
    #[error("the credentials for the model have expired or are invalid: {advice}")]
    BadCredentials {
        /// The advice in the message.
        advice: &'static str,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The credentials are valid but lack a permission or a quota.
    #[error("access to the model is denied: {problem}")]
    Denied {
        /// The permission that is missing, and the advice.
        problem: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The configuration is incomplete or invalid, so no request was sent.
    #[error("the model is not configured: {problem}")]
    Unconfigured {
        /// The setting that is missing or invalid, and the advice.
        problem: String,
    },
    /// The service rejects the request as invalid. A retry of the same request fails again.
    #[error("the model's service rejected this request: {problem}")]
    InvalidRequest {
        /// The defect of the request.
        problem: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// No response because of the network or a fault of the service.
    #[error("the model call has no usable response: {problem}")]
    Unavailable {
        /// The event, and the advice.
        problem: String,
        /// The cause.
        #[source]
        source: Option<Cause>,
    },
    /// The model declines to answer.
    #[error("{reason}")]
    Declined {
        /// The reason that the model gives.
        reason: String,
    },
    /// No attempt matched the response schema.
    #[error(
        "no response matched `{schema}` in {} attempt{}; the last one: {}",
        attempts.len(),
        if attempts.len() == 1 { "" } else { "s" },
        attempts.last().map_or("none", |attempt| attempt.problem.as_str())
    )]
    SchemaMismatch {
        /// The name of the type.
        schema: String,
        /// Every attempt, in order.
        attempts: Vec<Attempt>,
    },
    /// A mock has no response for the request: a `MockModel` or a `Replay` of `hitl-testkit`.
    #[error("the mock has no response for this request: {problem}")]
    Unscripted {
        /// The request, and the advice.
        problem: String,
    },
}

impl ModelError {
    /// Returns a stable error code for programs. It does not change when the message does.
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
            Self::InvalidRequest { .. } => "refused",
            Self::Unavailable { .. } => "unavailable",
            Self::Declined { .. } => "declined",
            Self::SchemaMismatch { .. } => "misfit",
            Self::Unscripted { .. } => "unscripted",
        }
    }

    /// Returns whether a retry of the same request may succeed shortly.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::TimedOut { .. } | Self::Unavailable { .. })
    }
}

/// A response that did not match the response schema.
///
/// ```
/// use hitl::model::{Attempt, ModelError};
///
/// let attempt = Attempt::new(r#"{"dollars": 900}"#, "dollars: greater than 500");
/// let error = ModelError::SchemaMismatch { schema: "Refund".into(), attempts: vec![attempt] };
/// assert_eq!(error.to_string(), "no response matched `Refund` in 1 attempt; the last one: dollars: greater than 500");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Attempt {
    /// The text of the response.
    #[serde(rename = "answer")]
    pub response: String,
    /// The first mismatch, or every violated invariant.
    pub problem: String,
}

impl Attempt {
    /// Creates the record of a response that did not match.
    pub fn new(response: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { response: response.into(), problem: problem.into() }
    }
}
