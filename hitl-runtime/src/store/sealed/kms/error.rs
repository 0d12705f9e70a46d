//! Conversion of KMS errors. A message of KMS is passed on only if it names a permission, because others may contain
//! request data.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};

use super::KeyError;

const SIGN_IN: &str = "no usable AWS credentials were found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and \
                       AWS_SECRET_ACCESS_KEY, or run the program with a role attached; with SSO, use the output of \
                       `aws configure export-credentials`";
const SIGN_IN_AGAIN: &str = "the AWS credentials were rejected; sign in again, or wait until those of the role are renewed, \
                             and check the system clock";

/// Converts the error of a call about `key`.
pub(super) fn typed<E, R>(error: &SdkError<E, R>, key: &str) -> KeyError
where
    E: ProvideErrorMetadata + StdError + 'static,
    R: std::fmt::Debug + 'static,
{
    let unavailable =
        |problem: &str| KeyError::Unavailable { key: key.to_owned(), problem: problem.to_owned() };
    match error {
        SdkError::ServiceError(said) => said_by_kms(said.err().code(), said.err().message(), key),
        SdkError::TimeoutError(_) => unavailable("no response in time"),
        SdkError::ResponseError(_) => unavailable("its response was incomplete or not one of KMS"),
        _ if has_no_credentials(error) => KeyError::Unconfigured { problem: SIGN_IN },
        _ => unavailable("it could not be reached; check the network, the region and the endpoint"),
    }
}

fn said_by_kms(code: Option<&str>, message: Option<&str>, key: &str) -> KeyError {
    let key = key.to_owned();
    match code.unwrap_or("no code") {
        "ThrottlingException"
        | "LimitExceededException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => KeyError::Throttled { key },
        "DisabledException" => KeyError::Disabled { key },
        "KMSInvalidStateException" => KeyError::InvalidState { key },
        "AccessDeniedException" => KeyError::Denied { key, problem: denied(message) },
        "NotFoundException" => KeyError::Unknown { key },
        "InvalidKeyUsageException" | "UnsupportedOperationException" => KeyError::Unfit { key },
        "IncorrectKeyException" => KeyError::Untrusted { key },
        "InvalidCiphertextException" => KeyError::Refused,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "RequestExpired"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidClientTokenId"
        | "IncompleteSignatureException" => KeyError::Unconfigured { problem: SIGN_IN_AGAIN },
        "MissingAuthenticationTokenException" => KeyError::Unconfigured { problem: SIGN_IN },
        "DependencyTimeoutException"
        | "KMSInternalException"
        | "KeyUnavailableException"
        | "ServiceUnavailable"
        | "InternalFailure" => KeyError::Unavailable { key, problem: "it had an internal error".into() },
        other => KeyError::BadAnswer { problem: format!("for the key `{key}` it returned {other}") },
    }
}

fn denied(message: Option<&str>) -> String {
    let said = message.map(|message| format!(" (KMS: {message})")).unwrap_or_default();
    format!("its role needs `kms:GenerateDataKey` to encrypt and `kms:Decrypt` to decrypt{said}")
}

fn has_no_credentials(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<CredentialsError>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transient_errors_may_pass() {
        let of = |code| said_by_kms(Some(code), None, "k");
        assert!(of("ThrottlingException").may_pass() && of("KMSInternalException").may_pass());
        for code in ["DisabledException", "AccessDeniedException", "InvalidCiphertextException", "Whatever"] {
            assert!(!of(code).may_pass(), "{code}");
        }
    }

    #[test]
    fn a_message_of_kms_about_a_request_is_not_shown() {
        let error = said_by_kms(Some("ValidationException"), Some("the value `secret` is no …"), "k");
        assert_eq!(
            error.to_string(),
            "the vault's response cannot be used: for the key `k` it returned ValidationException"
        );
    }
}
