//! A vault in this process, which keeps every data key under a number and counts its calls.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use hitl_runtime::store::encrypted::{Context, DataKey, KeyError, KeySource, NewDataKey};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

/// The offset of the wrapped key in an entry: after "\0hitl", the version, the vault's name, and its own length.
pub const WRAPPED: usize = 6 + 2 + "vault".len() + 2;

#[derive(Clone, Default)]
pub struct Vault {
    state: Arc<Mutex<State>>,
    gate: Arc<RwLock<()>>,
}

#[derive(Default)]
struct State {
    asked: usize,
    keys: Vec<(Vec<u8>, Context)>,
    unwrapped: usize,
    error: Option<KeyError>,
}

impl Vault {
    /// Returns the number of data keys that were made, and of those that were unwrapped.
    pub fn calls(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.keys.len(), state.unwrapped)
    }

    /// Returns the number of calls, including failed ones.
    pub fn call_count(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    /// Blocks all calls until the guard is dropped.
    pub fn block_calls(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).try_write_owned().unwrap()
    }

    async fn enter(&self) {
        self.state.lock().unwrap().asked += 1;
        // Other tasks may run in between.
        tokio::task::yield_now().await;
        let _open = self.gate.read().await;
    }

    /// Makes all further calls fail with this error, or work again with `None`.
    pub fn fail_with(&self, error: impl Into<Option<KeyError>>) {
        self.state.lock().unwrap().error = error.into();
    }
}

impl KeySource for Vault {
    fn generate<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<NewDataKey, KeyError>> {
        Box::pin(async move {
            self.enter().await;
            let mut state = self.state.lock().unwrap();
            state.error.clone().map_or(Ok(()), Err)?;
            let number = state.keys.len() as u32;
            let bytes: Vec<u8> = (0..32).map(|i| (number as u8).wrapping_mul(37) ^ i).collect();
            state.keys.push((bytes.clone(), context.clone()));
            let wrapped = number.to_be_bytes().to_vec();
            Ok(NewDataKey::new(DataKey::new(bytes)?, "vault", wrapped))
        })
    }

    fn unwrap<'a>(
        &'a self,
        id: &'a str,
        wrapped: &'a [u8],
        context: &'a Context,
    ) -> BoxFuture<'a, Result<DataKey, KeyError>> {
        Box::pin(async move {
            self.enter().await;
            let mut state = self.state.lock().unwrap();
            state.error.clone().map_or(Ok(()), Err)?;
            state.unwrapped += 1;
            if id != "vault" {
                return Err(KeyError::Untrusted { key: id.to_owned() });
            }
            let number =
                wrapped.try_into().map(u32::from_be_bytes).map_err(|_| KeyError::InvalidWrappedKey)?;
            let (bytes, of) = state.keys.get(number as usize).ok_or(KeyError::InvalidWrappedKey)?;
            if of == context { DataKey::new(bytes.clone()) } else { Err(KeyError::InvalidWrappedKey) }
        })
    }
}
