#![doc = include_str!("layout.md")]

mod append;
mod batch;
mod call;
mod chore;
mod create;
mod cursor;
mod expiry;
mod head;
mod heads;
mod index;
mod item;
mod journal;
mod key;
mod late;
mod list;
mod parts;
mod table;
mod trouble;
mod write;

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

/// The SDK whose client [`DynamoStore::new`] takes.
pub use aws_sdk_dynamodb;
use aws_sdk_dynamodb::Client;
use futures_util::future::BoxFuture;

use self::{heads::Heads, table::Table};
use super::{Append, OpenReview, Page, Place, Record, Standing, Store, StoreError, Tail};
use crate::ThreadId;

/// Journals in a DynamoDB table, which any number of processes may share. A clone shares the connections, and what is
/// remembered of each thread.
///
/// It needs a tokio runtime. The table, its costs and its limits are described [in the module](self).
///
/// ```no_run
/// use hitl::store::{DynamoStore, Store};
/// use hitl::ThreadId;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = DynamoStore::from_env("threads").await;
/// assert!(store.tail(&ThreadId::new("ticket-A-9133")?).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DynamoStore(Arc<Shared>);

/// What all clones of a store have.
#[derive(Clone)]
struct Shared {
    table: Table,
    heads: Arc<Heads>,
    keep_ended: Option<Duration>,
    /// When old chores were looked for last.
    tidied_ms: Arc<AtomicU64>,
}

impl DynamoStore {
    /// The store in that table, through a client of yours: its region, endpoint, credentials and HTTP client are used,
    /// its retries and timeouts are not. Nothing is sent yet.
    ///
    /// ```
    /// use hitl::store::dynamo::{DynamoStore, aws_sdk_dynamodb as sdk};
    ///
    /// let config = sdk::Config::builder()
    ///     .behavior_version(sdk::config::BehaviorVersion::latest())
    ///     .region(sdk::config::Region::new("eu-central-1"))
    ///     .endpoint_url("http://localhost:8000")
    ///     .credentials_provider(sdk::config::Credentials::new("any", "any", None, None, "local"))
    ///     .build();
    /// let store = DynamoStore::new(&sdk::Client::from_conf(config), "threads");
    /// # drop(store);
    /// ```
    pub fn new(client: &Client, table: impl Into<String>) -> Self {
        let table = Table::new(client, table.into());
        let (heads, tidied_ms) = (Arc::default(), Arc::default());
        Self(Arc::new(Shared { table, heads, keep_ended: None, tidied_ms }))
    }

    /// The store in that table, with the region and the credentials that AWS's own tools would use: from the
    /// environment, the configuration file, or the machine's role.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let store = hitl::store::DynamoStore::from_env("threads").await;
    /// # drop(store);
    /// # }
    /// ```
    pub async fn from_env(table: impl Into<String>) -> Self {
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await;
        Self::new(&Client::new(&config), table)
    }

    /// Lets DynamoDB forget a thread so long after its end, to the second. Without this, a thread is kept for ever. The
    /// table's time to live must be set to the attribute `expires`, and the clocks of all processes must be right.
    ///
    /// A thread that goes on after its end is not forgotten.
    ///
    /// ```no_run
    /// use hitl::store::DynamoStore;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let store = DynamoStore::from_env("threads").await.keep_ended(Duration::from_secs(90 * 24 * 60 * 60));
    /// # drop(store);
    /// # }
    /// ```
    #[must_use]
    pub fn keep_ended(self, time: Duration) -> Self {
        Self(Arc::new(Shared { keep_ended: Some(time), ..Shared::clone(&self.0) }))
    }

    /// Makes the table where there is none, billed by request, and returns once it can be used. This is for
    /// development; [the module](self) says how to make one for production.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hitl::store::StoreError> {
    /// let store = hitl::store::DynamoStore::from_env("threads").await;
    /// store.create_table().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Failed`] where it cannot be made, or is not ready within a minute.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        self.0.table.create().await
    }

    /// Clears away what processes that died have left, and says how many such things there were: parts of appends that
    /// never came to be, entries of threads that were being deleted, or forgotten. An hour is a good age. What is younger may be in the
    /// hands of a living process: its append then fails, and is whole or not at all as ever.
    ///
    /// Nothing needs this where somebody sweeps: who asks what is due clears away what is an hour old, once an hour. So do
    /// large appends and deletions where they come by. Nobody ever sees what is left, but it takes room, and may be
    /// personal.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hitl::store::StoreError> {
    /// let store = hitl::store::DynamoStore::from_env("threads").await;
    /// let cleared = store.tidy(std::time::Duration::from_secs(60 * 60)).await?;
    /// println!("{cleared} things cleared away");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Why the first thing that cannot be cleared away cannot. All others are, and it is left for the next time.
    pub async fn tidy(&self, age: Duration) -> Result<usize, StoreError> {
        self.0.tidy(age).await
    }
}

impl fmt::Debug for DynamoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoStore").field("table", &self.0.table.name).finish_non_exhaustive()
    }
}

impl Store for DynamoStore {
    fn wants_patience(&self) -> bool {
        false
    }

    fn append(&self, append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.append(append))
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        Box::pin(self.0.tail(thread))
    }

    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(self.0.entries(thread, from, limit))
    }

    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        Box::pin(self.0.reviews(after, limit))
    }

    fn threads<'a>(
        &'a self,
        standing: Option<Standing>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, Standing)>, StoreError>> {
        Box::pin(self.0.threads(standing, after, limit))
    }

    fn due<'a>(
        &'a self,
        by_ms: u64,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        Box::pin(self.0.due(by_ms, after, limit))
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.delete(thread))
    }
}
