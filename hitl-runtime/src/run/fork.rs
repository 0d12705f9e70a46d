//! Forks of a thread: a new thread that goes on from a place in another thread's journal.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Agent, Graph, GraphTable, agent::Engine, executor, lenient_load::unreadable, random_id::random_id,
    run_to_completion, thread_writer::ThreadWriter,
};
use crate::{
    Error, Place, ThreadId,
    journal::{Activation, Entry, Event, Fold, LaneId, LaneState, Origin, Settlement, Values},
};

impl<G: Graph> Agent<G> {
    /// Starts a new thread from a place in an old thread's journal. The old thread stays unchanged. No signature is
    /// carried over: the new thread asks for its own signatures.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?.reject(&mara(), Reason::BadPlan, "").await?;
    /// // Place 2 is the entry that opened the review. The new thread opens it again.
    /// let turn = agent.fork(&"ticket-A-9133".try_into()?, 2, "ticket-A-9133-again").await?;
    /// assert!(matches!(turn, RefundAgentTurn::Pay(_)));
    /// assert!(matches!(agent.thread("ticket-A-9133").await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::ThreadExists`] if the new name is taken; [`Error::NoSuchPlace`] if `place` is past the end;
    /// [`Error::SignatureNotCarried`] if the new thread would go on past a review on the strength of its signature;
    /// [`Error::EffectUnderWay`] if it would run an effect again that may have happened; [`Error::GraphChanged`] if the
    /// old thread is incompatible with this program.
    pub async fn fork<T>(&self, thread: &ThreadId, place: Place, new: T) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let new = new.try_into().map_err(Into::into)?;
        new.check_new()?;
        let (agent, old, name) = (self.clone(), thread.clone(), new.clone());
        let forked = async move { agent.inner.fork_in_place(&old, place, &new).await };
        self.turn_of(&name, run_to_completion::finish_for(thread.clone(), forked).await?)
    }
}

impl Engine {
    async fn fork_in_place(
        self: &Arc<Self>,
        thread: &ThreadId,
        place: Place,
        new: &ThreadId,
    ) -> Result<Fold, Error> {
        let old = self.fold_to(thread, place).await?;
        let from = Origin {
            thread: old.thread.as_str().to_owned(),
            place: old.next.saturating_sub(1),
            hash: old.hash,
        };
        let mut old = ThreadWriter::new(self, old);
        old.adapt()?;
        self.reject_begun_effects(&old.fold, place).await?;
        reject_signatures(self.graph, &old.fold, place)?;
        match executor::run(self.forked(old.fold, from, new)?).await {
            Err(executor::RunError::Conflict(thread)) => Err(Error::ThreadExists { thread }),
            other => self.fold_after(other).await,
        }
    }

    /// Returns the new thread with its first entry: a snapshot of the old thread, in which each activation starts
    /// again.
    fn forked(
        self: &Arc<Self>,
        mut old: Fold,
        from: Origin,
        new: &ThreadId,
    ) -> Result<Box<ThreadWriter>, Error> {
        for lane in old.lanes.values_mut() {
            lane.signatures = Arc::default();
            lane.pending = None;
            if let Some(activation) = lane.at.activation() {
                let activation =
                    Activation { entered: 0, signed: false, failures: 0, was: None, ..activation.clone() };
                lane.at = LaneState::Ready { activation, again_ms: None };
            }
        }
        old.lease = None;
        old.steps = 0;
        old.print.clone_from(&self.print);
        old.version = self.graph.state.spec.version;
        let id = random_id()?;
        old.id = id.as_str().into();
        let wrong = |e| unreadable(self.graph, new, 0, e);
        let snapshot = old.to_snapshot().map_err(wrong)?;
        let mut writer = ThreadWriter::new(self, Fold::empty(self.graph.state, new.clone()));
        writer.push_entry(&Entry {
            at_ms: self.clock.now_ms(),
            event: Event::Started {
                graph: self.graph.spec.name.to_owned(),
                print: self.print.clone(),
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
            .and_then(|activation| super::route::node(graph, &activation.node))
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
