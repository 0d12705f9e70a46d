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

/// The maximum number of attempts for a call, and for a read that observes concurrent changes.
pub(super) const TRIES: u32 = 10;

/// The time since the first attempt after which an error is not retried any more.
const PATIENCE: Duration = Duration::from_secs(20);

/// The timeout of one attempt.
const TRY: Duration = Duration::from_secs(5);

/// The maximum wait after the first attempt. It doubles with each attempt.
const FIRST_WAIT: Duration = Duration::from_millis(25);

/// The upper limit of every wait.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Returns the client without its own retries, which would multiply with the ones here, and with a timeout for each
/// attempt.
pub(super) fn client(client: &Client) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(TRY).operation_attempt_timeout(TRY).build();
    let config = client.config().to_builder();
    Client::from_conf(config.retry_config(RetryConfig::disabled()).timeout_config(timeouts).build())
}

/// An error response of the service.
pub(super) trait Refusal: ProvideErrorMetadata {
    /// Returns whether the error is transient.
    fn passes(&self) -> bool {
        self.code().is_some_and(is_passing)
    }

    /// Returns the code and the message.
    fn why(&self) -> (Option<&str>, Option<&str>) {
        (self.code(), self.message())
    }
}

macro_rules! refusal {
    ($($operation:ident::$error:ident),*) => {$(
        impl Refusal for aws_sdk_dynamodb::operation::$operation::$error {}
    )*};
}

refusal!(
    create_table::CreateTableError,
    delete_item::DeleteItemError,
    describe_table::DescribeTableError,
    get_item::GetItemError,
    put_item::PutItemError,
    query::QueryError,
    update_item::UpdateItemError,
    update_time_to_live::UpdateTimeToLiveError
);

impl Refusal for TransactWriteItemsError {
    /// Returns whether the error is transient. A cancelled transaction is, if all of its cancellation reasons are
    /// transient, such as conflicts with other transactions or throttling.
    fn passes(&self) -> bool {
        let mut reasons = reasons(self).filter_map(|reason| reason.code()).peekable();
        match reasons.peek() {
            Some(_) => reasons.all(is_passing),
            None => self.code().is_some_and(is_passing),
        }
    }

    fn why(&self) -> (Option<&str>, Option<&str>) {
        match reasons(self).find(|reason| !reason.code().is_some_and(is_passing)) {
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

fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "InternalServerError"
            | "InternalFailure"
            | "LimitExceededException"
            | "ProvisionedThroughputExceeded"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ServiceUnavailable"
            | "ThrottlingError"
            | "ThrottlingException"
            | "TransactionConflict"
            | "TransactionConflictException"
            | "TransactionInProgressException"
    )
}

/// Returns whether the connection failed. The client reports a connection that was closed before the response as an
/// error of kind `other`, which is transient too.
pub(super) fn broke(error: &ConnectorError) -> bool {
    error.is_io() || error.is_timeout() || error.as_other().is_some()
}

fn may_help<E: Refusal>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.as_connector_error().is_some_and(broke),
        SdkError::ServiceError(error) => error.err().passes() || error.raw().status().is_server_error(),
        _ => false,
    }
}

/// Retries a call for as long as that may help. Each attempt must send the same request.
pub(super) async fn patiently<T, E, F>(mut call: impl FnMut() -> F + Send) -> Result<T, SdkError<E>>
where
    E: Refusal + Error + 'static,
    F: Future<Output = Result<T, SdkError<E>>> + Send,
{
    let begun = Instant::now();
    let mut tries = 0;
    loop {
        tries += 1;
        match call().await {
            Err(error) if tries < TRIES && begun.elapsed() < PATIENCE && may_help(&error) => {
                pause(tries).await;
            }
            answer => return answer,
        }
    }
}

/// Waits after this number of attempts.
pub(super) async fn pause(tries: u32) {
    sleep(wait(tries)).await;
}

/// Returns a random wait between zero and the maximum after this number of attempts (full jitter). The operating system
/// provides the random number, because a generator in this process may be a copy of another process's.
fn wait(tries: u32) -> Duration {
    let longest = LONGEST_WAIT.min(FIRST_WAIT * 2_u32.pow((tries - 1).min(10)));
    let part = getrandom::u32().unwrap_or(u32::MAX / 2);
    longest.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_second_and_are_never_longer() {
        for (tries, longest) in [(1, 25), (2, 50), (6, 800), (7, 1_000), (10, 1_000), (100, 1_000)] {
            let waits: Vec<_> = (0..200).map(|_| wait(tries)).collect();
            let longest = Duration::from_millis(longest);
            assert!(waits.iter().all(|wait| *wait <= longest));
            // Each of these fails by chance once in 2^200 runs.
            assert!(
                waits.iter().any(|wait| *wait > longest / 2) && waits.iter().any(|wait| *wait < longest / 2)
            );
        }
    }
}
