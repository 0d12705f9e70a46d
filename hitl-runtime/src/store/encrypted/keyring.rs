//! A cache between a store and a vault, which limits the use of each data key.

use std::{fmt, sync::Arc};

use serde_json::json;

use super::{
    Bounds, Context, DataKey, DecryptError, KeyError, KeySource, cipher::EncryptionKey,
    current_key::CurrentKey, header::Header, key_cache::KeyCache,
};

/// The data keys of a vault, as an [`EncryptedStore`](super::EncryptedStore) uses them: each for many values, within
/// [`Bounds`].
///
/// Every [`KeySource`] converts into a keyring with the default settings; create one yourself to change them.
///
/// ```
/// use std::time::Duration;
/// use hitl::store::{MemoryStore, encrypted::{EncryptedStore, Bounds, Keyring, KmsKeys}};
///
/// let keyring = Keyring::new(KmsKeys::new("alias/refunds"))
///     .context("service", "refunds")
///     .bounds(Bounds::default().age(Duration::from_secs(60)));
/// let store = EncryptedStore::new(MemoryStore::new(), keyring);
/// # drop(store);
/// ```
pub struct Keyring {
    source: Box<dyn KeySource>,
    context: Context,
    /// The context as JSON, as it is stored in a header.
    context_json: String,
    bounds: Bounds,
    current_key: CurrentKey,
    cache: KeyCache,
}

impl Keyring {
    /// Creates a keyring with the context `hitl = journal` and the default bounds.
    ///
    /// ```
    /// use hitl::store::encrypted::{Keyring, KmsKeys};
    ///
    /// let keyring = Keyring::new(KmsKeys::new("alias/refunds"));
    /// # drop(keyring);
    /// ```
    pub fn new(source: impl KeySource) -> Self {
        let keyring = Self {
            source: Box::new(source),
            context: Context::new(),
            context_json: String::new(),
            bounds: Bounds::default(),
            current_key: CurrentKey::default(),
            cache: KeyCache::default(),
        };
        keyring.context("hitl", "journal")
    }

    /// Adds a pair to the encryption context. The context is not secret: it is stored with each value and logged by the
    /// vault, and a key policy may require it. A value can only be decrypted with the context that it was encrypted
    /// with.
    ///
    /// ```
    /// use hitl::store::encrypted::{Keyring, KmsKeys};
    ///
    /// let keyring = Keyring::new(KmsKeys::new("alias/refunds")).context("stage", "production");
    /// # drop(keyring);
    /// ```
    #[must_use]
    pub fn context(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.context.insert(name.into(), value.into());
        self.context_json = json!(self.context).to_string();
        self
    }

    /// Sets the limits on the use of one data key.
    ///
    /// ```
    /// use hitl::store::encrypted::{Bounds, Keyring, KmsKeys};
    ///
    /// let keyring = Keyring::new(KmsKeys::new("alias/refunds")).bounds(Bounds::default().messages(100));
    /// # drop(keyring);
    /// ```
    #[must_use]
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Returns a data key that may encrypt this number of messages, with this number of bytes in total.
    pub(super) async fn encryption_key(
        &self,
        messages: u64,
        bytes: u64,
    ) -> Result<Arc<EncryptionKey>, KeyError> {
        let new = self.source.generate(&self.context);
        self.current_key.take(&self.bounds, (messages, bytes), &self.context_json, new).await
    }

    /// Returns the data key that encrypted the value with this header.
    pub(super) async fn decryption_key(&self, header: &Header<'_>) -> Result<Arc<DataKey>, DecryptError> {
        if header.context != self.context_json {
            return Err(DecryptError::ContextMismatch {
                found: header.context.escape_debug().to_string(),
                expected: self.context_json.clone(),
            });
        }
        let unwrap = self.source.unwrap(header.key_id, header.wrapped, &self.context);
        Ok(self.cache.get(&self.bounds, header.wrapped, unwrap).await?)
    }
}

impl<K: KeySource> From<K> for Keyring {
    fn from(source: K) -> Self {
        Self::new(source)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("context", &self.context)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}
