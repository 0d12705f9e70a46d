//! Calls, and the patience they take: what DynamoDB may do another time is asked again a bounded number of times, with
//! waits that grow and are drawn at random, so that those who were turned away together do not come back together.

use std::{error::Error, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::{http::HttpResponse, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ConnectorError, ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::CancellationReason,
};
use tokio::time::{Instant, sleep};

/// How often a call is tried at most, and how often something is read that changes meanwhile.
pub(super) const TRIES: u32 = 10;

/// No try begins later than that after the first one.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one try may take.
const TRY: Duration = Duration::from_secs(5);

/// The longest wait after the first try; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(25);

/// The longest wait of all.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The same client with no retries of its own, for they would multiply with ours, and with an end to each try.
pub(super) fn client(client: &Client) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(TRY).operation_attempt_timeout(TRY).build();
    let config = client.config().to_builder();
    Client::from_conf(config.retry_config(RetryConfig::disabled()).timeout_config(timeouts).build())
}

/// What a service says when it does not do what it was asked.
pub(super) trait Refusal: ProvideErrorMetadata {
    /// Whether it will pass.
    fn passes(&self) -> bool {
        self.code().is_some_and(is_passing)
    }

    /// Its code, and its words.
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
    /// A transaction that was cancelled will pass where that was for nothing but others in its way, or throttling. Its
    /// reasons say so for each of its items.
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

/// Why a transaction was cancelled: a reason for each item that stood in its way.
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

/// Whether it was the connection. One that ends before the answer is an error of another kind to the client, and a
/// passing one.
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

/// Asks again for as long as that may help. What is sent must be the same each time.
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

/// The wait after so many tries.
pub(super) async fn pause(tries: u32) {
    sleep(wait(tries)).await;
}

/// Full jitter: anything from nothing to the longest wait after so many tries. The operating system draws it, for a
/// generator in this process may be the copy of another one.
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
            // One in 2^200 fails each of these.
            assert!(
                waits.iter().any(|wait| *wait > longest / 2) && waits.iter().any(|wait| *wait < longest / 2)
            );
        }
    }
}
