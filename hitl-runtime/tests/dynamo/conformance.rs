//! What every store must do.

use hitl_runtime::store::conformance;

use crate::emulator::Emulator;

/// Each opening is a store of its own, with its own connections and no memory, as another process would have.
#[tokio::test(flavor = "multi_thread")]
async fn dynamo() {
    let emulator = Emulator::start().await;
    conformance::all(async || emulator.store()).await;
    assert_eq!(emulator.items().await, Vec::<String>::new(), "what the suite made it has deleted");
}

/// Clones of one store share what it remembers of each thread. The lists remember nothing.
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
