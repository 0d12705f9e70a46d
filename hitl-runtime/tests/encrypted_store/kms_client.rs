//! The real client of KMS, with made-up credentials and a backoff of 1 ms.

use aws_credential_types::Credentials;
use aws_sdk_kms::{
    Client, Config,
    config::{BehaviorVersion, Region, retry::RetryConfig},
};

pub fn client(url: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDTEST", "made-up", None, None, "test"))
        .retry_config(RetryConfig::standard().with_initial_backoff(std::time::Duration::from_millis(1)))
        .endpoint_url(url);
    Client::from_conf(config.build())
}
