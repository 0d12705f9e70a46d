//! The append: one transaction that replaces the head.

use super::{
    Shared, batch,
    chore::{Chore, LEFT_ALONE},
    expiry::Awake,
    head::{Head, Late},
    heads::Moved,
    index::{self, Index, LARGEST_ROW, MOST_BLOCKS, MOST_ROWS, Rows},
    key::{self, Id, Key},
    parts::{self, Staged},
    trouble,
    write::Write,
};
use crate::{
    StoreError, ThreadId,
    store::{Append, OpenReview, Place, Record, Standing},
};

/// The maximum size of an append's entries, and of its open reviews, in bytes before compression.
pub(super) const LARGEST_APPEND: usize = 16 * 1024 * 1024;

const DOING: &str = "append to a journal";

/// A validated and encoded append.
struct Wanted {
    thread: ThreadId,
    records: Vec<Record>,
    reviews: Vec<OpenReview>,
    rows: Rows,
    index: Index,
    place: Place,
    after: Option<crate::Digest>,
}

impl Wanted {
    fn of(append: Append, expires: Option<u64>) -> Result<Self, StoreError> {
        append.check()?;
        let Append { thread, records, standing, reviews, due_ms, after } = append;
        let rows = index::rows(&reviews);
        let problem = if batch::size(&records) > LARGEST_APPEND {
            "its entries exceed 16 MiB in total; store large data elsewhere, and only its address in the state"
        } else if index::size(&reviews) > LARGEST_APPEND {
            "its open reviews exceed 16 MiB in total; decide some of them first"
        } else if rows.values().any(|row| row.len() > LARGEST_ROW) {
            "a row of its open reviews exceeds 32,000 bytes; shorten the names of the graph, the nodes or the roles"
        } else if rows.len() > MOST_BLOCKS {
            "its open reviews take more than 10,000 rows; decide some of them first"
        } else {
            let expires = expires.filter(|_| standing == Standing::Ended);
            let index = Index { standing: Some(standing), expires, due_ms, blocks: index::blocks(&rows) };
            let place = records.first().map_or(0, |record| record.place);
            return Ok(Self { thread, records, reviews, rows, index, place, after });
        };
        Err(StoreError::BadAppend { thread, problem })
    }

    /// Returns whether the append creates a thread, possibly under the name of one that was deleted or has expired.
    fn begins(&self) -> bool {
        self.place == 0
    }

    fn last(&self) -> Place {
        self.records.last().map_or(0, |record| record.place)
    }

    /// Returns whether these entries directly follow that head.
    fn follows(&self, head: &Head) -> bool {
        head.next == self.place && Some(head.hash) == self.after
    }

    fn taken(self) -> StoreError {
        StoreError::Taken { thread: self.thread, place: self.place }
    }
}

impl Shared {
    pub(super) async fn append(&self, append: Append) -> Result<(), StoreError> {
        let expires = self.keep_ended.map(|keep| Self::now_s().saturating_add(keep.as_secs()));
        let wanted = Wanted::of(append, expires)?;
        let mut before = self.head_to_follow(&wanted).await?;
        loop {
            if let Some(head) = &before {
                if head.late.is_some() {
                    self.catch_up(&wanted.thread).await?;
                    before = self.head(DOING, &wanted.thread).await?;
                    continue;
                }
                let lives = head.lives(Self::now_s());
                if lives && !wanted.follows(head) || !lives && !wanted.begins() {
                    return Err(wanted.taken());
                }
            } else if !wanted.begins() {
                return Err(wanted.taken());
            }
            match self.append_after(&wanted, before.as_ref()).await? {
                Moved::Yes => return Ok(()),
                Moved::No(head) => before = head,
                Moved::Refused => {
                    return Err(trouble::broken(
                        &self.table.name,
                        "the parts of a large append were deleted by a cleanup before the append was committed; retry",
                    ));
                }
            }
        }
    }

    /// Returns the cached head if the append follows it, and reads the head otherwise. A new thread is assumed to have
    /// none. If the assumption is wrong, the transaction fails and returns the head.
    async fn head_to_follow(&self, wanted: &Wanted) -> Result<Option<Head>, StoreError> {
        match self.heads.get(&wanted.thread) {
            Some(head) if wanted.follows(&head) => Ok(Some(head)),
            _ if wanted.begins() => Ok(None),
            _ => self.head(DOING, &wanted.thread).await,
        }
    }

    async fn append_after(&self, wanted: &Wanted, before: Option<&Head>) -> Result<Moved, StoreError> {
        let ended = before.filter(|head| !wanted.begins() && head.index.expires.is_some());
        let Some(ended) = ended else { return self.write_after(wanted, before, None).await };
        let Awake { head, chore } = match self.wake(&wanted.thread, ended).await? {
            Ok(awake) => awake,
            Err(moved) => return Ok(moved),
        };
        let moved = self.write_after(wanted, Some(&head), Some(chore.clone())).await;
        if let Ok(Moved::No(_)) = moved {
            let _ = self.finish(&chore).await;
        }
        moved
    }

    /// Writes the append. `chore` is the cleanup intent of an ended thread that is being continued.
    async fn write_after(
        &self,
        wanted: &Wanted,
        before: Option<&Head>,
        chore: Option<Chore>,
    ) -> Result<Moved, StoreError> {
        let token = Id::draw()?;
        let (thread, index) = (&wanted.thread, &wanted.index);
        let nothing = Index::default();
        let old = before.map_or(&nothing, |head| &head.index);
        let late = (old.distance(index) > MOST_ROWS).then_some(Late::Reviews);
        let now = match late {
            None => index.clone(),
            Some(_) => Index { blocks: old.blocks.clone(), ..index.clone() },
        };
        let head = Head {
            next: wanted.last() + 1,
            hash: wanted.records.last().map_or(crate::Digest::of(b""), |record| record.hash),
            by: token,
            born: before.filter(|_| !wanted.begins()).map_or(token.born(), |head| head.born),
            index: now,
            late,
        };
        let mut writes = old.writes(&head.index, &wanted.rows, thread);
        if late.is_some() {
            writes.push(Write::put(Key::late(thread).item()));
        }
        // Its earlier entries must get the same expiration time.
        let ends = !wanted.begins() && index.expires.is_some();
        let chore = chore.or_else(|| ends.then(|| Chore::expire(thread, head.born, &token)));
        writes.extend(chore.iter().map(|chore| Write::put(chore.item())));

        let packed = batch::write(&wanted.records, late.map(|_| wanted.reviews.as_slice()));
        let batch =
            Key::batch(thread, wanted.last(), head.born).item().maybe_number("expires", index.expires);
        let staged = match packed.len() > parts::LARGEST_PART {
            true => Some(self.stage(thread, &packed, index.expires).await?),
            false => None,
        };
        match &staged {
            None => writes.push(Write::put(batch.bytes("entries", packed))),
            Some(staged) => {
                writes.push(Write::put(staged.name_in(batch)));
                writes.push(Write::delete(staged.chore.key.clone()).if_untouched());
            }
        }
        let moved = self.move_head(DOING, thread, before, (token, Some(&head)), writes).await;
        self.after_append(thread, &moved, staged, chore, late).await;
        moved
    }

    /// Does the remaining work after an append. Errors are ignored, because other processes finish that work.
    async fn after_append(
        &self,
        thread: &ThreadId,
        moved: &Result<Moved, StoreError>,
        staged: Option<Staged>,
        chore: Option<Chore>,
        late: Option<Late>,
    ) {
        match moved {
            Ok(Moved::Yes) => {
                if late.is_some() {
                    let _ = self.catch_up(thread).await;
                }
                if let Some(chore) = chore {
                    let _ = self.finish(&chore).await;
                }
                if staged.is_some() {
                    let _ = self.tidy_shard(key::shard(thread), LEFT_ALONE).await;
                }
            }
            Ok(Moved::No(_)) => {
                if let Some(staged) = staged {
                    let _ = self.finish(&staged.chore).await;
                }
            }
            // The outcome is unknown. The parts may be in use; if they are not, their cleanup intent is executed later.
            Ok(Moved::Refused) | Err(_) => {}
        }
    }
}
