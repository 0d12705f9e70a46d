//! Bedrock's errors, each mapped to a [`ModelError`].

use std::{error::Error, time::Duration};

use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use aws_sdk_bedrockruntime::{
    Client, Config,
    config::{BehaviorVersion, Region},
};
use hitl_runtime::model::{Bedrock, Model, ModelError};
use serde_json::json;

use crate::{
    bedrock::{client, model},
    server::{Reply, Server, converse_reply},
};

/// Status and code are those of the service's API model, or those with which every AWS service rejects a signature; the
/// messages are assumptions.
#[tokio::test]
async fn each_error_has_its_variant_and_its_advice() {
    for (status, name, message, code, advice) in [
        (403, "AccessDeniedException", "no access", "denied", "bedrock:InvokeModel"),
        (403, "ExpiredTokenException", "expired", "bad_credentials", "sign in again"),
        (403, "UnrecognizedClientException", "unknown key", "bad_credentials", "sign in again"),
        (403, "InvalidSignatureException", "wrong", "bad_credentials", "sign in again"),
        (403, "MissingAuthenticationTokenException", "missing", "no_credentials", "AWS_PROFILE"),
        (404, "ResourceNotFoundException", "no such model", "unknown_model", "vendor.model-v1:0"),
        (
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
            "unknown_model",
            "the region",
        ),
        (400, "ValidationException", "too long", "refused", "too long"),
        (424, "ModelErrorException", "it broke", "unavailable", "retry"),
        (418, "TeapotException", "short and stout", "unavailable", "short and stout"),
    ] {
        let server = Server::start([Reply::error(status, name, message)]).await;
        let error = model(&server).complete(&"What now?".into()).await.unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.to_string().contains(advice), "{name}: {error}");
        assert!(error.source().is_some(), "{name}: the cause is kept");
    }
}

/// The SDK retries these by itself, with three attempts in all.
#[tokio::test]
async fn transient_errors_are_retried() {
    for (status, name, code) in [
        (429, "ThrottlingException", "throttled"),
        (503, "ServiceUnavailableException", "unavailable"),
        (500, "InternalServerException", "unavailable"),
    ] {
        let fault = || Reply::error(status, name, "not now");
        let server =
            Server::start([fault(), fault(), converse_reply(json!([{ "text": "Refund it." }]), "end_turn")])
                .await;
        assert_eq!(model(&server).complete(&"What now?".into()).await.unwrap().text, "Refund it.");

        let server = Server::start([fault(), fault(), fault()]).await;
        let error = model(&server).complete(&"What now?".into()).await.unwrap_err();
        assert_eq!((error.code(), error.is_transient()), (code, true), "{name}: {error}");
        assert_eq!(server.requests().len(), 3);
    }
}

#[tokio::test]
async fn a_server_without_a_response_times_out() {
    let server = Server::start([Reply::silence()]).await;
    let model = model(&server).timeout(Duration::from_millis(200));
    let error = model.complete(&"What now?".into()).await.unwrap_err();
    assert!(matches!(error, ModelError::TimedOut { after: Some(_), .. }), "{error}");
}

#[tokio::test]
async fn an_unreachable_server_is_an_error() {
    let model = Bedrock::with_client(client("http://127.0.0.1:1"), "vendor.model-v1:0");
    let error = model.complete(&"What now?".into()).await.unwrap_err();
    assert!(
        matches!(&error, ModelError::Unavailable { problem, .. } if problem.contains("could not be reached")),
        "{error}"
    );
}

#[tokio::test]
async fn an_invalid_response_is_an_error() {
    let server = Server::start([Reply::stream("application/json", [b"<html>".to_vec()])]).await;
    let error = model(&server).complete(&"What now?".into()).await.unwrap_err();
    assert_eq!(error.code(), "unavailable", "{error}");
}

/// A provider without credentials, as the default chain is in a container without a role.
#[derive(Debug)]
struct NoCredentials(fn() -> CredentialsError);

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn without_credentials_no_request_is_sent() {
    let none: fn() -> CredentialsError = || CredentialsError::not_loaded("none are set");
    let expired: fn() -> CredentialsError = || CredentialsError::provider_error("the role's session is over");
    for (error, code) in [(none, "no_credentials"), (expired, "bad_credentials")] {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(NoCredentials(error))
            .endpoint_url("http://127.0.0.1:1");
        let model = Bedrock::with_client(Client::from_conf(config.build()), "vendor.model-v1:0");
        let error = model.complete(&"What now?".into()).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}
