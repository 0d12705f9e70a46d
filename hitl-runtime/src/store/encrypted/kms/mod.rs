//! Data keys from AWS KMS.

mod error;

use std::fmt;

use aws_sdk_kms::{Client, primitives::Blob, types::DataKeySpec};
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use super::{Context, DataKey, KeyError, KeySource, NewDataKey};
use crate::aws;

/// The lengths of a wrapped key that KMS accepts, as its API defines them for `CiphertextBlob`. KMS never returns a key
/// of another length, and would reject it as an invalid request.
const WRAPPED_LENGTHS: std::ops::RangeInclusive<usize> = 1..=6_144;

/// Data keys from AWS KMS, under a symmetric encryption key of yours.
///
/// The environment is not read, and no connection is made, before the first data key is needed. Region and credentials
/// then come from the default provider chain of the AWS SDK. The role needs `kms:GenerateDataKey` on the key, and
/// `kms:Decrypt` on it and on those that are named with [`decryption_key`](Self::decryption_key). Throttling and
/// network errors are retried for up to 20 seconds before they are returned. A client of yours keeps its own timeouts
/// and retries.
///
/// ```
/// use hitl::store::{MemoryStore, encrypted::{EncryptedStore, KmsKeys}};
///
/// # fn example() -> Result<(), std::env::VarError> {
/// let keys = KmsKeys::new(std::env::var("HITL_KMS_KEY")?);
/// let store = EncryptedStore::new(MemoryStore::new(), keys);
/// # Ok(())
/// # }
/// ```
pub struct KmsKeys {
    /// The key that encrypts, and after it the keys that are trusted for decryption only.
    keys: Vec<String>,
    endpoint: Option<String>,
    client: OnceCell<Client>,
}

impl KmsKeys {
    /// Uses a key, given by its id, its ARN, or the name or the ARN of an alias.
    ///
    /// ```
    /// let keys = hitl::store::encrypted::KmsKeys::new("alias/refunds");
    /// # drop(keys);
    /// ```
    pub fn new(key: impl Into<String>) -> Self {
        Self { keys: vec![key.into()], endpoint: None, client: OnceCell::new() }
    }

    /// Uses a key through a client of yours.
    ///
    /// ```
    /// # async fn example() {
    /// use hitl::store::encrypted::KmsKeys;
    ///
    /// # let client: aws_sdk_kms::Client = todo!();
    /// let keys = KmsKeys::with_client(client, "alias/refunds");
    /// # }
    /// ```
    pub fn with_client(client: Client, key: impl Into<String>) -> Self {
        Self { client: OnceCell::new_with(Some(client)), ..Self::new(key) }
    }

    /// Uses this endpoint instead of the region's: an emulator, or an endpoint inside your network. A client of yours
    /// keeps its own endpoint.
    ///
    /// ```
    /// let keys = hitl::store::encrypted::KmsKeys::new("alias/refunds").endpoint("http://127.0.0.1:4566");
    /// # drop(keys);
    /// ```
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Adds a key that is trusted for decryption, but encrypts nothing new: one that was replaced, or the previous
    /// target of an alias. A key that KMS has rotated keeps its id and need not be named.
    ///
    /// ```
    /// use hitl::store::encrypted::KmsKeys;
    ///
    /// let keys = KmsKeys::new("alias/refunds")
    ///     .decryption_key("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    /// # drop(keys);
    /// ```
    #[must_use]
    pub fn decryption_key(mut self, key: impl Into<String>) -> Self {
        self.keys.push(key.into());
        self
    }

    fn key(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }

    async fn client(&self) -> Result<&Client, KeyError> {
        self.client.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Client, KeyError> {
        let mut config = aws::kms_config().await.map_err(|problem| KeyError::Unconfigured { problem })?;
        if let Some(url) = &self.endpoint {
            config = config.endpoint_url(url);
        }
        Ok(Client::from_conf(config.build()))
    }

    /// Returns the keys that may have wrapped a data key, those that the id names first.
    fn candidates<'a>(&'a self, id: &str) -> impl Iterator<Item = &'a str> {
        let is_named = |key: &str| id == key || id.rsplit_once('/').is_some_and(|(_, id)| id == key);
        let (named, others): (Vec<&str>, Vec<&str>) =
            self.keys.iter().map(String::as_str).partition(|key| is_named(key));
        named.into_iter().chain(others)
    }

    async fn decrypt(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KeyError> {
        let call = self
            .client()
            .await?
            .decrypt()
            // Given the key's id, KMS itself rejects a data key that another key has wrapped.
            .key_id(key)
            .ciphertext_blob(Blob::new(wrapped))
            .set_encryption_context(Some(context.clone().into_iter().collect()));
        let answer = call.send().await.map_err(|error| error::convert(&error, key))?;
        DataKey::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default())
    }
}

impl KeySource for KmsKeys {
    fn generate<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<NewDataKey, KeyError>> {
        Box::pin(async move {
            let call = self
                .client()
                .await?
                .generate_data_key()
                .key_id(self.key())
                .key_spec(DataKeySpec::Aes256)
                .set_encryption_context(Some(context.clone().into_iter().collect()));
            let answer = call.send().await.map_err(|error| error::convert(&error, self.key()))?;
            let key = DataKey::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default())?;
            let wrapped = answer.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
            if !WRAPPED_LENGTHS.contains(&wrapped.len()) {
                // Values that are encrypted under this key could never be decrypted.
                return Err(KeyError::InvalidResponse {
                    problem: "its data key has no valid wrapped form".into(),
                });
            }
            Ok(NewDataKey { key, id: answer.key_id.unwrap_or_default(), wrapped })
        })
    }

    fn unwrap<'a>(
        &'a self,
        id: &'a str,
        wrapped: &'a [u8],
        context: &'a Context,
    ) -> BoxFuture<'a, Result<DataKey, KeyError>> {
        Box::pin(async move {
            if !WRAPPED_LENGTHS.contains(&wrapped.len()) {
                return Err(KeyError::InvalidWrappedKey);
            }
            let mut first_error = None;
            for key in self.candidates(id) {
                match self.decrypt(key, wrapped, context).await {
                    Err(KeyError::Untrusted { .. }) => {}
                    Err(error) => first_error = first_error.or(Some(error)),
                    Ok(key) => return Ok(key),
                }
            }
            Err(first_error.unwrap_or_else(|| KeyError::Untrusted { key: id.escape_debug().to_string() }))
        })
    }
}

impl fmt::Debug for KmsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsKeys")
            .field("keys", &self.keys)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
