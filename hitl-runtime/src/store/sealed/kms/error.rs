//! Conversion of KMS errors. A message of KMS is passed on only if it names a permission, because others may contain
//! request data.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};

use super::KeyError;

const SIGN_IN: &str = "there are none that it can use; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
                       or run it where a role is attached; of SSO, `aws configure export-credentials` gives them";
const SIGN_IN_AGAIN: &str =
    "they are refused; sign in again, or wait until the role's are renewed, and see that the clock is right";

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
        SdkError::TimeoutError(_) => unavailable("no answer came in time"),
        SdkError::ResponseError(_) => unavailable("its answer broke off, or is none of KMS's"),
        _ if has_no_credentials(error) => KeyError::Unconfigured { problem: SIGN_IN },
        _ => unavailable("it was not reached; check the network, the region and the endpoint"),
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
        | "InternalFailure" => KeyError::Unavailable { key, problem: "it has failed itself".into() },
        other => KeyError::BadAnswer { problem: format!("for `{key}` it says {other}") },
    }
}

fn denied(message: Option<&str>) -> String {
    let said = message.map(|message| format!(" (KMS says: {message})")).unwrap_or_default();
    format!("its role needs `kms:GenerateDataKey` to write and `kms:Decrypt` to read{said}")
}

fn has_no_credentials(error: &(dyn StdError + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<CredentialsError>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_by_itself_may_pass() {
        let of = |code| said_by_kms(Some(code), None, "k");
        assert!(of("ThrottlingException").may_pass() && of("KMSInternalException").may_pass());
        for code in ["DisabledException", "AccessDeniedException", "InvalidCiphertextException", "Whatever"] {
            assert!(!of(code).may_pass(), "{code}");
        }
    }

    #[test]
    fn what_kms_says_of_a_request_is_not_passed_on() {
        let error = said_by_kms(Some("ValidationException"), Some("the value `secret` is no …"), "k");
        assert_eq!(
            error.to_string(),
            "the vault's answer cannot be used: for `k` it says ValidationException"
        );
    }
}
