//! The end of a thread is stored with the entry that led there.

use std::sync::atomic::Ordering;

use hitl::prelude::*;

use super::counting_store::CountingStore;

#[state]
struct Report {
    #[input]
    kib: usize,
    #[output]
    text: String,
}

#[node(Report, writes = text, effect, risk = low)]
async fn publish(kib: &usize) -> Result<String> {
    Ok("x".repeat(*kib * 1024))
}

graph! {
    Reports<Report> {
        start -> publish -> end;
    }
}

/// Otherwise a crash in between would leave a thread that no sweep continues.
#[tokio::test]
async fn a_large_last_result_is_stored_with_the_end() {
    for kib in [1, 1_100, 3_000] {
        let store = CountingStore::default();
        let agent = Reports::new(store.clone());
        let turn = agent.start("t", ReportInput { kib }).await.unwrap();
        assert!(matches!(turn, ReportsTurn::Done(text) if text.len() == kib * 1024));
        // The start with the beginning of the effect, and its result with the end.
        assert_eq!(store.layer().commits.load(Ordering::SeqCst), 2, "{kib}");
    }
}
