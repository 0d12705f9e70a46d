//! Subscriptions to the entries and the model output of a thread that runs in this process.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

use super::{Agent, Graph, HistoryEntry};
use crate::ThreadId;

/// An event that a [`Subscription`] receives.
///
/// ```
/// use hitl::ThreadEvent;
///
/// let said = ThreadEvent::ModelOutput { node: "draft".into(), text: "Dear ".into() };
/// assert_eq!(serde_json::to_string(&said)?, r#"{"said":{"node":"draft","text":"Dear "}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ThreadEvent {
    /// An entry was stored in the journal.
    Entry(Box<HistoryEntry>),
    /// A chunk of model output, as a node's model streams it. It is not stored: a failed attempt is started again, and
    /// only the fields that the node finally writes count.
    #[serde(rename = "said")]
    ModelOutput {
        /// The node.
        node: String,
        /// The chunk of text.
        text: String,
    },
    /// The subscriber was too slow, and events were dropped. The journal has all entries.
    Missed {
        /// The number of dropped events.
        count: u64,
    },
}

/// A subscription to a thread's events, from the call of [`Agent::listen`] on.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{ThreadEvent, ThreadId};
///
/// let agent = RefundAgent::new(MemoryStore::new());
/// let mut listener = agent.listen(&ThreadId::new("ticket-A-9133")?);
/// # let _ = waiting(&agent, "A-9133").await?;
/// let ThreadEvent::Entry(first) = listener.next().await else { panic!("the thread has begun") };
/// assert_eq!(first.event.name(), "started");
/// # Ok(())
/// # }
/// ```
pub struct Subscription {
    events: broadcast::Receiver<ThreadEvent>,
    // Declared last, so that it is dropped after `heard` and does not count this receiver as a remaining subscriber.
    _guard: SubscriptionGuard,
}

impl Subscription {
    /// Waits for the next event. It is cancel safe: dropping the future loses no event.
    pub async fn next(&mut self) -> ThreadEvent {
        loop {
            match self.events.recv().await {
                Ok(heard) => return heard,
                Err(RecvError::Lagged(count)) => return ThreadEvent::Missed { count },
                // The channel stays open while it has a subscriber, so this does not happen.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Returns the next event that has already happened, if there is one. It does not wait.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::ThreadId;
    ///
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let mut listener = agent.listen(&ThreadId::new("ticket-A-9133")?);
    /// assert!(listener.try_next().is_none());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// assert!(listener.try_next().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_next(&mut self) -> Option<ThreadEvent> {
        match self.events.try_recv() {
            Ok(heard) => Some(heard),
            Err(TryRecvError::Lagged(count)) => Some(ThreadEvent::Missed { count }),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }

    /// Converts the subscription into a stream, which never ends.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use futures_util::StreamExt as _;
    /// use hitl::ThreadId;
    ///
    /// let agent = RefundAgent::new(MemoryStore::new());
    /// let heard = agent.listen(&ThreadId::new("ticket-A-9133")?).stream();
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// // The entries of `start`: started, ran, paused.
    /// assert_eq!(heard.take(3).collect::<Vec<_>>().await.len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(self) -> impl Stream<Item = ThreadEvent> + Send + 'static {
        stream::unfold(self, |mut listener| async move { Some((listener.next().await, listener)) })
    }
}

impl<G: Graph> Agent<G> {
    /// Subscribes to a thread: to its entries as they are stored, and to the output of its models while they generate
    /// it. Only events of this process, through this agent and its clones, are received. A subscriber that falls far
    /// behind receives [`ThreadEvent::Missed`] with the number of dropped events. [`Subscription`] has an example.
    pub fn listen(&self, thread: &ThreadId) -> Subscription {
        self.inner.subscribers.subscribe(thread)
    }
}

/// The number of events that a subscriber may fall behind.
const BACKLOG: usize = 1024;

/// The subscribers of each thread.
#[derive(Default)]
pub(crate) struct Subscribers {
    /// The number of threads with a subscriber. It is read before the lock is taken, because most threads have no
    /// subscriber.
    threads: AtomicUsize,
    senders: Mutex<HashMap<ThreadId, broadcast::Sender<ThreadEvent>>>,
}

struct SubscriptionGuard {
    subscribers: Arc<Subscribers>,
    thread: ThreadId,
}

impl Subscribers {
    pub(super) fn subscribe(self: &Arc<Self>, thread: &ThreadId) -> Subscription {
        let mut senders = self.senders();
        let sender = senders.entry(thread.clone()).or_insert_with(|| broadcast::Sender::new(BACKLOG)).clone();
        self.threads.store(senders.len(), Ordering::SeqCst);
        let guard = SubscriptionGuard { subscribers: Arc::clone(self), thread: thread.clone() };
        Subscription { events: sender.subscribe(), _guard: guard }
    }

    /// Returns whether a thread has a subscriber.
    pub(crate) fn has_subscriber(&self, thread: &ThreadId) -> bool {
        self.threads.load(Ordering::SeqCst) > 0 && self.senders().contains_key(thread)
    }

    /// Sends an event to the subscribers of a thread. `what` is called only if there is one.
    pub(crate) fn publish(&self, thread: &ThreadId, what: impl FnOnce() -> ThreadEvent) {
        if self.threads.load(Ordering::SeqCst) == 0 {
            return;
        }
        if let Some(sender) = self.senders().get(thread) {
            // The send fails if the last subscriber has just been dropped.
            let _ = sender.send(what());
        }
    }

    /// Locks the map. A poisoned lock is used as it is: no code panics in the middle of a change.
    fn senders(&self) -> MutexGuard<'_, HashMap<ThreadId, broadcast::Sender<ThreadEvent>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SubscriptionGuard {
    fn drop(&mut self) {
        let mut senders = self.subscribers.senders();
        if senders.get(&self.thread).is_some_and(|sender| sender.receiver_count() == 0) {
            senders.remove(&self.thread);
        }
        self.subscribers.threads.store(senders.len(), Ordering::SeqCst);
    }
}
