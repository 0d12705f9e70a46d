//! Stops: an operator pauses or cancels a thread, a graph or a whole store, or lifts a pause.

use std::sync::Arc;

use crate::{
    Error, Incompatibility, IntoThreadId, Operator, Place, StoreError, ThreadId, ThreadStatus,
    engine::{
        Engine,
        exec::finish_for,
        read::review_roles,
        session::{PlacedStop, StopsInForce, has_been_cancelled, incompatible, load_lenient, may_decide},
    },
    journal::{Event, Evidence, Fold, Stop, StopKind, StopScope, graph_of},
    store::Tail,
    telemetry::plain,
};

/// The part of a store that an operator stops: a thread, all threads of the graph, or all threads of the store.
///
/// ```
/// use hitl::Scope;
///
/// let thread = Scope::thread("ticket-A-9133")?;
/// assert!(matches!(thread, Scope::Thread(id) if id.as_str() == "ticket-A-9133"));
/// # Ok::<(), hitl::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// A thread.
    Thread(ThreadId),
    /// All threads of the graph.
    Graph,
    /// All threads of the store, of all graphs.
    Store,
}

impl Scope {
    /// Returns the scope of a thread.
    ///
    /// # Errors
    /// As [`ThreadId::new`], for a text.
    pub fn thread(thread: impl IntoThreadId) -> Result<Self, Error> {
        Ok(Self::Thread(thread.into_thread_id()?))
    }
}

/// The threads that [`Front::cancel`](crate::Front::cancel) has cancelled.
#[derive(Debug)]
#[non_exhaustive]
pub struct CancelReport {
    /// The number of threads that were cancelled.
    pub cancelled: u64,
    /// The threads that could not be cancelled, each with the error. Nothing begins in them all the same while the stop
    /// of their graph or store is in force.
    pub failed: Vec<(ThreadId, Error)>,
    /// `true` if another operator has lifted the stop during the call: the rest of the threads was not cancelled.
    pub was_lifted: bool,
}

impl CancelReport {
    const NONE: Self = Self { cancelled: 0, failed: Vec::new(), was_lifted: false };
}

/// An operator's order.
struct Order {
    /// The kind of the stop; `None` to lift it.
    kind: Option<StopKind>,
    operator: Operator,
    reason: String,
    role: Option<String>,
}

impl Order {
    fn event(&self, scope: StopScope) -> Event {
        let (reason, operator) = (self.reason.clone(), self.operator.name().to_owned());
        let unverified = self.operator.is_unverified();
        let evidence = Some(Evidence::of(&self.operator, self.role.as_deref()));
        match self.kind {
            Some(kind) => {
                Event::Stopped { kind, scope, follows: None, reason, operator, unverified, evidence }
            }
            None => Event::Unpaused { scope, reason, operator, unverified, evidence },
        }
    }
}

/// The maximum size of a reason, which a cancellation copies to each of its threads, in bytes.
const MAX_REASON_BYTES: usize = 4096;

impl Engine {
    /// Returns the roles of which an operator needs one for an order. With a role for stops, it is that one. Otherwise
    /// it is one of those that the graph's reviews require; but only a role for stops allows to cancel threads of other
    /// graphs, whose roles this program does not know.
    pub fn roles_to_stop(&self, scope: &Scope, kind: Option<StopKind>) -> Result<Vec<String>, Error> {
        if let Some(role) = &self.stop_role {
            return Ok(vec![role.to_string()]);
        }
        let roles = review_roles(self.graph);
        if !roles.is_empty() && *scope == Scope::Store && kind == Some(StopKind::Cancel) {
            let problem =
                "cancelling the threads of all graphs requires a role for it; set the agent's `stop_role`";
            return Err(Error::NotSetUp { problem: problem.to_owned() });
        }
        Ok(roles)
    }

    /// Returns whether an operator holds a role that allows to stop the graph; `false` if there is no such role.
    pub fn may_stop(&self, operator: &Operator) -> bool {
        let roles = self.roles_to_stop(&Scope::Graph, None).unwrap_or_default();
        roles.iter().any(|role| operator.has_role(role))
    }

    /// Checks that an operator may give an order, and returns the role in which they may.
    fn role_to_stop(
        &self,
        scope: &Scope,
        kind: Option<StopKind>,
        operator: &Operator,
    ) -> Result<Option<String>, Error> {
        let roles = self.roles_to_stop(scope, kind)?;
        match roles.iter().find(|role| operator.has_role(role)) {
            None if !roles.is_empty() => {
                Err(Error::MayNotStop { operator: operator.name().to_owned(), roles })
            }
            role => Ok(role.cloned()),
        }
    }

    /// Cancels a thread whose start was checked before its graph or its store was cancelled, and which the cancellation
    /// has not found.
    pub(super) async fn cancel_late_start(self: &Arc<Self>, fold: Fold) -> Result<Fold, Error> {
        match self.read_placed_stop().await? {
            Some(placed) if placed.stop.kind == StopKind::Cancel => {
                self.cancel_with(&fold.thread, &placed).await?;
                self.load_for_reading(&fold.thread).await
            }
            _ => Ok(fold),
        }
    }

    /// Pauses a thread, the graph or the store.
    pub async fn pause(
        self: &Arc<Self>,
        scope: Scope,
        operator: &Operator,
        reason: String,
    ) -> Result<(), Error> {
        self.order(scope, Some(StopKind::Pause), operator, reason).await.map(drop)
    }

    /// Lifts the stop of a thread, the graph or the store.
    pub async fn unpause(
        self: &Arc<Self>,
        scope: Scope,
        operator: &Operator,
        reason: String,
    ) -> Result<(), Error> {
        self.order(scope, None, operator, reason).await.map(drop)
    }

    /// Cancels a thread, or all threads of the graph or the store.
    pub async fn cancel(
        self: &Arc<Self>,
        scope: Scope,
        operator: &Operator,
        reason: String,
    ) -> Result<CancelReport, Error> {
        self.order(scope, Some(StopKind::Cancel), operator, reason).await
    }

    /// Returns the stops of graphs and of the store that are in force.
    pub async fn stops(&self) -> Result<Vec<Stop>, Error> {
        Ok(self.placed_stops().await?.stops.into_iter().map(|placed| placed.stop).collect())
    }

    async fn order(
        self: &Arc<Self>,
        scope: Scope,
        kind: Option<StopKind>,
        operator: &Operator,
        reason: String,
    ) -> Result<CancelReport, Error> {
        let name = match &scope {
            Scope::Thread(thread) => thread.clone(),
            Scope::Graph | Scope::Store => self.stops_journal().clone(),
        };
        may_decide(&name, "stop", None, operator)?;
        if reason.len() > MAX_REASON_BYTES {
            let problem = format!("the reason of a stop has at most {MAX_REASON_BYTES} bytes; shorten it");
            return Err(Error::InvalidInput { problem });
        }
        let role = self.role_to_stop(&scope, kind, operator)?;
        let order = Order { kind, operator: operator.clone(), reason, role };
        let span = self.thread_span(
            match kind {
                Some(StopKind::Pause) => "pause",
                Some(StopKind::Cancel) => "cancel",
                None => "unpause",
            },
            &name,
        );
        let engine = Arc::clone(self);
        finish_for(name, span, async move {
            match scope {
                Scope::Thread(thread) => engine.order_thread(&thread, &order).await,
                Scope::Graph => {
                    let graph = engine.graph.spec.name.to_owned();
                    engine.order_all(StopScope::Graph(graph), &order).await
                }
                Scope::Store => engine.order_all(StopScope::Store, &order).await,
            }
        })
        .await
    }

    /// Appends an order to the journal of a thread, also one that a runner holds.
    async fn order_thread(self: &Arc<Self>, thread: &ThreadId, order: &Order) -> Result<CancelReport, Error> {
        loop {
            let mut fold = self.read_to_stop(thread).await?;
            if fold.graph != self.graph.spec.name {
                let (graph, this) = (fold.graph, self.graph.spec.name.to_owned());
                return Err(incompatible(thread, Incompatibility::OtherGraph { graph, this }));
            }
            self.may_order(&fold, order)?;
            if self.append_order(&mut fold, order.event(StopScope::Thread)).await? {
                return Ok(CancelReport { cancelled: u64::from(fold.is_cancelled()), ..CancelReport::NONE });
            }
        }
    }

    /// Checks that an order means something to a thread.
    fn may_order(&self, fold: &Fold, order: &Order) -> Result<(), Error> {
        let thread = || fold.thread.clone();
        if let Some(stop) = fold.stop.as_ref().filter(|_| fold.is_cancelled()) {
            return Err(has_been_cancelled(&fold.thread, stop));
        }
        if let Some(said) = fold.settled_stop() {
            return Err(Error::ThreadEnded { thread: thread(), how: format!("was {said}") });
        }
        if fold.ended || order.kind.is_some() && fold.is_at_end() {
            return Err(Error::ThreadEnded { thread: thread(), how: "has ended".to_owned() });
        }
        match (order.kind, &fold.stop) {
            (None, None) => Err(Error::NotPaused { scope: format!("thread `{}`", fold.thread) }),
            (None, Some(stop)) => self.may_lift(stop, order),
            _ => Ok(()),
        }
    }

    /// Reads a thread as it is stored, also one that this program cannot continue.
    async fn read_to_stop(&self, thread: &ThreadId) -> Result<Fold, Error> {
        let tail = self.tail(thread).await?;
        let tail = tail.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })?;
        self.fold_to_stop(thread, &tail)
    }

    /// As [`Self::read_to_stop`], for a tail that has been read and authenticated.
    fn fold_to_stop(&self, thread: &ThreadId, tail: &Tail) -> Result<Fold, Error> {
        let mut fold = load_lenient(self.graph, thread, tail)?;
        self.bound_lease(&mut fold);
        Ok(fold)
    }

    /// Appends an order to a thread. Returns `false` on a conflict with another writer.
    async fn append_order(self: &Arc<Self>, fold: &mut Fold, event: Event) -> Result<bool, Error> {
        match self.append_unconverted(fold, vec![event]).await {
            Ok(()) => {
                self.tell_runner(fold);
                Ok(true)
            }
            Err(Error::Store(StoreError::Conflict { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Appends an order to the journal of stops, and cancels the threads that it cancels.
    async fn order_all(self: &Arc<Self>, scope: StopScope, order: &Order) -> Result<CancelReport, Error> {
        let event = order.event(scope.clone());
        let place = loop {
            let read = self.placed_stops().await?;
            if order.kind.is_none() {
                let Some(placed) = read.of(&scope) else {
                    return Err(Error::NotPaused { scope: scope.to_string() });
                };
                self.may_lift(&placed.stop, order)?;
                if placed.stop.kind == StopKind::Cancel {
                    self.finish_cancellation(placed).await?;
                }
            }
            // After what was checked: if another order has come since, this one is checked again.
            if let Some(place) = self.append_to_stops(read.end, read.is_signed, event.clone()).await? {
                break place;
            }
        };
        self.log_stop(&scope, order, place);
        // The stops are read again, for the runs of this process too.
        let read = self.placed_stops().await?;
        match read.of(&scope).filter(|placed| placed.stop.kind == StopKind::Cancel) {
            Some(placed) if order.kind == Some(StopKind::Cancel) => self.cancel_threads(placed).await,
            None if order.kind == Some(StopKind::Cancel) => {
                Ok(CancelReport { was_lifted: true, ..CancelReport::NONE })
            }
            _ => Ok(CancelReport::NONE),
        }
    }

    /// Cancels what a cancellation has left, before it is lifted: its process may have died.
    async fn finish_cancellation(self: &Arc<Self>, placed: &PlacedStop) -> Result<(), Error> {
        let report = self.cancel_threads(placed).await?;
        // A thread of this graph that this program cannot read cannot run either. Of other graphs it cannot know.
        let is_own = placed.stop.scope != StopScope::Store;
        let matters = |error: &Error| !is_own || matches!(error, Error::Store(_));
        match report.failed.into_iter().find(|(_, error)| matters(error)) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// Checks that an operator may lift a stop: they need the roles in which it was given, or the role for stops.
    fn may_lift(&self, stop: &Stop, order: &Order) -> Result<(), Error> {
        let is_held = |role: &str| order.operator.has_role(role);
        match stop.roles.iter().find(|role| !is_held(role)) {
            Some(missing) if !self.stop_role.as_deref().is_some_and(is_held) => {
                let operator = order.operator.name().to_owned();
                Err(Error::MayNotStop { operator, roles: vec![missing.clone()] })
            }
            _ => Ok(()),
        }
    }

    fn log_stop(&self, scope: &StopScope, order: &Order, place: Place) {
        let scope = if *scope == StopScope::Store { "store" } else { "graph" };
        let (graph, place, operator) = (self.graph.spec.name, place.get(), &*plain(order.operator.name()));
        let unverified = order.operator.is_unverified();
        match order.kind {
            Some(stop) => tracing::warn!(
                target: "hitl::thread", graph, place, stop = stop.to_string(), scope, operator, unverified,
                "graph or store stopped"
            ),
            None => tracing::info!(
                target: "hitl::thread", graph, place, scope, operator, unverified,
                "graph or store unpaused"
            ),
        }
    }

    /// Cancels all threads of a graph or a store that has been cancelled. Once it has been, no thread starts.
    async fn cancel_threads(self: &Arc<Self>, placed: &PlacedStop) -> Result<CancelReport, Error> {
        const PAGE: usize = 256;
        /// A thread whose start was checked before the stop appears after the first pass.
        const PASSES: usize = 3;
        let mut report = CancelReport::NONE;
        for _ in 0..PASSES {
            let before = report.cancelled;
            report.failed.clear();
            let is_in_force =
                |now: StopsInForce| now.of(&placed.stop.scope).is_some_and(|now| now.place == placed.place);
            for standing in
                [ThreadStatus::Running, ThreadStatus::Waiting, ThreadStatus::InDoubt, ThreadStatus::Failed]
            {
                let mut after = None::<String>;
                loop {
                    let page = self.store.threads(Some(standing), after.as_deref(), PAGE).await?;
                    for (thread, _) in &page.items {
                        if !is_in_force(self.placed_stops().await?) {
                            return Ok(CancelReport { was_lifted: true, ..report });
                        }
                        match self.cancel_with(thread, placed).await {
                            Ok(was_open) => report.cancelled += u64::from(was_open),
                            Err(Error::UnknownThread { .. }) => {}
                            Err(error) => report.failed.push((thread.clone(), error)),
                        }
                    }
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
            }
            if report.cancelled == before {
                break;
            }
        }
        Ok(report)
    }

    /// Cancels a thread with its graph or its store. Returns whether it was open until now.
    pub(super) async fn cancel_with(
        self: &Arc<Self>,
        thread: &ThreadId,
        placed: &PlacedStop,
    ) -> Result<bool, Error> {
        if thread.is_reserved() {
            return Ok(false);
        }
        loop {
            let tail = self.store.tail(thread).await?;
            let tail = tail.ok_or_else(|| Error::UnknownThread { thread: thread.clone() })?;
            if let StopScope::Graph(graph) = &placed.stop.scope {
                // This program can read no other thread.
                let of = tail.records.first().and_then(|record| graph_of(&record.body));
                if of.is_some_and(|of| of != *graph) {
                    return Ok(false);
                }
            }
            self.authenticate_tail(thread, &tail).await?;
            let mut fold = self.fold_to_stop(thread, &tail)?;
            if fold.ended || fold.is_closed() || fold.is_at_end() {
                return Ok(false);
            }
            let Stop { scope, kind, operator, unverified, reason, .. } = placed.stop.clone();
            let follows = Some(placed.place);
            let event = Event::Stopped { kind, scope, follows, reason, operator, unverified, evidence: None };
            if self.append_order(&mut fold, event).await? {
                return Ok(true);
            }
        }
    }

    /// Checks that a thread may start: neither its graph nor its store is stopped.
    pub(super) async fn may_start(&self, thread: &ThreadId) -> Result<(), Error> {
        match self.read_stops().await? {
            Some(Stop { scope, operator: by, reason, since: at, .. }) => {
                Err(Error::Stopped { thread: thread.clone(), scope: scope.to_string(), by, reason, at })
            }
            None => Ok(()),
        }
    }
}
