//! Data keys from AWS KMS.

mod error;

use std::{fmt, time::Duration};

use aws_config::BehaviorVersion;
use aws_sdk_kms::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    primitives::Blob,
    types::DataKeySpec,
};
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use super::{Context, DataKey, KeyError, KeySource, NewDataKey};

/// How long one try may take, and all tries of one call.
const TRY: Duration = Duration::from_secs(5);
const CALL: Duration = Duration::from_secs(20);

/// How often a call is tried at most, with waits that grow and are drawn at random.
const TRIES: u32 = 6;

/// How long a wrapped key may be of which KMS takes note: `CiphertextBlob` in its API's model. What is shorter or longer
/// it never gave, and would refuse as a request that is none.
const WRAPPED: std::ops::RangeInclusive<usize> = 1..=6_144;

/// Data keys from AWS KMS, under a symmetric encryption key of yours.
///
/// Nothing is read from the environment, and no connection is made, before the first data key is needed. Region and
/// credentials are then found as every AWS program finds them. The role needs `kms:GenerateDataKey` on the key and
/// `kms:Decrypt` on it and on those that are named with [`also_reading`](Self::also_reading). Throttling and faults of
/// the network are tried again for up to 20 seconds before they are errors; a client of yours does as you made it.
///
/// ```
/// use hitl::store::{MemoryStore, Sealed, sealed::KmsKeys};
///
/// # fn example() -> Result<(), std::env::VarError> {
/// let keys = KmsKeys::new(std::env::var("HITL_KMS_KEY")?);
/// let store = Sealed::new(MemoryStore::new(), keys);
/// # Ok(())
/// # }
/// ```
pub struct KmsKeys {
    /// The key for what is new, and then those for what is there.
    keys: Vec<String>,
    endpoint: Option<String>,
    client: OnceCell<Client>,
}

impl KmsKeys {
    /// A key by its id, its ARN, or the name or the ARN of an alias.
    ///
    /// ```
    /// let keys = hitl::store::sealed::KmsKeys::new("alias/refunds");
    /// # drop(keys);
    /// ```
    pub fn new(key: impl Into<String>) -> Self {
        Self { keys: vec![key.into()], endpoint: None, client: OnceCell::new() }
    }

    /// A key behind a client that you made.
    ///
    /// ```
    /// # async fn example() {
    /// use hitl::store::sealed::KmsKeys;
    ///
    /// # let client: aws_sdk_kms::Client = todo!();
    /// let keys = KmsKeys::with_client(client, "alias/refunds");
    /// # }
    /// ```
    pub fn with_client(client: Client, key: impl Into<String>) -> Self {
        Self { client: OnceCell::new_with(Some(client)), ..Self::new(key) }
    }

    /// Asks this address instead of the region's: an emulator, or an endpoint inside your network. A client that you
    /// made has its own.
    ///
    /// ```
    /// let keys = hitl::store::sealed::KmsKeys::new("alias/refunds").endpoint("http://127.0.0.1:4566");
    /// # drop(keys);
    /// ```
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Also trusts what was sealed under this key, which seals nothing new: one that was replaced, or what an alias
    /// stood for before. A key that KMS has rotated keeps its id, and needs no mention.
    ///
    /// ```
    /// use hitl::store::sealed::KmsKeys;
    ///
    /// let keys = KmsKeys::new("alias/refunds")
    ///     .also_reading("arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    /// # drop(keys);
    /// ```
    #[must_use]
    pub fn also_reading(mut self, key: impl Into<String>) -> Self {
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
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        if config.region().is_none() {
            let problem = "no AWS region is set; set AWS_REGION to the key's";
            return Err(KeyError::Unconfigured { problem });
        }
        let timeouts =
            TimeoutConfig::builder().operation_attempt_timeout(TRY).operation_timeout(CALL).build();
        let mut config = aws_sdk_kms::config::Builder::from(&config)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES));
        if let Some(url) = &self.endpoint {
            config = config.endpoint_url(url);
        }
        Ok(Client::from_conf(config.build()))
    }

    /// The keys that may have wrapped something, that first which the id names.
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
            // KMS itself refuses what another key has wrapped.
            .key_id(key)
            .ciphertext_blob(Blob::new(wrapped))
            .set_encryption_context(Some(context.clone().into_iter().collect()));
        let answer = call.send().await.map_err(|error| error::typed(&error, key))?;
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
            let answer = call.send().await.map_err(|error| error::typed(&error, self.key()))?;
            let key = DataKey::new(answer.plaintext.map(Blob::into_inner).unwrap_or_default())?;
            let wrapped = answer.ciphertext_blob.map(Blob::into_inner).unwrap_or_default();
            if !WRAPPED.contains(&wrapped.len()) {
                // What it seals could never be opened.
                return Err(KeyError::BadAnswer {
                    problem: "its data key comes without a wrapped one".into(),
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
            if !WRAPPED.contains(&wrapped.len()) {
                return Err(KeyError::Refused);
            }
            let mut trouble = None;
            for key in self.candidates(id) {
                match self.decrypt(key, wrapped, context).await {
                    Err(KeyError::Untrusted { .. }) => {}
                    Err(error) => trouble = trouble.or(Some(error)),
                    Ok(key) => return Ok(key),
                }
            }
            Err(trouble.unwrap_or_else(|| KeyError::Untrusted { key: id.escape_debug().to_string() }))
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
