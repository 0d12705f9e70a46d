//! The writer of a thread: it buffers new entries and appends them to the store in one atomic append.

use std::sync::Arc;
use std::time::Duration;

use super::{
    HistoryEntry, ThreadEvent,
    entry_log::EntryLog,
    history_entry::shown,
    projection::{due, reviews, thread_status},
    random_id::random_id,
    unreadable::{incompatible, unreadable},
};
use crate::{
    Error, Incompatibility, Place, StoreError, ThreadId, Timestamp,
    engine::{Engine, routing},
    journal::{
        Act, CheckedDraft, Entry, EntryRef, Event, EventRef, FieldWrites, Fold, FoldError, LaneId, Lease,
        NodeResultRef, Usage,
    },
    state::ReadBack,
    store::{Append, Record, Tally},
};

/// In-memory state of a thread, with the entries that have changed it but are not stored yet. Nothing is durable before
/// `flush`: call it before any side effect.
pub(in crate::engine) struct ThreadWriter {
    pub(in crate::engine) fold: Fold,
    pub(in crate::engine) engine: Arc<Engine>,
    runner: String,
    claims: bool,
    /// `true` if the claim takes the thread over from a runner whose lease has expired, until this is logged.
    takes_over: bool,
    entries: Vec<PendingEntry>,
    /// The counts of the buffered entries, for the metrics.
    tallies: Vec<Tally>,
    /// The size of the buffered entries without their snapshots, in bytes.
    buffered_bytes: usize,
    /// The space in which entries are encoded: a body that grew there would be copied several times.
    space: Vec<u8>,
    /// The place after the last stored entry, and the time at which that entry was written.
    stored: (Place, Timestamp),
    /// The end of the lease as it is stored, noted before the thread is converted from other code: the conversion can
    /// leave nothing to run, and the in-memory thread then has no lease any more.
    stored_until: Option<Timestamp>,
}

/// A buffered entry: it is applied to the in-memory thread, but not yet signed and linked to the entry before it.
struct PendingEntry {
    place: Place,
    body: Vec<u8>,
    snapshot: bool,
    act: Act,
    /// The log event, if a subscriber wants it.
    log: Option<Box<EntryLog>>,
}

impl ThreadWriter {
    /// The number of entries since the last snapshot after which a new one is due, if these entries also have at least
    /// as many bytes as the last snapshot. A resume then reads little, and the bytes written grow linearly with the
    /// journal and not with its square.
    const SNAPSHOT_ENTRIES: usize = 64;

    /// The number of retries of a failed append, and the backoff before the first one; it doubles with each retry.
    pub(super) const RETRIES: u32 = 5;
    /// The initial size of the space in which entries are encoded, in bytes: most entries are smaller.
    const SPACE_BYTES: usize = 1024;
    /// The maximum size of an entry that is copied out of the space in which it was encoded, in bytes.
    const COPIED_BYTES: usize = 4096;
    /// The maximum size of the other entries of an append that gets a snapshot, in bytes.
    const SNAPSHOT_AFTER_BYTES: usize = 1 << 20;
    /// The number of buffered entries after which they are appended: a store takes an append of a limited size, and a
    /// `for` may open 10,000 reviews at once.
    pub(in crate::engine) const FULL_ENTRIES: usize = 256;
    /// The size of buffered entries after which they are appended, in bytes.
    const FULL_BYTES: usize = 1 << 20;
    pub(super) const BACKOFF: Duration = Duration::from_millis(50);

    /// Creates a writer without buffered entries. It is boxed because it is moved often.
    pub(in crate::engine) fn new(engine: &Arc<Engine>, fold: Fold) -> Box<Self> {
        let stored = (fold.next, fold.at);
        Box::new(Self {
            fold,
            engine: Arc::clone(engine),
            runner: String::new(),
            claims: false,
            takes_over: false,
            entries: Vec::new(),
            tallies: Vec::new(),
            buffered_bytes: 0,
            space: Vec::new(),
            stored,
            stored_until: None,
        })
    }

    /// Converts the writer into the thread for a reader: its place and time are those of the last stored entry.
    pub(in crate::engine) fn into_fold(mut self) -> Fold {
        self.fold.is_stored = self.entries.is_empty();
        (self.fold.next, self.fold.at) = self.stored;
        self.fold
    }

    /// Returns whether there are entries to store.
    pub(in crate::engine) fn is_pending(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Returns whether the buffered entries are enough for one append.
    pub(in crate::engine) fn is_full(&self) -> bool {
        self.entries.len() >= Self::FULL_ENTRIES || self.buffered_bytes >= Self::FULL_BYTES
    }

    /// Claims the thread for this runner: from here on each entry extends the runner's lease while there is something
    /// to run.
    ///
    /// The runner's name is random and comes from the operating system, so that two copies of one restored process have
    /// different names.
    pub(in crate::engine) fn claim(&mut self) -> Result<(), Error> {
        let runner = if self.runner.is_empty() { random_id()? } else { std::mem::take(&mut self.runner) };
        self.claim_as(runner);
        Ok(())
    }

    /// As `claim`, with a given name, which must be unique.
    pub(in crate::engine) fn claim_as(&mut self, runner: String) {
        self.runner = runner;
        self.claims = true;
        self.takes_over = self.stored_until.or(self.fold.leased_until()).is_some();
    }

    /// Returns whether this runner holds the lease.
    pub(in crate::engine) fn holds_lease(&self) -> bool {
        self.fold.lease.as_ref().is_some_and(|lease| lease.runner == self.runner)
    }

    /// Replaces the thread with its stored state and discards the buffered entries. The runner stays the same.
    pub(in crate::engine) fn reset(&mut self, fold: Fold) {
        self.stored = (fold.next, fold.at);
        self.fold = fold;
        self.entries.clear();
        self.tallies.clear();
        self.buffered_bytes = 0;
        self.stored_until = None;
    }

    /// Notes the end of the stored lease, before the conversion from other code changes the in-memory thread.
    pub(super) fn keep_stored_lease_end(&mut self) {
        self.stored_until = self.fold.leased_until();
    }

    /// Returns the end of the lease if it is later than `now`: of the noted lease if there is one, and of the
    /// in-memory thread otherwise.
    pub(in crate::engine) fn leased_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.stored_until.or(self.fold.leased_until());
        until.filter(|until| *until > now)
    }

    /// Undoes a failed push: reads the stored thread again, and applies the buffered entries.
    pub(in crate::engine) async fn rewind(&mut self) -> Result<(), Error> {
        let thread = self.fold.thread.clone();
        let mut fold = match self.stored.0.checked_sub(1) {
            None => Fold::empty(self.engine.graph.state, thread.clone()),
            Some(last) => match self.engine.load(&thread).await? {
                Some(fold) if fold.next == self.stored.0 => fold,
                // Another writer has appended; the next flush detects the conflict.
                _ => self.engine.fold_to(&thread, last).await?,
            },
        };
        for PendingEntry { place, body, snapshot, .. } in &self.entries {
            let damaged = |e: serde_json::Error| FoldError::Damaged(e.to_string());
            let entry: Entry = serde_json::from_slice(body)
                .map_err(|e| unreadable(self.engine.graph, &thread, *place, damaged(e)))?;
            fold.apply(&entry).map_err(|e| unreadable(self.engine.graph, &thread, *place, e))?;
            fold.count(body.len(), snapshot.then_some(fold.snapshot_bytes));
            fold.next = *place + 1;
        }
        self.fold = fold;
        Ok(())
    }

    /// Applies an event to the thread and buffers its entry for the next flush.
    pub(in crate::engine) fn push(&mut self, event: Event) -> Result<(), Error> {
        self.push_spent(event, Vec::new())
    }

    /// As `push`, with the model usage that led to the event.
    pub(in crate::engine) fn push_spent(&mut self, event: Event, spent: Vec<Usage>) -> Result<(), Error> {
        let (at, lease) = self.time_and_lease(Act::from_event(&event));
        self.push_entry(&Entry { at, event, lease, spent, snapshot: None })
    }

    /// Buffers an entry that ends this runner's lease at once.
    pub(in crate::engine) fn push_end_of_lease(&mut self) -> Result<(), Error> {
        let at = self.engine.clock.now();
        let lease = Some(Lease { runner: self.runner.clone(), until: at });
        self.push_entry(&Entry { at, event: Event::Renewed {}, lease, spent: Vec::new(), snapshot: None })
    }

    /// As `push`, with a complete entry. The first entry of a forked thread, which contains a snapshot, is pushed this
    /// way.
    pub(in crate::engine) fn push_entry(&mut self, entry: &Entry) -> Result<(), Error> {
        let place = self.fold.next;
        let counted = self.engine.counted(&self.fold, entry);
        let applied = self.fold.apply(entry);
        applied.map_err(|e| unreadable(self.engine.graph, &self.fold.thread, place, e))?;
        self.encode_entry(EntryRef::from(entry))?;
        self.tallies.extend(counted);
        Ok(())
    }

    /// Records that a node has finished: writes its fields, and then computes the next step, which may depend on them.
    /// `drafted` is the checked draft among the written fields, if a person is to sign it, and `back` has those values
    /// that were read back from the JSON in `wrote`.
    pub(in crate::engine) fn push_ran(
        &mut self,
        lane: LaneId,
        node: usize,
        wrote: FieldWrites<'_>,
        (drafted, back): (Option<CheckedDraft>, Vec<ReadBack>),
        spent: &[Usage],
    ) -> Result<(), Error> {
        let place = self.fold.next;
        let reads_back = self.fold.reads_back();
        let parents: Vec<LaneId> = self.fold.around(lane).filter(|_| reads_back).collect();
        let spec = self.engine.graph.spec.nodes.get(node);
        let name = spec.map_or("?", |node| node.name);
        let run = self.fold.next_run(lane, spec);
        let written = self.fold.write(lane, name, run, wrote, back);
        written.map_err(|e| unreadable(self.engine.graph, &self.fold.thread, place, e))?;
        let to = match self.fold.lanes.get_mut(lane) {
            Some(lane) => {
                lane.drafted = drafted
                    .filter(|drafted| !self.engine.graph.state.is_reduced(drafted.field))
                    .or(lane.drafted.take());
                routing::after_node(self.engine.graph, node, &lane.fields, &lane.runs)
            }
            None => Err(format!("lane {lane} is not open")),
        };
        let to = to.map_err(|problem| incompatible(&self.fold.thread, Incompatibility::NoWay { problem }))?;
        let (at, lease) = self.time_and_lease(Act::Run);
        self.fold.at = at;
        self.fold.take_lease(lease.as_ref(), at);
        let moved = self.fold.ran(lane, &to);
        moved.map_err(|e| unreadable(self.engine.graph, &self.fold.thread, place, e))?;
        let made = if reads_back {
            self.fold.read_back(lane, &parents, wrote.iter().map(|(field, _)| *field))
        } else {
            Ok(())
        };
        made.map_err(|e| unreadable(self.engine.graph, &self.fold.thread, place, FoldError::Changed(e)))?;
        let event = EventRef::Ran { ran: NodeResultRef { node: name, lane, run, wrote, to: &to } };
        self.encode_entry(EntryRef { at, event, lease: lease.as_ref(), spent, snapshot: None })
    }

    /// Returns the time of the next entry, and the lease that the entry carries: if the lease is new or a third of its
    /// term has passed, and if the key for entries of this kind may sign a lease.
    fn time_and_lease(&self, act: Act) -> (Timestamp, Option<Lease>) {
        let now = self.engine.clock.now();
        let term = self.engine.lease;
        let fresh = |lease: &Lease| {
            lease.runner == self.runner && lease.until.saturating_since(now) > term - term / 3
        };
        let due = self.claims && self.may_carry(act) && !self.fold.lease.as_ref().is_some_and(fresh);
        // The first runner's name is the id of the thread, which the first entry contains anyway.
        let runner = || if self.fold.next == 0 { String::new() } else { self.runner.clone() };
        (now, due.then(|| Lease { runner: runner(), until: now.saturating_add(term) }))
    }

    /// Returns whether the key for entries of this kind may also sign runner data: a lease, model usage or a snapshot.
    /// The key of a front end may not.
    fn may_carry(&self, act: Act) -> bool {
        self.engine.keys.as_ref().is_none_or(|keys| keys.sign_for(act.carrying(true)))
    }

    /// Encodes an entry that is applied to the thread, with a snapshot if one is due, and buffers it.
    fn encode_entry(&mut self, mut entry: EntryRef<'_>) -> Result<(), Error> {
        let act = match entry.event {
            EventRef::Event(event) => Act::from_event(event),
            EventRef::Ran { .. } => Act::Run,
        };
        let may_carry = self.may_carry(act);
        let fold = &mut self.fold;
        let place = fold.next;
        if fold.lease.is_none() {
            // Nothing runs, so the entry needs no lease.
            entry.lease = None;
        }
        let (entries, bytes) = fold.since_snapshot;
        // A store takes an append of a limited size. A snapshot that would make a large one larger waits for the next.
        let is_small = || {
            self.entries.len() < Self::SNAPSHOT_ENTRIES && self.buffered_bytes <= Self::SNAPSHOT_AFTER_BYTES
        };
        let due = entries >= Self::SNAPSHOT_ENTRIES
            && bytes >= fold.snapshot_bytes
            && !fold.ended
            && may_carry
            && is_small();
        let snapshot = match due.then(|| fold.to_snapshot()).transpose() {
            // The user's code failed while the snapshot was encoded. For the entry of a node, that is a failure of the
            // node. Any other entry is written without a snapshot, which only makes reading faster.
            Err(error) if error.as_user_code_error().is_some() && !entry.is_ran() => None,
            frozen => frozen.map_err(|e| unreadable(self.engine.graph, &fold.thread, place, e))?,
        };
        let entry = EntryRef { snapshot: snapshot.as_deref().or(entry.snapshot), ..entry };
        self.space.clear();
        self.space.reserve(Self::SPACE_BYTES);
        entry.write(&mut self.space).map_err(|e| Error::Damaged {
            thread: fold.thread.clone(),
            place,
            problem: e.to_string(),
        })?;
        let body = match self.space.len() {
            ..=Self::COPIED_BYTES => self.space.as_slice().to_vec(),
            _ => std::mem::take(&mut self.space),
        };
        let carries = entry.lease.is_some() || !entry.spent.is_empty() || entry.snapshot.is_some();
        let act = act.carrying(carries);
        let log = EntryLog::of(self.engine.graph, fold, &entry);
        if self.entries.is_empty() {
            self.entries.reserve_exact(2);
        }
        let snapshot = entry.snapshot.map(|snapshot| snapshot.get().len());
        fold.count(body.len(), snapshot);
        fold.next = place + 1;
        // Without the snapshot, which would often be enough for an append of its own.
        self.buffered_bytes += body.len().saturating_sub(snapshot.unwrap_or(0));
        self.entries.push(PendingEntry { place, body, snapshot: snapshot.is_some(), act, log });
        Ok(())
    }

    /// Signs the entries if the agent has keys, and links each entry to the one before it.
    async fn link(&mut self) -> Result<Vec<Record>, Error> {
        let mut records = Vec::with_capacity(self.entries.len());
        self.buffered_bytes = 0;
        for PendingEntry { place, body, snapshot, act, .. } in self.entries.drain(..) {
            let record = Record::new(place, self.fold.hash, body).with_snapshot(snapshot);
            records.push(self.engine.link(&mut self.fold, act, record).await?);
        }
        Ok(records)
    }

    /// Stores the buffered entries, all or none. Returns `false` on a conflict: another writer has appended since the
    /// thread was read.
    ///
    /// With `patience`, an append that failed is retried with backoff, so that a brief failure such as a locked file
    /// does not leave a finished effect in doubt.
    pub(in crate::engine) async fn flush(&mut self, patience: bool) -> Result<bool, Error> {
        let Some(first) = self.entries.first().map(|entry| entry.place) else { return Ok(true) };
        let after = (first > 0).then_some(self.fold.hash);
        let logs: Vec<Box<EntryLog>> = self.entries.iter_mut().filter_map(|entry| entry.log.take()).collect();
        let records = self.link().await?;
        let mine = (first + records.len() as u64 - 1, self.fold.hash);
        let mut append = Append::new(self.fold.thread.clone(), records, thread_status(&self.fold))
            .with_reviews(reviews(&self.fold))
            .with_due(due(&self.fold))
            .with_after(after)
            .with_tallies(self.engine.store.keeps_tallies().then_some(std::mem::take(&mut self.tallies)));
        let history = self.engine.history_of(&append);
        let took_over = std::mem::take(&mut self.takes_over);
        let store = &self.engine.store;
        let retries = if patience && store.should_retry_appends() { Self::RETRIES } else { 0 };
        let mut failures = 0;
        loop {
            let again = (failures < retries).then(|| append.clone());
            match (store.append(append).await, again) {
                (Ok(()), _) => {
                    self.stored = (self.fold.next, self.fold.at);
                    self.log_stored(&logs, took_over);
                    self.engine.publish(&self.fold.thread, history);
                    return Ok(true);
                }
                // After a retry, a conflict may be with this append's own first attempt, whose response was lost.
                (Err(StoreError::Conflict { thread, .. }), _) if failures > 0 => {
                    let there = store.entries(&thread, mine.0, 1).await?;
                    let is_mine = there.first().is_some_and(|record| (record.place, record.hash) == mine);
                    if is_mine {
                        self.stored = (self.fold.next, self.fold.at);
                        self.log_stored(&logs, took_over);
                    } else {
                        self.log_conflict(first);
                    }
                    self.engine.publish(&self.fold.thread, history.into_iter().filter(|_| is_mine));
                    return Ok(is_mine);
                }
                (Err(StoreError::Conflict { .. }), _) => {
                    self.log_conflict(first);
                    return Ok(false);
                }
                (Err(StoreError::Failed { .. }), Some(again)) => {
                    self.log_retry(first, failures + 1);
                    tokio::time::sleep(Self::BACKOFF * 2u32.pow(failures)).await;
                    (append, failures) = (again, failures + 1);
                }
                (Err(error), _) => return Err(error.into()),
            }
        }
    }
}

impl Engine {
    /// Returns the history entries of an append for the thread's subscribers.
    pub(super) fn history_of(&self, append: &Append) -> Vec<HistoryEntry> {
        if !self.subscribers.has_subscriber(&append.thread) {
            return Vec::new();
        }
        append.records.iter().filter_map(|record| shown(&append.thread, record).ok()).collect()
    }

    /// Tells a thread's subscribers of entries that are stored.
    pub(super) fn publish(&self, thread: &ThreadId, history: impl IntoIterator<Item = HistoryEntry>) {
        history.into_iter().for_each(|entry| {
            self.subscribers.publish(thread, || ThreadEvent::Entry(Box::new(entry)));
        });
    }
}
