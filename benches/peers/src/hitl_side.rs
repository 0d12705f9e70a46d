//! hitl. Before each step it stores which node ran, what the node wrote and where the thread went, in a chain of
//! SHA-256 hashes; for a verdict also its operator, the digest that they saw, and the draft before and after.

use std::time::{Duration, Instant};

use hitl::Store;

#[path = "../../graphs/mod.rs"]
mod graphs;

use graphs::{Loop, RefundAgent, approved, counted, edited, mara, suspended};

use crate::measure::{Measure, Outcome, STEPS, Side, share};

pub struct Hitl<S> {
    store: Box<dyn Fn() -> S>,
    threads: u64,
}

impl<S: Store> Hitl<S> {
    /// Creates a side. `store` returns the store for a batch: a new one in memory, the same one on a file.
    pub fn on(store: impl Fn() -> S + 'static) -> Self {
        Self { store: Box::new(store), threads: 0 }
    }

    fn name(&mut self) -> String {
        self.threads += 1;
        format!("ticket-{}-{}", std::process::id(), self.threads)
    }
}

impl<S: Store> Side for Hitl<S> {
    async fn run(&mut self, measure: Measure, times: u64) -> Outcome<Duration> {
        let refund = RefundAgent::new((self.store)());
        let count = Loop::new((self.store)());
        let names: Vec<_> = (0..times).map(|_| self.name()).collect();
        let mara = mara();
        let mut open = Vec::with_capacity(names.len());
        if measure == Measure::Approve {
            for name in &names {
                open.push(suspended(&refund, name.clone()).await);
            }
        }
        let start = Instant::now();
        match measure {
            Measure::Start => {
                for name in names {
                    open.push(suspended(&refund, name).await);
                }
            }
            Measure::Approve => {
                for review in open.drain(..) {
                    approved(review, &mara).await;
                }
            }
            Measure::Edit => {
                for name in names {
                    edited(suspended(&refund, name).await, &mara).await;
                }
            }
            Measure::Step => {
                for name in names {
                    assert_eq!(counted(&count, name).await, STEPS);
                }
            }
        }
        Ok(share(start.elapsed(), measure, times))
    }
}
