//! An append to a thread, after which the thread runs.

use std::sync::Arc;

use super::executor::{RunError, execute};
use crate::{
    Error,
    engine::{Engine, session::ThreadWriter},
    journal::{Event, Fold, LaneId},
};

impl Engine {
    /// Appends events that move a thread from outside, and runs the thread, unless another runner has it, this program is a
    /// front, or the graph or the store is stopped, as this process has last read it.
    pub(in crate::engine) async fn append_and_run(
        self: &Arc<Self>,
        mut writer: Box<ThreadWriter>,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Fold, RunError> {
        if !self.may_claim(&writer.fold) {
            return self.append_only(writer, events).await;
        }
        self.is_of_this_code(&writer)?;
        writer.claim()?;
        for event in events {
            writer.push(event)?;
        }
        execute(writer).await
    }

    /// Returns whether this process may claim a thread. If it is stopped, a runner only records its end, and that effects
    /// are in doubt.
    pub(in crate::engine) fn may_claim(&self, fold: &Fold) -> bool {
        let is_free = self.may_run() && !fold.is_leased(self.clock.now());
        let is_in_doubt = |lane: &LaneId| {
            let began = fold.lanes.get(lane).and_then(|lane| lane.at.activation());
            began.is_some_and(|began| fold.is_closed() || !self.graph.is_idempotent(&began.node))
        };
        is_free && (!self.is_halted(fold) || fold.is_at_end() || fold.lanes.begun().iter().any(is_in_doubt))
    }

    /// Appends events to a thread without claiming it, and leaves the rest to a runner: the one that has the thread, one
    /// that is woken, or one whose sweep finds the thread.
    pub(in crate::engine) async fn append_only(
        self: &Arc<Self>,
        mut writer: Box<ThreadWriter>,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<Fold, RunError> {
        self.is_of_this_code(&writer)?;
        for event in events {
            writer.push(event)?;
        }
        if !writer.flush(false).await? {
            return Err(RunError::Conflict(writer.fold.thread));
        }
        self.tell_runner(&writer.fold);
        Ok(writer.fold)
    }

    /// Checks that this program may append to a thread: if its lease holder runs other code, it could not go on after
    /// this program's conversion of the thread.
    fn is_of_this_code(&self, writer: &ThreadWriter) -> Result<(), Error> {
        match writer.leased_until(self.clock.now()).filter(|_| writer.is_pending()) {
            Some(until) => Err(Error::OtherCode { thread: writer.fold.thread.clone(), until }),
            None => Ok(()),
        }
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
