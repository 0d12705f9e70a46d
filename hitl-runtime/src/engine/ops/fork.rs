//! Forks of a thread: a new thread that goes on from a place in another thread's journal.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    Error, Operator, Place, ThreadId,
    engine::{
        Engine,
        exec::{RunError, execute, finish_for},
        ops::start::named,
        session::{ThreadWriter, has_been_cancelled, has_requester, random_id, unreadable},
    },
    journal::{
        Activation, Entry, Event, Fold, LaneId, LaneState, Origin, Requester, Requesters, Settlement, Values,
    },
    node::GraphTable,
};

impl Engine {
    /// Starts a new thread that goes on from a place in another thread's journal.
    pub async fn fork(
        self: &Arc<Self>,
        thread: &ThreadId,
        place: Place,
        new: ThreadId,
        requester: Option<&Operator>,
    ) -> Result<Fold, Error> {
        new.check_new()?;
        let requester = requester.map(|requester| named(&new, requester)).transpose()?;
        let (engine, old) = (Arc::clone(self), thread.clone());
        let span = self.thread_span("fork", &new);
        finish_for(
            thread.clone(),
            span,
            async move { engine.fork_in_place(&old, place, &new, requester).await },
        )
        .await
    }

    async fn fork_in_place(
        self: &Arc<Self>,
        thread: &ThreadId,
        place: Place,
        new: &ThreadId,
        requester: Option<Requester>,
    ) -> Result<Fold, Error> {
        self.may_start(new).await?;
        let old = self.fold_to(thread, place).await?;
        if let Some(stop) = old.stop.as_ref().filter(|_| old.is_cancelled()) {
            return Err(has_been_cancelled(thread, stop));
        }
        let from = Origin {
            thread: old.thread.as_str().to_owned(),
            place: old.next.saturating_sub(1),
            hash: old.hash,
        };
        let mut old = ThreadWriter::new(self, old);
        old.adapt()?;
        self.reject_begun_effects(&old.fold, place).await?;
        reject_signatures(self.graph, &old.fold, place)?;
        match execute(self.forked(old.fold, from, new, requester)?).await {
            Err(RunError::Conflict(thread)) => Err(Error::ThreadExists { thread }),
            other => {
                let fold = self.fold_after(other).await?;
                self.cancel_late_start(fold).await
            }
        }
    }

    /// Returns the new thread with its first entry: a snapshot of the old thread, in which each activation starts
    /// again.
    fn forked(
        self: &Arc<Self>,
        mut old: Fold,
        from: Origin,
        new: &ThreadId,
        requester: Option<Requester>,
    ) -> Result<Box<ThreadWriter>, Error> {
        let requesters = Requesters::clone(&old.requesters).with_fork(requester.as_ref());
        has_requester(self.graph.spec, new, &requesters)?;
        old.requesters = Arc::new(requesters);
        for lane in old.lanes.values_mut() {
            lane.signatures = Arc::default();
            lane.pending = None;
            if let Some(activation) = lane.at.activation() {
                let activation = Activation {
                    entered: Place::START,
                    signed: false,
                    failures: 0,
                    was: None,
                    ..activation.clone()
                };
                lane.at = LaneState::Ready { activation, again: None };
            }
        }
        old.lease = None;
        old.steps = 0;
        old.print.clone_from(&self.print);
        old.version = self.graph.state.spec.version;
        let id = random_id()?;
        old.id = id.as_str().into();
        let wrong = |e| unreadable(self.graph, new, Place::START, e);
        let snapshot = old.to_snapshot().map_err(wrong)?;
        let mut writer = ThreadWriter::new(self, Fold::empty(self.graph.state, new.clone()));
        writer.push_entry(&Entry {
            at: self.clock.now(),
            event: Event::Started {
                graph: self.graph.spec.name.to_owned(),
                print: self.print.clone(),
                version: old.version,
                id,
                input: Values::new(),
                to: None,
                from: Some(from),
                requester,
            },
            lease: None,
            spent: Vec::new(),
            snapshot: Some(snapshot),
        })?;
        writer.claim()?;
        writer.push(Event::Resumed { by: None })?;
        Ok(writer)
    }

    /// Rejects a fork that would run an effect again that may have happened: the effect has begun in a lane's present
    /// activation, and no operator has settled since that it did not happen.
    ///
    /// This holds for an `idempotent` effect too, because its key contains the thread's name, so that the second run
    /// has another key; and for a failed attempt, because the node may have failed after the effect happened.
    async fn reject_begun_effects(&self, old: &Fold, place: Place) -> Result<(), Error> {
        let visits: BTreeMap<LaneId, &Activation> =
            old.lanes.iter().filter_map(|(lane, stands)| Some((*lane, stands.at.activation()?))).collect();
        let mut begun = BTreeSet::new();
        let mut next = visits.values().map(|activation| activation.entered).min();
        while let Some(from) = next.filter(|from| *from <= place) {
            let page = self.history(&old.thread, from, 256).await?;
            next = page.last().and_then(|last| last.place.checked_add(1));
            for entry in page.into_iter().filter(|entry| entry.place <= place) {
                let in_visit =
                    |lane| visits.get(lane).is_some_and(|activation| activation.entered < entry.place);
                match &entry.event {
                    Event::Began { lane, .. } if in_visit(lane) => _ = begun.insert(*lane),
                    Event::Settled { lane, how: Settlement::RunAgain, .. } => _ = begun.remove(lane),
                    _ => {}
                }
            }
        }
        let Some(activation) = begun.first().and_then(|lane| visits.get(lane)) else { return Ok(()) };
        Err(Error::EffectUnderWay { thread: old.thread.clone(), place, node: activation.node.clone() })
    }
}

/// Rejects a fork that would go on past a review on the strength of its signature.
fn reject_signatures(graph: &'static GraphTable, old: &Fold, place: Place) -> Result<(), Error> {
    for lane in old.lanes.values() {
        // A signature may be dropped if the lane's next node asks for it again.
        let again = lane
            .at
            .activation()
            .and_then(|activation| graph.node(&activation.node))
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
