//! Where and when a node runs.

use std::sync::{Arc, OnceLock};

use crate::{
    Digest, Place, ThreadId,
    journal::{LaneId, Visit},
};

/// Where and when a node runs. A node takes it as `cx: &Cx`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
/// use hitl::prelude::*;
///
/// # #[state]
/// # struct Job {
/// #     #[input]
/// #     wish: String,
/// #     #[output]
/// #     receipt: String,
/// # }
/// #[node(Job, writes = receipt, effect, idempotent, risk = low, retries = 2)]
/// async fn put(wish: &str, cx: &Cx) -> Result<String> {
///     println!("{}: {} at place {}, try {}", cx.thread(), cx.node(), cx.place(), cx.attempt());
///     Ok(format!("PUT {wish} with Idempotency-Key: {}", cx.idempotency_key()))
/// }
/// # graph! { Putter<Job> { start -> put -> end; } }
/// # let turn = Putter::new(MemoryStore::new()).start("t", JobInput { wish: "it".into() }).await?;
/// # assert!(matches!(turn, PutterTurn::Done(receipt) if receipt.len() > 64));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Cx {
    thread: ThreadId,
    /// Tells the thread from a deleted one of the same name.
    id: Arc<str>,
    node: &'static str,
    /// What the node was called when the thread came to it, if it was called otherwise.
    was: Option<String>,
    entered: Place,
    /// The lane, where it runs for an item of a `for`.
    lane: Option<LaneId>,
    failures: u32,
    /// Made when it is asked for: most nodes call nobody who wants one.
    key: OnceLock<String>,
}

impl Cx {
    pub(super) fn new(thread: ThreadId, id: Arc<str>, node: &'static str, visit: &Visit) -> Self {
        let Visit { entered, failures, .. } = *visit;
        let was = visit.was.clone();
        Self { thread, id, node, was, entered, lane: None, failures, key: OnceLock::new() }
    }

    /// For an item of a `for`, which has this lane. All items enter its first node at one place.
    pub(super) fn of_item(self, lane: LaneId) -> Self {
        Self { lane: Some(lane), ..self }
    }

    /// With the key that the journal says it began with.
    pub(super) fn keyed(self, key: String) -> Self {
        Self { key: key.into(), ..self }
    }

    /// The thread.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// The node's name in the graph.
    pub fn node(&self) -> &str {
        self.node
    }

    /// The place of the entry that led here. The items of a `for` come to its first node by one entry.
    pub fn place(&self) -> Place {
        self.entered
    }

    /// 1 for the first try, one more for each retry.
    pub fn attempt(&self) -> u32 {
        self.failures + 1
    }

    /// The same for every try of this coming to this node, in every process, whatever the node has been called since, and
    /// for no other, be it of the next item of a `for`: give it to whatever the node calls, so that a second call can be
    /// told from a second wish. 64 hexadecimal digits.
    pub fn idempotency_key(&self) -> &str {
        self.key.get_or_init(|| {
            let node = self.was.as_deref().unwrap_or(self.node);
            let (thread, entered) = (self.thread.as_str(), self.entered.to_string());
            let lane = self.lane.map_or_else(String::new, |lane| format!("\0{lane}"));
            let parts = [thread, "\0", &self.id, "\0", node, "\0", &entered, &lane];
            Digest::of_parts(&parts.map(str::as_bytes)).to_string()
        })
    }
}
