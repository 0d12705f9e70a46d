//! MACs by AWS KMS, with a key that never leaves KMS.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use aws_sdk_kms::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::MacAlgorithmSpec,
};
use tokio::sync::OnceCell;

use super::{MAC, MacError};
use crate::{
    Digest,
    aws::{self, Failure},
};

/// The maximum number of MACs in the cache of valid ones. A thread has a few dozen entries in its tail.
const REMEMBERED: usize = 10_000;

/// An HMAC key of AWS KMS, and a cache of its valid MACs.
pub(super) struct KmsMac {
    key: String,
    client: OnceCell<Client>,
    /// The MACs that KMS has generated or verified, as the digest of the message and the MAC.
    valid: Mutex<HashSet<Digest>>,
}

impl KmsMac {
    pub(super) fn new(key: String, client: Option<Client>) -> Self {
        Self { key, client: OnceCell::new_with(client), valid: Mutex::default() }
    }

    pub(super) async fn generate(&self, message: &[u8]) -> Result<[u8; MAC], MacError> {
        let call = self.client().await?.generate_mac().key_id(&self.key);
        let call = call.mac_algorithm(MacAlgorithmSpec::HmacSha256).message(Blob::new(message));
        let answer = call.send().await.map_err(|error| self.unavailable(&error, "kms:GenerateMac"))?;
        let mac = answer.mac.map(Blob::into_inner).unwrap_or_default();
        let mac: [u8; MAC] =
            mac.try_into().map_err(|_| self.trouble("the response of KMS contains no MAC of 32 bytes"))?;
        self.remember(message, mac);
        Ok(mac)
    }

    pub(super) async fn is_valid(&self, message: &[u8], mac: [u8; MAC]) -> Result<bool, MacError> {
        let known = Digest::of_parts(&[message, &mac]);
        if self.valid.lock().unwrap_or_else(PoisonError::into_inner).contains(&known) {
            return Ok(true);
        }
        let call = self.client().await?.verify_mac().key_id(&self.key).mac(Blob::new(mac));
        let call = call.mac_algorithm(MacAlgorithmSpec::HmacSha256).message(Blob::new(message));
        match call.send().await {
            Ok(answer) if answer.mac_valid => {
                self.remember(message, mac);
                Ok(true)
            }
            Ok(_) => Ok(false),
            Err(error) if is_invalid(&error) => Ok(false),
            Err(error) => Err(self.unavailable(&error, "kms:VerifyMac")),
        }
    }

    fn remember(&self, message: &[u8], mac: [u8; MAC]) {
        let mut valid = self.valid.lock().unwrap_or_else(PoisonError::into_inner);
        if valid.len() >= REMEMBERED {
            valid.clear();
        }
        valid.insert(Digest::of_parts(&[message, &mac]));
    }

    async fn client(&self) -> Result<&Client, MacError> {
        let connect = || async {
            let config = aws::kms_config().await.map_err(|problem| self.trouble(problem))?;
            Ok(Client::from_conf(config.build()))
        };
        self.client.get_or_try_init(connect).await
    }

    fn trouble(&self, problem: &str) -> MacError {
        MacError::Unavailable { key: self.key.clone(), problem: problem.to_owned() }
    }

    /// Describes an error without the message of KMS, which may repeat the request.
    fn unavailable<E, R>(&self, error: &SdkError<E, R>, right: &str) -> MacError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let code = error.as_service_error().and_then(|error| error.code());
        self.trouble(&match (Failure::of(error), code) {
            (Failure::Denied, _) => format!("this program's role needs `{right}` on it"),
            (Failure::NoCredentials, _) => aws::NO_CREDENTIALS.to_owned(),
            (Failure::BadCredentials, _) => aws::CREDENTIALS_REJECTED.to_owned(),
            (_, Some(code)) => format!("KMS returned {code}"),
            (Failure::TimedOut, None) => "the request timed out".to_owned(),
            (Failure::Unreachable, None) => {
                "KMS cannot be reached; check the network, the region and the credentials".to_owned()
            }
            (_, None) => "KMS returned an error without a code".to_owned(),
        })
    }
}

fn is_invalid<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    matches!(error, SdkError::ServiceError(said) if said.err().code() == Some("KMSInvalidMacException"))
}
