//! The sources of data keys.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use super::{DataKey, KeyError, NewDataKey};

/// The encryption context of a data key: names and values that are not secret, and that a vault binds to the key.
/// Unwrapping the key requires the same context.
///
/// ```
/// use hitl::store::encrypted::Context;
///
/// let context = Context::from([("service".to_owned(), "refunds".to_owned())]);
/// assert_eq!(context["service"], "refunds");
/// ```
pub type Context = BTreeMap<String, String>;

/// A vault, that is, a key management service, which generates data keys and unwraps them: [`KmsKeys`](super::KmsKeys),
/// or an implementation of your own.
///
/// It is not called for each value, because a [`Keyring`](super::Keyring) caches its keys. It must itself retry
/// transient errors such as throttling: an error that it returns ends a thread's step, and leaves an effect before it
/// in doubt.
///
/// ```
/// use futures_util::future::{BoxFuture, ready};
/// use hitl::store::{MemoryStore, encrypted::{EncryptedStore, Context, DataKey, KeyError, KeySource, NewDataKey}};
///
/// /// For tests: a single fixed key, which is not wrapped.
/// struct Always([u8; 32]);
///
/// impl KeySource for Always {
///     fn generate<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<NewDataKey, KeyError>> {
///         let key = DataKey::new(self.0.to_vec());
///         Box::pin(ready(key.map(|key| NewDataKey::new(key, "always", vec![]))))
///     }
///
///     fn unwrap<'a>(
///         &'a self,
///         _id: &'a str,
///         _wrapped: &'a [u8],
///         _: &'a Context,
///     ) -> BoxFuture<'a, Result<DataKey, KeyError>> {
///         Box::pin(ready(DataKey::new(self.0.to_vec())))
///     }
/// }
///
/// let store = EncryptedStore::new(MemoryStore::new(), Always([7; 32]));
/// # drop(store);
/// ```
pub trait KeySource: Send + Sync + 'static {
    /// Generates a new data key, drawn at random by the vault.
    ///
    /// # Errors
    /// A [`KeyError`] with the reason if the vault generates none.
    fn generate<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<NewDataKey, KeyError>>;

    /// Returns the data key that was wrapped under the vault's key `id`, for the same context.
    ///
    /// `id` and `wrapped` come from the store, and may be forged by anyone who can write to it: reject a data key that
    /// is not wrapped under a key that this program trusts.
    ///
    /// # Errors
    /// [`KeyError::Untrusted`] for a data key that is wrapped under another key, [`KeyError::InvalidWrappedKey`] for one
    /// that this key did not wrap for this context, and any other [`KeyError`] if the vault does not answer.
    fn unwrap<'a>(
        &'a self,
        id: &'a str,
        wrapped: &'a [u8],
        context: &'a Context,
    ) -> BoxFuture<'a, Result<DataKey, KeyError>>;
}
