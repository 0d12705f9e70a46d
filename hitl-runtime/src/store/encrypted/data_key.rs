//! Data keys, each of which encrypts many values for one call to the vault.

use std::fmt;

use zeroize::Zeroizing;

use super::KeyError;

/// A data key in plaintext: 32 bytes, which are overwritten when it is dropped and never printed.
///
/// ```
/// use hitl::store::encrypted::DataKey;
///
/// let key = DataKey::new(vec![7; 32])?;
/// assert_eq!(format!("{key:?}"), "DataKey(..)");
/// assert!(DataKey::new(vec![7; 16]).is_err());
/// # Ok::<(), hitl::store::encrypted::KeyError>(())
/// ```
pub struct DataKey(
    // On the heap, so that moving it leaves no copies behind.
    Zeroizing<Vec<u8>>,
);

impl DataKey {
    /// The length of a data key in bytes, as AES-256 requires it.
    ///
    /// ```
    /// assert_eq!(hitl::store::encrypted::DataKey::BYTES, 32);
    /// ```
    pub const BYTES: usize = 32;

    /// Creates a data key from bytes that the vault has drawn at random.
    ///
    /// ```
    /// let key = hitl::store::encrypted::DataKey::new(vec![7; 32])?;
    /// # Ok::<(), hitl::store::encrypted::KeyError>(())
    /// ```
    ///
    /// # Errors
    /// [`KeyError::InvalidResponse`] if there are not exactly 32 bytes. They are overwritten in this case too.
    pub fn new(bytes: Vec<u8>) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() == Self::BYTES {
            Ok(Self(bytes))
        } else {
            Err(KeyError::InvalidResponse {
                problem: format!("its data key has {} bytes instead of 32", bytes.len()),
            })
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// A new data key, and the same key wrapped by its vault.
///
/// ```
/// use hitl::store::encrypted::{DataKey, NewDataKey};
///
/// let new = NewDataKey::new(DataKey::new(vec![7; 32])?, "the vault's key", vec![1, 2, 3]);
/// assert_eq!(new.id, "the vault's key");
/// # Ok::<(), hitl::store::encrypted::KeyError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct NewDataKey {
    /// The key in plaintext.
    pub key: DataKey,
    /// The id of the vault's key that wraps the data key. It is stored in plaintext with each value.
    pub id: String,
    /// The data key, encrypted by the vault. It is stored with each value.
    pub wrapped: Vec<u8>,
}

impl NewDataKey {
    /// Creates a new data key from its plaintext, the id of the vault's key, and the data key as that key wraps it.
    pub fn new(key: DataKey, id: impl Into<String>, wrapped: Vec<u8>) -> Self {
        Self { key, id: id.into(), wrapped }
    }
}
