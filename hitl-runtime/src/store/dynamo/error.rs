//! Errors of DynamoDB, with remedies. No error shows the content of an entry or a credential: a message of the service
//! is passed on only if it contains no value.

use aws_sdk_dynamodb::error::SdkError;

use super::{
    head::{HeadError, VERSION},
    retry::{ErrorResponse, is_connection_error},
};
use crate::{
    StoreError, ThreadId,
    aws::{CREDENTIALS_REJECTED, Failure, NO_CREDENTIALS},
    text::causes,
};

/// Returns the error of a failed call.
pub(super) fn failed<E: ErrorResponse, R>(table: &str, doing: &str, error: &SdkError<E, R>) -> StoreError {
    let problem = match error {
        SdkError::ServiceError(error) => {
            let (code, detail) = error.err().code_and_message();
            describe(code, detail)
        }
        SdkError::TimeoutError(_) => "no response in time".into(),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if failure.is_timeout() => {
                format!("the connection timed out ({})", causes(error))
            }
            Some(error) if is_connection_error(error) => {
                format!("the connection was lost ({})", causes(error))
            }
            Some(error) => format!(
                "the request could not be sent; check the region, the endpoint and the credentials ({})",
                causes(error)
            ),
            None => {
                "the request could not be sent; check the region, the endpoint and the credentials".into()
            }
        },
        SdkError::ResponseError(_) => "the response was incomplete or not one of DynamoDB".into(),
        _ => "the request could not be built; check the region and the endpoint".into(),
    };
    if has_wrong_key_schema(error) {
        let problem =
            "its primary key is not the two strings `pk` and `sk`; create another table for the threads";
        return StoreError::NotAStore { location: location(table), problem: problem.into() };
    }
    failure(table, format!("could not {doing}: {problem}"))
}

/// Returns a failure with a message of this store.
pub(super) fn failure(table: &str, problem: impl Into<String>) -> StoreError {
    StoreError::Failed { location: location(table), problem: problem.into(), source: None }
}

/// Returns the error for an item of a thread that this store did not write in this form.
pub(super) fn damaged(table: &str, thread: &ThreadId, what: &str) -> StoreError {
    failure(
        table,
        format!(
            "{what} of thread `{thread}` is damaged; restore the table to an earlier time, or delete the thread"
        ),
    )
}

/// Returns the error for an item that the head of a thread requires, but that was missing on every attempt.
pub(super) fn incomplete(table: &str, thread: &ThreadId, what: &str) -> StoreError {
    let problem = format!(
        "{what} of thread `{thread}` was missing on every attempt; retry later, and if it stays missing, restore the \
         table to an earlier time"
    );
    failure(table, problem)
}

/// Returns the error for a head that cannot be read.
pub(super) fn unreadable(table: &str, thread: &ThreadId, why: HeadError) -> StoreError {
    match why {
        HeadError::Damaged => damaged(table, thread, "the head"),
        HeadError::NewerVersion(found) => StoreError::NewerSchema {
            location: format!("the head of thread `{thread}` in {}", location(table)),
            found: i64::try_from(found).unwrap_or(i64::MAX),
            known: VERSION as i64,
        },
    }
}

fn location(table: &str) -> String {
    format!("DynamoDB table `{table}`")
}

fn describe(code: Option<&str>, message: Option<&str>) -> String {
    let code = code.unwrap_or("no code");
    let detail = message.map(|message| format!(": {message}")).unwrap_or_default();
    let failure = Failure::of_code(code);
    match code {
        "ResourceNotFoundException" => {
            "the table does not exist in this region and account, or is still being created; create it as described in \
             the docs of `hitl::store::dynamo`"
                .into()
        }
        _ if failure == Failure::Denied => {
            format!(
                "this role lacks a permission; grant those that the docs of `hitl::store::dynamo` list ({code}{detail})"
            )
        }
        _ if failure == Failure::NoCredentials => format!("{NO_CREDENTIALS} ({code})"),
        _ if failure == Failure::BadCredentials => format!("{CREDENTIALS_REJECTED} ({code})"),
        // Of the creation of a table, its message says which limit.
        "LimitExceededException" => format!("DynamoDB returned {code}{detail}"),
        _ if failure == Failure::Throttled => format!(
            "every attempt was throttled; give the table more capacity, or switch it to on-demand billing ({code})"
        ),
        "TransactionCanceledException" | "TransactionInProgressException" => {
            "every attempt was throttled or conflicted with another transaction; retry".into()
        }
        "KMSAccessDeniedException" | "KMSDisabledException" | "KMSInvalidStateException" => {
            format!("the encryption key of the table cannot be used; enable it, and let this role use it ({code})")
        }
        "ValidationException" | "ValidationError" | "SerializationException" => {
            let detail = message.map(|message| format!(": {}", without_values(message))).unwrap_or_default();
            format!("DynamoDB rejected the request as invalid; please report this ({code}{detail})")
        }
        _ => format!("DynamoDB returned {code}{detail}"),
    }
}

/// Returns the part of a message of the service that has no value of the request: what is before the first quotation mark
/// or bracket, in which the service quotes.
fn without_values(message: &str) -> String {
    const MAX_CHARS: usize = 200;
    let is_quote = |c: char| "'\"`‘’“”[{<".contains(c);
    let plain = message.split(is_quote).next().unwrap_or_default();
    let short: String = plain.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
    if short.len() == message.len() { short } else { format!("{}…", short.trim_end()) }
}

/// Returns whether DynamoDB rejects the key. The key attributes are always the same two, so the table has different
/// ones.
fn has_wrong_key_schema<E: ErrorResponse, R>(error: &SdkError<E, R>) -> bool {
    matches!(
        error.as_service_error().map(ErrorResponse::code_and_message),
        Some((Some("ValidationException" | "ValidationError"), Some(detail))) if detail.contains("key")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_request_is_explained_without_its_values() {
        for (message, shown) in [
            (
                "Item size has exceeded the maximum allowed size",
                "(ValidationException: Item size has exceeded the maximum allowed size)",
            ),
            (
                "1 validation error detected: Value 'nobody-may-read-this' at 'key' failed to satisfy constraint",
                "(ValidationException: 1 validation error detected: Value…)",
            ),
            (
                "Invalid KeyConditionExpression: Syntax error; token: \"nobody-may-read-this\", near: \"x\"",
                "(ValidationException: Invalid KeyConditionExpression: Syntax error; token:…)",
            ),
            ("Supplied value {S:nobody-may-read-this} is empty", "(ValidationException: Supplied value…)"),
            ("two\nlines", "(ValidationException: twolines…)"),
        ] {
            let error = describe(Some("ValidationException"), Some(message));
            assert!(error.ends_with(shown) && error.contains("please report this"), "{error}");
        }
        assert!(describe(Some("ValidationError"), None).ends_with("please report this (ValidationError)"));
    }
}
