//! The client of the SDK, created on first use.

use std::{future::Future, time::Duration};

use aws_sdk_bedrockruntime::{
    Client,
    config::{Builder, retry::RetryConfig},
};
use tokio::sync::OnceCell;

use crate::{aws, model::ModelError};

pub(super) struct Connection {
    client: OnceCell<Client>,
    /// The time to wait for a response or an event.
    pub timeout: Duration,
}

impl Connection {
    pub fn from_env() -> Self {
        Self { client: OnceCell::new(), timeout: Duration::from_secs(120) }
    }

    pub async fn client(&self) -> Result<&Client, ModelError> {
        self.client.get_or_try_init(connect).await
    }

    pub async fn with_timeout<T>(&self, call: impl Future<Output = T>) -> Result<T, ModelError> {
        tokio::time::timeout(self.timeout, call)
            .await
            .map_err(|_| ModelError::TimedOut { after: Some(self.timeout), source: None })
    }
}

impl From<Client> for Connection {
    fn from(client: Client) -> Self {
        Self { client: OnceCell::new_with(Some(client)), ..Self::from_env() }
    }
}

async fn connect() -> Result<Client, ModelError> {
    let config = aws::config().await.ok_or_else(|| ModelError::Unconfigured {
        problem: "no AWS region is set; set AWS_REGION to a region that offers the model".into(),
    })?;
    let retries = retries(config.retry_config(), std::env::var_os("AWS_MAX_ATTEMPTS").is_some());
    Ok(Client::from_conf(Builder::from(&config).retry_config(retries).build()))
}

/// The attempts for a call, with random waits of at most 1 s, 2 s and so on up to 20 s: half a minute on average. The
/// quotas of models are per minute, and the three attempts of the SDK end within two seconds or so.
const MAX_ATTEMPTS: u32 = 8;

/// Returns the retries of a client. A number of attempts that the user has configured is left as it is, except for the
/// SDK's default of 3 in a profile, which cannot be told from no setting.
fn retries(configured: Option<&RetryConfig>, is_set: bool) -> RetryConfig {
    let standard = RetryConfig::standard();
    match configured {
        Some(retries) if is_set || retries.max_attempts() != standard.max_attempts() => retries.clone(),
        Some(retries) => retries.clone().with_max_attempts(MAX_ATTEMPTS),
        None => standard.with_max_attempts(MAX_ATTEMPTS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttled_call_is_retried_for_longer_unless_configured() {
        let standard = RetryConfig::standard();
        let five = standard.clone().with_max_attempts(5);
        for (configured, is_set, attempts) in [
            (None, false, MAX_ATTEMPTS),
            (Some(&standard), false, MAX_ATTEMPTS),
            (Some(&standard), true, 3),
            (Some(&five), false, 5),
            (Some(&RetryConfig::disabled()), false, 1),
        ] {
            assert_eq!(retries(configured, is_set).max_attempts(), attempts, "{configured:?}, {is_set}");
        }
    }
}
