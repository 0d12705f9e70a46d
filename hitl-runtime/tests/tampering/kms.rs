//! MACs that KMS computes: moto's KMS, which verifies them, and responses that no emulator gives.

use aws_sdk_kms::{
    Client,
    types::{KeySpec, KeyUsageType},
};
use hitl::{
    MemoryStore, Verdict,
    journal::{JournalKey, JournalKeys, Purpose},
};
use serde_json::json;

use super::{
    attacks::{id, read, relink, replace, write},
    emulator,
    kms_client::client,
    pay_agent::{Bank, JobInput, PayAgentTurn, agent, clerk, key, waiting},
    server::{Reply, Server},
};

async fn hmac_key(client: &Client) -> String {
    let made = client.create_key().key_spec(KeySpec::Hmac256).key_usage(KeyUsageType::GenerateVerifyMac);
    made.send().await.unwrap().key_metadata.unwrap().arn.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_verifies_only_its_own_macs() {
    let Some(moto) = emulator::start("moto", &[]).await else { return };
    let client = client(&moto.url);
    let (mine, fronts, strangers) =
        (hmac_key(&client).await, hmac_key(&client).await, hmac_key(&client).await);
    let kms = |arn: &str| JournalKey::kms_with_client(client.clone(), arn);
    let keys =
        || JournalKeys::signing(kms(&mine), Purpose::Running).and_signing(kms(&fronts), Purpose::Verdicts);
    let store = MemoryStore::new();
    let (signer, Bank(paid, _)) = agent(store.clone(), Some(keys()));
    let digest = waiting(&signer, "t", 3).await;
    let whole = read(&store, &id("t")).await;
    // Another process has no verified entries yet, and asks KMS about each of them.
    agent(store.clone(), Some(keys())).0.verify(&id("t")).await.unwrap();

    let drafted = whole.iter().position(|record| record.body.windows(4).any(|part| part == b"4200")).unwrap();
    let mut forged = whole.clone();
    forged[drafted].body = replace(&forged[drafted].body, "4200", "9999");
    relink(&id("t"), &mut forged);
    write(&store, &id("t"), forged).await;
    for keys in [keys(), JournalKeys::new(kms(&strangers))] {
        let error = agent(store.clone(), Some(keys)).0.turn("t").await.unwrap_err();
        assert_eq!(error.code(), "unauthenticated_entry", "{error}");
    }
    write(&store, &id("t"), whole).await;
    let _ = signer.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
    assert_eq!(paid.lock().unwrap().len(), 1);
    agent(store, Some(keys())).0.verify(&id("t")).await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_without_permission_to_sign() {
    let server = Server::start([Reply::json(
        400,
        json!({ "__type": "AccessDeniedException", "message": "arn:…:user/ada is not …" }),
    )])
    .await;
    let denied = JournalKey::kms_with_client(client(&server.url), "alias/front");
    let store = MemoryStore::new();
    let keys = JournalKeys::signing(key(1), Purpose::Running).and_signing(denied, Purpose::Verdicts);
    let (signer, Bank(paid, _)) = agent(store.clone(), Some(keys));
    let PayAgentTurn::Pay(review) = signer.start("t", JobInput { rounds: 1 }).await.unwrap() else {
        panic!()
    };
    let before = read(&store, &id("t")).await;
    let error = review.approve(&clerk()).await.unwrap_err();
    assert_eq!(error.code(), "store");
    assert!(error.to_string().contains("`kms:GenerateMac`") && !error.to_string().contains("ada"), "{error}");
    assert!(paid.lock().unwrap().is_empty());
    assert_eq!(read(&store, &id("t")).await, before);
}
