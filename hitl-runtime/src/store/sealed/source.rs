//! Where data keys come from.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use super::{DataKey, KeyError, NewDataKey};

/// What a data key is for: names and words that are no secret, and that a vault binds to the key. Whoever unwraps a
/// key must say the same.
///
/// ```
/// use hitl::store::sealed::Context;
///
/// let context = Context::from([("service".to_owned(), "refunds".to_owned())]);
/// assert_eq!(context["service"], "refunds");
/// ```
pub type Context = BTreeMap<String, String>;

/// A vault that makes data keys and unwraps them: [`KmsKeys`](super::KmsKeys), or one of yours.
///
/// It is not asked for each value: a [`Keyring`](super::Keyring) stands before it. What may pass, such as throttling, it
/// tries again itself: an error of its own ends a thread's step, and after an effect leaves it in doubt.
///
/// ```
/// use futures_util::future::{BoxFuture, ready};
/// use hitl::store::{MemoryStore, Sealed, sealed::{Context, DataKey, KeyError, KeySource, NewDataKey}};
///
/// /// For tests: one key for all, which wraps nothing.
/// struct Always([u8; 32]);
///
/// impl KeySource for Always {
///     fn generate<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, Result<NewDataKey, KeyError>> {
///         let key = DataKey::new(self.0.to_vec());
///         Box::pin(ready(key.map(|key| NewDataKey { key, id: "always".into(), wrapped: vec![] })))
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
/// let store = Sealed::new(MemoryStore::new(), Always([7; 32]));
/// # drop(store);
/// ```
pub trait KeySource: Send + Sync + 'static {
    /// A new data key, drawn at random by the vault.
    ///
    /// # Errors
    /// Why there is none.
    fn generate<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<NewDataKey, KeyError>>;

    /// The data key that was wrapped under the vault's key `id`, for the same context.
    ///
    /// `id` and `wrapped` come from the store, and whoever can write there may have made them up: what is not wrapped
    /// under a key that this program trusts must be refused.
    ///
    /// # Errors
    /// [`KeyError::Untrusted`] for another key's, [`KeyError::Refused`] for what this key did not wrap for this
    /// context, and whatever keeps the vault from answering.
    fn unwrap<'a>(
        &'a self,
        id: &'a str,
        wrapped: &'a [u8],
        context: &'a Context,
    ) -> BoxFuture<'a, Result<DataKey, KeyError>>;
}
