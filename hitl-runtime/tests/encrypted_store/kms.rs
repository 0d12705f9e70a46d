//! KMS over HTTP, with keys that are created through the control plane.

use aws_sdk_kms::Client;
use hitl_runtime::{
    StoreError,
    store::{
        MemoryStore, Store,
        encrypted::{DecryptError, EncryptedStore, KeyError, Keyring, KmsKeys},
    },
};
use serde_json::json;

use crate::{
    journal::{append, record, thread},
    kms_client::client,
    server::{Reply, Server},
};

/// Creates a key, and returns its ARN.
pub async fn key(client: &Client) -> String {
    client.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap()
}

/// Appends to an empty store with these keys, and returns the result.
pub async fn writing(keys: impl Into<Keyring>) -> Result<(), StoreError> {
    let store = EncryptedStore::new(MemoryStore::new(), keys);
    store.append(append(&thread("a"), None, vec![record(0, b"a secret")])).await
}

async fn error_of(status: u16, code: &str, times: usize) -> KeyError {
    let reply = || Reply::json(status, json!({ "__type": code, "message": "arn:…:user/ada is not …" }));
    let server = Server::start((0..times).map(|_| reply())).await;
    let error = writing(KmsKeys::with_client(client(&server.url), "alias/hitl")).await.unwrap_err();
    KeyError::of(&error).unwrap_or_else(|| panic!("{error:?}")).clone()
}

/// The shapes are the published ones; no emulator sends them.
#[tokio::test]
async fn errors_of_kms_contain_advice() {
    let text = error_of(400, "AccessDeniedException", 1).await.to_string();
    assert!(text.contains("`kms:GenerateDataKey`") && text.contains("user/ada"), "{text}");
    let text = error_of(400, "KMSInvalidStateException", 1).await.to_string();
    assert!(text.contains("cancel the deletion now"), "{text}");
    let text = error_of(400, "ExpiredTokenException", 1).await.to_string();
    assert!(text.contains("sign in again"), "{text}");
    assert!(matches!(error_of(400, "InvalidKeyUsageException", 1).await, KeyError::WrongKeyType { .. }));
}

/// The SDK makes three attempts.
#[tokio::test]
async fn transient_kms_errors_are_retried_and_then_returned() {
    assert!(matches!(error_of(400, "ThrottlingException", 3).await, KeyError::Throttled { .. }));
    assert!(matches!(error_of(500, "KMSInternalException", 3).await, KeyError::Unavailable { .. }));

    let throttled = || Reply::json(400, json!({ "__type": "ThrottlingException" }));
    let key = json!({ "KeyId": "k", "Plaintext": format!("{}=", "A".repeat(43)), "CiphertextBlob": "AAAA" });
    let server = Server::start([throttled(), throttled(), Reply::json(200, key)]).await;
    writing(KmsKeys::with_client(client(&server.url), "alias/hitl")).await.unwrap();
}

#[tokio::test]
async fn an_unreachable_kms_is_an_error() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = writing(KmsKeys::with_client(client(&format!("http://{closed}")), "alias/hitl")).await;
    let error = error.unwrap_err();
    assert!(KeyError::of(&error).is_some_and(KeyError::is_transient), "{error}");
    assert!(error.to_string().contains("check the network, the region and the endpoint"), "{error}");
}

#[tokio::test]
async fn a_request_to_kms_has_the_context_and_256_bits() {
    let server = Server::start([Reply::json(200, json!({ "KeyId": "k", "Plaintext": "AAAA" }))]).await;
    let keys = Keyring::new(KmsKeys::with_client(client(&server.url), "alias/hitl")).context("stage", "test");
    // A data key of three bytes is rejected.
    let error = writing(keys).await.unwrap_err();
    assert!(error.to_string().contains("has 3 bytes instead of 32"), "{error}");
    let asked = &server.requests()[0].body;
    let context = json!({ "hitl": "journal", "stage": "test" });
    assert_eq!(asked, &json!({ "KeyId": "alias/hitl", "KeySpec": "AES_256", "EncryptionContext": context }));
}

/// Returns an entry that an attacker without a key may plant, with a wrapped key of this length.
fn forged_entry(wrapped: u16) -> Vec<u8> {
    let part = |part: &[u8]| [&(part.len() as u16).to_be_bytes(), part].concat();
    let (key, context) = (vec![7; wrapped.into()], br#"{"hitl":"journal"}"#);
    [b"\0hitl\x01", &part(b"k")[..], &part(&key), &part(context), &[0; 32 + 16]].concat()
}

/// KMS would reject such a request as invalid, and its error would not say that the entry is at fault.
#[tokio::test]
async fn an_impossible_wrapped_key_is_not_sent_to_kms() {
    let invalid = || Reply::json(400, json!({ "__type": "ValidationException" }));
    for (wrapped, is_shown) in [(0, false), (1, true), (6_144, true), (6_145, false), (u16::MAX, false)] {
        let server = Server::start([invalid()]).await;
        let inner = MemoryStore::new();
        let forged = append(&thread("a"), None, vec![record(0, &forged_entry(wrapped))]);
        inner.append(forged).await.unwrap();
        let store = EncryptedStore::new(inner, KmsKeys::with_client(client(&server.url), "alias/hitl"));
        let error = store.tail(&thread("a")).await.unwrap_err();
        let refused = DecryptError::Key(KeyError::InvalidWrappedKey);
        let is_entry_error = DecryptError::of(&error) == Some(&refused);
        assert_eq!(
            (is_entry_error, server.requests().len()),
            (!is_shown, is_shown.into()),
            "{wrapped}: {error}"
        );
    }
}
