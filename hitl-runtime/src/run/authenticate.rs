//! Entries are authentic before anything is done with them.
//!
//! A tail is checked whole where it is loaded, so nothing runs, and nothing is appended, on the strength of an entry that
//! no holder of a journal key has written.

use futures_util::future::{BoxFuture, try_join_all};

use super::{Agent, Graph, HistoryEntry, graph::GraphFold, route};
use crate::{
    Digest, Error, Place, StoreError, ThreadId,
    journal::{
        Act, At, Decision, Entry, Event, Fold, JournalKeys, MacError, Pending, Position, Proposal, Signature,
        genesis, link, split,
    },
    state::State,
    store::{Record, Tail},
};

/// The number of MACs that are checked at once: a vault is asked for each.
const AT_ONCE: usize = 16;

/// The error for an entry that is not authentic, or cannot be signed.
pub(super) fn refused(thread: &ThreadId, place: Place, error: MacError) -> Error {
    match error {
        MacError::Refused(problem) => Error::Unauthenticated { thread: thread.clone(), place, problem },
        MacError::NoKey(problem) => Error::NotSetUp { problem: problem.to_owned() },
        MacError::Unavailable { key, problem } => Error::Store(StoreError::Failed {
            location: format!("the journal key `{key}`"),
            problem,
            source: None,
        }),
    }
}

/// The error for a program without keys that would append to a thread whose entries have MACs.
fn without_keys(thread: &ThreadId) -> Error {
    let problem = format!(
        "the entries of thread `{thread}` are authenticated, and this program has no key to write more of them: set \
         HITL_JOURNAL_KEY, or give the agent its `journal_keys`"
    );
    Error::NotSetUp { problem }
}

/// An authentication of entries in their order, page by page.
pub(super) struct Authentication<'a> {
    keys: &'a JournalKeys,
    thread: &'a ThreadId,
    before: Digest,
    /// The first entry without a MAC, until an adoption covers it.
    unsigned: Option<Place>,
    /// Whether an entry with a MAC has come.
    began: bool,
}

impl<'a> Authentication<'a> {
    /// `before` is the hash of the entry before the first one; `None` at place 0.
    pub(super) fn new(keys: &'a JournalKeys, thread: &'a ThreadId, before: Option<Digest>) -> Self {
        let before = before.unwrap_or_else(|| genesis(thread.as_str()));
        Self { keys, thread, before, unsigned: None, began: false }
    }

    /// Checks the next entries. They are linked to each other by their stored hashes, which the caller checks.
    pub(super) async fn read(&mut self, records: &[Record]) -> Result<(), (Place, MacError)> {
        let mut signed = Vec::with_capacity(records.len());
        for record in records {
            let before = std::mem::replace(&mut self.before, record.hash);
            if split(&record.body).is_none() {
                if self.began {
                    let problem = "it has no MAC, and an entry before it has one".to_owned();
                    return Err((record.place, MacError::Refused(problem)));
                }
                self.unsigned.get_or_insert(record.place);
                continue;
            }
            self.began = true;
            let mut act = Act::Run;
            if self.unsigned.is_some() || self.keys.separate() {
                let entry: Entry = serde_json::from_slice(&record.body)
                    .map_err(|e| (record.place, MacError::Refused(format!("it cannot be read: {e}"))))?;
                act = Act::of(&entry.event);
                if matches!(entry.event, Event::Adopted { .. }) {
                    self.unsigned = None;
                }
            }
            signed.push((act, before, record));
        }
        let (keys, thread) = (self.keys, self.thread.as_str());
        for some in signed.chunks(AT_ONCE) {
            let mut checks: Vec<BoxFuture<'_, Result<(), (Place, MacError)>>> = Vec::with_capacity(AT_ONCE);
            for (act, before, record) in some {
                let position = Position { thread, place: record.place, before: *before };
                let checked = keys.verify(*act, position, &record.body);
                checks.push(Box::pin(async { checked.await.map_err(|error| (record.place, error)) }));
            }
            try_join_all(checks).await?;
        }
        Ok(())
    }

    /// The end of the journal: no entry without a MAC is left that no adoption covers.
    pub(super) fn end(self) -> Result<(), (Place, MacError)> {
        match self.unsigned {
            Some(place) => Err((
                place,
                MacError::Refused(
                    "it has no MAC; if it was written before this program had a journal key, take the thread over \
                     with `adopt`"
                        .to_owned(),
                ),
            )),
            None => Ok(()),
        }
    }
}

async fn authenticate_tail(keys: &JournalKeys, thread: &ThreadId, tail: &Tail) -> Result<(), Error> {
    let mut authentication = Authentication::new(keys, thread, tail.before);
    let read = authentication.read(&tail.records).await;
    read.and_then(|()| authentication.end()).map_err(|(place, e)| refused(thread, place, e))
}

impl<G: Graph> Agent<G> {
    /// The end of a thread's journal, after seeing that its entries are authentic.
    pub(super) async fn tail(&self, thread: &ThreadId) -> Result<Option<Tail>, Error> {
        let Some(tail) = self.inner.store.tail(thread).await? else { return Ok(None) };
        self.authenticate_tail(thread, &tail).await?;
        Ok(Some(tail))
    }

    /// Sees that the entries of a tail are authentic.
    pub(super) async fn authenticate_tail(&self, thread: &ThreadId, tail: &Tail) -> Result<(), Error> {
        let Some(keys) = &self.inner.keys else { return Ok(()) };
        let checked: BoxFuture<'_, _> = Box::pin(authenticate_tail(keys, thread, tail));
        checked.await
    }

    /// Sees that every entry of a journal is authentic.
    pub(super) async fn authenticate_whole(&self, thread: &ThreadId) -> Result<(), Error> {
        let Some(keys) = &self.inner.keys else { return Ok(()) };
        let mut authentication = Authentication::new(keys, thread, None);
        let mut next = 0;
        loop {
            let page = self.inner.store.entries(thread, next, 256).await?;
            let Some(last) = page.last() else { break };
            next = last.place + 1;
            authentication.read(&page).await.map_err(|(place, e)| refused(thread, place, e))?;
        }
        authentication.end().map_err(|(place, e)| refused(thread, place, e))
    }

    /// [`Agent::history`] for whoever is shown it: where there are keys, its entries are authentic.
    pub(crate) async fn authentic_history(
        &self,
        thread: &ThreadId,
        from: Place,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let entries = self.history(thread, from, limit).await?;
        if let (Some(keys), Some(first), Some(last)) = (&self.inner.keys, entries.first(), entries.last()) {
            let checked: BoxFuture<'_, _> =
                Box::pin(self.authenticate_page(keys, thread, first.place, last.place));
            checked.await?;
        }
        Ok(entries)
    }

    async fn authenticate_page(
        &self,
        keys: &JournalKeys,
        thread: &ThreadId,
        first: Place,
        last: Place,
    ) -> Result<(), Error> {
        let before = match first.checked_sub(1) {
            Some(before) => {
                self.inner.store.entries(thread, before, 1).await?.first().map(|record| record.hash)
            }
            None => None,
        };
        let (mut authentication, mut next) = (Authentication::new(keys, thread, before), first);
        while next <= last {
            let mut page = self.inner.store.entries(thread, next, 256).await?;
            let Some(end) = page.last().map(|record| record.place) else { break };
            next = end.saturating_add(1);
            page.retain(|record| record.place <= last);
            if page.iter().any(|record| split(&record.body).is_none()) {
                // Somebody vouches for it further on, or nobody does.
                return self.authenticate_whole(thread).await;
            }
            authentication.read(&page).await.map_err(|(place, e)| refused(thread, place, e))?;
        }
        Ok(())
    }

    /// Sees that each signature stands in a verdict of a key for verdicts. A runner's key signs snapshots, and must not be
    /// enough to put a signature into one.
    pub(super) async fn authenticate_signatures(
        &self,
        fold: &GraphFold<G>,
        tail: &Tail,
    ) -> Result<(), Error> {
        let Some(keys) = self.inner.keys.as_ref().filter(|keys| keys.separate()) else { return Ok(()) };
        let place = tail.records.first().map_or(0, |record| record.place);
        let forged = |whose: &str| Error::Unauthenticated {
            thread: fold.thread.clone(),
            place,
            problem: format!("its snapshot holds {whose}, and no verdict of a key for verdicts gives it"),
        };
        let mut seen = Vec::new();
        for lane in fold.lanes.values() {
            if let At::Ready { visit, .. } = &lane.at
                && let Some(interrupt) =
                    route::node::<G>(&visit.node).and_then(|(_, entry)| entry.spec.interrupt)
                && visit.signed
                && !lane.signatures.contains_key(interrupt.field)
            {
                return Err(forged(&format!("an approval of `{}`", visit.node)));
            }
            if let Some(pending) = lane.pending.as_deref().filter(|pending| pending.signs) {
                let made: BoxFuture<'_, _> = Box::pin(self.is_made(keys, fold, pending));
                if !made.await? {
                    return Err(forged(&format!("an edit of {}", pending.by.operator)));
                }
            }
            for signature in lane.signatures.values() {
                if seen.contains(&(signature.place, signature.digest)) {
                    continue;
                }
                seen.push((signature.place, signature.digest));
                let given: BoxFuture<'_, _> = Box::pin(self.is_given(keys, fold, signature));
                if !given.await? {
                    return Err(forged(&format!("a signature of {}", signature.operator)));
                }
            }
        }
        Ok(())
    }

    /// Whether a verdict under a key for verdicts, or under an adoption, made this edit, which may sign a review that opens
    /// later: its operator, its roles, its draft, and what was shown and covered beside it. An edit signs once.
    async fn is_made(
        &self,
        keys: &JournalKeys,
        fold: &GraphFold<G>,
        pending: &Pending,
    ) -> Result<bool, Error> {
        let (thread, edit) = (&fold.thread, pending.by.edit);
        let Some(mut next) = edit.checked_sub(1) else { return Ok(false) };
        // By which key or adoption: none yet, though the entry has been met.
        let (mut before, mut made, mut unsigned) = (None, false, false);
        while next < fold.next {
            let page = self.inner.store.entries(thread, next, 64).await?;
            let Some(last) = page.last() else { break };
            next = last.place + 1;
            for record in &page {
                let Some(before) = before.replace(record.hash) else { continue };
                if link(before, &record.body) != record.hash {
                    return Ok(false);
                }
                let Ok(entry) = serde_json::from_slice::<Entry>(&record.body) else { return Ok(false) };
                let vouches = match &entry.event {
                    event if record.place == edit => match made_by(fold, event, pending) {
                        true => true,
                        false => return Ok(false),
                    },
                    Event::Adopted { .. } => unsigned,
                    // It has signed, or new code has ended its right to.
                    Event::Decided { proposal: Some(proposal), .. } if matches!(**proposal, Proposal::Signed { edit: used } if used == edit) =>
                    {
                        return Ok(false);
                    }
                    Event::Migrated { .. } => return Ok(false),
                    _ => false,
                };
                if !vouches || made {
                    continue;
                }
                if split(&record.body).is_none() {
                    unsigned = true;
                    continue;
                }
                let position = Position { thread: thread.as_str(), place: record.place, before };
                let verified = keys.verify(Act::Verdict, position, &record.body).await;
                verified.map_err(|error| refused(thread, record.place, error))?;
                made = true;
            }
        }
        Ok(made)
    }

    /// Whether a verdict gives this signature, under a key for verdicts or an adoption.
    async fn is_given(
        &self,
        keys: &JournalKeys,
        fold: &GraphFold<G>,
        signature: &Signature,
    ) -> Result<bool, Error> {
        let thread = &fold.thread;
        // From the review on, whose hash the next entry builds on.
        let (mut next, mut before, mut unsigned) = (signature.place, None, false);
        while next < fold.next {
            let page = self.inner.store.entries(thread, next, 64).await?;
            let Some(last) = page.last() else { return Ok(false) };
            next = last.place + 1;
            for record in &page {
                let Some(before) = before.replace(record.hash) else { continue };
                if link(before, &record.body) != record.hash {
                    return Ok(false);
                }
                let Ok(entry) = serde_json::from_slice::<Entry>(&record.body) else { return Ok(false) };
                let is_it = match &entry.event {
                    Event::Decided { verdict: Decision::Approve, operator, digest, .. } => {
                        *operator == signature.operator && *digest == signature.digest
                    }
                    // An edit that was proposed anew has signed nothing.
                    Event::Decided {
                        verdict: Decision::Edit { signed, .. },
                        operator,
                        proposal: None,
                        ..
                    } => *operator == signature.operator && *signed == signature.digest,
                    Event::Adopted { .. } => unsigned,
                    _ => false,
                };
                if !is_it {
                    continue;
                }
                if split(&record.body).is_none() {
                    unsigned = true;
                    continue;
                }
                let position = Position { thread: thread.as_str(), place: record.place, before };
                return match keys.verify(Act::Verdict, position, &record.body).await {
                    Ok(()) => Ok(true),
                    Err(error) => Err(refused(thread, record.place, error)),
                };
            }
        }
        Ok(false)
    }

    /// Signs an entry where there are keys, and links it to the one before.
    pub(super) async fn link<S: State>(
        &self,
        fold: &mut Fold<S>,
        act: Act,
        mut record: Record,
    ) -> Result<Record, Error> {
        match &self.inner.keys {
            Some(keys) => {
                let position =
                    Position { thread: fold.thread.as_str(), place: record.place, before: fold.hash };
                let signed: BoxFuture<'_, _> = Box::pin(keys.sign(act, position, &mut record.body));
                signed.await.map_err(|error| refused(&fold.thread, record.place, error))?;
                fold.is_signed = true;
            }
            None if fold.is_signed => return Err(without_keys(&fold.thread)),
            None => {}
        }
        record.hash = link(fold.hash, &record.body);
        fold.hash = record.hash;
        Ok(record)
    }

    /// Whether this program can write what a runner writes.
    pub(super) fn may_run(&self) -> bool {
        self.inner.keys.as_ref().is_none_or(|keys| keys.sign_for(Act::Run))
    }
}

/// Whether the entry of an edit says what a thread has of it. What was shown and covered is in the digest of what the
/// edit proposes, which the entry says.
fn made_by<S: State>(fold: &Fold<S>, event: &Event, pending: &Pending) -> bool {
    let Event::Decided {
        node,
        verdict: Decision::Edit { after, signed, .. },
        operator,
        unverified,
        to,
        proposal,
        ..
    } = event
    else {
        return false;
    };
    let Some(Proposal::Made { roles, until_ms, .. }) = proposal.as_deref() else { return false };
    *operator == pending.by.operator
        && *unverified == pending.by.unverified
        && *roles == pending.roles
        && after.get() == pending.draft.get()
        && pending.is_within(node, to, *until_ms)
        && pending.digest_is(fold, node, *signed)
}
