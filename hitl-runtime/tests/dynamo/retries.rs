//! Retries: transient errors are retried a bounded number of times; permanent ones are returned at once, with advice.
//! No emulator throttles, so a proxy returns the errors in the service's own format.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use hitl_runtime::store::{Store as _, StoreError};
use hitl_testkit::conformance;
use tokio::sync::Notify;

use crate::{
    emulator::{Emulator, client, store},
    fixture::{SECRET, after, noise, record, thread},
    proxy::{CallOutcome, Proxy},
};

/// Starts a proxy that answers the first `times` calls of one operation with an error.
async fn refusing(emulator: &Emulator, operation: &'static str, error: &'static str, times: usize) -> Proxy {
    let mut calls = 0;
    Proxy::start(emulator.endpoint(), move |call| {
        calls += usize::from(call.operation == operation);
        if call.operation == operation && calls <= times {
            CallOutcome::Error(error)
        } else {
            CallOutcome::Success
        }
    })
    .await
}

const PASSING: [&str; 7] = [
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "InternalServerError",
    "TransactionInProgressException",
    "TransactionCanceledException:TransactionConflict",
    "TransactionCanceledException:ThrottlingError",
];

#[tokio::test]
async fn transient_errors_are_retried_with_the_same_token() {
    let emulator = Emulator::start().await;
    for error in PASSING {
        let thread = thread(error);
        let proxy = refusing(&emulator, "TransactWriteItems", error, 3).await;
        let faulty = store(&proxy.endpoint, emulator.table());
        let first = after(&thread, &[]);
        faulty.append(first.clone()).await.unwrap_or_else(|failed| panic!("{error}: {failed}"));
        let writes = proxy.writes();
        assert_eq!(writes.len(), 4, "{error}");
        let tokens: BTreeSet<_> =
            writes.iter().map(|call| call.request["ClientRequestToken"].as_str()).collect();
        assert_eq!(tokens.len(), 1, "{error}: a retry has another token");
        assert_eq!(conformance::read_journal(&emulator.store(), &thread).await, first.records);
    }
    for operation in ["GetItem", "Query"] {
        let proxy = refusing(&emulator, operation, "ProvisionedThroughputExceededException", 3).await;
        let faulty = store(&proxy.endpoint, emulator.table());
        let thread = thread(PASSING[0]);
        assert_eq!(faulty.entries(&thread, 0.into(), 10).await.unwrap().len(), 1);
        assert_eq!(faulty.reviews(None, 10).await.unwrap().items, []);
    }
}

/// Each of these errors is returned after 24 attempts, with advice, and nothing is written.
#[tokio::test]
async fn persistent_errors_are_returned_after_24_attempts() {
    let emulator = &Emulator::start().await;
    let cases = [
        ("ThrottlingException", "give the table more capacity"),
        ("TransactionCanceledException:TransactionConflict", "conflicted with another transaction; retry"),
    ];
    let given_up = cases.map(async |(error, advice)| {
        let proxy = refusing(emulator, "TransactWriteItems", error, usize::MAX).await;
        let faulty = store(&proxy.endpoint, emulator.table());
        let failed = faulty.append(after(&thread("given up"), &[])).await.unwrap_err();
        assert_eq!(proxy.writes().len(), 24, "{error}");
        assert!(matches!(failed, StoreError::Failed { .. }), "{failed:?}");
        assert!(failed.to_string().contains(advice), "{failed}");
        assert!(!format!("{failed} {failed:?}").contains(SECRET), "{failed:?}");
    });
    futures_util::future::join_all(given_up).await;
    assert_eq!(emulator.items().await, Vec::<String>::new());
}

/// Throttling does not use up the attempts of a call that gets no response.
#[tokio::test]
async fn refusals_and_lost_connections_are_counted_apart() {
    let emulator = Emulator::start().await;
    let mut writes = 0;
    let proxy = Proxy::start(emulator.endpoint(), move |call| {
        writes += usize::from(call.is_write());
        match (call.is_write(), writes) {
            (true, 1..=11) => CallOutcome::Error("ThrottlingException"),
            (true, 12) => CallOutcome::RequestLost,
            _ => CallOutcome::Success,
        }
    })
    .await;
    let first = after(&thread("throttled"), &[]);
    store(&proxy.endpoint, emulator.table()).append(first).await.unwrap();
    assert_eq!(proxy.writes().len(), 13);
}

#[tokio::test]
async fn permanent_errors_are_returned_at_once() {
    let emulator = Emulator::start().await;
    for (error, words) in [
        ("AccessDeniedException", "this role lacks a permission"),
        ("ExpiredTokenException", "the AWS credentials were rejected; sign in again"),
        ("UnrecognizedClientException", "the AWS credentials were rejected; sign in again"),
        ("ValidationException", "please report this (ValidationException: no)"),
        (
            "ItemCollectionSizeLimitExceededException",
            "DynamoDB returned ItemCollectionSizeLimitExceededException",
        ),
        ("TransactionCanceledException:ValidationError", "please report this (ValidationError: no)"),
    ] {
        let proxy = refusing(&emulator, "TransactWriteItems", error, usize::MAX).await;
        let faulty = store(&proxy.endpoint, emulator.table());
        let failed = faulty.append(after(&thread("refused"), &[])).await.unwrap_err();
        assert_eq!(proxy.writes().len(), 1, "{error}");
        assert!(failed.to_string().contains(words), "{error}: {failed}");
        assert!(failed.to_string().contains(emulator.table()), "{failed}");
        assert!(!format!("{failed} {failed:?}").contains(SECRET), "{failed:?}");
    }
}

/// A query may return the head that a transaction has moved, and not yet the entries of that transaction. Here the
/// missing entry appears after eight queries.
#[tokio::test]
async fn a_head_read_before_its_entries_is_retried() {
    let emulator = Emulator::start().await;
    let thread = thread("torn");
    // Too large for the head.
    let large = |place| vec![record(place, noise(2_000, place + 1))];
    let first = after(&thread, &[]).with_records(large(0));
    let second = after(&thread, &first.records).with_records(large(1));
    for append in [&first, &second] {
        emulator.store().append(append.clone()).await.unwrap();
    }
    let is_last = |key: &str| key.starts_with("e/0000000000000001");
    let items = emulator.scan().await;
    let last = items.into_iter().find(|item| is_last(item["sk"].as_s().unwrap())).unwrap();
    emulator.delete(&last).await;

    let proxy = Proxy::start(emulator.endpoint(), |_| CallOutcome::Success).await;
    let lost = store(&proxy.endpoint, emulator.table()).tail(&thread).await.unwrap_err().to_string();
    assert_eq!(proxy.calls().len(), 10);
    assert!(lost.contains("retry later") && !lost.contains("delete"), "{lost}");

    // The first entry was in the head before, and so a caller must not take its absence for the end.
    assert_eq!(emulator.store().entries(&thread, 0.into(), 10).await.unwrap(), first.records);
    let lost = emulator.store().entries(&thread, 1.into(), 10).await.unwrap_err().to_string();
    assert!(lost.contains("retry later") && !lost.contains("delete"), "{lost}");

    let (waits, is_there) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (signal, there, mut queries) = (Arc::clone(&waits), Arc::clone(&is_there), 0);
    let proxy = Proxy::start(emulator.endpoint(), move |_| {
        queries += 1;
        if queries <= 8 || there.load(SeqCst) {
            return CallOutcome::Success;
        }
        signal.notify_one();
        CallOutcome::RequestLost
    })
    .await;
    let reader = store(&proxy.endpoint, emulator.table());
    let comes = async {
        waits.notified().await;
        emulator.put(last).await;
        is_there.store(true, SeqCst);
    };
    let (tail, ()) = tokio::join!(reader.tail(&thread), comes);
    assert_eq!(tail.unwrap().unwrap().records, [first.records, second.records].concat());
}

#[tokio::test]
async fn a_missing_or_unknown_table_is_an_error() {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let emulator = Emulator::start().await;
    let missing = store(emulator.endpoint(), "missing").tail(&thread("any")).await.unwrap_err();
    assert!(missing.to_string().contains("the table does not exist"), "{missing}");

    let name = format!("{}-orders", emulator.table());
    let definition =
        AttributeDefinition::builder().attribute_name("order").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("order").key_type(KeyType::Hash);
    client(emulator.endpoint())
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(definition.build().unwrap())
        .key_schema(key.build().unwrap())
        .send()
        .await
        .unwrap();
    let orders = store(emulator.endpoint(), &name);
    let any = thread("any");
    for error in [
        orders.append(after(&any, &[])).await.unwrap_err(),
        orders.tail(&any).await.unwrap_err(),
        orders.delete(&any).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_unreachable_endpoint_is_an_error() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failed = store(&format!("http://{free}"), "threads").tail(&thread("any")).await.unwrap_err();
    assert!(failed.to_string().contains("the connection was lost"), "{failed}");
    assert!(!format!("{failed} {failed:?}").contains(SECRET), "{failed:?}");
}
