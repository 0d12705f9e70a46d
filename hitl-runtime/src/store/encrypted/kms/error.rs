//! Conversion of KMS errors. A message of KMS is passed on only if it names a permission, because others may contain
//! request data.

use std::error::Error as StdError;

use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};

use super::KeyError;
use crate::aws::{CREDENTIALS_REJECTED, Failure, NO_CREDENTIALS};

/// Converts the error of a call about `key`.
pub(super) fn convert<E, R>(error: &SdkError<E, R>, key: &str) -> KeyError
where
    E: ProvideErrorMetadata + StdError + 'static,
    R: std::fmt::Debug + 'static,
{
    let service = error.as_service_error();
    let (code, message) = (service.and_then(|error| error.code()), service.and_then(|error| error.message()));
    from_failure(Failure::of(error), code, message, key)
}

fn from_failure(failure: Failure, code: Option<&str>, message: Option<&str>, key: &str) -> KeyError {
    let key = key.to_owned();
    let unavailable = |problem: &str| KeyError::Unavailable { key: key.clone(), problem: problem.to_owned() };
    match failure {
        Failure::NoCredentials => KeyError::Unconfigured { problem: NO_CREDENTIALS },
        Failure::BadCredentials => KeyError::Unconfigured { problem: CREDENTIALS_REJECTED },
        Failure::Denied => KeyError::Denied { key, problem: access_denied(message) },
        Failure::Throttled => KeyError::Throttled { key },
        Failure::TimedOut => unavailable("no response in time"),
        Failure::Unreachable => {
            unavailable("it could not be reached; check the network, the region and the endpoint")
        }
        Failure::BadResponse => unavailable("its response was incomplete or not one of KMS"),
        Failure::Internal => unavailable("it had an internal error"),
        Failure::Other => match code.unwrap_or("no code") {
            "DisabledException" => KeyError::Disabled { key },
            "KMSInvalidStateException" => KeyError::InvalidState { key },
            "NotFoundException" => KeyError::NotFound { key },
            "InvalidKeyUsageException" | "UnsupportedOperationException" => KeyError::WrongKeyType { key },
            "IncorrectKeyException" => KeyError::Untrusted { key },
            "InvalidCiphertextException" => KeyError::InvalidWrappedKey,
            other => {
                KeyError::InvalidResponse { problem: format!("for the key `{key}` it returned {other}") }
            }
        },
    }
}

fn access_denied(message: Option<&str>) -> String {
    let detail = message.map(|message| format!(" (KMS: {message})")).unwrap_or_default();
    format!("its role needs `kms:GenerateDataKey` to encrypt and `kms:Decrypt` to decrypt{detail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transient_errors_are_retryable() {
        let of = |code| from_failure(Failure::of_code(code), Some(code), None, "k");
        assert!(of("ThrottlingException").is_transient() && of("KMSInternalException").is_transient());
        for code in ["DisabledException", "AccessDeniedException", "InvalidCiphertextException", "Whatever"] {
            assert!(!of(code).is_transient(), "{code}");
        }
    }

    #[test]
    fn a_kms_message_about_a_request_is_not_displayed() {
        let error = from_failure(
            Failure::Other,
            Some("ValidationException"),
            Some("the value `secret` is no …"),
            "k",
        );
        assert_eq!(
            error.to_string(),
            "the vault's response cannot be used: for the key `k` it returned ValidationException"
        );
    }
}
