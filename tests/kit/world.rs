//! A mock of what the nodes of a graph call: it behaves as its script says, and records the calls.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use hitl::prelude::*;
use tokio::sync::Notify;

/// The behavior of one call.
#[derive(Clone, Debug)]
pub enum Behavior {
    Works,
    Fails,
    Refuses,
    Panics,
    Hangs,
}

/// Each call behaves as the next entry of the script says, and works once the script has ended.
#[derive(Clone, Default)]
pub struct World {
    script: Arc<Mutex<VecDeque<Behavior>>>,
    calls: Arc<Mutex<Vec<(String, String)>>>,
    runs: Arc<Mutex<Vec<String>>>,
    /// Notified by each call.
    pub reached: Arc<Notify>,
    is_down: Arc<AtomicBool>,
    limit: Arc<Mutex<Option<u32>>>,
}

impl World {
    pub fn new(script: impl IntoIterator<Item = Behavior>) -> Self {
        Self { script: Arc::new(Mutex::new(script.into_iter().collect())), ..Self::default() }
    }

    /// Records a call with its idempotency key, and behaves as the script says.
    pub async fn call(&self, wish: &str, key: &str) -> Result<String> {
        self.calls.lock().unwrap().push((wish.to_owned(), key.to_owned()));
        let behavior = self.script.lock().unwrap().pop_front().unwrap_or(Behavior::Works);
        self.reached.notify_one();
        match behavior {
            Behavior::Works => Ok(format!("did {wish}")),
            Behavior::Fails => Err(NodeError::msg("the connection broke")),
            Behavior::Refuses => Err(NodeError::not_done("the bank refused")),
            Behavior::Panics => panic!("out of cheese"),
            Behavior::Hangs => std::future::pending().await,
        }
    }

    /// Makes [`look`](Self::look) fail from now on, or work again.
    pub fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    /// Changes and records nothing, and fails while the world is down.
    pub fn look(&self) -> Result<()> {
        match self.is_down.load(Ordering::SeqCst) {
            true => Err(NodeError::msg("the world is down")),
            false => Ok(()),
        }
    }

    /// Changes the amount up to which a payment is small, which is 100 at first.
    pub fn set_limit(&self, cents: u32) {
        *self.limit.lock().unwrap() = Some(cents);
    }

    pub fn limit(&self) -> u32 {
        self.limit.lock().unwrap().unwrap_or(100)
    }

    /// Records the run of a node that calls nothing.
    pub fn ran(&self, node: &str) {
        self.runs.lock().unwrap().push(node.to_owned());
    }

    /// Returns the recorded runs.
    pub fn runs(&self) -> Vec<String> {
        self.runs.lock().unwrap().clone()
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// Returns the calls, also those that failed.
    pub fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(|(wish, _)| wish.clone()).collect()
    }

    /// Returns the idempotency keys of the calls.
    pub fn keys(&self) -> BTreeSet<String> {
        self.calls.lock().unwrap().iter().map(|(_, key)| key.clone()).collect()
    }
}
