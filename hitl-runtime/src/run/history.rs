//! What has happened to a thread, what it knew at a place, and going on from there under another name.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{
    Agent, Graph, HistoryEntry, Outlook, detach, drive,
    graph::GraphFold,
    history_entry::shown,
    post::{Post, standing},
    refused::{strict, unreadable},
    token::token,
    turn,
};
use crate::{
    Digest, Error, Place, Standing, ThreadId,
    guard::contained,
    journal::{At, Entry, Event, Fold, Origin, Values, genesis, link},
    state::State,
    store::{Record, Tail},
};

/// What a thread knew at a place.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hitl::{Snapshot, Standing};
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// let Snapshot { place, standing, fields } = agent.get(&"ticket-A-9133".try_into()?).await?;
/// assert_eq!((place, standing), (2, Standing::Waiting));
/// assert_eq!(fields.draft.map(|draft| draft.dollars), Some(149));
/// assert_eq!(fields.outcome, None);
/// # Ok(())
/// # }
/// ```
pub struct Snapshot<S: State> {
    /// The last entry that it covers.
    pub place: Place,
    /// How the thread stood.
    pub standing: Standing,
    /// The fields that were written by then, each an `Option`. Inside a fork these are the fields as they were before it.
    pub fields: S::Fields,
}

impl<G: Graph> Agent<G> {
    /// At most `limit` entries from a place on, oldest first; fewer only where the journal ends.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let entries = agent.history(&"ticket-A-9133".try_into()?, 0, 100).await?;
    /// let events: Vec<&str> = entries.iter().map(|entry| entry.event.name()).collect();
    /// assert_eq!(events, ["started", "ran", "paused"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownThread`], and [`Error::Damaged`] where an entry cannot be read.
    pub async fn history(
        &self,
        thread: &ThreadId,
        from: Place,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let records = self.records(thread, from, limit).await?;
        if records.is_empty() && self.inner.store.entries(thread, 0, 1).await?.is_empty() {
            return Err(Error::UnknownThread { thread: thread.clone() });
        }
        let mut before = self.hash_before(thread, from).await?;
        let mut history = Vec::with_capacity(records.len());
        for record in records {
            before = match before {
                Some(hash) if link(hash, &record.body) != record.hash => {
                    return Err(damaged(
                        thread,
                        record.place,
                        "its hash does not follow from the entry before it",
                    ));
                }
                _ => Some(record.hash),
            };
            history.push(shown(thread, &record)?);
        }
        Ok(history)
    }

    /// A store gives less than it is asked for where its own pages are smaller, and nothing at the end alone.
    async fn records(&self, thread: &ThreadId, from: Place, limit: usize) -> Result<Vec<Record>, Error> {
        let mut records: Vec<Record> = Vec::new();
        let mut next = Some(from);
        while let Some(place) = next.filter(|_| records.len() < limit) {
            let page = self.inner.store.entries(thread, place, limit - records.len()).await?;
            next = page.last().and_then(|last| last.place.checked_add(1));
            records.extend(page);
        }
        Ok(records)
    }

    /// The hash that the entry at a place builds on.
    async fn hash_before(&self, thread: &ThreadId, place: Place) -> Result<Option<Digest>, Error> {
        let Some(before) = place.checked_sub(1) else { return Ok(Some(genesis(thread.as_str()))) };
        let records = self.inner.store.entries(thread, before, 1).await?;
        Ok(records.first().filter(|record| record.place == before).map(|record| record.hash))
    }

    /// What a thread knows now.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// let now = agent.get(&"ticket-A-9133".try_into()?).await?;
    /// assert_eq!(now.fields.draft.map(|draft| draft.dollars), Some(149));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::thread`].
    pub async fn get(&self, thread: &ThreadId) -> Result<Snapshot<G::State>, Error> {
        let read = async {
            let fold = self.load(thread).await?;
            snapshot::<G>(fold.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })?)
        };
        contained(thread, read).await
    }

    /// What a thread knew once the entry at a place was written.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// // Place 0 is the start: nothing was drafted yet.
    /// let then = agent.get_at(&"ticket-A-9133".try_into()?, 0).await?;
    /// assert_eq!(then.fields.draft, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::thread`], and [`Error::NoSuchPlace`] past the end.
    pub async fn get_at(&self, thread: &ThreadId, place: Place) -> Result<Snapshot<G::State>, Error> {
        contained(thread, async { snapshot::<G>(self.fold_to(thread, place).await?) }).await
    }

    /// Goes on from a place of a thread's past under another name. The old thread stays as it is. No signature is
    /// carried over: what a person had signed there is signed again.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?.reject(&mara(), Reason::BadPlan, "").await?;
    /// // Place 2 is where the review was opened. Here it is opened anew.
    /// let turn = agent.fork(&"ticket-A-9133".try_into()?, 2, "ticket-A-9133-again").await?;
    /// assert!(matches!(turn, RefundAgentTurn::Pay(_)));
    /// assert!(matches!(agent.thread("ticket-A-9133").await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::ThreadExists`] when the new name is taken, [`Error::NoSuchPlace`] past the end,
    /// [`Error::SignatureNotCarried`] where the thread would go on past a review on the strength of its signature.
    pub async fn fork<T>(&self, thread: &ThreadId, place: Place, new: T) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let new = new.try_into().map_err(Into::into)?;
        new.check_new()?;
        let (agent, thread, name) = (self.clone(), thread.clone(), new.clone());
        let forked = async move { contained(&thread, agent.fork_in_place(&thread, place, &new)).await };
        self.turn_of(&name, detach::finish(forked).await?)
    }

    async fn fork_in_place(
        &self,
        thread: &ThreadId,
        place: Place,
        new: &ThreadId,
    ) -> Result<Outlook<G>, Error> {
        let old = self.fold_to(thread, place).await?;
        let from = Origin {
            thread: old.thread.as_str().to_owned(),
            place: old.next.saturating_sub(1),
            hash: old.hash,
        };
        let mut old = Post::new(self, old);
        old.admit()?;
        may_fork::<G>(&old.fold, place)?;
        match drive::run(self, self.forked(old.fold, from, new)?).await {
            Err(drive::Stopped::Taken(thread)) => Err(Error::ThreadExists { thread }),
            other => self.outlook_of(other).await,
        }
    }

    /// The new thread's first entry: the old one's state, with whatever was under way to be done again.
    fn forked(&self, mut old: GraphFold<G>, from: Origin, new: &ThreadId) -> Result<Box<Post<G>>, Error> {
        for lane in old.lanes.values_mut() {
            lane.signatures = Arc::default();
            lane.pending = None;
            if let Some(visit) = lane.at.visit() {
                let visit = crate::journal::Visit {
                    entered: 0,
                    signed: false,
                    failures: 0,
                    was: None,
                    ..visit.clone()
                };
                lane.at = At::Ready { visit, again_ms: None };
            }
        }
        old.lease = None;
        old.steps = 0;
        old.print.clone_from(&self.inner.print);
        old.version = G::State::SPEC.version;
        let id = token()?;
        old.id = id.as_str().into();
        let wrong = |e| unreadable::<G>(new, 0, e);
        let snapshot = old.freeze().map_err(wrong)?;
        let mut post = Post::new(self, Fold::empty(new.clone()));
        post.push_entry(&Entry {
            at_ms: self.inner.clock.now_ms(),
            event: Event::Started {
                graph: G::SPEC.name.to_owned(),
                print: self.inner.print.clone(),
                version: old.version,
                id,
                input: Values::new(),
                to: None,
                from: Some(from),
                requester: None,
            },
            lease: None,
            spent: Vec::new(),
            snapshot: Some(snapshot),
        })?;
        post.claim()?;
        post.push(Event::Resumed { by: None })?;
        Ok(post)
    }

    /// A thread as it stood at a place, read from its first entry on.
    pub(super) async fn fold_to(&self, thread: &ThreadId, place: Place) -> Result<GraphFold<G>, Error> {
        if self.inner.keys.is_some() {
            let checked: BoxFuture<'_, _> = Box::pin(self.authenticate_whole(thread));
            checked.await?;
        }
        let mut fold: GraphFold<G> = Fold::empty(thread.clone());
        while fold.next <= place {
            let records = self.inner.store.entries(thread, fold.next, 256).await?;
            if records.is_empty() {
                return Err(match fold.next.checked_sub(1) {
                    Some(head) => Error::NoSuchPlace { thread: thread.clone(), place, head },
                    None => Error::UnknownThread { thread: thread.clone() },
                });
            }
            for record in records.iter().filter(|record| record.place <= place) {
                if fold.read(record.place, record.hash, &record.body).is_err() {
                    // Once more, to say all that is wrong with it.
                    let records = self.records_to(thread, place).await?;
                    return strict::<G>(thread, &Tail { before: None, records });
                }
            }
        }
        Ok(fold)
    }

    /// Every entry up to a place.
    async fn records_to(&self, thread: &ThreadId, place: Place) -> Result<Vec<Record>, Error> {
        let (mut records, mut next) = (Vec::new(), 0);
        loop {
            let page = self.inner.store.entries(thread, next, 256).await?;
            let Some(last) = page.last() else { return Ok(records) };
            next = last.place + 1;
            records.extend(page.into_iter().filter(|record| record.place <= place));
            if next > place {
                return Ok(records);
            }
        }
    }
}

/// Whether a thread can go on from here under another name, with everything signed again.
fn may_fork<G: Graph>(old: &GraphFold<G>, place: Place) -> Result<(), Error> {
    for lane in old.lanes.values() {
        if let Some(node) = may_have_happened::<G>(&lane.at) {
            return Err(Error::EffectUnderWay { thread: old.thread.clone(), place, node });
        }
        // What the lane will have signed again anyway may be dropped.
        let again = lane
            .at
            .visit()
            .and_then(|visit| super::route::node::<G>(&visit.node))
            .and_then(|(_, entry)| entry.spec.interrupt)
            .map(|interrupt| interrupt.field);
        if let Some(field) = lane.signatures.keys().find(|field| again != Some(field.as_str())) {
            return Err(Error::SignatureNotCarried {
                thread: old.thread.clone(),
                place,
                field: field.clone(),
            });
        }
    }
    Ok(())
}

/// The effect that would be done again where a lane stands thus, though it may have been done already, or though a
/// person has stopped it.
fn may_have_happened<G: Graph>(at: &At) -> Option<String> {
    let visit = match at {
        At::Began { visit, .. } | At::InDoubt { visit, .. } | At::Failed { visit, stopped: true, .. } => {
            visit
        }
        _ => return None,
    };
    let (_, entry) = super::route::node::<G>(&visit.node)?;
    (!entry.spec.idempotent).then(|| visit.node.clone())
}

fn damaged(thread: &ThreadId, place: Place, problem: &str) -> Error {
    Error::Damaged { thread: thread.clone(), place, problem: problem.to_owned() }
}

fn snapshot<G: Graph>(fold: GraphFold<G>) -> Result<Snapshot<G::State>, Error> {
    let (standing, place) = (standing(&fold), fold.next.saturating_sub(1));
    let (_, fields) = turn::fields::<G>(fold)?;
    Ok(Snapshot { place, standing, fields })
}
