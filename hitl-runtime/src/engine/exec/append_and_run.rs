//! An append to a thread, after which the thread runs.

use std::sync::Arc;

use super::executor::{RunError, execute};
use crate::{
    Error,
    engine::{Engine, session::ThreadWriter},
    journal::{Event, Fold},
};

impl Engine {
    /// Appends events that move a thread from outside, and runs the thread unless another runner has it.
    pub(in crate::engine) async fn append_and_run(
        self: &Arc<Self>,
        mut writer: Box<ThreadWriter>,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Fold, RunError> {
        let now = self.clock.now();
        let leased = writer.fold.is_leased(now);
        if let Some(until) = writer.leased_until(now).filter(|_| writer.is_pending()) {
            // The lease holder runs other code, which could not go on after this program's migration of the thread.
            return Err(Error::OtherCode { thread: writer.fold.thread.clone(), until }.into());
        }
        // A program that can only record verdicts does not claim the thread; a runner takes it up in its next sweep.
        if !leased && self.may_run() {
            writer.claim()?;
        }
        for event in events {
            writer.push(event)?;
        }
        if writer.claims() {
            return execute(writer).await;
        }
        let thread = writer.fold.thread.clone();
        if writer.flush(false).await? { Ok(writer.fold) } else { Err(RunError::Conflict(thread)) }
    }

    /// Appends events to a thread without claiming it. Returns `false` on a conflict.
    pub(in crate::engine) async fn append_unclaimed(
        self: &Arc<Self>,
        mut writer: Box<ThreadWriter>,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<bool, Error> {
        let leased = writer.leased_until(self.clock.now());
        if let Some(until) = leased.filter(|_| writer.is_pending()) {
            let thread = writer.fold.thread.clone();
            return Err(Error::OtherCode { thread, until });
        }
        for event in events {
            writer.push(event)?;
        }
        writer.flush(false).await
    }

    /// Returns the thread after a run. If another runner has taken the thread over, the thread is
    /// read again.
    pub(in crate::engine) async fn fold_after(
        self: &Arc<Self>,
        end: Result<Fold, RunError>,
    ) -> Result<Fold, Error> {
        match end {
            Ok(fold) => Ok(fold),
            Err(RunError::Conflict(thread) | RunError::LeaseLost(thread)) => {
                Box::pin(self.load_for_reading(&thread)).await
            }
            Err(RunError::Error(error)) => Err(error),
        }
    }
}
