//! Listening to a thread while it runs in this process.

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

/// What is heard of a thread.
///
/// ```
/// use hitl::Heard;
///
/// let said = Heard::Said { node: "draft".into(), text: "Dear ".into() };
/// assert_eq!(serde_json::to_string(&said)?, r#"{"said":{"node":"draft","text":"Dear "}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Heard {
    /// An entry is in the journal.
    Entry(Box<HistoryEntry>),
    /// A piece of what a node's model says, as it says it. It is kept nowhere: a try that fails is begun anew, and only
    /// what the node writes in the end counts.
    Said {
        /// The node.
        node: String,
        /// The piece.
        text: String,
    },
    /// So many were missed by whoever did not keep up. The journal has all entries.
    Missed {
        /// How many.
        count: u64,
    },
}

/// What a thread does, from the call of [`Agent::listen`] on.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{Heard, ThreadId};
///
/// let agent = RefundAgent::new(MemoryStore::new());
/// let mut listener = agent.listen(&ThreadId::new("ticket-A-9133")?);
/// # let _ = waiting(&agent, "A-9133").await?;
/// let Heard::Entry(first) = listener.next().await else { panic!("the thread has begun") };
/// assert_eq!(first.event.name(), "started");
/// # Ok(())
/// # }
/// ```
pub struct Listener {
    heard: broadcast::Receiver<Heard>,
    // Dropped after `heard`, and then sees whether anybody is left.
    _seat: Seat,
}

impl Listener {
    /// The next thing that happens. It waits for as long as nothing does, and loses nothing when it is dropped meanwhile.
    pub async fn next(&mut self) -> Heard {
        loop {
            match self.heard.recv().await {
                Ok(heard) => return heard,
                Err(RecvError::Lagged(count)) => return Heard::Missed { count },
                // The channel is open for as long as anybody sits at it.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// The next thing that has happened already, if there is one.
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
    pub fn try_next(&mut self) -> Option<Heard> {
        match self.heard.try_recv() {
            Ok(heard) => Some(heard),
            Err(TryRecvError::Lagged(count)) => Some(Heard::Missed { count }),
            Err(TryRecvError::Empty | TryRecvError::Closed) => None,
        }
    }

    /// The same as a stream, which has no end.
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
    /// // What `start` wrote: started, ran, paused.
    /// assert_eq!(heard.take(3).collect::<Vec<_>>().await.len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(self) -> impl Stream<Item = Heard> + Send + 'static {
        stream::unfold(self, |mut listener| async move { Some((listener.next().await, listener)) })
    }
}

impl<G: Graph> Agent<G> {
    /// Listens to a thread: its entries as they are stored, and what its models say meanwhile. Only what happens in this
    /// process, through this agent and its clones, is heard; whoever listens and falls far behind is told how much was
    /// missed. The example is at [`Listener`].
    pub fn listen(&self, thread: &ThreadId) -> Listener {
        self.inner.listeners.seat(thread)
    }
}

/// How much a listener may fall behind.
const BACKLOG: usize = 1024;

/// Who listens to which thread.
#[derive(Default)]
pub(crate) struct Listeners {
    /// How many threads are listened to. Looked at first, for mostly nobody listens.
    threads: AtomicUsize,
    senders: Mutex<HashMap<ThreadId, broadcast::Sender<Heard>>>,
}

struct Seat {
    listeners: Arc<Listeners>,
    thread: ThreadId,
}

impl Listeners {
    pub(super) fn seat(self: &Arc<Self>, thread: &ThreadId) -> Listener {
        let mut senders = self.senders();
        let sender = senders.entry(thread.clone()).or_insert_with(|| broadcast::Sender::new(BACKLOG)).clone();
        self.threads.store(senders.len(), Ordering::SeqCst);
        let seat = Seat { listeners: Arc::clone(self), thread: thread.clone() };
        Listener { heard: sender.subscribe(), _seat: seat }
    }

    /// Whether anybody listens to a thread.
    pub(crate) fn are_there(&self, thread: &ThreadId) -> bool {
        self.threads.load(Ordering::SeqCst) > 0 && self.senders().contains_key(thread)
    }

    /// Tells whoever listens to a thread; `what` is made only if somebody does.
    pub(crate) fn tell(&self, thread: &ThreadId, what: impl FnOnce() -> Heard) {
        if self.threads.load(Ordering::SeqCst) == 0 {
            return;
        }
        if let Some(sender) = self.senders().get(thread) {
            // The last one may just have left.
            let _ = sender.send(what());
        }
    }

    /// Nothing in here panics in the middle of a change.
    fn senders(&self) -> MutexGuard<'_, HashMap<ThreadId, broadcast::Sender<Heard>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut senders = self.listeners.senders();
        if senders.get(&self.thread).is_some_and(|sender| sender.receiver_count() == 0) {
            senders.remove(&self.thread);
        }
        self.listeners.threads.store(senders.len(), Ordering::SeqCst);
    }
}
