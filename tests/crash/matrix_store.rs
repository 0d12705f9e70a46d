//! The store of a test matrix: a SQLite file in its directory, or the table that a file in the directory names.

use std::{path::Path, sync::Arc};

use hitl::{SqliteStore, Store};

pub async fn open(dir: &Path) -> Arc<dyn Store> {
    #[cfg(feature = "dynamodb")]
    if let Ok(endpoint) = std::fs::read_to_string(dir.join(TABLE)) {
        return Arc::new(crate::table::store(&endpoint));
    }
    Arc::new(SqliteStore::open(dir.join("threads.db")).await.unwrap())
}

/// The file with the endpoint of a table.
#[cfg(feature = "dynamodb")]
const TABLE: &str = "table";

/// Keeps the threads of a directory in this table from now on.
#[cfg(feature = "dynamodb")]
pub fn name(table: &crate::table::Table, dir: &Path) {
    std::fs::write(dir.join(TABLE), table.endpoint()).unwrap();
}
