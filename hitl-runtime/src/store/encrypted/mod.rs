//! Client-side encryption: [`EncryptedStore`] wraps any store and encrypts each entry with keys from a vault (a key
//! management service).
//!
//! Every entry is encrypted in this process with AES-256-GCM, under a data key that comes from a vault ([`KmsKeys`], or
//! a [`KeySource`] of yours) and is used for many entries within [`Bounds`]. The wrapped data key is stored with each
//! entry, so reading an entry requires nothing but the vault. This is what is encrypted, and what stays readable to a
//! party that has the store, a copy of it or its backups, but not the vault's key:
//!
//! | encrypted | plaintext |
//! |---|---|
//! | every entry: input, fields, drafts, edits, reasons, notes, errors, operators, times, snapshots | thread ids, places, which entries contain a snapshot, the compressed length of each entry |
//! | | each entry's hash, and the digest of each open review |
//! | | the index: the status and the due time of each thread; the graph, node, role and times of each open review |
//! | | with each entry: the id of the vault's key, the wrapped data key, the [`Context`] |
//!
//! The store keeps no tallies, because they would name operators and verdicts: [`metrics`](crate::Agent::metrics) reads
//! and decrypts all journals. Tallies that were kept before the store was encrypted are deleted after the first append
//! of each process. As with any deleted rows, the file or its backups may still contain them.
//!
//! **Hashes and digests do not hide what they cover.** They are SHA-256 of the plaintext, because
//! [`verify`](crate::Agent::verify), verdicts and the conflict check of an append need them. A reader of the store who
//! guesses a whole entry or a whole draft, byte for byte, can confirm the guess. If a draft has few possible values,
//! treat its digest as the draft itself. A thread id is plaintext everywhere: do not put the name or address of a
//! customer into it.
//!
//! # Detection of tampering
//!
//! An entry's thread, place, hash, snapshot flag and header are bound to it as associated data. An entry that was
//! modified, or copied from another thread or place, does not decrypt: reading it returns [`StoreError::Decryption`],
//! and none of its content is used. Encryption cannot show that the newest entries are missing, that a whole thread was
//! deleted or restored to an earlier state, or that the index differs from the journal. For the journal,
//! `verify --against` compares it with recorded heads. No decision is ever based on the index alone.
//!
//! # Key rotation
//!
//! - A data key is used until it reaches one of its [`Bounds`]; the next append then requests a new one. Each old entry
//!   carries its own data key.
//! - If KMS rotates a key automatically, its id stays the same, and there is nothing to do.
//! - If a key is replaced, or an alias gets another target, name the old key with [`KmsKeys::decryption_key`]. It is
//!   not trusted automatically: otherwise anyone with a key that this program may use could forge entries.
//! - Deleting the vault's key makes every entry under it unreadable, in all backups too.
//!
//! # Costs
//!
//! An entry grows by 61 bytes and the lengths of the key's id (75 for an ARN), the wrapped data key (184 from KMS) and
//! the context (18 by default): 338 bytes in all. From 256 bytes on, it is compressed with zstd before encryption if
//! that makes it smaller, because ciphertext cannot be compressed. If a store limits the size of an entry, the limit
//! applies to the encrypted entry. The vault is called once for each data key that encrypts and once for each that
//! decrypts, and not again before [`Bounds::age`] is over.
//!
//! # Keys in memory
//!
//! Data keys are overwritten when they are dropped and never printed. The buffers of the HTTP client that receives them
//! from KMS cannot be overwritten from here. A data key past its age is dropped when the next one is requested, so an
//! idle process keeps its last keys until it resumes work or ends.

mod bounds;
mod cipher;
mod current_key;
mod data_key;
mod error;
mod header;
mod key_cache;
mod keyring;
mod kms;
mod source;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};

pub use self::{
    bounds::Bounds,
    data_key::{DataKey, NewDataKey},
    error::{DecryptError, KeyError},
    keyring::Keyring,
    kms::KmsKeys,
    source::{Context, KeySource},
};
use self::{cipher::EncryptionKey, header::ParsedValue};
use super::{Append, OpenReview, Page, Record, Store, StoreError, Tail, ThreadStatus, traced::error_type};
use crate::{Place, ThreadId, Timestamp};

/// The maximum number of entries that are decrypted concurrently.
const CONCURRENCY: usize = 16;

/// A store that encrypts entries before it passes them to another store. [The module](self) lists what is encrypted and
/// what is not. Clones share their data keys.
///
/// ```no_run
/// use hitl::store::{MemoryStore, Store, encrypted::{EncryptedStore, KmsKeys}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = EncryptedStore::new(MemoryStore::new(), KmsKeys::new(std::env::var("HITL_KMS_KEY")?));
/// assert!(store.tail(&hitl::ThreadId::new("ticket-A-9133")?).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EncryptedStore<S> {
    store: S,
    keyring: Arc<Keyring>,
    allows_plaintext: bool,
    /// `true` once the tallies of the time before encryption are deleted.
    has_deleted_tallies: Arc<AtomicBool>,
}

impl<S: Store> EncryptedStore<S> {
    /// Wraps `store`, and encrypts new entries with the keys of a [`KeySource`] or a [`Keyring`].
    ///
    /// ```
    /// use hitl::store::{MemoryStore, encrypted::{EncryptedStore, Keyring, KmsKeys}};
    ///
    /// let store = EncryptedStore::new(MemoryStore::new(), KmsKeys::new("alias/refunds"));
    /// let keyring = Keyring::new(KmsKeys::new("alias/refunds")).context("stage", "test");
    /// let other = EncryptedStore::new(MemoryStore::new(), keyring);
    /// # drop((store, other));
    /// ```
    pub fn new(store: S, keys: impl Into<Keyring>) -> Self {
        Self {
            store,
            keyring: Arc::new(keys.into()),
            allows_plaintext: false,
            has_deleted_tallies: Arc::default(),
        }
    }

    /// Also reads plaintext entries: those that were written before the store was encrypted.
    ///
    /// While this is on, anyone who can write to the store can add plaintext entries, because the hashes that this
    /// requires are plaintext too. Use it for a migration only: new entries are encrypted, old threads end, and then
    /// remove the call. Existing entries are not encrypted later, because a journal is append-only.
    ///
    /// ```
    /// use hitl::store::{MemoryStore, encrypted::{EncryptedStore, KmsKeys}};
    ///
    /// let store = EncryptedStore::new(MemoryStore::new(), KmsKeys::new("alias/refunds")).allow_plaintext();
    /// # drop(store);
    /// ```
    #[must_use]
    pub fn allow_plaintext(mut self) -> Self {
        self.allows_plaintext = true;
        self
    }

    async fn encryption_key(&self, append: &Append) -> Result<Arc<EncryptionKey>, KeyError> {
        let bytes = append.records.iter().map(|record| record.body.len() as u64).sum();
        self.keyring.encryption_key(append.records.len() as u64, bytes).await
    }

    async fn decrypt(&self, thread: &ThreadId, record: Record) -> Result<Record, StoreError> {
        let rejected = |problem: DecryptError| {
            let (thread, place, problem) = (thread.clone(), record.place, problem.into());
            StoreError::Decryption { thread, place, problem }
        };
        match header::parse(&record.body) {
            ParsedValue::Encrypted(header, ciphertext) => {
                let key = self.keyring.decryption_key(&header).await.map_err(|problem| match problem {
                    DecryptError::Key(error) if !error.is_value_error() => StoreError::Key(error.into()),
                    problem => rejected(problem),
                })?;
                let body = cipher::decrypt(&key, &header, ciphertext, thread, &record);
                body.ok_or_else(|| rejected(DecryptError::Tampered)).map(|body| record.with_body(body))
            }
            ParsedValue::Plaintext if self.allows_plaintext => Ok(record),
            ParsedValue::Plaintext => Err(rejected(DecryptError::Plaintext)),
            ParsedValue::Damaged => Err(rejected(DecryptError::Tampered)),
            ParsedValue::NewerVersion(version) => Err(StoreError::NewerSchema {
                location: format!("entry {} of thread `{thread}`", record.place),
                found: version.into(),
                known: header::VERSION.into(),
            }),
        }
    }

    async fn decrypt_all(&self, thread: &ThreadId, records: Vec<Record>) -> Result<Vec<Record>, StoreError> {
        // A journal that was written over days has many data keys, and each one may require a call.
        stream::iter(records)
            .map(|record| self.decrypt(thread, record))
            .buffered(CONCURRENCY)
            .try_collect()
            .await
    }
}

impl<S: Store> Store for EncryptedStore<S> {
    fn append(&self, mut append: Append) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            append.check()?;
            // They name operators and verdicts, which are encrypted.
            append.tallies = None;
            let key = self.encryption_key(&append).await.map_err(|error| StoreError::Key(error.into()))?;
            for record in &mut append.records {
                record.body =
                    cipher::encrypt(&key, &append.thread, record).map_err(|_| StoreError::Failed {
                        location: format!("entry {} of thread `{}`", record.place, append.thread),
                        problem: "it could not be encrypted: the operating system provided no random bytes"
                            .into(),
                        source: None,
                    })?;
            }
            self.store.append(append).await?;
            // Once in each process, so that a store which cannot delete them delays no further append.
            if !self.has_deleted_tallies.swap(true, Ordering::Relaxed)
                && let Err(error) = self.store.delete_tallies(None).await
            {
                // The append is stored.
                let kind = error_type(&error);
                tracing::warn!(
                    target: "hitl::store",
                    { error.type = kind },
                    "tallies of the time before encryption not deleted; the next process tries again"
                );
            }
            Ok(())
        })
    }

    /// Returns the value of the inner store, because calls to the vault have been retried already.
    fn should_retry_appends(&self) -> bool {
        self.store.should_retry_appends()
    }

    fn system_name(&self) -> &str {
        self.store.system_name()
    }

    fn tail<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<Option<Tail>, StoreError>> {
        Box::pin(async move {
            match self.store.tail(thread).await? {
                Some(Tail { before, records, .. }) => {
                    Ok(Some(Tail::new(self.decrypt_all(thread, records).await?).with_before(before)))
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
            self.decrypt_all(thread, records).await
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
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, ThreadStatus)>, StoreError>> {
        self.store.threads(standing, after, limit)
    }

    fn due<'a>(
        &'a self,
        by: Timestamp,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<ThreadId>, StoreError>> {
        self.store.due(by, after, limit)
    }

    fn delete<'a>(&'a self, thread: &'a ThreadId) -> BoxFuture<'a, Result<(), StoreError>> {
        self.store.delete(thread)
    }
}
