//! The context of a running node.

use std::sync::{Arc, OnceLock};

use super::RequestHeaders;
use crate::{
    Digest, Place, ThreadId,
    journal::{Activation, LaneId},
};

/// The context of a running node: its thread, name, place and attempt. A node takes it as `cx: &Cx`.
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
    /// The id that distinguishes the thread from a deleted one of the same name.
    id: Arc<str>,
    node: &'static str,
    /// The name that the node had when the thread came to it, if it has been renamed since.
    was: Option<String>,
    entered: Place,
    /// The lane, if the node runs for an item of a `for`.
    lane: Option<LaneId>,
    failures: u32,
    /// The idempotency key, computed on first use because most nodes do not need it.
    key: OnceLock<String>,
    /// The headers of the request that runs the node, if a server handles one.
    request: Option<RequestHeaders>,
    /// `true` if the node is an effect: its parameters are signed, and a header is not.
    is_effect: bool,
}

impl Cx {
    pub(crate) fn new(thread: ThreadId, id: Arc<str>, node: &'static str, activation: &Activation) -> Self {
        let Activation { entered, failures, .. } = *activation;
        let was = activation.was.clone();
        let (key, request) = (OnceLock::new(), RequestHeaders::current());
        Self { thread, id, node, was, entered, lane: None, failures, key, request, is_effect: false }
    }

    /// Sets the lane of an item of a `for`. All items enter the first node at the same place, so the key needs the
    /// lane.
    pub(crate) fn in_lane(self, lane: LaneId) -> Self {
        Self { lane: Some(lane), ..self }
    }

    /// Sets the idempotency key that the journal has for an effect that has begun.
    pub(crate) fn with_key(self, key: String) -> Self {
        Self { key: key.into(), ..self }
    }

    /// Sets whether the node is an effect, which may not read headers.
    pub(crate) fn of_effect(self, is_effect: bool) -> Self {
        Self { is_effect, ..self }
    }

    /// Returns the thread.
    pub fn thread(&self) -> &ThreadId {
        &self.thread
    }

    /// Returns the node's name in the graph.
    pub fn node(&self) -> &str {
        self.node
    }

    /// Returns the place of the entry that led to this node. All items of a `for` come to its first node by the same
    /// entry.
    pub fn place(&self) -> Place {
        self.entered
    }

    /// Returns the number of this attempt: 1 for the first, and one more for each retry.
    pub fn attempt(&self) -> u32 {
        self.failures + 1
    }

    /// Returns a header of the request because of which the node runs, by its name in any case. A server decides which
    /// headers nodes may read; that of AgentCore passes on the token of the workload and the headers whose names begin
    /// with `X-Amzn-Bedrock-AgentCore-Runtime-Custom-`.
    ///
    /// It is always `None` in a node that is an `effect`, because a header is a value that the signer has not seen, and may
    /// be that of another caller: read it in a node before the review, and write it to a field that the review covers.
    ///
    /// It is also `None` if the node does not run in the task of a request: after a restart, in a sweep, and in a program
    /// that has no server. A retry or a resumption may therefore have the value of another caller, or none: store what a
    /// node always needs in the state. A clone of the context keeps the headers.
    pub fn request_header(&self, name: &str) -> Option<&str> {
        if self.is_effect { None } else { self.request_credential(name) }
    }

    /// Returns a header that has a credential and no parameter of the node, in effects too.
    pub(crate) fn request_credential(&self, name: &str) -> Option<&str> {
        self.request.as_ref()?.get(name)
    }

    /// Returns the idempotency key of this activation of the node, 64 hexadecimal digits. It is the same for all
    /// attempts, in every process, and after a rename of the node. It differs for every other activation and for every
    /// item of a `for`. Pass it to external APIs, so that they do not take a retry for a new request.
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
