//! Selection of a store by environment variables.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use super::{MemoryStore, Store, StoreError};
use crate::{
    Error,
    env::{NotUnicode, optional_var},
};

/// Opens the store that the environment variables name; returns `None` if they name none.
///
/// | variable | value |
/// |---|---|
/// | `HITL_STORE` | `sqlite:<file>`, `dynamodb:<table>`, or `memory`, which is not persistent; with `dynamodb:<table>?keep_ended=90d`, DynamoDB deletes a thread 90 days after its end |
/// | `HITL_KMS_KEY` | the AWS KMS key under which every entry is encrypted before it is stored (feature `kms`); after it, separated by commas, older keys under which existing entries may still be decrypted |
///
/// DynamoDB and KMS take region and credentials from the default provider chain of the AWS SDK.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{MemoryStore, Store, store::from_env};
/// use std::sync::Arc;
///
/// let store: Arc<dyn Store> = match from_env().await? {
///     Some(store) => store,
///     None => Arc::new(MemoryStore::new()),
/// };
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`UnusableStore`] if a variable has an invalid value, names a store whose feature is not enabled in this build, or
/// names a store that cannot be opened.
pub async fn from_env() -> Result<Option<Arc<dyn Store>>, UnusableStore> {
    named(optional_var("HITL_STORE")?.as_deref(), optional_var("HITL_KMS_KEY")?.as_deref()).await
}

async fn named(at: Option<&str>, keys: Option<&str>) -> Result<Option<Arc<dyn Store>>, UnusableStore> {
    match (at, keys) {
        (Some(at), Some(keys)) => encrypted(store(at).await?, keys).map(Some),
        (Some(at), None) => store(at).await.map(Some),
        // Without a store from here, the caller opens one of its own, and its entries would not be encrypted.
        (None, Some(_)) => Err(UnusableStore::NoStoreToEncrypt),
        (None, None) => Ok(None),
    }
}

/// The reason why the environment names no usable store.
///
/// ```
/// use hitl::store::UnusableStore;
///
/// let error = UnusableStore::Unknown { named: "tickets.db".into() };
/// assert!(error.to_string().starts_with("HITL_STORE is `tickets.db`, which is not a supported store"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableStore {
    /// `HITL_STORE` has none of the supported forms.
    #[error(
        "HITL_STORE is `{named}`, which is not a supported store; set it to `sqlite:<file>`, `dynamodb:<table>`, \
         `dynamodb:<table>?keep_ended=90d` or `memory`"
    )]
    Unknown {
        /// The value of the variable.
        named: String,
    },
    /// A variable is set, but its value is not Unicode.
    #[error("{variable} is not valid Unicode; set it to a value in UTF-8")]
    NotUnicode {
        /// The name of the variable.
        variable: &'static str,
    },
    /// `HITL_KMS_KEY` contains an empty name: its list of keys starts or ends with a comma, or has two in a row.
    #[error("HITL_KMS_KEY contains an empty key name; add the missing key, or remove the extra comma")]
    EmptyKeyName,
    /// `HITL_KMS_KEY` is set, but this program is built without the feature `kms`.
    #[error(
        "HITL_KMS_KEY is set, but this program is built without encryption; build it with the feature `kms`"
    )]
    EncryptionNotBuilt,
    /// `HITL_KMS_KEY` is set, but `HITL_STORE` names no store to encrypt.
    #[error("HITL_KMS_KEY is set, but HITL_STORE is not; set HITL_STORE to the store to encrypt")]
    NoStoreToEncrypt,
    /// `HITL_STORE` names a store whose feature is not enabled in this build.
    #[error(
        "HITL_STORE requires the feature `{feature}`, which this program is built without; build it with that feature"
    )]
    NotBuilt {
        /// The feature of the crate `hitl` that is missing.
        feature: &'static str,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<UnusableStore> for Error {
    fn from(error: UnusableStore) -> Self {
        match error {
            UnusableStore::Store(error) => Self::Store(error),
            error => Self::NotSetUp { problem: error.to_string() },
        }
    }
}

impl From<NotUnicode> for UnusableStore {
    fn from(NotUnicode(variable): NotUnicode) -> Self {
        Self::NotUnicode { variable }
    }
}

async fn store(named: &str) -> Result<Arc<dyn Store>, UnusableStore> {
    match named.split_once(':') {
        None if named == "memory" => Ok(Arc::new(MemoryStore::new())),
        Some(("sqlite", file)) if !file.is_empty() => sqlite(file).await,
        Some(("dynamodb", table)) => {
            let (table, keep_ended) =
                retention(table).ok_or_else(|| UnusableStore::Unknown { named: named.to_owned() })?;
            dynamodb(table, keep_ended).await
        }
        _ => Err(UnusableStore::Unknown { named: named.to_owned() }),
    }
}

/// Parses the name of a table and an optional retention time for ended threads. The minimum is one day, so that the
/// result of a thread can still be read.
fn retention(named: &str) -> Option<(&str, Option<Duration>)> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let (table, time) = match named.split_once('?') {
        None => (named, None),
        Some((table, rest)) => {
            let days: NonZeroU16 = rest.strip_prefix("keep_ended=")?.strip_suffix('d')?.parse().ok()?;
            (table, Some(DAY * days.get().into()))
        }
    };
    (!table.is_empty()).then_some((table, time))
}

#[cfg(feature = "kms")]
fn encrypted(store: Arc<dyn Store>, keys: &str) -> Result<Arc<dyn Store>, UnusableStore> {
    let mut keys = keys.split(',').map(str::trim);
    if keys.clone().any(str::is_empty) {
        return Err(UnusableStore::EmptyKeyName);
    }
    let newest = super::encrypted::KmsKeys::new(keys.next().unwrap_or_default());
    Ok(Arc::new(super::encrypted::EncryptedStore::new(
        store,
        keys.fold(newest, |all, old| all.decryption_key(old)),
    )))
}

#[cfg(not(feature = "kms"))]
fn encrypted(_: Arc<dyn Store>, _: &str) -> Result<Arc<dyn Store>, UnusableStore> {
    Err(UnusableStore::EncryptionNotBuilt)
}

#[cfg(feature = "sqlite")]
async fn sqlite(file: &str) -> Result<Arc<dyn Store>, UnusableStore> {
    Ok(Arc::new(super::SqliteStore::open(file).await?))
}

#[cfg(not(feature = "sqlite"))]
async fn sqlite(_: &str) -> Result<Arc<dyn Store>, UnusableStore> {
    Err(UnusableStore::NotBuilt { feature: "sqlite" })
}

#[cfg(feature = "dynamodb")]
async fn dynamodb(table: &str, keep_ended: Option<Duration>) -> Result<Arc<dyn Store>, UnusableStore> {
    let store = super::dynamo::DynamoStore::from_env(table).await;
    Ok(Arc::new(match keep_ended {
        Some(time) => store.keep_ended(time),
        None => store,
    }))
}

#[cfg(not(feature = "dynamodb"))]
async fn dynamodb(_: &str, _: Option<Duration>) -> Result<Arc<dyn Store>, UnusableStore> {
    Err(UnusableStore::NotBuilt { feature: "dynamodb" })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_is_opened_by_its_name() {
        assert!(store("memory").await.is_ok());
        let wrongly_kept = ["?keep_ended=1d", "t?keep_ended=90", "t?keep_ended=0d", "t?keep=1d"];
        let wrongly_kept = wrongly_kept.map(|table| format!("dynamodb:{table}"));
        let unknown = ["", "memory:", "tickets.db", "sqlite:", "dynamodb:", "redis:x"].map(str::to_owned);
        for wrong in unknown.iter().chain(&wrongly_kept) {
            let error = store(wrong).await.err().unwrap().to_string();
            assert!(error.contains("set it to `sqlite:<file>`"), "{wrong}: {error}");
        }
    }

    #[tokio::test]
    async fn a_named_key_is_used_or_an_error() {
        let answer = named(Some("memory"), Some("alias/new, alias/old")).await;
        if cfg!(feature = "kms") {
            assert!(answer.unwrap().is_some());
        } else {
            let error = answer.err().unwrap().to_string();
            assert!(error.contains("build it with the feature `kms`"), "{error}");
        }
        let error = named(None, Some("alias/new")).await.err().unwrap();
        assert!(matches!(error, UnusableStore::NoStoreToEncrypt), "{error}");
        assert!(named(None, None).await.unwrap().is_none());
    }

    #[cfg(feature = "kms")]
    #[tokio::test]
    async fn an_empty_key_name_is_rejected() {
        for keys in ["alias/new,", ",alias/old", "alias/new, ,alias/old", ","] {
            let error = named(Some("memory"), Some(keys)).await.err().unwrap();
            assert!(matches!(error, UnusableStore::EmptyKeyName), "{keys}: {error}");
        }
    }

    #[test]
    fn a_table_may_have_a_retention_time() {
        assert_eq!(retention("threads"), Some(("threads", None)));
        let quarter = Duration::from_secs(90 * 24 * 60 * 60);
        assert_eq!(retention("threads?keep_ended=90d"), Some(("threads", Some(quarter))));
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn a_file_that_cannot_be_opened_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tickets.db");
        assert!(store(&format!("sqlite:{}", file.display())).await.is_ok());
        let error = store(&format!("sqlite:{}", folder.path().display())).await.err().unwrap();
        assert!(matches!(error, UnusableStore::Store(_)), "{error}");
    }
}
