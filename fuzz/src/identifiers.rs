//! Short texts that are parsed: names, digests, transitions, reasons, page tokens.

use hitl::{
    Digest, Reason, ThreadId, Timestamp,
    journal::Transition,
    store::{MemoryStore, Store as _},
};

use crate::fixture::block_on;

/// Checks that a parsed text is formatted as it was written.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(thread) = ThreadId::new(text) {
        assert_eq!(thread.as_str(), text);
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text.to_lowercase());
    }
    if let Ok(to) = text.parse::<Transition>() {
        assert_eq!(to.to_string().parse::<Transition>().as_ref(), Ok(&to), "{text}");
    }
    if let Ok(reason) = text.parse::<Reason>() {
        assert_eq!(reason.as_str(), text);
    }
    block_on(async {
        let store = MemoryStore::new();
        let _ = store.reviews(Some(text), 1).await;
        let _ = store.threads(None, Some(text), 1).await;
        let _ = store.due(Timestamp::MAX, Some(text), 1).await;
    });
}
