//! The index of a store: the status of each thread, the open reviews, and pages of both.

use serde::{Deserialize, Serialize};

use crate::{Digest, Place, ThreadId, Timestamp};

/// The status of a thread, as the index of a store records it.
///
/// ```
/// use hitl::store::ThreadStatus;
///
/// assert_eq!(ThreadStatus::InDoubt.as_str(), "in_doubt");
/// assert_eq!(serde_json::to_string(&ThreadStatus::InDoubt)?, r#""in_doubt""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
// Exhaustive, because a store has to keep each of them, and a new one would change the format of every store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub enum ThreadStatus {
    /// A process runs the thread, or ran it when the process crashed.
    Running,
    /// The thread waits for a person, and for nothing else.
    Waiting,
    /// The outcome of an effect is unknown: it may or may not have happened.
    InDoubt,
    /// A node failed.
    Failed,
    /// The thread has ended.
    Ended,
}

impl ThreadStatus {
    /// Returns the name of the status in snake case, as it is serialized.
    ///
    /// ```
    /// assert_eq!(hitl::store::ThreadStatus::Waiting.as_str(), "waiting");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::InDoubt => "in_doubt",
            Self::Failed => "failed",
            Self::Ended => "ended",
        }
    }
}

/// An open review, as the index of a store records it.
///
/// ```
/// use hitl::{Digest, ThreadId, Timestamp, store::OpenReview};
///
/// let thread = ThreadId::new("ticket-A-9133")?;
/// let opened = Timestamp::from_millis(1_763_800_000_000);
/// let review = OpenReview::new(thread, "RefundAgent", "execute", Digest::of(b"the draft"), 3, opened)
///     .with_role(Some("refund-approver".into()));
/// assert_eq!((review.node.as_str(), review.deadline), ("execute", None));
/// # Ok::<(), hitl::InvalidThreadId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OpenReview {
    /// The thread that waits for the review.
    pub thread: ThreadId,
    /// The name of the thread's graph.
    pub graph: String,
    /// The node that runs once the draft is approved.
    pub node: String,
    /// The digest of the draft under review.
    pub digest: Digest,
    /// The role that the operator must hold, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The place of the entry that opened the review.
    pub place: Place,
    /// The time at which the review was opened.
    #[serde(rename = "opened_ms")]
    pub opened: Timestamp,
    /// The time at which the review expires; `None` if it has no deadline.
    #[serde(rename = "deadline_ms", default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

impl OpenReview {
    /// Creates an open review without a role and a deadline.
    pub fn new(
        thread: ThreadId,
        graph: impl Into<String>,
        node: impl Into<String>,
        digest: Digest,
        place: impl Into<Place>,
        opened: Timestamp,
    ) -> Self {
        let (graph, node, place) = (graph.into(), node.into(), place.into());
        Self { thread, graph, node, digest, role: None, place, opened, deadline: None }
    }

    /// Sets the role that the operator must hold.
    #[must_use]
    pub fn with_role(self, role: Option<String>) -> Self {
        Self { role, ..self }
    }

    /// Sets the time at which the review expires.
    #[must_use]
    pub fn with_deadline(self, deadline: Option<Timestamp>) -> Self {
        Self { deadline, ..self }
    }
}

/// One page of a list, and the token of the next one.
///
/// ```
/// use hitl::store::{MemoryStore, Page, Store};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), hitl::store::StoreError> {
/// let store = MemoryStore::new();
/// let mut after = None;
/// loop {
///     let page = store.reviews(after.as_deref(), 50).await?;
///     page.items.iter().for_each(|review| println!("{} waits at {}", review.thread, review.node));
///     match page.next {
///         Some(next) => after = Some(next),
///         None => break,
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items of the page.
    pub items: Vec<T>,
    /// The token to pass as `after` for the next page; `None` on the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Creates a page from its items and the token of the next page, which is `None` on the last one.
    pub fn new(items: Vec<T>, next: Option<String>) -> Self {
        Self { items, next }
    }
}
