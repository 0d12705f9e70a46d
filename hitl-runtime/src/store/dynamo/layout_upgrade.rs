//! The layout record of a table, and the upgrade from the old layout. A thread is upgraded by its next appends. As long as
//! the table has rows of the old layout, the lists are read from both places.
//!
//! Programs that know only the old layout would not find the rows of the new one. The record has the form of an index lag
//! marker of a thread whose head has a newer version, so that their list of reviews ends with an error.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    Shared,
    head::VERSION,
    item::Item,
    key::{HEAD, Id, Key, LAG_PARTITION, LAYOUT, List},
    table::Range,
    write::Write,
};
use crate::{StoreError, ThreadStatus};

/// The number of the layout in the record.
const CURRENT: u64 = 2;

const DOING: &str = "read or write the layout record of the table";

impl Shared {
    pub(super) async fn create_table(&self) -> Result<(), StoreError> {
        if self.table.create().await? {
            self.write_layout_record(true).await?;
        }
        Ok(())
    }

    /// Returns whether the table is known to have no rows of the old layout.
    pub(super) fn is_upgraded(&self) -> bool {
        self.is_upgraded.load(Relaxed)
    }

    /// Notes the layout of the table, which is recorded among the index lag markers.
    pub(super) fn note_layout(&self, lag_markers: &[Item]) {
        let record = lag_markers.iter().find(|item| is_layout_record(item));
        self.is_upgraded.store(record.is_some_and(says_upgraded), Relaxed);
        if record.is_some() {
            self.has_layout_record.store(true, Relaxed);
        }
    }

    /// Makes sure that the table has a layout record, before the first row that programs of the old layout do not find.
    pub(super) async fn ensure_layout_record(&self) -> Result<(), StoreError> {
        if !self.has_layout_record.load(Relaxed) && self.table.get(DOING, &record_key()).await?.is_none() {
            self.write_layout_record(false).await?;
        }
        self.has_layout_record.store(true, Relaxed);
        Ok(())
    }

    /// Looks for rows of the old layout, and corrects the record. An older program may have written some after the
    /// upgrade.
    pub(super) async fn check_layout(&self) -> Result<(), StoreError> {
        let record = self.table.get(DOING, &record_key()).await?;
        let was_upgraded = record.as_ref().is_some_and(says_upgraded);
        let mut is_upgraded = !self.has_rows_in_old_lists().await?;
        if is_upgraded && !was_upgraded {
            is_upgraded = !self.has_old_running_threads().await?;
        }
        if is_upgraded != was_upgraded {
            self.write_layout_record(is_upgraded).await?;
        }
        Ok(())
    }

    async fn write_layout_record(&self, is_upgraded: bool) -> Result<(), StoreError> {
        let record = record_key().item().number("layout", CURRENT);
        let record = record.maybe_number("upgraded", is_upgraded.then_some(1));
        // Only programs that do not know the record look for this head.
        let head = Key { pk: format!("thread/{LAYOUT}"), sk: HEAD.into() };
        let head = head.item().number("v", VERSION).number("layout", CURRENT);
        self.table.transact(DOING, Id::random()?, vec![Write::put(head), Write::put(record)]).await?;
        self.has_layout_record.store(true, Relaxed);
        self.is_upgraded.store(is_upgraded, Relaxed);
        Ok(())
    }

    async fn has_rows_in_old_lists(&self) -> Result<bool, StoreError> {
        for pk in List::OldOpen.partitions().chain(List::OldStuck.partitions()) {
            let range = Range { limit: Some(1), ..Range::new(pk) };
            if !self.table.query(DOING, range).await?.0.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn has_old_running_threads(&self) -> Result<bool, StoreError> {
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

fn record_key() -> Key {
    Key { pk: LAG_PARTITION.into(), sk: LAYOUT.into() }
}

/// Returns whether an item in the partition of the index lag markers is the layout record.
pub(super) fn is_layout_record(item: &Item) -> bool {
    item.get_number("layout").is_some()
}

fn says_upgraded(record: &Item) -> bool {
    record.get_number("upgraded").is_some()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ThreadId;

    /// To a program of the old layout, the record is the lag marker of a thread. No thread can be started under that
    /// name.
    #[test]
    fn the_layout_record_has_the_name_of_a_thread() {
        assert_eq!(ThreadId::existing(LAYOUT).unwrap().as_str(), LAYOUT);
        assert!(ThreadId::new(LAYOUT).is_err());
    }
}
