//! Conversion of Bedrock's errors into [`ModelError`].

use std::{error::Error as StdError, time::Duration};

use aws_sdk_bedrockruntime::{
    error::{ProvideErrorMetadata, SdkError},
    types::error::ConverseStreamOutputError as Midstream,
};

use super::Bedrock;
use crate::{
    aws::{Failure, SIGN_IN, SIGN_IN_AGAIN},
    model::ModelError,
};

/// Converts an error of a call. `about` is the id of the model or of the guardrail.
pub(super) fn from_sdk_error<E, R>(error: SdkError<E, R>, about: &str, timeout: Duration) -> ModelError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let failure = Failure::of(&error);
    let service = error
        .as_service_error()
        .map(|service| ServiceError::new(service, service.code().unwrap_or_default()));
    let Some(service) = service else { return without_response(failure, timeout, error.into()) };
    service.into_model_error(about, error.into())
}

/// Converts an error in the middle of a stream. The frame names the error; its body need not.
pub(super) fn midstream<R>(error: SdkError<Midstream, R>, model: &Bedrock) -> ModelError
where
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let Some(service) = error.as_service_error() else {
        return from_sdk_error(error, &model.model, model.connection.timeout);
    };
    let code = match service {
        Midstream::ThrottlingException(_) => "ThrottlingException",
        Midstream::ValidationException(_) => "ValidationException",
        Midstream::ModelStreamErrorException(_) => "ModelStreamErrorException",
        Midstream::InternalServerException(_) => "InternalServerException",
        Midstream::ServiceUnavailableException(_) => "ServiceUnavailableException",
        other => other.code().unwrap_or_default(),
    };
    ServiceError::new(service, code).into_model_error(&model.model, error.into())
}

/// Code and message of a service error, copied before the error itself becomes the cause.
struct ServiceError {
    code: String,
    message: String,
}

impl ServiceError {
    fn new(error: &impl ProvideErrorMetadata, code: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: error.message().unwrap_or("the service gave no message").to_owned(),
        }
    }

    fn into_model_error(self, about: &str, cause: Box<dyn StdError + Send + Sync>) -> ModelError {
        let source = Some(cause);
        let message = self.message;
        match (Failure::of_code(&self.code), self.code.as_str()) {
            (Failure::Throttled, _) => ModelError::Throttled { wait: None, source },
            (Failure::TimedOut, _) => ModelError::TimedOut { after: None, source },
            (Failure::BadCredentials, _) => ModelError::BadCredentials { advice: SIGN_IN_AGAIN, source },
            (Failure::NoCredentials, _) => ModelError::NoCredentials { advice: SIGN_IN, source },
            (Failure::Denied, _) => ModelError::Denied {
                problem: format!(
                    "{message}; the role needs `bedrock:InvokeModel`, for streams \
                     `bedrock:InvokeModelWithResponseStream`, and with a guardrail `bedrock:ApplyGuardrail`"
                ),
                source,
            },
            (_, "ModelNotReadyException") => ModelError::Unavailable {
                problem: format!("{message}; the model is being prepared, retry in a minute"),
                source,
            },
            (_, "ResourceNotFoundException") if is_about_guardrail(&message) => {
                ModelError::InvalidRequest { problem: message, source }
            }
            (_, "ResourceNotFoundException") => ModelError::UnknownModel { model: about.to_owned(), source },
            (_, "ValidationException") if message.contains("model identifier is invalid") => {
                ModelError::UnknownModel { model: about.to_owned(), source }
            }
            (_, "ValidationException") => ModelError::InvalidRequest { problem: message, source },
            _ => ModelError::Unavailable { problem: format!("{message}; retry"), source },
        }
    }
}

fn is_about_guardrail(message: &str) -> bool {
    message.to_ascii_lowercase().contains("guardrail")
}

/// Converts an error of sending the request or of reading the response.
fn without_response(
    failure: Failure,
    timeout: Duration,
    cause: Box<dyn StdError + Send + Sync>,
) -> ModelError {
    let source = Some(cause);
    match failure {
        Failure::TimedOut => ModelError::TimedOut { after: Some(timeout), source },
        Failure::NoCredentials => ModelError::NoCredentials { advice: SIGN_IN, source },
        Failure::BadCredentials => ModelError::BadCredentials { advice: SIGN_IN_AGAIN, source },
        _ => ModelError::Unavailable {
            problem: "Bedrock could not be reached, or sent an invalid response; check the network, the region and the \
                      endpoint"
                .into(),
            source,
        },
    }
}
