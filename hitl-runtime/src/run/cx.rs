//! Where and when a node runs.

use crate::{Place, ThreadId};

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
    pub(crate) thread: ThreadId,
    pub(crate) node: &'static str,
    pub(crate) entered: Place,
    pub(crate) failures: u32,
    pub(crate) key: String,
}

impl Cx {
    /// The thread.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// The node's name in the graph.
    pub fn node(&self) -> &str {
        self.node
    }

    /// The place of the entry that led here.
    pub fn place(&self) -> Place {
        self.entered
    }

    /// 1 for the first try, one more for each retry.
    pub fn attempt(&self) -> u32 {
        self.failures + 1
    }

    /// The same for every try of this coming to this node, in every process, and for no other: give it to whatever
    /// the node calls, so that a second call can be told from a second wish. 64 hexadecimal digits.
    pub fn idempotency_key(&self) -> &str {
        &self.key
    }
}
