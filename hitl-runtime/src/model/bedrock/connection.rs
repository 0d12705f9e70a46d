//! The client of the SDK, created on first use.

use std::{future::Future, time::Duration};

use aws_sdk_bedrockruntime::Client;
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
    Ok(Client::new(&config))
}
