//! Execution of one attempt of a node.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    Error,
    engine::{Engine, routing::write_checks, session::JournalEnd},
    journal::{Activation, CheckedDraft, Feedback, LaneId, ROOT, Usage},
    node::{Cx, ErasedArgs, GraphTable, NodeError, NodeTable, Reporter, Writes},
    review::Signatures,
    state::{ReadBack, Slots},
    telemetry::plain,
    user_code::{catch_panic, panic_message},
};
use futures_util::{FutureExt, future::BoxFuture};
use tracing::{Instrument as _, Span, field::Empty};

/// The data of one attempt, copied from the thread so that the thread can change while the attempt runs.
pub(super) struct Attempt {
    pub(super) lane: LaneId,
    pub(super) node: usize,
    pub(super) entry: &'static NodeTable,
    pub(super) activation: Activation,
    pub(super) fields: Arc<Slots>,
    pub(super) signatures: Signatures,
    pub(super) cx: Cx,
    /// The backoff before this attempt, if it is a retry.
    pub(super) wait: Duration,
}

/// The result of one attempt.
pub(super) struct FinishedAttempt {
    pub(super) lane: LaneId,
    pub(super) node: usize,
    pub(super) activation: Activation,
    /// The context in which the attempt ran, with its idempotency key.
    pub(super) cx: Cx,
    pub(super) end: AttemptOutcome,
    /// The usage of its models.
    pub(super) spent: Vec<Usage>,
}

pub(super) enum AttemptOutcome {
    Wrote {
        writes: Writes,
        /// The draft among the writes, if a person is to sign it.
        drafted: Option<CheckedDraft>,
        /// The values that were read back from the JSON of the writes.
        back: Vec<ReadBack>,
    },
    Failed {
        error: String,
    },
    /// The effect was not called, because an operator has stopped it, or because whether it is stopped cannot be read.
    Withheld {
        error: String,
        /// The error of reading that.
        cause: Option<Box<Error>>,
    },
    /// The effect may or may not have happened.
    Unknown {
        error: String,
    },
}

impl FinishedAttempt {
    /// Takes the error because of which the run must end: no effect may be called.
    pub(super) fn take_cause(&mut self) -> Option<Error> {
        match &mut self.end {
            AttemptOutcome::Withheld { cause, .. } => cause.take().map(|cause| *cause),
            _ => None,
        }
    }
}

/// Runs one attempt of a node, within its timeout. A panic is a failure like any other.
///
/// `began` is the end of the thread's journal when the attempt could begin.
pub(super) async fn run(
    engine: &Engine,
    this: Box<Attempt>,
    leased_until: &AtomicU64,
    began: JournalEnd,
) -> FinishedAttempt {
    let unsure = this.entry.spec.effect && !this.entry.spec.idempotent;
    // The user's code can also panic outside of the node call: in the `Display` of its error, and in the `Drop` of its
    // values.
    let run = AssertUnwindSafe(run_once(engine, &this, leased_until, began)).catch_unwind().await;
    let (end, spent) = run.unwrap_or_else(|panic| {
        let error = NodeError::msg(format_args!("it panicked during its cleanup: {}", panic_message(panic)));
        (failed(&error, unsure), Vec::new())
    });
    let Attempt { lane, node, cx, activation, fields, .. } = *this;
    // This may drop the last reference to the values, and their `Drop` is the user's code. It cannot change the result
    // any more.
    let _ = catch_panic(String::new, || drop(fields));
    FinishedAttempt { lane, node, cx, activation, end, spent }
}

async fn run_once(
    engine: &Engine,
    this: &Attempt,
    leased_until: &AtomicU64,
    began: JournalEnd,
) -> (AttemptOutcome, Vec<Usage>) {
    if !this.wait.is_zero() {
        Box::pin(tokio::time::sleep(this.wait)).await;
    }
    if this.entry.spec.effect
        && let Some(end) = withheld(engine, this, began).await
    {
        return (end, Vec::new());
    }
    // A slow store, another node that blocked the thread, or a suspended machine may have used up the lease.
    if this.entry.spec.effect && engine.clock.now().as_millis() >= leased_until.load(Ordering::Relaxed) {
        let error = "it was not called: the runner's lease expired before the effect could begin";
        let (thread, node) = (this.cx.thread(), this.entry.spec.name);
        tracing::warn!(
            target: "hitl::node",
            thread = &*plain(thread.as_str()),
            graph = engine.graph.spec.name,
            node,
            "effect not called, because the lease has expired"
        );
        return (AttemptOutcome::Failed { error: error.to_owned() }, Vec::new());
    }
    // Pinned, because the future is large, and `instrument` would copy it.
    let call = pin!(call(engine, this));
    call.instrument(span(this)).await
}

/// Returns the outcome of an effect that must not be called, because an operator has stopped its thread, its graph or its
/// store, perhaps after the entry that says that the effect began; or because the stops cannot be read.
async fn withheld(engine: &Engine, this: &Attempt, began: JournalEnd) -> Option<AttemptOutcome> {
    let read: BoxFuture<'_, _> = Box::pin(engine.stop_since(this.cx.thread(), began));
    match read.await {
        Ok(None) => None,
        Ok(Some(stop)) => {
            let (thread, node) = (this.cx.thread(), this.entry.spec.name);
            tracing::warn!(
                target: "hitl::node",
                thread = &*plain(thread.as_str()),
                graph = engine.graph.spec.name,
                node,
                "effect not called, because it is stopped"
            );
            Some(AttemptOutcome::Withheld { error: format!("it was not called: {stop}"), cause: None })
        }
        Err(error) => {
            let cause = Some(Box::new(error));
            let error = "it was not called: whether it is stopped cannot be read".to_owned();
            Some(AttemptOutcome::Withheld { error, cause })
        }
    }
}

/// Returns the span of an attempt. It is enabled at the level `INFO` for every node, so that what the node's function
/// logs at that level has the node.
fn span(this: &Attempt) -> Span {
    let effect = this.entry.spec.effect;
    let span = tracing::info_span!(
        target: "hitl::node",
        "node",
        node = this.entry.spec.name,
        attempt = this.cx.attempt(),
        place = this.cx.place().get(),
        lane = (this.lane != ROOT).then_some(this.lane),
        effect,
        idempotency_key = Empty,
    );
    if effect && !span.is_disabled() {
        span.record("idempotency_key", this.cx.idempotency_key());
    }
    span
}

/// Calls the function of a node, and checks its result.
async fn call(engine: &Engine, this: &Attempt) -> (AttemptOutcome, Vec<Usage>) {
    let (rejection, question) = match this.activation.feedback.as_deref() {
        Some(Feedback::Rejection(rejection)) => (Some(rejection), None),
        Some(Feedback::Question(question)) => (None, Some(question)),
        None => (None, None),
    };
    let Some(deps) = &engine.deps else {
        let error = "this program is a front: it has no dependencies for its nodes".to_owned();
        return (AttemptOutcome::Failed { error }, Vec::new());
    };
    let args = ErasedArgs {
        slots: &this.fields,
        deps,
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
        match spec.retry.timeout {
            None => Some(work.await),
            Some(timeout) => Box::pin(tokio::time::timeout(timeout, work)).await.ok(),
        }
    };
    let (result, spent) = Reporter::new(engine.subscribers.clone(), &this.cx).follow(work).await;
    let unsure = spec.effect && !spec.idempotent;
    let end = match result {
        Some(Ok(Ok(writes))) => finished(engine.graph, &this.fields, writes, unsure),
        Some(Ok(Err(error))) => failed(&error, unsure),
        Some(Err(panic)) => {
            failed(&NodeError::msg(format_args!("it panicked: {}", panic_message(panic))), unsure)
        }
        None => {
            let timeout = spec.retry.timeout.unwrap_or_default();
            failed(&NodeError::msg(format_args!("it timed out after {timeout:?}")), unsure)
        }
    };
    let outcome = match &end {
        AttemptOutcome::Wrote { .. } => "wrote",
        AttemptOutcome::Failed { .. } | AttemptOutcome::Withheld { .. } => "failed",
        AttemptOutcome::Unknown { .. } => "in_doubt",
    };
    tracing::debug!(target: "hitl::node", outcome, "attempt ended");
    (end, spent)
}

/// Returns the result of a failed attempt: in doubt for an effect that is not idempotent and not reported as not done,
/// failed otherwise.
pub(super) fn failed(error: &NodeError, unsure: bool) -> AttemptOutcome {
    let text = catch_panic(|| "`Display` of the node's error".to_owned(), || error.to_string());
    let text = text.unwrap_or_else(|broken| broken.to_string());
    if unsure && !error.is_not_done() {
        AttemptOutcome::Unknown { error: text }
    } else {
        AttemptOutcome::Failed { error: text }
    }
}

/// Checks the writes of an attempt. A value that cannot be stored or signed is a failure of the node that returned it.
fn finished(graph: &'static GraphTable, fields: &Slots, mut writes: Writes, unsure: bool) -> AttemptOutcome {
    let (mut drafted, mut back) = (None, Vec::with_capacity(writes.0.len()));
    for (field, json) in &mut writes.0 {
        match write_checks::check_value(graph, fields, field, json.get()) {
            Ok(held) => {
                drafted = held.draft.map(|draft| CheckedDraft { field, draft }).or(drafted);
                match held.json {
                    // The value was read from another spelling than the journal gets.
                    Some(spelt) => *json = spelt,
                    None => back.extend(held.back),
                }
            }
            Err(problem) => return failed(&NodeError::msg(problem), unsure),
        }
    }
    writes.0.sort_unstable_by_key(|(field, _)| *field);
    AttemptOutcome::Wrote { writes, drafted, back }
}
