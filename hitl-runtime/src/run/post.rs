//! Entries on their way to the store.

use std::time::Duration;

use super::{
    Agent, Difference, Graph, Heard, HistoryEntry,
    graph::GraphFold,
    history_entry::shown,
    refused::{changed, unreadable},
    token::token,
};
use crate::{
    Error, OpenReview, Place, Standing, StoreError,
    journal::{
        Act, At, Drafted, Entry, Event, Fold, FoldError, LaneId, Lease, Ran, Said, Usage, Written, Wrote,
    },
    state::State,
    store::{Append, Record},
};

/// A thread, and the entries that have moved it but are not stored yet. The thread is only as real as its last
/// flush: whatever must be durable before the world is touched is flushed first.
pub(crate) struct Post<G: Graph> {
    pub(crate) fold: GraphFold<G>,
    pub(super) agent: Agent<G>,
    runner: String,
    claims: bool,
    entries: Vec<Unlinked>,
    /// The place after the last entry that is stored, and when that was written.
    stored: (Place, u64),
    /// Until when a runner has the thread as it is stored, where taking the thread over has moved it: what rests then has
    /// no lease any more.
    met_until_ms: Option<u64>,
}

/// An entry that has moved the thread, and is not linked to the one before yet.
struct Unlinked {
    place: Place,
    body: Vec<u8>,
    snapshot: bool,
    act: Act,
}

impl<G: Graph> Post<G> {
    /// Snapshots are taken when at least so many entries, and as many bytes as the last snapshot had, have come
    /// since: a resume then reads little, and the bytes written grow with what was said and not with its square.
    const SNAPSHOT_ENTRIES: usize = 64;

    /// How often a store that fails is asked again, and the wait before the first time; it doubles each time.
    const RETRIES: u32 = 5;
    const BACKOFF: Duration = Duration::from_millis(50);

    /// Boxed: it goes through many hands.
    pub(crate) fn new(agent: &Agent<G>, fold: GraphFold<G>) -> Box<Self> {
        let stored = (fold.next, fold.at_ms);
        Box::new(Self {
            fold,
            agent: agent.clone(),
            runner: String::new(),
            claims: false,
            entries: Vec::new(),
            stored,
            met_until_ms: None,
        })
    }

    /// The thread for whoever only looks at it: it stands where its last stored entry does.
    pub(crate) fn seen(mut self) -> GraphFold<G> {
        self.fold.is_stored = self.entries.is_empty();
        (self.fold.next, self.fold.at_ms) = self.stored;
        self.fold
    }

    /// Whether there is something to store.
    pub(crate) fn is_pending(&self) -> bool {
        !self.entries.is_empty()
    }

    /// From here on this runner has the thread: each entry extends its lease while there is something to run.
    ///
    /// The name comes from the operating system for each claim, so that two copies of one restored process differ.
    pub(crate) fn claim(&mut self) -> Result<(), Error> {
        let runner = if self.runner.is_empty() { token()? } else { std::mem::take(&mut self.runner) };
        self.claim_as(runner);
        Ok(())
    }

    /// As `claim`, under a name that nothing else has.
    pub(crate) fn claim_as(&mut self, runner: String) {
        self.runner = runner;
        self.claims = true;
    }

    /// Whether this runner is to run the thread.
    pub(crate) fn claims(&self) -> bool {
        self.claims
    }

    /// Whether the lease is this runner's.
    pub(crate) fn holds(&self) -> bool {
        self.fold.lease.as_ref().is_some_and(|lease| lease.runner == self.runner)
    }

    /// The thread as it is stored by now, for the same runner.
    pub(crate) fn reset(&mut self, fold: GraphFold<G>) {
        self.stored = (fold.next, fold.at_ms);
        self.fold = fold;
        self.entries.clear();
        self.met_until_ms = None;
    }

    /// Notes who has the thread before it is moved in memory by taking it over.
    pub(super) fn note_lease(&mut self) {
        self.met_until_ms = self.fold.leased_until_ms();
    }

    /// Until when a runner has the thread, as it is stored or as taking it over has moved it.
    pub(super) fn leased_until_ms(&self, now_ms: u64) -> Option<u64> {
        let until_ms = self.met_until_ms.or(self.fold.leased_until_ms());
        until_ms.filter(|until_ms| *until_ms > now_ms)
    }

    /// Takes back what a push that failed has done to the thread: reads it again as it is stored, and then what is on its
    /// way there.
    pub(crate) async fn rewind(&mut self) -> Result<(), Error> {
        let thread = self.fold.thread.clone();
        let mut fold = match self.stored.0.checked_sub(1) {
            None => Fold::empty(thread.clone()),
            Some(last) => match self.agent.load(&thread).await? {
                Some(fold) if fold.next == self.stored.0 => fold,
                // Somebody has appended in between, which the next flush finds out.
                _ => self.agent.fold_to(&thread, last).await?,
            },
        };
        for Unlinked { place, body, snapshot, .. } in &self.entries {
            let damaged = |e: serde_json::Error| FoldError::Damaged(e.to_string());
            let entry: Entry =
                serde_json::from_slice(body).map_err(|e| unreadable::<G>(&thread, *place, damaged(e)))?;
            fold.apply(&entry).map_err(|e| unreadable::<G>(&thread, *place, e))?;
            fold.count(body.len(), snapshot.then_some(fold.snapshot_bytes));
            fold.next = place + 1;
        }
        self.fold = fold;
        Ok(())
    }

    /// Moves the thread, and keeps the entry for the next flush.
    pub(crate) fn push(&mut self, event: Event) -> Result<(), Error> {
        self.push_spent(event, Vec::new())
    }

    /// As `push`, with what models took to get there.
    pub(crate) fn push_spent(&mut self, event: Event, spent: Vec<Usage>) -> Result<(), Error> {
        let (at_ms, lease) = self.stamp(Act::of(&event));
        self.push_entry(&Entry { at_ms, event, lease, spent, snapshot: None })
    }

    /// As `push`, with an entry that is whole, as a fork's first one is with its snapshot.
    pub(crate) fn push_entry(&mut self, entry: &Entry) -> Result<(), Error> {
        let place = self.fold.next;
        let applied = self.fold.apply(entry);
        applied.map_err(|e| unreadable::<G>(&self.fold.thread, place, e))?;
        self.seal(Written::from(entry))
    }

    /// A node has finished: writes what it wrote, and only then asks the graph where to go on.
    /// `drafted` is what somebody is to sign of it, as far as that has been checked.
    pub(crate) fn push_ran(
        &mut self,
        lane: LaneId,
        node: usize,
        wrote: Wrote<'_>,
        drafted: Option<Drafted>,
        spent: &[Usage],
    ) -> Result<(), Error> {
        let place = self.fold.next;
        let parents = self.fold.parents(lane);
        let name = G::SPEC.nodes.get(node).map_or("?", |node| node.name);
        let written = self.fold.write(lane, name, wrote.iter().map(|(field, json)| (*field, &**json)));
        written.map_err(|e| unreadable::<G>(&self.fold.thread, place, e))?;
        let to = match self.fold.lanes.get_mut(&lane) {
            Some(lane) => {
                lane.drafted =
                    drafted.filter(|drafted| !is_reduced::<G>(drafted.field)).or(lane.drafted.take());
                super::route::after_node::<G>(node, &lane.fields)
            }
            None => Err(format!("lane {lane} is not open")),
        };
        let to = to.map_err(|problem| changed(&self.fold.thread, Difference::NoWay { problem }))?;
        let (at_ms, lease) = self.stamp(Act::Run);
        self.fold.at_ms = at_ms;
        self.fold.take_lease(lease.as_ref(), at_ms);
        let moved = self.fold.ran(lane, &to);
        moved.map_err(|e| unreadable::<G>(&self.fold.thread, place, e))?;
        let made = self.fold.read_back(lane, &parents, wrote.iter().map(|(field, _)| *field));
        made.map_err(|e| unreadable::<G>(&self.fold.thread, place, FoldError::Changed(e)))?;
        let event = Said::Ran { ran: Ran { node: name, lane, wrote, to: &to } };
        self.seal(Written { at_ms, event, lease: lease.as_ref(), spent, snapshot: None })
    }

    /// When it is, and the lease where it is new or a third of it has passed, if the key of such an entry may say one.
    fn stamp(&self, act: Act) -> (u64, Option<Lease>) {
        let now = self.agent.inner.clock.now_ms();
        let span = u64::try_from(self.agent.inner.lease.as_millis()).unwrap_or(u64::MAX);
        let fresh = |lease: &Lease| {
            lease.runner == self.runner && lease.until_ms.saturating_sub(now) > span - span / 3
        };
        let due = self.claims && self.may_carry(act) && !self.fold.lease.as_ref().is_some_and(fresh);
        // Whoever begins a thread bears its id, which the first entry says anyhow.
        let runner = || if self.fold.next == 0 { String::new() } else { self.runner.clone() };
        (now, due.then(|| Lease { runner: runner(), until_ms: now.saturating_add(span) }))
    }

    /// Whether the key of such an entry may also say what a runner knows. A front's key does not.
    fn may_carry(&self, act: Act) -> bool {
        self.agent.inner.keys.as_ref().is_none_or(|keys| keys.sign_for(act.carrying(true)))
    }

    /// Encodes an entry that has moved the thread, with a snapshot where one is due.
    fn seal(&mut self, mut entry: Written<'_>) -> Result<(), Error> {
        let act = match entry.event {
            Said::Event(event) => Act::of(event),
            Said::Ran { .. } => Act::Run,
        };
        let may_carry = self.may_carry(act);
        let fold = &mut self.fold;
        let place = fold.next;
        if fold.lease.is_none() {
            // The thread rests, and so nobody has to be told who has it.
            entry.lease = None;
        }
        let (entries, bytes) = fold.since_snapshot;
        let due =
            entries >= Self::SNAPSHOT_ENTRIES && bytes >= fold.snapshot_bytes && !fold.ended && may_carry;
        let snapshot = match due.then(|| fold.freeze()).transpose() {
            // The node whose entry it is has failed then. Any other entry does without: a snapshot only saves reading.
            Err(error) if error.as_broken().is_some() && !entry.is_ran() => None,
            frozen => frozen.map_err(|e| unreadable::<G>(&fold.thread, place, e))?,
        };
        let entry = Written { snapshot: snapshot.as_deref().or(entry.snapshot), ..entry };
        let body = serde_json::to_vec(&entry).map_err(|e| Error::Damaged {
            thread: fold.thread.clone(),
            place,
            problem: e.to_string(),
        })?;
        let carries = entry.lease.is_some() || !entry.spent.is_empty() || entry.snapshot.is_some();
        let act = act.carrying(carries);
        if self.entries.is_empty() {
            self.entries.reserve_exact(2);
        }
        let snapshot = entry.snapshot.map(|snapshot| snapshot.get().len());
        fold.count(body.len(), snapshot);
        fold.next = place + 1;
        self.entries.push(Unlinked { place, body, snapshot: snapshot.is_some(), act });
        Ok(())
    }

    /// Signs the entries where there are keys, and links each to the one before.
    async fn link(&mut self) -> Result<Vec<Record>, Error> {
        let mut records = Vec::with_capacity(self.entries.len());
        for Unlinked { place, body, snapshot, act } in std::mem::take(&mut self.entries) {
            let record = Record { place, hash: self.fold.hash, body, snapshot };
            records.push(self.agent.link(&mut self.fold, act, record).await?);
        }
        Ok(records)
    }

    /// Stores the entries, all or none. `false` when somebody else has appended in between.
    ///
    /// With `patience`, a store that fails is asked again for a while: what a node has done should not be in doubt
    /// because a file was locked for a second.
    pub(crate) async fn flush(&mut self, patience: bool) -> Result<bool, Error> {
        let Some(first) = self.entries.first().map(|entry| entry.place) else { return Ok(true) };
        let after = (first > 0).then_some(self.fold.hash);
        let records = self.link().await?;
        let mine = (first + records.len() as Place - 1, self.fold.hash);
        let mut append = Append {
            thread: self.fold.thread.clone(),
            records,
            standing: standing(&self.fold),
            reviews: reviews(&self.fold),
            due_ms: due_ms(&self.fold),
            after,
        };
        let heard = self.heard(&append);
        let store = &self.agent.inner.store;
        let retries = if patience && store.wants_patience() { Self::RETRIES } else { 0 };
        let mut failures = 0;
        loop {
            let again = (failures < retries).then(|| append.clone());
            match (store.append(append).await, again) {
                (Ok(()), _) => {
                    self.stored = (self.fold.next, self.fold.at_ms);
                    self.tell(heard);
                    return Ok(true);
                }
                // An append whose answer was lost may be the one that took the place.
                (Err(StoreError::Taken { thread, .. }), _) if failures > 0 => {
                    let there = store.entries(&thread, mine.0, 1).await?;
                    let is_mine = there.first().is_some_and(|record| (record.place, record.hash) == mine);
                    if is_mine {
                        self.stored = (self.fold.next, self.fold.at_ms);
                    }
                    self.tell(heard.into_iter().filter(|_| is_mine));
                    return Ok(is_mine);
                }
                (Err(StoreError::Taken { .. }), _) => return Ok(false),
                (Err(StoreError::Failed { .. }), Some(again)) => {
                    tokio::time::sleep(Self::BACKOFF * 2u32.pow(failures)).await;
                    (append, failures) = (again, failures + 1);
                }
                (Err(error), _) => return Err(error.into()),
            }
        }
    }
}

impl<G: Graph> Post<G> {
    /// What whoever listens to the thread is to hear of an append.
    fn heard(&self, append: &Append) -> Vec<HistoryEntry> {
        if !self.agent.inner.listeners.are_there(&append.thread) {
            return Vec::new();
        }
        append.records.iter().filter_map(|record| shown(&append.thread, record).ok()).collect()
    }

    fn tell(&self, heard: impl IntoIterator<Item = HistoryEntry>) {
        let Self { agent, fold, .. } = self;
        heard
            .into_iter()
            .for_each(|entry| agent.inner.listeners.tell(&fold.thread, || Heard::Entry(Box::new(entry))));
    }
}

/// Whether what a node writes to a field is joined with what is there.
fn is_reduced<G: Graph>(field: &str) -> bool {
    G::State::SPEC.fields.iter().any(|spec| spec.name == field && spec.reduced)
}

/// How a thread stands, for the index.
pub(crate) fn standing<S: crate::state::State>(fold: &crate::journal::Fold<S>) -> Standing {
    let any = |test: fn(&At) -> bool| fold.lanes.values().any(|lane| test(&lane.at));
    if fold.ended {
        Standing::Ended
    } else if fold.runs() {
        Standing::Running
    } else if any(|at| matches!(at, At::InDoubt { .. })) {
        Standing::InDoubt
    } else if any(|at| matches!(at, At::Failed { .. })) {
        Standing::Failed
    } else {
        Standing::Waiting
    }
}

/// When somebody must look at the thread unless it has moved by then.
pub(crate) fn due_ms<S: crate::state::State>(fold: &crate::journal::Fold<S>) -> Option<u64> {
    if fold.ended {
        return None;
    }
    // What runs and has no lease has nobody either.
    let lease = fold.runs().then(|| fold.lease.as_ref().map_or(0, |lease| lease.until_ms));
    let due = fold.open().filter_map(|(_, open)| open.due_ms()).chain(lease).min()?;
    Some(due.min(i64::MAX.unsigned_abs()))
}

/// The open reviews, for the index.
pub(crate) fn reviews<S: crate::state::State>(fold: &crate::journal::Fold<S>) -> Vec<OpenReview> {
    let mut reviews = Vec::with_capacity(fold.open().count());
    reviews.extend(fold.open().map(|(_, open)| OpenReview {
        thread: fold.thread.clone(),
        graph: fold.graph.clone(),
        node: open.visit.node.clone(),
        digest: open.digest,
        role: open.role.clone(),
        place: open.place,
        opened_ms: open.opened_ms,
        deadline_ms: open.deadline_ms,
    }));
    reviews
}
