//! Recovery of threads: continuation after a runner has died, and repetition of failed nodes.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use super::start::named;
use crate::{
    Error, Operator, ThreadId,
    engine::{
        Engine,
        exec::{RunError, RunningGuard, finish_for},
    },
    journal::{Event, Fold, Lane, LaneState, Requester},
    telemetry::plain,
};

/// The work that is repeated when a thread is resumed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryScope {
    /// Nodes that were running when their runner died.
    Orphans,
    /// Failed nodes, too.
    Failures,
}

impl Engine {
    /// Continues a thread whose runner has died, and repeats failed nodes, in the name of a person if one is given.
    pub async fn resume(self: &Arc<Self>, thread: ThreadId, by: Option<&Operator>) -> Result<Fold, Error> {
        let by = by.map(|by| named(&thread, by)).transpose()?;
        let (engine, name) = (Arc::clone(self), thread.clone());
        let span = self.thread_span("resume", &thread);
        let resumed = async move { engine.take_up_by(&thread, RetryScope::Failures, by).await };
        finish_for(name, span, resumed).await
    }

    /// Continues a thread that needs a runner, and repeats no failed node.
    pub async fn continue_thread(self: &Arc<Self>, thread: ThreadId) -> Result<Fold, Error> {
        let (engine, name) = (Arc::clone(self), thread.clone());
        let span = self.thread_span("continue", &thread);
        let continued = async move { engine.take_up(&thread, RetryScope::Orphans).await };
        finish_for(name, span, continued).await
    }

    /// Continues threads in the background, at most `at_once` of them at a time. A sweep continues those that cannot be
    /// continued now, and all of them if the caller is in no runtime of Tokio.
    pub fn continue_in_background(self: &Arc<Self>, threads: Vec<ThreadId>, at_once: usize) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let engine = Arc::clone(self);
        let run_all = async move {
            // A wait until nothing runs is a wait for all of them, also between two.
            let _running = RunningGuard::begin(&engine);
            let run = async |thread: ThreadId| {
                if !engine.may_continue_in_background() {
                    return;
                }
                let name = thread.clone();
                if let Err(error) = engine.continue_thread(thread).await {
                    let (thread, kind) = (&*plain(name.as_str()), error.code());
                    tracing::warn!(target: "hitl::thread", thread, error.type = kind, "not continued; a sweep continues the thread");
                }
            };
            stream::iter(threads).for_each_concurrent(at_once, run).await;
        };
        drop(runtime.spawn(run_all));
    }

    pub(super) async fn take_up(
        self: &Arc<Self>,
        thread: &ThreadId,
        scope: RetryScope,
    ) -> Result<Fold, Error> {
        self.take_up_by(thread, scope, None).await
    }

    async fn take_up_by(
        self: &Arc<Self>,
        thread: &ThreadId,
        scope: RetryScope,
        by: Option<Requester>,
    ) -> Result<Fold, Error> {
        loop {
            self.read_stops().await?;
            let writer = self.load_writer(thread).await?;
            let fold = &writer.fold;
            let leased = fold.is_leased(self.clock.now());
            let orphaned = fold.needs_runner() && self.may_claim(fold);
            let mut lanes = fold.lanes.values().filter(|_| !leased && !fold.is_closed());
            let failed = lanes.any(|lane| is_retryable(lane));
            let mut events = self.expiries(fold)?;
            let Some(writer) = self.append_surplus(writer, &mut events).await? else { continue };
            match scope {
                RetryScope::Failures if orphaned || failed => events.push(Event::Resumed { by: by.clone() }),
                RetryScope::Orphans if orphaned => events.push(Event::Renewed {}),
                _ => {}
            }
            if events.is_empty() {
                if !self.may_run() {
                    self.tell_runner(&writer.fold);
                }
                if !(scope == RetryScope::Failures && writer.is_pending() && self.only_runs()) {
                    return Ok(writer.into_fold());
                }
                // The fronts of this thread cannot record that it is converted to new code, and so take no verdict.
                match self.append_only(writer, events).await {
                    Err(RunError::Conflict(_)) => continue,
                    other => return self.fold_after(other).await,
                }
            }
            match self.append_and_run(writer, events).await {
                Err(RunError::Conflict(_)) => {}
                other => return self.fold_after(other).await,
            }
        }
    }
}

fn is_retryable(lane: &Lane) -> bool {
    matches!(lane.at, LaneState::Failed { stopped: false, .. })
}
