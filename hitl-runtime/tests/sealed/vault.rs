//! A vault in this process, which keeps every data key under a number and counts its calls.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use hitl_runtime::store::sealed::{Context, DataKey, KeyError, KeySource, NewDataKey};

#[derive(Clone, Default)]
pub struct Vault(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    keys: Vec<(Vec<u8>, Context)>,
    unwrapped: usize,
    closed: Option<KeyError>,
}

impl Vault {
    /// How many data keys it has made, and how many it has unwrapped.
    pub fn calls(&self) -> (usize, usize) {
        let inside = self.0.lock().unwrap();
        (inside.keys.len(), inside.unwrapped)
    }

    /// It has nothing but this to say from now on.
    pub fn close(&self, error: impl Into<Option<KeyError>>) {
        self.0.lock().unwrap().closed = error.into();
    }
}

impl KeySource for Vault {
    fn generate<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<NewDataKey, KeyError>> {
        Box::pin(async move {
            // Others get their turn while it thinks.
            tokio::task::yield_now().await;
            let mut inside = self.0.lock().unwrap();
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
            tokio::task::yield_now().await;
            let mut inside = self.0.lock().unwrap();
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
