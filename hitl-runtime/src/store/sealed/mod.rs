//! Values that only their writer's vault can open: [`Sealed`] stands before any store and encrypts each entry.
//!
//! Every entry is sealed with AES-256-GCM on this side, under a data key that comes from a vault ([`KmsKeys`], or a
//! [`KeySource`] of yours) and is used for many entries within [`Bounds`]. The wrapped data key stands beside each
//! entry, so an entry needs nothing but the vault to be read. Whoever has the store, a copy of it or its backups, and
//! not the vault's key, has this:
//!
//! | sealed | in the clear |
//! |---|---|
//! | every entry: input, fields, drafts, edits, reasons, notes, errors, operators, times, snapshots | thread ids, places, which entries hold a snapshot, how long an entry is once it is compressed |
//! | | each entry's hash, and the digest of each open review |
//! | | the index: standings, when a thread is due, and of each open review its graph, node, role, times |
//! | | beside each entry: the id of the vault's key, the wrapped data key, the [`Context`] |
//!
//! **Hashes and digests are no secrets' keepers.** They are SHA-256 of the text in the clear, because
//! [`verify`](crate::Agent::verify), verdicts and the fence of an append need them; so somebody who reads the store and
//! can guess a whole entry, or a whole draft, to the byte can find out that the guess is right. Where a draft has few
//! possible values, treat its digest as the draft. And a thread's id is its name everywhere: put no name or address of
//! a customer into it.
//!
//! # What cannot be done to it unseen
//!
//! An entry's thread, place, hash, snapshot mark and header are bound to it as associated data. An entry that was
//! changed, or brought from another thread or another place, does not open: reading is
//! [`StoreError::Sealed`], and nothing of it becomes an entry. What sealing cannot show is
//! that the newest entries are missing, that a whole thread is gone or is again what it once was, or that the index says
//! something else than the journal. For the journal there are the heads that `verify --against` holds it against; and
//! nothing is ever decided by the index alone.
//!
//! # Keys come and go
//!
//! - A data key is used until it reaches one of its [`Bounds`]; then the next append asks for a new one. Old entries
//!   carry their own.
//! - KMS rotates a key by itself and keeps its id: nothing is to be done.
//! - A key that is replaced, or an alias that is pointed elsewhere: name the old one with [`KmsKeys::also_reading`]. It is
//!   not trusted by itself: otherwise anybody with a key that this program may use could plant entries.
//! - Deleting the vault's key deletes every entry under it, in all backups.
//!
//! # What it costs
//!
//! An entry grows by 61 bytes and the lengths of the key's id (75 for an ARN), the wrapped data key (184 from KMS) and
//! the context (18, as long as you add nothing): 338 in all. From 256 bytes on it is compressed with zstd first,
//! where that pays, for what is sealed no longer shrinks. Where a store limits how large an entry may be, it is the
//! sealed one that counts. The vault is asked once for each data key that is written with, and once for each that is
//! read with, and not again for as long as [`Bounds::age`] says.
//!
//! # Keys in memory
//!
//! Data keys are overwritten when they are dropped and shown nowhere. The buffers of the HTTP client through which KMS
//! sends them are not ours to overwrite. A data key past its age is dropped when the next one is asked for, so a
//! process that rests keeps its last ones until it goes on or ends.

mod bounds;
mod cipher;
mod data_key;
mod error;
mod header;
mod in_use;
mod keyring;
mod kms;
mod source;
mod unwrapped;

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};

pub use self::{
    bounds::Bounds,
    data_key::{DataKey, NewDataKey},
    error::{KeyError, SealError},
    keyring::Keyring,
    kms::KmsKeys,
    source::{Context, KeySource},
};
use self::{cipher::SealingKey, header::Found};
use super::{Append, OpenReview, Page, Place, Record, Standing, Store, StoreError, Tail};
use crate::ThreadId;

/// How many entries are opened at once.
const AT_ONCE: usize = 16;

/// A store whose entries are sealed before they are given to another store. What is sealed and what is not is said
/// [in the module](self). A clone shares its data keys.
///
/// ```no_run
/// use hitl::store::{MemoryStore, Sealed, Store, sealed::KmsKeys};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Sealed::new(MemoryStore::new(), KmsKeys::new(std::env::var("HITL_KMS_KEY")?));
/// assert!(store.tail(&hitl::ThreadId::new("ticket-A-9133")?).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sealed<S> {
    store: S,
    keyring: Arc<Keyring>,
    admits_plain: bool,
}

impl<S: Store> Sealed<S> {
    /// Seals what is put into `store` from now on, with the keys of a [`KeySource`] or a [`Keyring`].
    ///
    /// ```
    /// use hitl::store::{MemoryStore, Sealed, sealed::{Keyring, KmsKeys}};
    ///
    /// let store = Sealed::new(MemoryStore::new(), KmsKeys::new("alias/refunds"));
    /// let other = Sealed::new(MemoryStore::new(), Keyring::new(KmsKeys::new("alias/refunds")).context("stage", "test"));
    /// # drop((store, other));
    /// ```
    pub fn new(store: S, keys: impl Into<Keyring>) -> Self {
        Self { store, keyring: Arc::new(keys.into()), admits_plain: false }
    }

    /// Also reads entries in the clear: those that were written before the store was sealed.
    ///
    /// While this is on, whoever can write to the store can add entries of their own in the clear, for the hashes that
    /// they need are in the clear too. So it is for the time of a move: new entries are sealed, old threads come to
    /// their end, and then it goes. Entries are not rewritten, because a journal never is.
    ///
    /// ```
    /// use hitl::store::{MemoryStore, Sealed, sealed::KmsKeys};
    ///
    /// let store = Sealed::new(MemoryStore::new(), KmsKeys::new("alias/refunds")).admitting_plain();
    /// # drop(store);
    /// ```
    #[must_use]
    pub fn admitting_plain(mut self) -> Self {
        self.admits_plain = true;
        self
    }

    async fn sealing(&self, append: &Append) -> Result<Arc<SealingKey>, KeyError> {
        let bytes = append.records.iter().map(|record| record.body.len() as u64).sum();
        self.keyring.sealing(append.records.len() as u64, bytes).await
    }

    async fn open(&self, thread: &ThreadId, record: Record) -> Result<Record, StoreError> {
        let refused = |problem| StoreError::Sealed { thread: thread.clone(), place: record.place, problem };
        match header::read(&record.body) {
            Found::Sealed(header, ciphertext) => {
                let key = self.keyring.opening(&header).await.map_err(|problem| match problem {
                    SealError::Key(error) if !error.is_about_a_value() => StoreError::Key(error),
                    problem => refused(problem),
                })?;
                let body = cipher::open(&key, &header, ciphertext, thread, &record);
                body.ok_or_else(|| refused(SealError::Tampered)).map(|body| Record { body, ..record })
            }
            Found::Plain if self.admits_plain => Ok(record),
            Found::Plain => Err(refused(SealError::Plain)),
            Found::Damaged => Err(refused(SealError::Tampered)),
            Found::FromTheFuture(version) => Err(StoreError::FromTheFuture {
                location: format!("entry {} of thread `{thread}`", record.place),
                found: version.into(),
                known: header::VERSION.into(),
            }),
        }
    }

    async fn open_all(&self, thread: &ThreadId, records: Vec<Record>) -> Result<Vec<Record>, StoreError> {
        // A journal that was written over days has many data keys, and each may be a call.
        stream::iter(records).map(|record| self.open(thread, record)).buffered(AT_ONCE).try_collect().await
    }
}

impl<S: Store> Store for Sealed<S> {
    fn append(&self, mut append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            append.check()?;
            let key = self.sealing(&append).await.map_err(StoreError::Key)?;
            for record in &mut append.records {
                record.body = cipher::seal(&key, &append.thread, record).map_err(|_| StoreError::Failed {
                    location: format!("entry {} of thread `{}`", record.place, append.thread),
                    problem: "it could not be sealed: the operating system gives no random bytes".into(),
                    source: None,
                })?;
            }
            self.store.append(append).await
        })
    }

    /// The vault has been asked again already; the rest is the other store's.
    fn wants_patience(&self) -> bool {
        self.store.wants_patience()
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        Box::pin(async move {
            match self.store.tail(thread).await? {
                Some(Tail { before, records }) => {
                    Ok(Some(Tail { before, records: self.open_all(thread, records).await? }))
                }
                None => Ok(None),
            }
        })
    }

    fn entries<'a>(
        &'a self,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
            let records = self.store.entries(thread, from, limit).await?;
            self.open_all(thread, records).await
        })
    }

    fn reviews<'a>(
        &'a self,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<OpenReview>, StoreError>> {
        self.store.reviews(after, limit)
    }

    fn threads<'a>(
        &'a self,
        standing: Option<Standing>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, Standing)>, StoreError>> {
        self.store.threads(standing, after, limit)
    }

    fn due<'a>(
        &'a self,
        by_ms: u64,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        self.store.due(by_ms, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.delete(thread)
    }
}
