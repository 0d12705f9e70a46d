//! The store conformance suite, run against the DynamoDB store.

use hitl_testkit::conformance;

use crate::emulator::Emulator;

/// Opens a new store each time, with its own connections and an empty cache, as another process would.
#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_conforms() {
    let emulator = Emulator::start().await;
    conformance::all(async || emulator.store()).await;
    assert_eq!(emulator.items().await, Vec::<String>::new(), "the suite deletes the threads that it created");
}

/// Runs the suite on clones of one store, which share its cache of journal heads. The tests of list pages are left out,
/// because lists are not cached.
#[tokio::test]
async fn clones_of_one_dynamodb_store_conform() {
    let emulator = Emulator::start().await;
    let store = emulator.store();
    let open = async || store.clone();
    conformance::order(open).await;
    conformance::conflicts(open).await;
    conformance::invalid_appends(open).await;
    conformance::tails(open).await;
    conformance::isolation(open).await;
    conformance::review_index(open).await;
    conformance::deletion(open).await;
    conformance::reopening(open).await;
    conformance::race(open).await;
    conformance::readers_and_writers(open).await;
    conformance::many_threads(open).await;
    conformance::dropped_futures(open).await;
    assert_eq!(emulator.items().await, Vec::<String>::new(), "the suite deletes the threads that it created");
}
