#![doc = include_str!("layout.md")]

mod append;
mod batch;
mod cleanup;
mod create;
mod error;
mod head;
mod head_cache;
mod index;
mod index_lag;
mod index_query;
mod item;
mod journal;
mod key;
mod layout_upgrade;
mod parts;
mod retry;
mod review_position;
mod review_row;
mod status_query;
mod table;
mod ttl;
mod write;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

/// The SDK whose client [`DynamoStore::new`] takes.
#[doc(no_inline)]
pub use aws_sdk_dynamodb;
use aws_sdk_dynamodb::Client;
use futures_util::future::BoxFuture;

use self::{head_cache::HeadCache, table::Table};
use super::{Append, OpenReview, Page, Record, Store, StoreError, Tail, ThreadStatus};
use crate::ThreadId;
use crate::{Place, Timestamp};

/// A [`Store`] in a DynamoDB table, which any number of processes may share. Clones share the connections and the
/// cached heads.
///
/// It needs a tokio runtime. [The module](self) describes the table, its costs and its limits.
///
/// ```no_run
/// use hitl::store::{Store, dynamo::DynamoStore};
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

/// The state that all clones of a store share.
#[derive(Clone)]
struct Shared {
    table: Table,
    heads: Arc<HeadCache>,
    keep_ended: Option<Duration>,
    /// The time of the last search for old cleanup intents.
    last_cleanup: Arc<AtomicU64>,
    /// `true` if it is known that the table has no rows of the old layout.
    is_upgraded: Arc<AtomicBool>,
    /// `true` if it is known that the table has a layout record.
    has_layout_record: Arc<AtomicBool>,
}

impl DynamoStore {
    /// Uses the table through a client of yours: its region, endpoint, credentials and HTTP client are used, its
    /// retries and timeouts are not. No request is sent yet.
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
        Self(Arc::new(Shared {
            table: Table::new(client, table.into()),
            heads: Arc::default(),
            keep_ended: None,
            last_cleanup: Arc::default(),
            is_upgraded: Arc::default(),
            has_layout_record: Arc::default(),
        }))
    }

    /// Uses the table with the region and the credentials from the default provider chain of the AWS SDK: the
    /// environment, the configuration file, or the role of the machine.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let store = hitl::store::dynamo::DynamoStore::from_env("threads").await;
    /// # drop(store);
    /// # }
    /// ```
    pub async fn from_env(table: impl Into<String>) -> Self {
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await;
        Self::new(&Client::new(&config), table)
    }

    /// Sets the time after which DynamoDB deletes an ended thread, in whole seconds. Without it, threads are kept
    /// forever. The table's time to live must be enabled for the attribute `expires`, and the clocks of all processes
    /// must be correct.
    ///
    /// A thread that is continued after its end is not deleted.
    ///
    /// ```no_run
    /// use hitl::store::dynamo::DynamoStore;
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

    /// Creates the table if it does not exist, with on-demand billing, and returns once it can be used. This is for
    /// development; for production, see [the module](self).
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hitl::store::StoreError> {
    /// let store = hitl::store::dynamo::DynamoStore::from_env("threads").await;
    /// store.create_table().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the table cannot be created, or is not ready within a minute.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        self.0.create_table().await
    }

    /// Deletes the garbage of crashed processes: executes the cleanup intents that have at least this age, and returns
    /// their number. The garbage is parts of appends that were never completed, and entries of threads whose deletion
    /// or expiration was not finished. An hour is a good age. A younger intent may belong to a process that is still
    /// running: its append then fails, but is written completely or not at all, as always.
    ///
    /// This is not necessary if a process lists due threads, as every sweep does: that process executes intents of at
    /// least one hour, once an hour. Large appends and deletions do the same for their shard. Garbage is never visible
    /// to readers, but it takes space and may contain personal data.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), hitl::store::StoreError> {
    /// let store = hitl::store::dynamo::DynamoStore::from_env("threads").await;
    /// let cleared = store.clean_up(std::time::Duration::from_secs(60 * 60)).await?;
    /// println!("{cleared} cleanup intents executed");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The first error. All other intents were executed, and the failed ones remain for the next call.
    pub async fn clean_up(&self, age: Duration) -> Result<usize, StoreError> {
        self.0.clean_up(age).await
    }
}

impl fmt::Debug for DynamoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoStore").field("table", &self.0.table.name).finish_non_exhaustive()
    }
}

impl Store for DynamoStore {
    fn system_name(&self) -> &str {
        "aws.dynamodb"
    }

    fn should_retry_appends(&self) -> bool {
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
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, ThreadStatus)>, StoreError>> {
        Box::pin(self.0.threads(standing, after, limit))
    }

    fn due<'a>(
        &'a self,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        Box::pin(self.0.due(by, after, limit))
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.delete(thread))
    }
}
