//! Execution of one attempt of a node.

use std::{
    marker::PhantomData,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{Agent, Args, Cx, Graph, NodeError, Writes, report::Reporter, route, written};
use crate::{
    guard::{guarded, said},
    journal::{Brings, Drafted, LaneId, Usage, Visit},
    review::Signatures,
    state::Slots,
};
use futures_util::FutureExt;

/// The data of one attempt, copied from the thread so that the thread can change while the attempt runs.
pub(crate) struct Try<G: Graph> {
    pub(crate) lane: LaneId,
    pub(crate) node: usize,
    pub(crate) entry: &'static route::Entry<G>,
    pub(crate) visit: Visit,
    pub(crate) fields: Arc<Slots>,
    pub(crate) signatures: Signatures,
    pub(crate) cx: Cx,
    /// The backoff before this attempt, if it is a retry.
    pub(crate) wait: Duration,
}

/// The result of one attempt.
pub(crate) struct Tried {
    pub(crate) lane: LaneId,
    pub(crate) node: usize,
    pub(crate) visit: Visit,
    /// The context in which the attempt ran, with its idempotency key.
    pub(crate) cx: Cx,
    pub(crate) end: End,
    /// The usage of its models.
    pub(crate) spent: Vec<Usage>,
}

pub(crate) enum End {
    Wrote {
        writes: Writes,
        /// The draft among the writes, if a person is to sign it.
        drafted: Option<Drafted>,
    },
    Failed {
        error: String,
    },
    /// The effect may or may not have happened.
    Unknown {
        error: String,
    },
}

/// Runs one attempt of a node, within its timeout. A panic is a failure like any other.
pub(crate) async fn run<G: Graph>(agent: &Agent<G>, this: Try<G>, leased_until_ms: &AtomicU64) -> Tried {
    let unsure = this.entry.spec.effect && !this.entry.spec.idempotent;
    // The user's code can also panic outside of the node call: in the `Display` of its error, and in the `Drop` of its
    // values.
    let run = AssertUnwindSafe(run_once(agent, &this, leased_until_ms)).catch_unwind().await;
    let (end, spent) = run.unwrap_or_else(|panic| {
        let error = NodeError::msg(format_args!("it panicked as it ended: {}", said(panic)));
        (failed(&error, unsure), Vec::new())
    });
    let Try { lane, node, cx, visit, fields, .. } = this;
    // This may drop the last reference to the values, and their `Drop` is the user's code. It cannot change the result
    // any more.
    let _ = guarded(String::new, || drop(fields));
    Tried { lane, node, cx, visit, end, spent }
}

async fn run_once<G: Graph>(
    agent: &Agent<G>,
    this: &Try<G>,
    leased_until_ms: &AtomicU64,
) -> (End, Vec<Usage>) {
    if !this.wait.is_zero() {
        Box::pin(tokio::time::sleep(this.wait)).await;
    }
    // A slow store, another node that blocked the thread, or a suspended machine may have used up the lease.
    if this.entry.spec.effect && agent.inner.clock.now_ms() >= leased_until_ms.load(Ordering::Relaxed) {
        let error = "this try did not call it: its runner's lease had run out before it could begin";
        return (End::Failed { error: error.to_owned() }, Vec::new());
    }
    let (rejection, question) = match this.visit.brings.as_deref() {
        Some(Brings::Rejection(rejection)) => (Some(rejection), None),
        Some(Brings::Question(question)) => (None, Some(question)),
        None => (None, None),
    };
    let args = Args {
        state: PhantomData,
        slots: &this.fields,
        deps: &agent.inner.deps,
        cx: &this.cx,
        rejection,
        question,
        signatures: &this.signatures,
    };
    let spec = &this.entry.spec;
    // Inside the `async` block, a panic of the node's synchronous code before its first `await` is caught as well. The
    // timer is boxed because few nodes have a timeout, and the futures of the others must not grow for it.
    let work = AssertUnwindSafe(async { (this.entry.run)(args).await }).catch_unwind();
    let work = async {
        match spec.retry.timeout_ms {
            None => Some(work.await),
            Some(ms) => Box::pin(tokio::time::timeout(Duration::from_millis(ms), work)).await.ok(),
        }
    };
    let (result, spent) = Reporter::new(&agent.inner.listeners, &this.cx).follow(work).await;
    let unsure = spec.effect && !spec.idempotent;
    let end = match result {
        Some(Ok(Ok(writes))) => finished::<G>(&this.fields, writes, unsure),
        Some(Ok(Err(error))) => failed(&error, unsure),
        Some(Err(panic)) => failed(&NodeError::msg(format_args!("it panicked: {}", said(panic))), unsure),
        None => {
            let ms = spec.retry.timeout_ms.unwrap_or_default();
            failed(
                &NodeError::msg(format_args!("it took longer than {:?}", Duration::from_millis(ms))),
                unsure,
            )
        }
    };
    (end, spent)
}

/// Returns the result of a failed attempt: in doubt for an effect that is not idempotent and not reported as not done,
/// failed otherwise.
pub(crate) fn failed(error: &NodeError, unsure: bool) -> End {
    let text = guarded(|| "`Display` of the node's error".to_owned(), || error.to_string());
    let text = text.unwrap_or_else(|broken| broken.to_string());
    if unsure && !error.is_not_done() { End::Unknown { error: text } } else { End::Failed { error: text } }
}

/// Checks the writes of an attempt. A value that cannot be stored or signed is a failure of the node that returned it.
fn finished<G: Graph>(fields: &Slots, mut writes: Writes, unsure: bool) -> End {
    let mut drafted = None;
    for (field, json) in &mut writes.0 {
        match written::held::<G>(fields, field, json.get()) {
            Ok(held) => {
                drafted = held.draft.map(|draft| Drafted { field, draft }).or(drafted);
                if let Some(spelt) = held.json {
                    *json = spelt;
                }
            }
            Err(problem) => return failed(&NodeError::msg(problem), unsure),
        }
    }
    writes.0.sort_unstable_by_key(|(field, _)| *field);
    End::Wrote { writes, drafted }
}
