//! ministack's KMS, which refuses keys that are disabled or scheduled for deletion. (It unwraps a data key with any key
//! that is named, so it cannot test which key a data key belongs to.)

use hitl_runtime::store::{
    MemoryStore, Store,
    encrypted::{EncryptedStore, KeyError, KmsKeys},
};

use crate::{
    emulator,
    journal::{record, thread, write},
    kms::{key, writing},
    kms_client::client,
};

#[tokio::test]
async fn ministack_refuses_disabled_and_deleted_keys() {
    let Some(ministack) = emulator::start("ministack", &[]).await else { return };
    let client = client(&ministack.url);
    let key = key(&client).await;
    let inner = MemoryStore::new();
    let keys = || KmsKeys::with_client(client.clone(), &key);
    let open = || EncryptedStore::new(inner.clone(), keys());
    write(&open(), &thread("a"), &["a secret"]).await;
    assert_eq!(open().tail(&thread("a")).await.unwrap().unwrap().records, [record(0, b"a secret")]);

    client.disable_key().key_id(&key).send().await.unwrap();
    for error in [writing(keys()).await.unwrap_err(), open().tail(&thread("a")).await.unwrap_err()] {
        let Some(KeyError::Disabled { key: of }) = KeyError::of(&error) else { panic!("{error:?}") };
        assert_eq!(*of, key);
    }
    client.enable_key().key_id(&key).send().await.unwrap();
    assert!(open().tail(&thread("a")).await.is_ok(), "no entry was lost");

    client.schedule_key_deletion().key_id(&key).send().await.unwrap();
    let error = open().tail(&thread("a")).await.unwrap_err();
    assert!(matches!(KeyError::of(&error), Some(KeyError::InvalidState { .. })), "{error}");
}
