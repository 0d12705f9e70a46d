//! Errors of DynamoDB, with remedies. No error shows the content of an entry or a credential: a message of the service
//! is passed on only if it contains no value.

use aws_sdk_dynamodb::error::SdkError;

use super::{
    call::{Refusal, broke},
    head::{Unreadable, VERSION},
};
use crate::{StoreError, ThreadId, prose::causes};

/// Returns the error of a failed call.
pub(super) fn failed<E: Refusal, R>(table: &str, doing: &str, error: &SdkError<E, R>) -> StoreError {
    let problem = match error {
        SdkError::ServiceError(error) => {
            let (code, words) = error.err().why();
            said(code, words)
        }
        SdkError::TimeoutError(_) => "no answer came in time".into(),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if failure.is_timeout() => {
                format!("no connection was made in time ({})", causes(error))
            }
            Some(error) if broke(error) => format!("the connection broke ({})", causes(error)),
            Some(error) => format!(
                "it could not be sent; check the region, the endpoint and the credentials ({})",
                causes(error)
            ),
            None => "it could not be sent".into(),
        },
        SdkError::ResponseError(_) => "the answer broke off, or is none of DynamoDB's".into(),
        _ => "the request could not be made; check the region and the endpoint".into(),
    };
    if refuses_our_keys(error) {
        let problem = "its key is not the two strings `pk` and `sk`; make another table for the threads";
        return StoreError::NotOurs { location: location(table), problem: problem.into() };
    }
    broken(table, format!("could not {doing}: {problem}"))
}

/// Returns a failure with a message of this store.
pub(super) fn broken(table: &str, problem: impl Into<String>) -> StoreError {
    StoreError::Failed { location: location(table), problem: problem.into(), source: None }
}

/// Returns the error for an item of a thread that this store did not write in this form.
pub(super) fn damaged(table: &str, thread: &ThreadId, what: &str) -> StoreError {
    broken(
        table,
        format!(
            "{what} of thread `{thread}` is damaged; restore the table to a time before, or delete the thread"
        ),
    )
}

/// Returns the error for an item that the head of a thread requires, but that was missing on every attempt.
pub(super) fn incomplete(table: &str, thread: &ThreadId, what: &str) -> StoreError {
    let problem = format!(
        "{what} of thread `{thread}` was not to be found, each time that it was tried; do it again in a while. If it \
         never comes, restore the table to a time before"
    );
    broken(table, problem)
}

/// Returns the error for a head that cannot be read.
pub(super) fn unreadable(table: &str, thread: &ThreadId, why: Unreadable) -> StoreError {
    match why {
        Unreadable::Damaged => damaged(table, thread, "the head"),
        Unreadable::FromTheFuture(found) => StoreError::FromTheFuture {
            location: format!("{}, thread `{thread}`,", location(table)),
            found: i64::try_from(found).unwrap_or(i64::MAX),
            known: VERSION as i64,
        },
    }
}

fn location(table: &str) -> String {
    format!("DynamoDB table `{table}`")
}

fn said(code: Option<&str>, message: Option<&str>) -> String {
    let code = code.unwrap_or("no code");
    let words = message.map(|message| format!(": {message}")).unwrap_or_default();
    match code {
        "ResourceNotFoundException" => {
            "there is no such table in this region and account, or it is still being made; make it as the docs of \
             `hitl::store::dynamo` say"
                .into()
        }
        "AccessDeniedException" => {
            format!("this role may not; give it what the docs of `hitl::store::dynamo` list ({code}{words})")
        }
        "ExpiredTokenException" | "UnrecognizedClientException" | "InvalidSignatureException"
        | "MissingAuthenticationTokenException" | "IncompleteSignatureException" => {
            format!("the credentials are refused; renew them, and check this machine's clock ({code})")
        }
        "ThrottlingException" | "ProvisionedThroughputExceededException" | "RequestLimitExceeded" => format!(
            "it was throttled each time that it was tried; give the table more capacity, or let it scale by itself \
             with on-demand billing ({code})"
        ),
        "TransactionCanceledException" | "TransactionInProgressException" => {
            "others held its items, or it was throttled, each time that it was tried; do it again".into()
        }
        "KMSAccessDeniedException" | "KMSDisabledException" | "KMSInvalidStateException" => {
            format!("the table's encryption key cannot be used; enable it and let this role use it ({code})")
        }
        // The message may contain request data.
        "ValidationException" | "ValidationError" | "SerializationException" => {
            format!("DynamoDB refuses the request; please report this ({code})")
        }
        _ => format!("DynamoDB says {code}{words}"),
    }
}

/// Returns whether DynamoDB rejects the key. The key attributes are always the same two, so the table has different
/// ones.
fn refuses_our_keys<E: Refusal, R>(error: &SdkError<E, R>) -> bool {
    matches!(
        error.as_service_error().map(Refusal::why),
        Some((Some("ValidationException" | "ValidationError"), Some(words))) if words.contains("key")
    )
}
