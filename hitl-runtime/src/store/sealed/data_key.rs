//! Data keys: what one vault's key is worth to many values.

use std::fmt;

use zeroize::Zeroizing;

use super::KeyError;

/// A data key in the clear: 32 bytes, which are overwritten when it is dropped and never shown.
///
/// ```
/// use hitl::store::sealed::DataKey;
///
/// let key = DataKey::new(vec![7; 32])?;
/// assert_eq!(format!("{key:?}"), "DataKey(..)");
/// assert!(DataKey::new(vec![7; 16]).is_err());
/// # Ok::<(), hitl::store::sealed::KeyError>(())
/// ```
pub struct DataKey(
    // On the heap, so that moving it leaves no copies behind.
    Zeroizing<Vec<u8>>,
);

impl DataKey {
    /// How many bytes a data key has: AES-256 wants 32.
    ///
    /// ```
    /// assert_eq!(hitl::store::sealed::DataKey::BYTES, 32);
    /// ```
    pub const BYTES: usize = 32;

    /// A key of these bytes. The vault has drawn them at random.
    ///
    /// ```
    /// let key = hitl::store::sealed::DataKey::new(vec![7; 32])?;
    /// # Ok::<(), hitl::store::sealed::KeyError>(())
    /// ```
    ///
    /// # Errors
    /// [`KeyError::BadAnswer`] where they are not 32. They are overwritten then, too.
    pub fn new(bytes: Vec<u8>) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(bytes);
        if bytes.len() == Self::BYTES {
            Ok(Self(bytes))
        } else {
            Err(KeyError::BadAnswer { problem: format!("its data key has {} bytes, not 32", bytes.len()) })
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

/// A new data key, and the same key as only its vault can read it.
///
/// ```
/// use hitl::store::sealed::{DataKey, NewDataKey};
///
/// let new = NewDataKey { key: DataKey::new(vec![7; 32])?, id: "the vault's key".into(), wrapped: vec![1, 2, 3] };
/// assert_eq!(new.id, "the vault's key");
/// # Ok::<(), hitl::store::sealed::KeyError>(())
/// ```
#[derive(Debug)]
pub struct NewDataKey {
    /// The key.
    pub key: DataKey,
    /// The name of the vault's key that wraps it. It is written in the clear beside each value.
    pub id: String,
    /// The key, encrypted by the vault. It is written beside each value.
    pub wrapped: Vec<u8>,
}
