//! Conversion of Bedrock's errors into [`ModelError`].

use std::{error::Error as StdError, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_bedrockruntime::{
    error::{ProvideErrorMetadata, SdkError},
    types::error::ConverseStreamOutputError as Midstream,
};

use super::Bedrock;
use crate::model::ModelError;

const SIGN_IN: &str = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run the program with a role \
                       attached; with SSO, use the output of `aws configure export-credentials`";
const SIGN_IN_AGAIN: &str =
    "sign in again, or wait until those of the role are renewed; check the system clock";

/// Converts an error of a call. `about` is the id of the model or of the guardrail.
pub(super) fn from_sdk_error<E, R>(error: SdkError<E, R>, about: &str, timeout: Duration) -> ModelError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let service = error
        .as_service_error()
        .map(|service| ServiceError::new(service, service.code().unwrap_or_default()));
    match (service, &error) {
        (Some(service), _) => service.into_model_error(about, error.into()),
        (None, SdkError::TimeoutError(_)) => timed_out(timeout, error.into()),
        (None, SdkError::DispatchFailure(failure)) if failure.is_timeout() => {
            timed_out(timeout, error.into())
        }
        (None, _) => from_connection_error(error.into()),
    }
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
        match self.code.as_str() {
            "ThrottlingException" | "TooManyRequestsException" | "ServiceQuotaExceededException" => {
                ModelError::Throttled { wait: None, source }
            }
            "ModelTimeoutException" => ModelError::TimedOut { after: None, source },
            "ModelNotReadyException" => ModelError::Unavailable {
                problem: format!("{message}; the model is being prepared, retry in a minute"),
                source,
            },
            "ExpiredTokenException"
            | "ExpiredToken"
            | "RequestExpired"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"
            | "IncompleteSignatureException" => ModelError::BadCredentials { advice: SIGN_IN_AGAIN, source },
            "MissingAuthenticationTokenException" => ModelError::NoCredentials { advice: SIGN_IN, source },
            "AccessDeniedException" => ModelError::Denied {
                problem: format!(
                    "{message}; the role needs `bedrock:InvokeModel`, for streams \
                     `bedrock:InvokeModelWithResponseStream`, and with a guardrail `bedrock:ApplyGuardrail`"
                ),
                source,
            },
            "ResourceNotFoundException" if is_about_guardrail(&message) => {
                ModelError::InvalidRequest { problem: message, source }
            }
            "ResourceNotFoundException" => ModelError::UnknownModel { model: about.to_owned(), source },
            "ValidationException" if message.contains("model identifier is invalid") => {
                ModelError::UnknownModel { model: about.to_owned(), source }
            }
            "ValidationException" => ModelError::InvalidRequest { problem: message, source },
            _ => ModelError::Unavailable { problem: format!("{message}; retry"), source },
        }
    }
}

fn is_about_guardrail(message: &str) -> bool {
    message.to_ascii_lowercase().contains("guardrail")
}

fn timed_out(after: Duration, cause: Box<dyn StdError + Send + Sync>) -> ModelError {
    ModelError::TimedOut { after: Some(after), source: Some(cause) }
}

/// Converts an error of sending the request or of reading the response.
fn from_connection_error(cause: Box<dyn StdError + Send + Sync>) -> ModelError {
    let mut inner: Option<&(dyn StdError + 'static)> = Some(cause.as_ref());
    while let Some(error) = inner {
        match error.downcast_ref::<CredentialsError>() {
            Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)) => {
                return ModelError::NoCredentials { advice: SIGN_IN, source: Some(cause) };
            }
            Some(_) => return ModelError::BadCredentials { advice: SIGN_IN_AGAIN, source: Some(cause) },
            None => inner = error.source(),
        }
    }
    ModelError::Unavailable {
        problem: "Bedrock could not be reached, or sent an invalid response; check the network, the region and the endpoint"
            .into(),
        source: Some(cause),
    }
}
