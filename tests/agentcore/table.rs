//! A table that several containers share.

use hitl::store::dynamo::{
    DynamoStore,
    aws_sdk_dynamodb::{
        Client, Config,
        config::{BehaviorVersion, Credentials, Region},
    },
};

use crate::dynoxide::Dynoxide;

const REGION: &str = "eu-central-1";
const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "made-up";
const NAME: &str = "threads";

/// A table in an emulator of its own.
pub struct Table {
    emulator: Dynoxide,
}

impl Table {
    pub async fn create() -> Self {
        let package = concat!(env!("CARGO_MANIFEST_DIR"), "/hitl-runtime/tests/dynamo/emulator/Cargo.toml");
        let table = Self { emulator: Dynoxide::start(package) };
        store(table.endpoint()).create_table().await.unwrap();
        table
    }

    pub fn endpoint(&self) -> &str {
        &self.emulator.endpoint
    }

    /// Returns the environment variables with which a program keeps its threads in this table.
    pub fn settings(&self) -> [(&str, &str); 5] {
        [
            ("HITL_STORE", "dynamodb:threads"),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.endpoint()),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ]
    }
}

/// Creates a store on the table at this endpoint.
pub fn store(endpoint: &str) -> DynamoStore {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(KEY, SECRET, None, None, "test"))
        .endpoint_url(endpoint)
        .build();
    DynamoStore::new(&Client::from_conf(config), NAME)
}
