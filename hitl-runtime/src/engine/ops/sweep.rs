//! Sweeps: recovery of threads whose process died, and expiry and reminders of open reviews.

use std::{sync::Arc, time::Duration};

use super::{
    sweep_event::SweepEvent,
    sweeper::{Step, Sweeper},
};
use crate::{Error, engine::Engine};

impl Engine {
    /// Moves every thread that is due now.
    pub async fn sweep(self: &Arc<Self>) -> Result<Vec<SweepEvent>, Error> {
        let mut sweeper = Sweeper::new(self);
        sweeper.look(Some(self.clock.now()));
        let mut noticed = Vec::new();
        loop {
            match sweeper.next(None).await {
                Step::Events(told) => {
                    for told in told {
                        noticed.push(told?);
                    }
                }
                Step::Idle | Step::Timer => return Ok(noticed),
            }
        }
    }

    /// Moves threads as they become due, until the future is dropped.
    pub async fn watch(
        self: &Arc<Self>,
        every: Duration,
        mut tell: impl FnMut(Result<SweepEvent, Error>),
    ) -> ! {
        let mut sweeper = Sweeper::new(self);
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
