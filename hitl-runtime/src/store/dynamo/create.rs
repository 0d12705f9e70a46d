//! Creation of the table, for development and tests.

use std::time::Duration;

use aws_sdk_dynamodb::{
    error::{BuildError, ProvideErrorMetadata as _},
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
        TimeToLiveSpecification,
    },
};
use tokio::time::sleep;

use super::{
    error,
    key::{PK, SK},
    retry::with_retries,
    table::Table,
};
use crate::StoreError;

/// The maximum number of status requests until the table is active, and the wait between them.
const POLLS: u32 = 120;
const WAIT: Duration = Duration::from_millis(500);

impl Table {
    /// Creates the table if it does not exist, and returns once it can be used. Returns `true` if it did not exist.
    pub(super) async fn create(&self) -> Result<bool, StoreError> {
        const DOING: &str = "create the table";
        let keys = self.keys().map_err(|error| error::failure(&self.name, error.to_string()))?;
        let mut call =
            self.client.create_table().table_name(&self.name).billing_mode(BillingMode::PayPerRequest);
        for (definition, key) in keys {
            call = call.attribute_definitions(definition).key_schema(key);
        }
        let is_new = match with_retries(|| call.clone().send()).await {
            Ok(_) => true,
            Err(error) if error.code() == Some("ResourceInUseException") => false,
            Err(error) => return Err(self.failed(DOING, &error)),
        };
        self.wait_until_ready().await?;
        let ttl = TimeToLiveSpecification::builder().attribute_name("expires").enabled(true).build();
        let ttl = ttl.map_err(|error| error::failure(&self.name, error.to_string()))?;
        let call = self.client.update_time_to_live().table_name(&self.name).time_to_live_specification(ttl);
        match call.send().await {
            Ok(_) => Ok(is_new),
            // Time to live is enabled already.
            Err(error) if error.code() == Some("ValidationException") => Ok(is_new),
            Err(error) => Err(self.failed(DOING, &error)),
        }
    }

    fn keys(&self) -> Result<[(AttributeDefinition, KeySchemaElement); 2], BuildError> {
        let key = |name: &str, kind| {
            let definition =
                AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
            Ok::<_, BuildError>((definition.build()?, key.build()?))
        };
        Ok([key(PK, KeyType::Hash)?, key(SK, KeyType::Range)?])
    }

    async fn wait_until_ready(&self) -> Result<(), StoreError> {
        for _ in 0..POLLS {
            let answer = self.client.describe_table().table_name(&self.name).send().await;
            let table = answer.map_err(|error| self.failed("read the status of the table", &error))?.table;
            if table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
                return Ok(());
            }
            sleep(WAIT).await;
        }
        Err(error::failure(&self.name, "the table is not active yet; retry later"))
    }
}
