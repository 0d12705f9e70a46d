//! Subscriptions to the entries and the model output of a thread that runs in this process.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

use super::history_entry::HistoryEntry;
use crate::{
    ThreadId,
    engine::Engine,
    node::{Cx, ModelListener},
};

/// An event that a [`Subscription`] receives, and that the HTTP API sends as JSON. A test of a user interface reads one
/// from JSON.
///
/// ```
/// use hitl::ThreadEvent;
///
/// fn line(event: &ThreadEvent) -> Option<String> {
///     match event {
///         ThreadEvent::Entry(entry) => Some(entry.event.name().to_owned()),
///         ThreadEvent::ModelOutput { node, text, .. } => Some(format!("{node}: {text}")),
///         _ => None,
///     }
/// }
/// let sent = r#"{"entry": {"place": 1, "at_ms": 1763800000000, "event": {"resumed": {}},
///     "hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}"#;
/// assert_eq!(line(&serde_json::from_str(sent)?).as_deref(), Some("resumed"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ThreadEvent {
    /// An entry was stored in the journal.
    Entry(Box<HistoryEntry>),
    /// A chunk of model output, as a node's model streams it. It is not stored: a failed attempt is started again, and
    /// only the fields that the node finally writes count.
    #[serde(rename = "said")]
    #[non_exhaustive]
    ModelOutput {
        /// The node.
        node: String,
        /// The chunk of text.
        text: String,
    },
    /// The subscriber was too slow, and events were dropped. The journal has all entries.
    #[non_exhaustive]
    Missed {
        /// The number of dropped events.
        count: u64,
    },
}

/// A subscription to a thread's events, from the call of [`Agent::listen`](crate::Agent::listen) on.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{ThreadEvent, ThreadId};
///
/// let agent = RefundAgent::new(MemoryStore::new());
/// let mut listener = agent.listen("ticket-A-9133")?;
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
    /// let mut listener = agent.listen("ticket-A-9133")?;
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
    /// let heard = agent.listen("ticket-A-9133")?.stream();
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

impl Engine {
    /// Subscribes to a thread that runs in this process.
    pub fn listen(&self, thread: &ThreadId) -> Subscription {
        self.subscribers.subscribe(thread)
    }
}

/// The number of events that a subscriber may fall behind.
const BACKLOG: usize = 1024;

/// The subscribers of each thread.
#[derive(Default)]
pub(in crate::engine) struct Subscribers {
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
    fn subscribe(self: &Arc<Self>, thread: &ThreadId) -> Subscription {
        let mut senders = self.senders();
        let sender = senders.entry(thread.clone()).or_insert_with(|| broadcast::Sender::new(BACKLOG)).clone();
        self.threads.store(senders.len(), Ordering::SeqCst);
        let guard = SubscriptionGuard { subscribers: Arc::clone(self), thread: thread.clone() };
        Subscription { events: sender.subscribe(), _guard: guard }
    }

    /// Returns whether a thread has a subscriber.
    pub(super) fn has_subscriber(&self, thread: &ThreadId) -> bool {
        self.threads.load(Ordering::SeqCst) > 0 && self.senders().contains_key(thread)
    }

    /// Sends an event to the subscribers of a thread. `what` is called only if there is one.
    pub(super) fn publish(&self, thread: &ThreadId, what: impl FnOnce() -> ThreadEvent) {
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

impl ModelListener for Subscribers {
    fn model_output(&self, cx: &Cx, text: &str) {
        self.publish(cx.thread(), || ThreadEvent::ModelOutput {
            node: cx.node().to_owned(),
            text: text.to_owned(),
        });
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

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        journal::{Activation, Usage},
        node::{
            Reporter,
            reporter::{report_output, report_usage},
        },
    };

    fn reporter(subscribers: &Arc<Subscribers>, thread: &ThreadId) -> Reporter {
        Reporter::new(
            subscribers.clone(),
            &Cx::new(thread.clone(), "id".into(), "draft", &Activation::to("draft", 3.into())),
        )
    }

    fn usage(ms: u64) -> Usage {
        Usage { model: "m".into(), duration: Duration::from_millis(ms), ..Usage::default() }
    }

    #[tokio::test]
    async fn concurrent_nodes_have_separate_usage() {
        let (subscribers, thread) = (Arc::<Subscribers>::default(), ThreadId::new("t").unwrap());
        let node = |ms| {
            reporter(&subscribers, &thread).follow(async move {
                report_usage(usage(ms));
                tokio::task::yield_now().await;
                report_usage(usage(ms + 1));
                ms
            })
        };
        let (one, other) = tokio::join!(node(10), node(20));
        assert_eq!(one, (10, vec![usage(10), usage(11)]));
        assert_eq!(other, (20, vec![usage(20), usage(21)]));
        // Outside of a node both calls do nothing.
        report_output("to nobody");
        report_usage(usage(1));
    }

    #[tokio::test]
    async fn events_reach_only_subscribers_of_their_thread() {
        let subscribers: Arc<Subscribers> = Arc::default();
        let (here, there) = (ThreadId::new("here").unwrap(), ThreadId::new("there").unwrap());
        let (mut one, mut two, mut other) =
            (subscribers.subscribe(&here), subscribers.subscribe(&here), subscribers.subscribe(&there));
        reporter(&subscribers, &here).follow(async { report_output("Dear ") }).await;
        reporter(&subscribers, &there).follow(async { report_output("Hello") }).await;
        for (listener, words) in [(&mut one, "Dear "), (&mut two, "Dear "), (&mut other, "Hello")] {
            let heard = listener.next().await;
            assert!(
                matches!(&heard, ThreadEvent::ModelOutput { node, text } if node == "draft" && text == words),
                "{heard:?}"
            );
        }
        drop(one);
        assert!(subscribers.has_subscriber(&here));
        drop(two);
        assert!(!subscribers.has_subscriber(&here) && subscribers.has_subscriber(&there));
    }

    #[tokio::test]
    async fn a_slow_subscriber_gets_the_number_of_missed_events() {
        let (subscribers, thread) = (Arc::<Subscribers>::default(), ThreadId::new("t").unwrap());
        let mut slow = subscribers.subscribe(&thread);
        reporter(&subscribers, &thread)
            .follow(async { (0..1030).for_each(|n| report_output(&n.to_string())) })
            .await;
        assert!(matches!(slow.next().await, ThreadEvent::Missed { count: 6 }));
        assert!(matches!(slow.next().await, ThreadEvent::ModelOutput { text, .. } if text == "6"));
    }
}
