//! The journal of stops, in which operators stop graphs and whole stores.
//!
//! It is a journal like that of a thread, chained and signed in the same way, under a name that no thread can have. Every
//! process reads it again before a thread runs and before each call of an effect, and remembers how far it has read.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;

use super::{authenticate::LastEntry, thread_writer::ThreadWriter};
use crate::{
    Digest, Error, Place, StoreError, ThreadId, ThreadStatus,
    engine::Engine,
    journal::{Act, Entry, EntryRef, Event, Settlement, Stop, StopKind, StopScope, genesis, link, split},
    store::{Append, Record},
};

/// The end of a journal, as a process has read it.
#[derive(Clone, Copy)]
pub(in crate::engine) struct JournalEnd {
    /// The place of the next entry.
    pub(in crate::engine) place: Place,
    /// The hash of the last entry.
    pub(in crate::engine) hash: Digest,
}

/// The stops of graphs and of the store, as a process has last read them.
pub(in crate::engine) struct Stops {
    /// The name of their journal.
    journal: ThreadId,
    read: Mutex<Read>,
}

impl Default for Stops {
    fn default() -> Self {
        let journal = ThreadId::of_stops();
        Self { read: Mutex::new(Read::before(&journal)), journal }
    }
}

struct Read {
    end: JournalEnd,
    /// `true` if the last entry has a MAC.
    is_signed: bool,
    store: Option<PlacedStop>,
    graphs: BTreeMap<String, PlacedStop>,
}

/// The stops of graphs and of the store at an end of their journal.
pub(in crate::engine) struct StopsInForce {
    pub(in crate::engine) stops: Vec<PlacedStop>,
    pub(in crate::engine) end: JournalEnd,
    /// `true` if the last entry has a MAC.
    pub(in crate::engine) is_signed: bool,
}

impl StopsInForce {
    /// Returns the stop of a scope.
    pub(in crate::engine) fn of(&self, scope: &StopScope) -> Option<&PlacedStop> {
        self.stops.iter().find(|placed| placed.stop.scope == *scope)
    }
}

/// A stop of a graph or of the store, and the place of its entry in the journal of stops.
#[derive(Clone, Debug)]
pub(in crate::engine) struct PlacedStop {
    pub(in crate::engine) place: Place,
    pub(in crate::engine) stop: Stop,
}

impl Read {
    /// Returns the state before the first entry.
    fn before(journal: &ThreadId) -> Self {
        let end = JournalEnd { place: Place::START, hash: genesis(journal.as_str()) };
        Self { end, is_signed: false, store: None, graphs: BTreeMap::new() }
    }

    /// Reads the next entry; skips one that was read before.
    fn read(&mut self, record: &Record) -> Result<(), String> {
        if record.place < self.end.place {
            return Ok(());
        }
        if record.place != self.end.place {
            return Err(format!("expected the entry at place {}", self.end.place));
        }
        if link(self.end.hash, &record.body) != record.hash {
            return Err("its hash does not follow from the entry before it".to_owned());
        }
        let entry: Entry = serde_json::from_slice(&record.body)
            .map_err(|e| format!("it cannot be parsed as an entry: {e}"))?;
        let place = record.place;
        match entry.event {
            Event::Stopped { kind, scope, follows: None, reason, operator, unverified, evidence } => {
                let roles = evidence.into_iter().filter_map(|evidence| evidence.role).collect();
                let stop = Stop { scope, kind, operator, unverified, roles, reason, since: entry.at };
                let over = |before: Option<&PlacedStop>| {
                    let placed =
                        PlacedStop { place, stop: stop.clone().over(before.map(|before| &before.stop)) };
                    // The place of the stop that is in force.
                    let is_before = before.is_some_and(|before| before.stop.kind == placed.stop.kind);
                    let place = before.filter(|_| is_before).map_or(place, |before| before.place);
                    PlacedStop { place, ..placed }
                };
                match &stop.scope {
                    StopScope::Store => self.store = Some(over(self.store.as_ref())),
                    StopScope::Graph(graph) => {
                        let stop = over(self.graphs.get(graph));
                        self.graphs.insert(graph.clone(), stop);
                    }
                    StopScope::Thread => return Err("it names neither a graph nor the store".to_owned()),
                }
            }
            Event::Unpaused { scope: StopScope::Store, .. } => self.store = None,
            Event::Unpaused { scope: StopScope::Graph(graph), .. } => drop(self.graphs.remove(&graph)),
            Event::Adopted { .. } => {}
            other => return Err(format!("it is `{}`, which is no stop", other.name())),
        }
        self.end = JournalEnd { place: place + 1, hash: record.hash };
        self.is_signed = split(&record.body).is_some();
        Ok(())
    }

    /// Returns the stop of a graph: a cancellation comes first.
    fn of(&self, graph: &str) -> Option<&PlacedStop> {
        let all = || self.store.iter().chain(self.graphs.get(graph));
        all().find(|placed| placed.stop.kind == StopKind::Cancel).or_else(|| all().next())
    }
}

impl Stops {
    /// Returns the stop of a graph, or of its store, as it was last read.
    pub(in crate::engine) fn known(&self, graph: &str) -> Option<Stop> {
        self.held().of(graph).map(|placed| placed.stop.clone())
    }

    fn held(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Reads the new stops, and returns the one of this program's graph, or of the store.
    pub(in crate::engine) async fn read_stops(&self) -> Result<Option<Stop>, Error> {
        Ok(self.read_placed_stop().await?.map(|placed| placed.stop))
    }

    /// As [`Self::read_stops`], with the place of the stop.
    pub(in crate::engine) async fn read_placed_stop(&self) -> Result<Option<PlacedStop>, Error> {
        self.read_new_stops().await?;
        Ok(self.stops.held().of(self.graph.spec.name).cloned())
    }

    /// Returns the name of the journal of stops.
    pub(in crate::engine) fn stops_journal(&self) -> &ThreadId {
        &self.stops.journal
    }

    async fn read_new_stops(&self) -> Result<(), Error> {
        let thread = &self.stops.journal;
        loop {
            let end = self.stops.held().end;
            // From the last known entry on: if it is gone or another one, the journal was deleted or restored to an older
            // state, and says nothing about the stops of which this process knows.
            let mut records = self.store.entries(thread, end.place.saturating_sub(1), 256).await?;
            if end.place > 0 {
                let last = (!records.is_empty()).then(|| records.remove(0));
                if last.is_none_or(|last| last.hash != end.hash) {
                    let place = end.place.saturating_sub(1);
                    let problem = "this entry was read before, and is no longer there; restart the program to accept that";
                    return Err(Error::Damaged {
                        thread: thread.clone(),
                        place,
                        problem: problem.to_owned(),
                    });
                }
            }
            if records.is_empty() {
                return Ok(());
            }
            let before = (end.place > 0).then_some(end.hash);
            if records.iter().all(|record| split(&record.body).is_some()) {
                self.authenticate_records(thread, before, &records).await?;
            } else {
                // A later entry than these may have adopted them.
                self.authenticate_among(thread, &records).await?;
            }
            let mut held = self.stops.held();
            for record in &records {
                let damaged =
                    |problem| Error::Damaged { thread: thread.clone(), place: record.place, problem };
                held.read(record).map_err(damaged)?;
            }
        }
    }

    /// Returns the stop that keeps an effect of a thread from being called, if there is one: of the store, of the graph, or
    /// of the thread, whose journal was read up to `end`.
    pub(in crate::engine) async fn stop_since(
        &self,
        thread: &ThreadId,
        end: JournalEnd,
    ) -> Result<Option<Stop>, Error> {
        let mut failures = 0;
        loop {
            let read = async {
                // The stops of all threads last: those of this one are fenced by its journal as well.
                let of_thread = self.thread_stop_since(thread, end).await?;
                Ok(self.read_stops().await?.or(of_thread))
            };
            match read.await {
                Ok(stop) => return Ok(stop),
                Err(Error::Store(StoreError::Failed { .. })) if failures < ThreadWriter::RETRIES => {
                    tokio::time::sleep(ThreadWriter::BACKOFF * 2u32.pow(failures)).await;
                    failures += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the stop that is in force in a thread because of an entry from `end` on.
    async fn thread_stop_since(&self, thread: &ThreadId, end: JournalEnd) -> Result<Option<Stop>, Error> {
        let (mut end, mut stop) = (end, None);
        loop {
            let records = self.store.entries(thread, end.place, 256).await?;
            let Some(last) = records.last() else { return Ok(stop) };
            let checked: BoxFuture<'_, _> =
                Box::pin(self.authenticate_records(thread, Some(end.hash), &records));
            checked.await?;
            end = JournalEnd { place: last.place + 1, hash: last.hash };
            for record in &records {
                let entry: Entry = serde_json::from_slice(&record.body).map_err(|e| Error::Damaged {
                    thread: thread.clone(),
                    place: record.place,
                    problem: format!("it cannot be parsed as an entry: {e}"),
                })?;
                match entry.event {
                    Event::Stopped { kind, scope, reason, operator, unverified, .. } => {
                        let (roles, since) = (Vec::new(), entry.at);
                        stop = Some(Stop { scope, kind, operator, unverified, roles, reason, since });
                    }
                    // Another effect of the thread was in doubt.
                    Event::Settled { how: Settlement::Stop { note }, operator, unverified, .. } => {
                        stop = Some(Stop {
                            scope: StopScope::Thread,
                            kind: StopKind::Cancel,
                            operator,
                            unverified,
                            roles: Vec::new(),
                            reason: note,
                            since: entry.at,
                        });
                    }
                    Event::Unpaused { .. } => stop = None,
                    _ => {}
                }
            }
        }
    }

    /// Returns the stops of graphs and of the store that are in force.
    pub(in crate::engine) async fn placed_stops(&self) -> Result<StopsInForce, Error> {
        self.read_new_stops().await?;
        let held = self.stops.held();
        let stops = held.store.iter().chain(held.graphs.values()).cloned().collect();
        Ok(StopsInForce { stops, end: held.end, is_signed: held.is_signed })
    }

    /// Appends to the journal of stops after the end that the caller has read; `is_signed`: its last entry has a MAC.
    /// Returns the place of the entry; `None` on a conflict with another writer.
    pub(in crate::engine) async fn append_to_stops(
        &self,
        JournalEnd { place, hash }: JournalEnd,
        is_signed: bool,
        event: Event,
    ) -> Result<Option<Place>, Error> {
        let thread = self.stops.journal.clone();
        let act = Act::from_event(&event);
        let entry = Entry { at: self.clock.now(), event, lease: None, spent: Vec::new(), snapshot: None };
        let damaged =
            |e: serde_json::Error| Error::Damaged { thread: thread.clone(), place, problem: e.to_string() };
        let body = serde_json::to_vec(&EntryRef::from(&entry)).map_err(damaged)?;
        let record = Record::new(place, hash, body);
        let record = self.link_after(&thread, LastEntry { hash, is_signed }, act, record).await?;
        // A stop counts nothing.
        let append = Append::new(thread, vec![record], ThreadStatus::Waiting)
            .with_after((place > 0).then_some(hash))
            .with_tallies(self.store.keeps_tallies().then(Vec::new));
        match self.store.append(append).await {
            Ok(()) => Ok(Some(place)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The replay of a journal of stops from its first entry, for its verification.
pub(in crate::engine) struct StopsReplay(Read);

impl StopsReplay {
    pub(in crate::engine) fn new(journal: &ThreadId) -> Self {
        Self(Read::before(journal))
    }

    /// Reads the next entry.
    ///
    /// # Errors
    /// The problem of the entry, which is then skipped.
    pub(in crate::engine) fn read(&mut self, record: &Record) -> Result<(), String> {
        let read = self.0.read(record);
        self.0.end = JournalEnd { place: record.place.saturating_add(1), hash: record.hash };
        read
    }
}
