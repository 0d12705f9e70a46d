//! A DynamoDB for the tests: an emulator, or the endpoint in `HITL_DYNAMODB`.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::AttributeValue,
};
use hitl_runtime::store::dynamo::DynamoStore;

use crate::dynoxide::Dynoxide;

/// The environment variable with the endpoint of another DynamoDB.
const ENDPOINT_VARIABLE: &str = "HITL_DYNAMODB";

/// An item of the table.
pub type Item = HashMap<String, AttributeValue>;

/// A DynamoDB endpoint with a new table for one test.
pub struct Emulator {
    endpoint: String,
    table: String,
    server: Option<Dynoxide>,
}

impl Emulator {
    pub async fn start() -> Self {
        let emulator = match std::env::var(ENDPOINT_VARIABLE) {
            Ok(endpoint) => Self { endpoint, table: table(), server: None },
            Err(_) => {
                let package = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dynamo/emulator/Cargo.toml");
                let server = Dynoxide::start(package);
                Self { endpoint: server.endpoint.clone(), table: table(), server: Some(server) }
            }
        };
        emulator.store().create_table().await.unwrap();
        emulator
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn table(&self) -> &str {
        &self.table
    }

    pub fn store(&self) -> DynamoStore {
        store(&self.endpoint, &self.table)
    }

    /// Returns whether the endpoint counts capacity units as the service does. An endpoint from `HITL_DYNAMODB` may
    /// not: DynamoDB Local does not double those of a transaction.
    pub fn counts_units(&self) -> bool {
        self.server.is_some()
    }

    /// Returns the keys of all items.
    pub async fn items(&self) -> Vec<String> {
        self.expiries().await.into_iter().map(|(key, _)| key).collect()
    }

    /// Returns the key of each item, and its `expires` time if it has one. The layout record of the table is left out.
    pub async fn expiries(&self) -> Vec<(String, Option<u64>)> {
        let time = |item: &Item| Some(item.get("expires")?.as_n().unwrap().parse().unwrap());
        let key = |item: &Item| format!("{} {}", item["pk"].as_s().unwrap(), item["sk"].as_s().unwrap());
        let items = self.scan().await;
        let of_threads = items.iter().filter(|item| !item.contains_key("layout"));
        of_threads.map(|item| (key(item), time(item))).collect()
    }

    /// Returns all items.
    pub async fn scan(&self) -> Vec<Item> {
        let pages = self.client().scan().table_name(&self.table).into_paginator().items().send();
        pages.collect::<Result<_, _>>().await.unwrap()
    }

    pub async fn put(&self, item: Item) {
        self.client().put_item().table_name(&self.table).set_item(Some(item)).send().await.unwrap();
    }

    pub async fn delete(&self, item: &Item) {
        let key = ["pk", "sk"].map(|name| (name.to_owned(), item[name].clone()));
        self.client().delete_item().table_name(&self.table).set_key(Some(key.into())).send().await.unwrap();
    }

    /// Deletes the items that have an `expires` time, as DynamoDB does once the time has passed.
    pub async fn delete_expired(&self) {
        for item in self.scan().await.iter().filter(|item| item.contains_key("expires")) {
            self.delete(item).await;
        }
    }

    fn client(&self) -> Client {
        client(&self.endpoint)
    }
}

/// Returns a store at an endpoint.
pub fn store(endpoint: &str, table: &str) -> DynamoStore {
    DynamoStore::new(&client(endpoint), table)
}

/// Returns a client at an endpoint, with made-up credentials.
pub fn client(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", crate::fixture::SECRET, None, None, "test"))
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

/// Returns a table name that no other test uses.
fn table() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("threads-{nanos:x}-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed))
}
