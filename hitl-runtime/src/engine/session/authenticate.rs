//! Authentication of entries before they are used.
//!
//! With journal keys, a tail is authenticated as a whole when it is loaded. Nothing runs and nothing is appended on the
//! basis of an entry that no holder of a journal key has written.

use futures_util::future::{BoxFuture, try_join_all};

use crate::{
    Digest, Error, Place, StoreError, ThreadId,
    engine::Engine,
    journal::{
        Act, Decision, Entry, Event, Fold, JournalKeys, LaneId, LaneState, MacError, Pending, Person,
        Position, Proposal, Settlement, Signature, TokenSubject, genesis, link, split,
    },
    node::GraphTable,
    store::{Record, Tail},
};

/// The number of MACs that are checked concurrently. Each check may be a request to a vault.
const AT_ONCE: usize = 16;

/// Returns the error for an entry that is not authentic, or that cannot be signed.
pub(in crate::engine) fn refused(thread: &ThreadId, place: Place, error: MacError) -> Error {
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

/// Returns the error for an append by a program without keys to a thread whose entries have MACs.
fn without_keys(thread: &ThreadId) -> Error {
    let problem = format!(
        "the entries of thread `{thread}` are authenticated, but this program has no journal key to append to them; \
         set HITL_JOURNAL_KEY, or give the agent its `journal_keys`"
    );
    Error::NotSetUp { problem }
}

/// The last entry of a journal.
#[derive(Clone, Copy)]
pub(super) struct LastEntry {
    pub(super) hash: Digest,
    /// `true` if it has a MAC.
    pub(super) is_signed: bool,
}

/// An authentication of the entries of a journal in order, page by page.
pub(in crate::engine) struct Authentication<'a> {
    keys: &'a JournalKeys,
    thread: &'a ThreadId,
    before: Digest,
    /// The place of the first entry without a MAC, until an adoption covers it.
    unsigned: Option<Place>,
    /// `true` once an entry with a MAC has been read.
    began: bool,
}

impl<'a> Authentication<'a> {
    /// Starts an authentication. `before` is the hash of the entry before the first one to be read; `None` at place 0.
    pub(in crate::engine) fn new(
        keys: &'a JournalKeys,
        thread: &'a ThreadId,
        before: Option<Digest>,
    ) -> Self {
        let before = before.unwrap_or_else(|| genesis(thread.as_str()));
        Self { keys, thread, before, unsigned: None, began: false }
    }

    /// Authenticates the next entries. The caller checks that each stored hash follows from the previous one.
    pub(in crate::engine) async fn read(&mut self, records: &[Record]) -> Result<(), (Place, MacError)> {
        let mut signed = Vec::with_capacity(records.len());
        for record in records {
            let before = std::mem::replace(&mut self.before, record.hash);
            let refused = |problem: &str| Err((record.place, MacError::Refused(problem.to_owned())));
            if split(&record.body).is_none() {
                if self.began {
                    return refused(
                        "it has no MAC, but an earlier entry has one, so it was added without a journal key; run \
                         `verify` for all findings",
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
                act = Act::from_entry(&entry);
                // Entries before the first MAC are valid only if the entry with that MAC is their adoption.
                if self.unsigned.take().is_some() && !matches!(entry.event, Event::Adopted { .. }) {
                    return refused("it follows entries without a MAC that were not adopted");
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

    /// Ends the authentication. Fails if an entry without a MAC is left that no adoption covers.
    pub(in crate::engine) fn end(self) -> Result<(), (Place, MacError)> {
        match self.unsigned {
            Some(place) => Err((
                place,
                MacError::Refused(
                    "it has no MAC; if it was written before there was a journal key, vouch for the thread with \
                     `adopt`"
                        .to_owned(),
                ),
            )),
            None => Ok(()),
        }
    }
}

impl Engine {
    /// Returns the tail of a thread's journal after authenticating its entries.
    pub(in crate::engine) async fn tail(&self, thread: &ThreadId) -> Result<Option<Tail>, Error> {
        // The journal of stops is no thread.
        if thread.is_reserved() {
            return Ok(None);
        }
        let Some(tail) = self.store.tail(thread).await? else { return Ok(None) };
        self.authenticate_tail(thread, &tail).await?;
        Ok(Some(tail))
    }

    /// Checks that the entries of a tail are authentic.
    pub(in crate::engine) async fn authenticate_tail(
        &self,
        thread: &ThreadId,
        tail: &Tail,
    ) -> Result<(), Error> {
        self.authenticate_records(thread, tail.before, &tail.records).await
    }

    /// Checks that consecutive entries are authentic. `before` is the hash of the entry before the first of them.
    pub(in crate::engine) async fn authenticate_records(
        &self,
        thread: &ThreadId,
        before: Option<Digest>,
        records: &[Record],
    ) -> Result<(), Error> {
        let Some(keys) = &self.keys else { return Ok(()) };
        let starts = records.first().is_none_or(|record| record.place == 0);
        if !starts && records.iter().any(|record| split(&record.body).is_none()) {
            // An entry without a MAC is invalid if an earlier entry has a MAC, and valid if a later entry adopts it.
            // The whole journal shows both.
            let checked: BoxFuture<'_, _> = Box::pin(self.authenticate_among(thread, records));
            return checked.await;
        }
        let mut authentication = Authentication::new(keys, thread, before);
        let checked: BoxFuture<'_, _> = Box::pin(authentication.read(records));
        let checked = checked.await.and_then(|()| authentication.end());
        checked.map_err(|(place, e)| refused(thread, place, e))
    }

    /// Checks that every entry of a journal is authentic.
    pub(super) async fn authenticate_whole(&self, thread: &ThreadId) -> Result<(), Error> {
        self.authenticate_among(thread, &[]).await
    }

    /// Checks that every entry of a journal is authentic, and that the journal has the entries in `seen` as they were
    /// read.
    pub(in crate::engine) async fn authenticate_among(
        &self,
        thread: &ThreadId,
        seen: &[Record],
    ) -> Result<(), Error> {
        let Some(keys) = &self.keys else { return Ok(()) };
        let authentication = self.authenticate_in_order(keys, thread, seen).await?;
        authentication.end().map_err(|(place, e)| refused(thread, place, e))
    }

    /// Checks that a journal may be adopted: no entry without a MAC comes after an entry with one, and all MACs are
    /// right. Returns the hash of the last entry.
    pub(in crate::engine) async fn authenticate_unadopted(
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
        let (mut next, mut seen) = (Place::START, seen.iter().peekable());
        loop {
            let page = self.store.entries(thread, next, 256).await?;
            let Some(last) = page.last() else { break };
            next = last.place + 1;
            authentication.read(&page).await.map_err(|(place, e)| refused(thread, place, e))?;
            for record in &page {
                seen.next_if(|seen| *seen == record);
            }
        }
        match seen.next() {
            Some(record) => {
                let problem = "the store returned a different entry on a second read".to_owned();
                Err(refused(thread, record.place, MacError::Refused(problem)))
            }
            None => Ok(authentication),
        }
    }

    /// Checks that each signature, each pending edit and each approval in a snapshot comes from a verdict that a key
    /// for verdicts has signed. A runner's key signs snapshots, and must not suffice to put a signature into one. Does
    /// nothing if every key is for all purposes.
    pub(in crate::engine) async fn authenticate_signatures(
        &self,
        fold: &Fold,
        tail: &Tail,
    ) -> Result<(), Error> {
        let Some(keys) = self.keys.as_ref().filter(|keys| keys.separate()) else { return Ok(()) };
        let place = tail.records.first().map_or(Place::START, |record| record.place);
        let until = tail.records.last().map_or(Place::START, |record| record.place.saturating_add(1));
        let forged = |whose: &str| Error::Unauthenticated {
            thread: fold.thread.clone(),
            place,
            problem: format!(
                "its snapshot contains {whose}, but no verdict signed by a verdict key supports it"
            ),
        };
        let mut seen = Vec::new();
        for lane in fold.lanes.values() {
            if let LaneState::Ready { activation, .. } = &lane.at
                && let Some(interrupt) =
                    self.graph.node(&activation.node).and_then(|(_, entry)| entry.spec.interrupt)
                && activation.signed
                && !lane.signatures.contains_key(interrupt.field)
            {
                return Err(forged(&format!("an approval of `{}`", activation.node)));
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
                    return Err(forged(&format!("a signature of {}", signature.by)));
                }
            }
        }
        Ok(())
    }

    /// Returns whether this edit, which may sign a review that opens later, is authentic. Its entry must be
    /// authenticated by a key for verdicts or by an adoption, and must have the same operator, roles and draft, and the
    /// same values shown and covered. An edit signs only once.
    async fn is_made(&self, keys: &JournalKeys, fold: &Fold, pending: &Pending) -> Result<bool, Error> {
        let (thread, edit) = (&fold.thread, pending.by.edit);
        let Some(mut next) = edit.checked_sub(1) else { return Ok(false) };
        // `made`: the edit's entry is authenticated. `unsigned`: it has no MAC, so that only an adoption can
        // authenticate it.
        let (mut before, mut made, mut unsigned) = (None, false, false);
        while next < fold.next {
            let page = self.store.entries(thread, next, 64).await?;
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
                    // The edit has signed already. A migration also ends its right to sign.
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
                let verified = keys.verify(Act::from_entry(&entry), position, &record.body).await;
                verified.map_err(|error| refused(thread, record.place, error))?;
                made = true;
            }
        }
        Ok(made)
    }

    /// Returns whether a verdict gives this signature in a field, authenticated by a key for verdicts or by an
    /// adoption, and no later entry of the verdict's lane has ended or spent the signature. The signature of a rule is
    /// given by an entry of a runner; whether the rule signs such a value is evaluated again before an effect begins.
    async fn is_given(
        &self,
        keys: &JournalKeys,
        fold: &Fold,
        until: Place,
        field: &str,
        signature: &Signature,
    ) -> Result<bool, Error> {
        let thread = &fold.thread;
        // Starts at the entry before the one that opened the review, or with which the rule signed: the next entry is
        // linked to its hash.
        let Some(mut next) = signature.place.checked_sub(1) else { return Ok(false) };
        let (mut before, mut unsigned) = (None, false);
        let mut given: Option<SignatureOrigin> = None;
        while next < until {
            let page = self.store.entries(thread, next, 64).await?;
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
                // The risk that the person was shown is that of the opening.
                if let (Event::Paused { risk, irreversible, .. }, false) =
                    (&entry.event, signature.is_of_rule())
                    && record.place == signature.place
                    && (*risk, *irreversible) != (signature.risk, signature.irreversible)
                {
                    return Ok(false);
                }
                let is_given_here = !signature.is_of_rule() || record.place == signature.place;
                if let Some(lane) = gives(fold, &entry.event, signature).filter(|_| is_given_here) {
                    given = Some(SignatureOrigin { lane, is_authentic: false, is_over: false });
                } else if let Some(given) = given.as_mut() {
                    given.read(self.graph, &entry.event, field, signature);
                }
                let has_mac = split(&record.body).is_some();
                let vouches = match (&entry.event, given.as_mut()) {
                    (_, Some(given)) if given.is_authentic => continue,
                    (Event::Adopted { .. }, Some(given)) if unsigned => given,
                    (event, Some(given)) if gives(fold, event, signature).is_some() => {
                        unsigned = !has_mac;
                        if unsigned {
                            continue;
                        }
                        given
                    }
                    _ => continue,
                };
                let position = Position { thread: thread.as_str(), place: record.place, before };
                let verified = keys.verify(Act::from_entry(&entry), position, &record.body).await;
                verified.map_err(|error| refused(thread, record.place, error))?;
                vouches.is_authentic = true;
            }
        }
        Ok(given.is_some_and(|given| given.is_authentic && !given.is_over))
    }

    /// Signs an entry if there are keys, and links it to the previous entry.
    pub(in crate::engine) async fn link(
        &self,
        fold: &mut Fold,
        act: Act,
        record: Record,
    ) -> Result<Record, Error> {
        let last = LastEntry { hash: fold.hash, is_signed: fold.is_signed };
        let record = self.link_after(&fold.thread, last, act, record).await?;
        (fold.hash, fold.is_signed) = (record.hash, self.keys.is_some());
        Ok(record)
    }

    /// Signs an entry if there are keys, and links it to the last entry of its journal.
    pub(super) async fn link_after(
        &self,
        thread: &ThreadId,
        LastEntry { hash, is_signed }: LastEntry,
        act: Act,
        mut record: Record,
    ) -> Result<Record, Error> {
        match &self.keys {
            Some(keys) => {
                let position = Position { thread: thread.as_str(), place: record.place, before: hash };
                let signed: BoxFuture<'_, _> = Box::pin(keys.sign(act, position, &mut record.body));
                signed.await.map_err(|error| refused(thread, record.place, error))?;
            }
            None if is_signed => return Err(without_keys(thread)),
            None => {}
        }
        record.hash = link(hash, &record.body);
        Ok(record)
    }

    /// Returns whether this program can run threads, but its keys sign no verdicts, which are given in fronts.
    pub(in crate::engine) fn only_runs(&self) -> bool {
        self.may_run() && self.keys.as_ref().is_some_and(|keys| !keys.sign_for(Act::Verdict))
    }

    /// Returns whether this program can run threads: it has the dependencies of their nodes, and a key for the entries of
    /// a runner or no keys at all.
    pub(in crate::engine) fn may_run(&self) -> bool {
        self.deps.is_some() && self.keys.as_ref().is_none_or(|keys| keys.sign_for(Act::Run))
    }
}

/// A verdict that gives a signature, and the effect of the later entries on it.
struct SignatureOrigin {
    /// The lane of the verdict.
    lane: LaneId,
    /// `true` once a key for verdicts, or an adoption, authenticates it.
    is_authentic: bool,
    /// `true` if a later entry has ended the signature, or has spent it although the signature does not record that.
    is_over: bool,
}

impl SignatureOrigin {
    /// Applies an entry that comes after the verdict. An entry of another lane does not affect the signature.
    fn read(&mut self, graph: &'static GraphTable, event: &Event, field: &str, signature: &Signature) {
        let is_of_field = |node: &str| {
            let review = graph.current(node).and_then(|(_, entry)| entry.spec.interrupt);
            node == signature.node || review.is_some_and(|review| review.field == field)
        };
        let is_over = match event {
            Event::Began { node, lane, .. } => *lane == self.lane && !signature.spent.contains_key(node),
            // Each later verdict on the field ends the signature: a rejection revokes it, and an approval replaces it.
            Event::Decided { node, lane, .. } => *lane == self.lane && is_of_field(node),
            Event::Signed { lane, field: signed, .. } => *lane == self.lane && signed == field,
            Event::Ran { lane, wrote, .. }
            | Event::Settled { lane, how: Settlement::Happened { wrote }, .. } => {
                *lane == self.lane && wrote.contains_key(field)
            }
            _ => false,
        };
        // After a migration the names in earlier entries may mean other nodes and fields, so those entries do not
        // count. The migration itself has ended the signatures whose values it changed.
        self.is_over =
            (self.is_over || is_over) && !matches!(event, Event::Migrated { version: Some(_), .. });
    }
}

/// Returns the lane in which an entry gives a signature, if it does.
fn gives(fold: &Fold, event: &Event, signature: &Signature) -> Option<LaneId> {
    if let Event::Signed { lane, field: _, digest, by, .. } = event {
        return (*by == signature.by && *digest == signature.digest).then_some(*lane);
    }
    let Event::Decided { lane, verdict, operator, unverified, digest, proposal, evidence, .. } = event else {
        return None;
    };
    let signed = match (verdict, proposal.as_deref()) {
        (Decision::Approve, _) => digest,
        // An edit that is proposed again signs nothing.
        (Decision::Edit { signed, .. }, None) => signed,
        _ => return None,
    };
    // Older versions of hitl stored no role in a signature, so there is none to compare. Such a signature does not
    // satisfy a review that requires a role.
    let role = evidence.as_ref().filter(|_| signature.role.is_some()).map(|evidence| &evidence.role);
    let person = Person::of_act(operator, *unverified, evidence.as_deref());
    // A signature of an older version of hitl does not say whether it is the requester's. It satisfies no review that
    // excludes them.
    let is_told =
        signature.by_requester.is_none() || signature.by_requester == fold.requesters.may_include(&person);
    let is_it = signature.by.operator() == Some(operator)
        && is_told
        && *signed == signature.digest
        && role.is_none_or(|role| *role == signature.role);
    is_it.then_some(*lane)
}

/// Returns whether the entry of an edit agrees with the pending edit of a thread. The values that were shown and
/// covered are part of the digest in the entry.
fn made_by(fold: &Fold, event: &Event, pending: &Pending) -> bool {
    let Event::Decided {
        node,
        verdict: Decision::Edit { after, signed, .. },
        operator,
        unverified,
        to,
        proposal,
        evidence,
        ..
    } = event
    else {
        return false;
    };
    let Some(Proposal::Made { roles, until, risk, irreversible, .. }) = proposal.as_deref() else {
        return false;
    };
    *operator == pending.by.operator
        && *unverified == pending.by.unverified
        && (pending.subject.is_none() || pending.subject == TokenSubject::of(evidence.as_deref()))
        && *roles == pending.roles
        && (*risk, *irreversible) == (pending.risk, pending.irreversible)
        && after.get() == pending.draft.get()
        && pending.is_within(node, to, *until)
        && pending.digest_is(fold, node, *signed)
}
