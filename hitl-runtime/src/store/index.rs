//! What a store can list: how threads stand, and the reviews that are open.

use serde::{Deserialize, Serialize};

use crate::{Digest, ThreadId, journal::Place};

/// How a thread stands, as the index of a store keeps it.
///
/// ```
/// use hitl::store::Standing;
///
/// assert_eq!(Standing::InDoubt.as_str(), "in_doubt");
/// assert_eq!(serde_json::to_string(&Standing::InDoubt)?, r#""in_doubt""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// A runner has it, or had it when it died.
    Running,
    /// It waits for a person, and for nothing else.
    Waiting,
    /// An effect may or may not have happened.
    InDoubt,
    /// A node failed.
    Failed,
    /// It has come to its end.
    Ended,
}

impl Standing {
    /// The word for it.
    ///
    /// ```
    /// assert_eq!(hitl::store::Standing::Waiting.as_str(), "waiting");
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

/// An open review, as the index of a store keeps it.
///
/// ```
/// use hitl::{Digest, ThreadId, store::OpenReview};
///
/// let review = OpenReview {
///     thread: ThreadId::new("ticket-A-9133")?,
///     graph: "RefundAgent".into(),
///     node: "execute".into(),
///     digest: Digest::of(b"the draft"),
///     role: Some("refund-approver".into()),
///     place: 3,
///     opened_ms: 1_763_800_000_000,
///     deadline_ms: None,
/// };
/// assert_eq!(review.node, "execute");
/// # Ok::<(), hitl::InvalidThreadId>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenReview {
    /// The thread that waits.
    pub thread: ThreadId,
    /// The graph that it runs on.
    pub graph: String,
    /// The node that will run once the draft is signed.
    pub node: String,
    /// What is to be signed.
    pub digest: Digest,
    /// The role that the operator must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Where the review was opened.
    pub place: Place,
    /// When the review was opened, in milliseconds since the epoch.
    pub opened_ms: u64,
    /// When it expires, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
}

/// One page of a list, and where the next one starts.
///
/// ```
/// use hitl::store::{MemoryStore, Page, Store};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), hitl::store::StoreError> {
/// let store = MemoryStore::new();
/// let mut after = None;
/// loop {
///     let Page { items, next } = store.reviews(after.as_deref(), 50).await?;
///     items.iter().for_each(|review| println!("{} waits at {}", review.thread, review.node));
///     match next {
///         Some(next) => after = Some(next),
///         None => break,
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask for next; `None` on the last page.
    pub next: Option<String>,
}
