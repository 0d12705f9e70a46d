//! Entries are authentic before anything is done with them.
//!
//! A tail is checked whole where it is loaded, so nothing runs, and nothing is appended, on the strength of an entry that
//! no holder of a journal key has written.

use futures_util::future::{BoxFuture, try_join_all};

use super::{Agent, Graph, graph::GraphFold, route};
use crate::{
    Digest, Error, Place, StoreError, ThreadId,
    journal::{
        Act, At, Decision, Entry, Event, Fold, JournalKeys, LaneId, MacError, Pending, Position, Proposal,
        Settlement, Signature, genesis, link, split,
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
            let refused = |problem: &str| Err((record.place, MacError::Refused(problem.to_owned())));
            if split(&record.body).is_none() {
                if self.began {
                    return refused(
                        "it has no MAC, and an entry before it has one: somebody without a key has added it; `verify` \
                         says what else is wrong",
                    );
                }
                if link(before, &record.body) != record.hash {
                    return refused("its hash does not follow from the entry before it");
                }
                self.unsigned.get_or_insert(record.place);
                continue;
            }
            self.began = true;
            let mut act = Act::Run;
            if self.unsigned.is_some() || self.keys.separate() {
                let entry: Entry = serde_json::from_slice(&record.body)
                    .map_err(|e| (record.place, MacError::Refused(format!("it cannot be read: {e}"))))?;
                act = Act::of_entry(&entry);
                // What stands before the first MAC is taken over by that very entry, or by none.
                if self.unsigned.take().is_some() && !matches!(entry.event, Event::Adopted { .. }) {
                    return refused("it builds on entries without a MAC that nobody had taken over");
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

impl<G: Graph> Agent<G> {
    /// The end of a thread's journal, after seeing that its entries are authentic.
    pub(super) async fn tail(&self, thread: &ThreadId) -> Result<Option<Tail>, Error> {
        let Some(tail) = self.inner.store.tail(thread).await? else { return Ok(None) };
        self.authenticate_tail(thread, &tail).await?;
        Ok(Some(tail))
    }

    /// Sees that the entries of a tail are authentic.
    pub(super) async fn authenticate_tail(&self, thread: &ThreadId, tail: &Tail) -> Result<(), Error> {
        self.authenticate_records(thread, tail.before, &tail.records).await
    }

    /// Sees that entries which follow each other are authentic. `before` is the hash of the one before the first of them.
    pub(super) async fn authenticate_records(
        &self,
        thread: &ThreadId,
        before: Option<Digest>,
        records: &[Record],
    ) -> Result<(), Error> {
        let Some(keys) = &self.inner.keys else { return Ok(()) };
        let starts = records.first().is_none_or(|record| record.place == 0);
        if !starts && records.iter().any(|record| split(&record.body).is_none()) {
            // What is before says whether somebody added it behind a MAC, and what is behind whether somebody vouches for it.
            let checked: BoxFuture<'_, _> = Box::pin(self.authenticate_among(thread, records));
            return checked.await;
        }
        let mut authentication = Authentication::new(keys, thread, before);
        let checked: BoxFuture<'_, _> = Box::pin(authentication.read(records));
        let checked = checked.await.and_then(|()| authentication.end());
        checked.map_err(|(place, e)| refused(thread, place, e))
    }

    /// Sees that every entry of a journal is authentic.
    pub(super) async fn authenticate_whole(&self, thread: &ThreadId) -> Result<(), Error> {
        self.authenticate_among(thread, &[]).await
    }

    /// Sees that every entry of a journal is authentic, and that these are among them as they were read.
    pub(super) async fn authenticate_among(&self, thread: &ThreadId, seen: &[Record]) -> Result<(), Error> {
        let Some(keys) = &self.inner.keys else { return Ok(()) };
        let authentication = self.authenticate_in_order(keys, thread, seen).await?;
        authentication.end().map_err(|(place, e)| refused(thread, place, e))
    }

    /// Sees that a journal may be adopted: its entries have no MAC, or none stands behind the first that has one, and all
    /// MACs are right. Gives the hash of the last entry.
    pub(super) async fn authenticate_unadopted(
        &self,
        keys: &JournalKeys,
        thread: &ThreadId,
    ) -> Result<Digest, Error> {
        Ok(self.authenticate_in_order(keys, thread, &[]).await?.before)
    }

    async fn authenticate_in_order<'a>(
        &self,
        keys: &'a JournalKeys,
        thread: &'a ThreadId,
        seen: &[Record],
    ) -> Result<Authentication<'a>, Error> {
        let mut authentication = Authentication::new(keys, thread, None);
        let (mut next, mut seen) = (0, seen.iter().peekable());
        loop {
            let page = self.inner.store.entries(thread, next, 256).await?;
            let Some(last) = page.last() else { break };
            next = last.place + 1;
            authentication.read(&page).await.map_err(|(place, e)| refused(thread, place, e))?;
            for record in &page {
                seen.next_if(|seen| *seen == record);
            }
        }
        match seen.next() {
            Some(record) => {
                let problem = "the store gives it otherwise when it is asked again".to_owned();
                Err(refused(thread, record.place, MacError::Refused(problem)))
            }
            None => Ok(authentication),
        }
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
        let until = tail.records.last().map_or(0, |record| record.place.saturating_add(1));
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
            for (field, signature) in &*lane.signatures {
                if seen.contains(&signature) {
                    continue;
                }
                seen.push(signature);
                let given: BoxFuture<'_, _> = Box::pin(self.is_given(keys, fold, until, field, signature));
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
                let verified = keys.verify(Act::of_entry(&entry), position, &record.body).await;
                verified.map_err(|error| refused(thread, record.place, error))?;
                made = true;
            }
        }
        Ok(made)
    }

    /// Whether a verdict gives this signature in a field, under a key for verdicts or an adoption, and no later entry of the
    /// lane that the verdict was given in has ended or spent it.
    async fn is_given(
        &self,
        keys: &JournalKeys,
        fold: &GraphFold<G>,
        until: Place,
        field: &str,
        signature: &Signature,
    ) -> Result<bool, Error> {
        let thread = &fold.thread;
        // From the review on, whose hash the next entry builds on.
        let (mut next, mut before, mut unsigned) = (signature.place, None, false);
        let mut given: Option<Given> = None;
        while next < until {
            let page = self.inner.store.entries(thread, next, 64).await?;
            let Some(last) = page.last() else { break };
            next = last.place + 1;
            for record in &page {
                let Some(before) = before.replace(record.hash) else { continue };
                if record.place >= until {
                    break;
                }
                if link(before, &record.body) != record.hash {
                    return Ok(false);
                }
                let Ok(entry) = serde_json::from_slice::<Entry>(&record.body) else { return Ok(false) };
                if let Some(lane) = gives(&entry.event, signature) {
                    given = Some(Given { lane, is_authentic: false, is_over: false });
                } else if let Some(given) = given.as_mut() {
                    given.read::<G>(&entry.event, field, signature);
                }
                let has_mac = split(&record.body).is_some();
                let vouches = match (&entry.event, given.as_mut()) {
                    (_, Some(given)) if given.is_authentic => continue,
                    (Event::Adopted { .. }, Some(given)) if unsigned => given,
                    (event, Some(given)) if gives(event, signature).is_some() => {
                        unsigned = !has_mac;
                        if unsigned {
                            continue;
                        }
                        given
                    }
                    _ => continue,
                };
                let position = Position { thread: thread.as_str(), place: record.place, before };
                let verified = keys.verify(Act::of_entry(&entry), position, &record.body).await;
                verified.map_err(|error| refused(thread, record.place, error))?;
                vouches.is_authentic = true;
            }
        }
        Ok(given.is_some_and(|given| given.is_authentic && !given.is_over))
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

/// A verdict that gives a signature, and what has become of it since.
struct Given {
    /// The lane that it was given in.
    lane: LaneId,
    /// Whether a key for verdicts, or an adoption, vouches for it.
    is_authentic: bool,
    /// Whether a later entry has ended it, or has spent it and the signature does not say so.
    is_over: bool,
}

impl Given {
    /// Takes an entry after the verdict. One of another lane says nothing of this signature.
    fn read<G: Graph>(&mut self, event: &Event, field: &str, signature: &Signature) {
        let is_of_field = |node: &str| {
            let review = route::current::<G>(node).and_then(|(_, entry)| entry.spec.interrupt);
            node == signature.node || review.is_some_and(|review| review.field == field)
        };
        let is_over = match event {
            Event::Began { node, lane, .. } => *lane == self.lane && !signature.spent.contains_key(node),
            // Whatever it was: a "no" ends the signature, and another "yes" is in its place.
            Event::Decided { node, lane, .. } => *lane == self.lane && is_of_field(node),
            Event::Ran { lane, wrote, .. }
            | Event::Settled { lane, how: Settlement::Happened { wrote }, .. } => {
                *lane == self.lane && wrote.contains_key(field)
            }
            _ => false,
        };
        // A migration may have given the names to others since, and ends what it makes another value of.
        self.is_over =
            (self.is_over || is_over) && !matches!(event, Event::Migrated { version: Some(_), .. });
    }
}

/// The lane in which an entry gives a signature, if it does.
fn gives(event: &Event, signature: &Signature) -> Option<LaneId> {
    let Event::Decided { lane, verdict, operator, digest, proposal, evidence, .. } = event else {
        return None;
    };
    let signed = match (verdict, proposal.as_deref()) {
        (Decision::Approve, _) => digest,
        // An edit that was proposed anew has signed nothing.
        (Decision::Edit { signed, .. }, None) => signed,
        _ => return None,
    };
    // An older hitl kept no role in a signature. What the program asks for is not met by none.
    let role = evidence.as_ref().filter(|_| signature.role.is_some()).map(|evidence| &evidence.role);
    let is_it = *operator == signature.operator
        && *signed == signature.digest
        && role.is_none_or(|role| *role == signature.role);
    is_it.then_some(*lane)
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
