//! A vault in this process, which keeps every data key under a number and counts its calls.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use hitl_runtime::store::sealed::{Context, DataKey, KeyError, KeySource, NewDataKey};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

/// The offset of the wrapped key in an entry: after "\0hitl", the version, the vault's name, and its own length.
pub const WRAPPED: usize = 6 + 2 + "vault".len() + 2;

#[derive(Clone, Default)]
pub struct Vault {
    inside: Arc<Mutex<Inside>>,
    gate: Arc<RwLock<()>>,
}

#[derive(Default)]
struct Inside {
    asked: usize,
    keys: Vec<(Vec<u8>, Context)>,
    unwrapped: usize,
    closed: Option<KeyError>,
}

impl Vault {
    /// Returns the number of data keys that were made, and of those that were unwrapped.
    pub fn calls(&self) -> (usize, usize) {
        let inside = self.inside.lock().unwrap();
        (inside.keys.len(), inside.unwrapped)
    }

    /// Returns the number of calls, including failed ones.
    pub fn asked(&self) -> usize {
        self.inside.lock().unwrap().asked
    }

    /// Blocks all calls until the guard is dropped.
    pub fn silence(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).try_write_owned().unwrap()
    }

    async fn think(&self) {
        self.inside.lock().unwrap().asked += 1;
        // Other tasks may run in between.
        tokio::task::yield_now().await;
        let _open = self.gate.read().await;
    }

    /// Makes all further calls fail with this error, or work again with `None`.
    pub fn close(&self, error: impl Into<Option<KeyError>>) {
        self.inside.lock().unwrap().closed = error.into();
    }
}

impl KeySource for Vault {
    fn generate<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<NewDataKey, KeyError>> {
        Box::pin(async move {
            self.think().await;
            let mut inside = self.inside.lock().unwrap();
            inside.closed.clone().map_or(Ok(()), Err)?;
            let number = inside.keys.len() as u32;
            let bytes: Vec<u8> = (0..32).map(|i| (number as u8).wrapping_mul(37) ^ i).collect();
            inside.keys.push((bytes.clone(), context.clone()));
            let wrapped = number.to_be_bytes().to_vec();
            Ok(NewDataKey { key: DataKey::new(bytes)?, id: "vault".into(), wrapped })
        })
    }

    fn unwrap<'a>(
        &'a self,
        id: &'a str,
        wrapped: &'a [u8],
        context: &'a Context,
    ) -> BoxFuture<'a, Result<DataKey, KeyError>> {
        Box::pin(async move {
            self.think().await;
            let mut inside = self.inside.lock().unwrap();
            inside.closed.clone().map_or(Ok(()), Err)?;
            inside.unwrapped += 1;
            if id != "vault" {
                return Err(KeyError::Untrusted { key: id.to_owned() });
            }
            let number = wrapped.try_into().map(u32::from_be_bytes).map_err(|_| KeyError::Refused)?;
            let (bytes, of) = inside.keys.get(number as usize).ok_or(KeyError::Refused)?;
            if of == context { DataKey::new(bytes.clone()) } else { Err(KeyError::Refused) }
        })
    }
}
