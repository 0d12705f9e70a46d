//! The upgrade of a table from the old layout. A thread is upgraded by its next append, which moves its rows. Until no rows
//! of the old layout are left, the lists are read from both places; then a layout record is written, once for the table.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    Shared,
    item::Item,
    key::{Key, LAG_PARTITION, LAYOUT, List},
    table::Range,
};
use crate::{StoreError, ThreadStatus};

/// The number of the layout in the record.
const CURRENT: u64 = 2;

const DOING: &str = "upgrade the layout of the table";

impl Shared {
    pub(super) async fn create_table(&self) -> Result<(), StoreError> {
        if self.table.create().await? {
            self.write_layout_record().await?;
        }
        Ok(())
    }

    /// Returns whether the table is known to have no rows of the old layout.
    pub(super) fn is_upgraded(&self) -> bool {
        self.is_upgraded.load(Relaxed)
    }

    /// Returns whether an item in the partition of the index lag markers is the layout record, and remembers that the
    /// table has one.
    pub(super) fn is_layout_record(&self, item: &Item) -> bool {
        let found = item.get_number("layout").is_some();
        if found {
            self.is_upgraded.store(true, Relaxed);
        }
        found
    }

    /// Writes the layout record if the table has no rows of the old layout.
    pub(super) async fn finish_upgrade(&self) -> Result<(), StoreError> {
        if self.is_upgraded() || self.has_old_rows().await? {
            return Ok(());
        }
        self.write_layout_record().await
    }

    async fn write_layout_record(&self) -> Result<(), StoreError> {
        let key = Key { pk: LAG_PARTITION.into(), sk: LAYOUT.into() };
        self.table.put(DOING, key.item().number("layout", CURRENT)).await?;
        self.is_upgraded.store(true, Relaxed);
        Ok(())
    }

    async fn has_old_rows(&self) -> Result<bool, StoreError> {
        for pk in List::OldOpen.partitions().chain(List::OldStuck.partitions()) {
            let range = Range { limit: Some(1), ..Range::new(pk) };
            if !self.table.query(DOING, range).await?.0.is_empty() {
                return Ok(true);
            }
        }
        // The old row of a waiting thread contains its status, and is read like the new ones.
        let is_old = |row: &Item| row.get_text("standing") == Some(ThreadStatus::Running.as_str());
        for pk in List::Busy.partitions() {
            let mut range = Range::new(pk);
            loop {
                let (rows, next) = self.table.query(DOING, range.clone()).await?;
                if rows.iter().any(is_old) {
                    return Ok(true);
                }
                range.after = next;
                if range.after.is_none() {
                    break;
                }
            }
        }
        Ok(false)
    }
}
