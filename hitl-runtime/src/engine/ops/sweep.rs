//! Sweeps: recovery of threads whose process died, and expiry and reminders of open reviews.

use std::{sync::Arc, time::Duration};

use super::{
    sweep_event::SweepEvent,
    sweeper::{Step, Sweeper},
};
use crate::{Error, ThreadId, engine::Engine};

impl Engine {
    /// Moves every thread that is due now.
    pub async fn sweep(self: &Arc<Self>) -> Result<Vec<SweepEvent>, Error> {
        self.sweep_where(|_| true).await
    }

    /// Moves every thread that is due now and selected.
    pub async fn sweep_where(
        self: &Arc<Self>,
        is_selected: impl Fn(&ThreadId) -> bool + Send + Sync,
    ) -> Result<Vec<SweepEvent>, Error> {
        let mut noticed = Vec::new();
        self.sweep_each(is_selected, |event| noticed.push(event)).await?;
        Ok(noticed)
    }

    /// Moves every thread that is due now and selected, and passes each event to `tell` as it happens. If the future is
    /// dropped, the threads that have begun to run go on in the background.
    pub async fn sweep_each(
        self: &Arc<Self>,
        is_selected: impl Fn(&ThreadId) -> bool + Send + Sync,
        mut tell: impl FnMut(SweepEvent),
    ) -> Result<(), Error> {
        let mut sweeper = Sweeper::new(self, &is_selected);
        sweeper.look(Some(self.clock.now()));
        loop {
            match sweeper.next(None).await {
                Step::Events(told) => told.into_iter().try_for_each(|told| told.map(&mut tell))?,
                Step::Idle | Step::Timer => return Ok(()),
            }
        }
    }

    /// Moves threads as they become due, until the future is dropped.
    pub async fn watch(self: &Arc<Self>, every: Duration, tell: impl FnMut(Result<SweepEvent, Error>)) -> ! {
        self.watch_where(every, |_| true, tell).await
    }

    /// Moves the selected threads as they become due, until the future is dropped.
    pub async fn watch_where(
        self: &Arc<Self>,
        every: Duration,
        is_selected: impl Fn(&ThreadId) -> bool + Send + Sync,
        mut tell: impl FnMut(Result<SweepEvent, Error>),
    ) -> ! {
        let mut sweeper = Sweeper::new(self, &is_selected);
        let mut next_look = Box::pin(tokio::time::sleep(Duration::ZERO));
        loop {
            match sweeper.next(Some(next_look.as_mut())).await {
                Step::Events(told) => told.into_iter().for_each(&mut tell),
                Step::Timer => {
                    sweeper.look(None);
                    next_look.set(tokio::time::sleep(every));
                }
                // Nothing to do until the next pass.
                Step::Idle => next_look.as_mut().await,
            }
        }
    }
}
