//! A DynamoDB to talk to.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use hitl_runtime::store::DynamoStore;

/// Where another DynamoDB answers.
const ELSEWHERE: &str = "HITL_DYNAMODB";

/// A table of its own for each test.
pub struct Emulator {
    endpoint: String,
    table: String,
    /// Ends when its standard input is closed, and so when this is dropped.
    server: Option<Server>,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Emulator {
    pub async fn start() -> Self {
        let emulator = match std::env::var(ELSEWHERE) {
            Ok(endpoint) => Self { endpoint, table: table(), server: None },
            Err(_) => Self::of_our_own(),
        };
        emulator.store().create_table().await.unwrap();
        emulator
    }

    fn of_our_own() -> Self {
        let mut child = Command::new(program()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut endpoint = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut endpoint).unwrap();
        Self { endpoint: endpoint.trim().into(), table: table(), server: Some(Server(child)) }
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

    /// Whether it counts capacity units as the service does: DynamoDB Local does not double those of a transaction.
    pub fn counts_units(&self) -> bool {
        self.server.is_some()
    }

    /// The keys of all that is in the table.
    pub async fn items(&self) -> Vec<String> {
        let client = client(&self.endpoint);
        let mut pages = client.scan().table_name(&self.table).into_paginator().items().send();
        let mut keys = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.unwrap();
            keys.push(format!("{} {}", item["pk"].as_s().unwrap(), item["sk"].as_s().unwrap()));
        }
        keys
    }
}

/// A store at an address.
pub fn store(endpoint: &str, table: &str) -> DynamoStore {
    DynamoStore::new(&client(endpoint), table)
}

/// A client at an address, with keys that are none.
pub fn client(endpoint: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", crate::scene::SECRET, None, None, "test"))
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

/// A name that no test has used before.
fn table() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    format!("threads-{nanos:x}-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed))
}

/// The emulator's program, built the first time that it is needed.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<std::path::PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("emulator");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--target-dir"])
            .arg(&target)
            .args([
                "--manifest-path",
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dynamo/emulator/Cargo.toml"),
            ])
            .status()
            .unwrap();
        assert!(built.success(), "the emulator cannot be built: {built}");
        target.join("debug/dynamodb-emulator")
    })
}
