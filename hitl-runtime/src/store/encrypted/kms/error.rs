//! Conversion of KMS errors. A message of KMS is passed on only if it names a permission, because others may contain
//! request data.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};

use super::KeyError;

const NO_CREDENTIALS: &str = "no usable AWS credentials were found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
                       AWS_SECRET_ACCESS_KEY, or run the program with a role attached; with SSO, use the output of \
                       `aws configure export-credentials`";
const CREDENTIALS_REJECTED: &str = "the AWS credentials were rejected; sign in again, or wait until those of the role are renewed, \
                             and check the system clock";

/// Converts the error of a call about `key`.
pub(super) fn convert<E, R>(error: &SdkError<E, R>, key: &str) -> KeyError
where
    E: ProvideErrorMetadata + StdError + 'static,
    R: std::fmt::Debug + 'static,
{
    let unavailable =
        |problem: &str| KeyError::Unavailable { key: key.to_owned(), problem: problem.to_owned() };
    match error {
        SdkError::ServiceError(error) => from_code(error.err().code(), error.err().message(), key),
        SdkError::TimeoutError(_) => unavailable("no response in time"),
        SdkError::ResponseError(_) => unavailable("its response was incomplete or not one of KMS"),
        _ if has_no_credentials(error) => KeyError::Unconfigured { problem: NO_CREDENTIALS },
        _ => unavailable("it could not be reached; check the network, the region and the endpoint"),
    }
}

fn from_code(code: Option<&str>, message: Option<&str>, key: &str) -> KeyError {
    let key = key.to_owned();
    match code.unwrap_or("no code") {
        "ThrottlingException"
        | "LimitExceededException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => KeyError::Throttled { key },
        "DisabledException" => KeyError::Disabled { key },
        "KMSInvalidStateException" => KeyError::InvalidState { key },
        "AccessDeniedException" => KeyError::Denied { key, problem: access_denied(message) },
        "NotFoundException" => KeyError::NotFound { key },
        "InvalidKeyUsageException" | "UnsupportedOperationException" => KeyError::WrongKeyType { key },
        "IncorrectKeyException" => KeyError::Untrusted { key },
        "InvalidCiphertextException" => KeyError::InvalidWrappedKey,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "RequestExpired"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidClientTokenId"
        | "IncompleteSignatureException" => KeyError::Unconfigured { problem: CREDENTIALS_REJECTED },
        "MissingAuthenticationTokenException" => KeyError::Unconfigured { problem: NO_CREDENTIALS },
        "DependencyTimeoutException"
        | "KMSInternalException"
        | "KeyUnavailableException"
        | "ServiceUnavailable"
        | "InternalFailure" => KeyError::Unavailable { key, problem: "it had an internal error".into() },
        other => KeyError::InvalidResponse { problem: format!("for the key `{key}` it returned {other}") },
    }
}

fn access_denied(message: Option<&str>) -> String {
    let detail = message.map(|message| format!(" (KMS: {message})")).unwrap_or_default();
    format!("its role needs `kms:GenerateDataKey` to encrypt and `kms:Decrypt` to decrypt{detail}")
}

fn has_no_credentials(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<CredentialsError>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transient_errors_are_retryable() {
        let of = |code| from_code(Some(code), None, "k");
        assert!(of("ThrottlingException").is_transient() && of("KMSInternalException").is_transient());
        for code in ["DisabledException", "AccessDeniedException", "InvalidCiphertextException", "Whatever"] {
            assert!(!of(code).is_transient(), "{code}");
        }
    }

    #[test]
    fn a_kms_message_about_a_request_is_not_displayed() {
        let error = from_code(Some("ValidationException"), Some("the value `secret` is no …"), "k");
        assert_eq!(
            error.to_string(),
            "the vault's response cannot be used: for the key `k` it returned ValidationException"
        );
    }
}
