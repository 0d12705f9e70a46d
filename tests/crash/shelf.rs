//! Where a matrix keeps its threads: in a SQLite file of its folder, or in the table that the folder names.

use std::{path::Path, sync::Arc};

use hitl::{SqliteStore, Store};

pub async fn open(dir: &Path) -> Arc<dyn Store> {
    #[cfg(feature = "dynamodb")]
    if let Ok(endpoint) = std::fs::read_to_string(dir.join(TABLE)) {
        return Arc::new(crate::table::store(&endpoint));
    }
    Arc::new(SqliteStore::open(dir.join("threads.db")).await.unwrap())
}

/// The file that names a table, by its endpoint.
#[cfg(feature = "dynamodb")]
const TABLE: &str = "table";

/// From now on the folder's threads are in this table.
#[cfg(feature = "dynamodb")]
pub fn name(table: &crate::table::Table, dir: &Path) {
    std::fs::write(dir.join(TABLE), table.endpoint()).unwrap();
}
