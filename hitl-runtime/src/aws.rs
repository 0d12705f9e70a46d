//! The part that is the same for the clients of all AWS services: their configuration, and the meaning of their errors.

use std::{error::Error as StdError, iter::successors};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The advice for a program that has no credentials.
macro_rules! sign_in {
    () => {
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run the program with a role attached; with \
         SSO, use the output of `aws configure export-credentials`"
    };
}

/// The advice for a program whose credentials are rejected.
macro_rules! sign_in_again {
    () => {
        "sign in again, or wait until those of the role are renewed, and check the system clock"
    };
}

pub(crate) const SIGN_IN: &str = sign_in!();
pub(crate) const SIGN_IN_AGAIN: &str = sign_in_again!();
pub(crate) const NO_CREDENTIALS: &str = concat!("no usable AWS credentials were found; ", sign_in!());
pub(crate) const CREDENTIALS_REJECTED: &str =
    concat!("the AWS credentials were rejected; ", sign_in_again!());

/// Returns the configuration of the environment: region and credentials from the default provider chain of the SDK.
/// `None` if no region is set.
pub(crate) async fn config() -> Option<SdkConfig> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    config.region().is_some().then_some(config)
}

/// Returns the configuration of a client of KMS: an attempt ends after 5 s, and a call after 20 s or 6 attempts.
///
/// # Errors
/// The problem, if no region is set.
#[cfg(feature = "kms")]
pub(crate) async fn kms_config() -> Result<aws_sdk_kms::config::Builder, &'static str> {
    use std::time::Duration;

    use aws_sdk_kms::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};

    let config = config().await.ok_or("no AWS region is set; set AWS_REGION to the region of the key")?;
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(20))
        .build();
    let retries = RetryConfig::standard().with_max_attempts(6);
    Ok(Builder::from(&config).timeout_config(timeouts).retry_config(retries))
}

/// The meaning of an error, if it is the same for every service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No credentials were found.
    NoCredentials,
    /// The credentials have expired or are invalid.
    BadCredentials,
    /// The credentials lack a permission.
    Denied,
    /// Too many requests.
    Throttled,
    /// No response in time.
    TimedOut,
    /// The request could not be sent, or the connection was lost.
    Unreachable,
    /// The response is incomplete or not one of the service.
    BadResponse,
    /// The service itself failed.
    Internal,
    /// Another error of the service: its code says which.
    Other,
}

impl Failure {
    /// Classifies the error of a call.
    pub(crate) fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
        R: std::fmt::Debug + 'static,
    {
        match error {
            SdkError::ServiceError(service) => Self::of_code(service.err().code().unwrap_or_default()),
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::TimedOut,
            SdkError::ResponseError(_) => Self::BadResponse,
            error => Self::of_credentials(error).unwrap_or(Self::Unreachable),
        }
    }

    /// Classifies an error without a response, by the error of the credentials among its causes.
    fn of_credentials(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut causes = successors(Some(error), |error| (*error).source());
        Some(match causes.find_map(|cause| cause.downcast_ref())? {
            CredentialsError::CredentialsNotLoaded(_)
            | CredentialsError::InvalidConfiguration(_)
            | CredentialsError::ProviderTimedOut(_) => Self::NoCredentials,
            _ => Self::BadCredentials,
        })
    }

    /// Classifies the code of a service's error, by the common errors of all services and the codes that differ from
    /// service to service only in their names.
    pub(crate) fn of_code(code: &str) -> Self {
        match code {
            "MissingAuthenticationTokenException" => Self::NoCredentials,
            "ExpiredTokenException"
            | "ExpiredToken"
            | "RequestExpired"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"
            | "IncompleteSignatureException" => Self::BadCredentials,
            "AccessDeniedException" => Self::Denied,
            "ThrottlingException"
            | "ThrottlingError"
            | "TooManyRequestsException"
            | "LimitExceededException"
            | "RequestLimitExceeded"
            | "ProvisionedThroughputExceeded"
            | "ProvisionedThroughputExceededException"
            | "ServiceQuotaExceededException" => Self::Throttled,
            "ModelTimeoutException" => Self::TimedOut,
            "InternalServerError"
            | "DependencyTimeoutException"
            | "KMSInternalException"
            | "KeyUnavailableException"
            | "ServiceUnavailable"
            | "InternalFailure" => Self::Internal,
            _ => Self::Other,
        }
    }
}
