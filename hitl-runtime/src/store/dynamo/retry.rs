//! Retries of calls to DynamoDB. A transient error is retried a limited number of times, with exponential backoff and
//! jitter, so that callers that failed together do not retry together.

use std::{error::Error, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::{http::HttpResponse, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ConnectorError, ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::CancellationReason,
};
use tokio::time::{Instant, sleep};

use crate::aws::Failure;

/// The maximum number of attempts for a call that gets no response, and for a read that observes concurrent changes.
pub(super) const MAX_ATTEMPTS: u32 = 10;

/// The maximum number of attempts for a call that the service refuses for now. The responses come at once, and the waits
/// in between add up to 10 s on average: a table on demand needs some seconds to grow, and an append that is given up
/// may leave a finished effect in doubt.
const MAX_REFUSALS: u32 = 24;

/// The time since the first attempt of a call after which an error is not retried any more.
const MAX_RETRY_TIME: Duration = Duration::from_secs(20);

/// The timeout of one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The maximum wait after the first attempt. It doubles with each attempt.
const FIRST_BACKOFF: Duration = Duration::from_millis(25);

/// The upper limit of every wait.
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Returns the client without its own retries, which would multiply with the ones here, and with a timeout for each
/// attempt.
pub(super) fn client(client: &Client) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(ATTEMPT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    let config = client.config().to_builder();
    Client::from_conf(config.retry_config(RetryConfig::disabled()).timeout_config(timeouts).build())
}

/// An error response of the service.
pub(super) trait ErrorResponse: ProvideErrorMetadata {
    /// Returns whether the error is transient.
    fn is_transient(&self) -> bool {
        self.code().is_some_and(is_transient_code)
    }

    /// Returns the code and the message.
    fn code_and_message(&self) -> (Option<&str>, Option<&str>) {
        (self.code(), self.message())
    }
}

macro_rules! error_response {
    ($($operation:ident::$error:ident),*) => {$(
        impl ErrorResponse for aws_sdk_dynamodb::operation::$operation::$error {}
    )*};
}

error_response!(
    create_table::CreateTableError,
    delete_item::DeleteItemError,
    describe_table::DescribeTableError,
    get_item::GetItemError,
    put_item::PutItemError,
    query::QueryError,
    update_item::UpdateItemError,
    update_time_to_live::UpdateTimeToLiveError
);

impl ErrorResponse for TransactWriteItemsError {
    /// Returns whether the error is transient. A cancelled transaction is, if all of its cancellation reasons are
    /// transient, such as conflicts with other transactions or throttling.
    fn is_transient(&self) -> bool {
        let mut reasons = reasons(self).filter_map(|reason| reason.code()).peekable();
        match reasons.peek() {
            Some(_) => reasons.all(is_transient_code),
            None => self.code().is_some_and(is_transient_code),
        }
    }

    fn code_and_message(&self) -> (Option<&str>, Option<&str>) {
        match reasons(self).find(|reason| !reason.code().is_some_and(is_transient_code)) {
            Some(reason) => (reason.code(), reason.message()),
            None => (self.code(), self.message()),
        }
    }
}

/// Returns the cancellation reasons of a transaction, one for each item that failed.
fn reasons(error: &TransactWriteItemsError) -> impl Iterator<Item = &CancellationReason> {
    let all = match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => cancelled.cancellation_reasons(),
        _ => &[],
    };
    all.iter().filter(|reason| reason.code() != Some("None"))
}

fn is_transient_code(code: &str) -> bool {
    matches!(Failure::of_code(code), Failure::Throttled | Failure::Internal)
        || matches!(
            code,
            "TransactionConflict" | "TransactionConflictException" | "TransactionInProgressException"
        )
}

/// Returns whether the connection failed. The client reports a connection that was closed before the response as an
/// error of kind `other`, which is transient too.
pub(super) fn is_connection_error(error: &ConnectorError) -> bool {
    error.is_io() || error.is_timeout() || error.as_other().is_some()
}

fn is_retryable<E: ErrorResponse>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.as_connector_error().is_some_and(is_connection_error),
        SdkError::ServiceError(error) => error.err().is_transient() || error.raw().status().is_server_error(),
        _ => false,
    }
}

/// Returns whether a call that failed in this way may have been executed.
pub(super) fn may_be_executed<E: ErrorResponse>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(error) => error.raw().status().is_server_error(),
        _ => true,
    }
}

/// Retries a call for as long as that may help. Each attempt must send the same request.
pub(super) async fn with_retries<T, E, F>(mut call: impl FnMut() -> F + Send) -> Result<T, SdkError<E>>
where
    E: ErrorResponse + Error + 'static,
    F: Future<Output = Result<T, SdkError<E>>> + Send,
{
    let started = Instant::now();
    let (mut refused, mut unanswered) = (0, 0);
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        // Counted apart: many quick refusals say nothing about the connection.
        let is_last = if matches!(error, SdkError::ServiceError(_)) {
            refused += 1;
            refused >= MAX_REFUSALS
        } else {
            unanswered += 1;
            unanswered >= MAX_ATTEMPTS
        };
        if is_last || started.elapsed() >= MAX_RETRY_TIME || !is_retryable(&error) {
            return Err(error);
        }
        let attempts = refused + unanswered;
        log_retry(attempts, &error);
        back_off(attempts).await;
    }
}

/// Logs an attempt that failed and is retried. The code of a service has no values of a request.
fn log_retry<E: ErrorResponse>(attempts: u32, error: &SdkError<E, HttpResponse>) {
    let code = match error {
        SdkError::ServiceError(error) => error.err().code_and_message().0.unwrap_or("_OTHER"),
        SdkError::TimeoutError(_) => "timeout",
        _ => "connection",
    };
    tracing::warn!(target: "hitl::store", attempts, error.type = code, "request failed; it is retried");
}

/// Waits after this number of attempts.
pub(super) async fn back_off(attempts: u32) {
    sleep(backoff(attempts)).await;
}

/// Returns a random wait between zero and the maximum after this number of attempts (full jitter). The operating system
/// provides the random number, because a generator in this process may be a copy of another process's.
fn backoff(attempts: u32) -> Duration {
    let longest = MAX_BACKOFF.min(FIRST_BACKOFF * 2_u32.pow((attempts - 1).min(10)));
    let part = getrandom::u32().unwrap_or(u32::MAX / 2);
    longest.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_one_second_at_most() {
        for (attempts, longest) in [(1, 25), (2, 50), (6, 800), (7, 1_000), (10, 1_000), (100, 1_000)] {
            let waits: Vec<_> = (0..200).map(|_| backoff(attempts)).collect();
            let longest = Duration::from_millis(longest);
            assert!(waits.iter().all(|wait| *wait <= longest));
            // Each of these fails by chance once in 2^200 runs.
            assert!(
                waits.iter().any(|wait| *wait > longest / 2) && waits.iter().any(|wait| *wait < longest / 2)
            );
        }
    }
}
