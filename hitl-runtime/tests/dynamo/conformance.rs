//! The store conformance suite, run against the DynamoDB store.

use hitl_runtime::store::conformance;

use crate::emulator::Emulator;

/// Opens a new store each time, with its own connections and an empty cache, as another process would.
#[tokio::test(flavor = "multi_thread")]
async fn dynamo() {
    let emulator = Emulator::start().await;
    conformance::all(async || emulator.store()).await;
    assert_eq!(emulator.items().await, Vec::<String>::new(), "what the suite made it has deleted");
}

/// Runs the suite on clones of one store, which share its cache of journal heads. The tests of list pages are left out,
/// because lists are not cached.
#[tokio::test]
async fn dynamo_through_one_handle() {
    let emulator = Emulator::start().await;
    let store = emulator.store();
    let open = async || store.clone();
    conformance::order(open).await;
    conformance::fence(open).await;
    conformance::refusals(open).await;
    conformance::tails(open).await;
    conformance::isolation(open).await;
    conformance::review_index(open).await;
    conformance::deletion(open).await;
    conformance::reopening(open).await;
    conformance::race(open).await;
    conformance::readers_and_writers(open).await;
    conformance::crowd(open).await;
    conformance::dropped_futures(open).await;
    assert_eq!(emulator.items().await, Vec::<String>::new(), "what the suite made it has deleted");
}
