//! Start and resumption of threads.

use serde_json::value::RawValue;
use std::sync::Arc;

use super::{
    Agent, Graph, Incompatibility,
    agent::Engine,
    decide::may_decide,
    executor::{self, RunError},
    for_each,
    random_id::random_id,
    route, run_to_completion, thread_state,
    thread_writer::ThreadWriter,
    write_checks,
};
use crate::{
    Error, Operator, ThreadId,
    graph::Point,
    journal::{Entry, Event, Fold, Lane, LaneState, Requester, Values, migrate::updated},
    review::encode,
    state::{Slots, State, StateTable},
    user_code::{catch_panic, contain_panics, contain_panics_sync},
};

impl<G: Graph> Agent<G> {
    /// Starts a thread and runs it until a person must act or it ends. The call is idempotent: a second start with the
    /// same input returns the current turn and runs nothing again.
    ///
    /// If the caller drops the future, the run continues in the background.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// let input = |order: &str| TicketInput { message: format!("order {order} arrived broken") };
    ///
    /// let turn = agent.start("ticket-A-9133", input("A-9133")).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Pay(review) if review.draft().dollars == 149));
    ///
    /// let error = agent.start("ticket-A-9133", input("A-9134")).await.unwrap_err();
    /// assert_eq!(error.code(), "thread_exists");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::ThreadExists`] if a thread with this name and another input, or of another graph, exists.
    pub async fn start<T>(&self, thread: T, input: <G::State as State>::Input) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        self.start_by(
            thread.try_into().map_err(Into::into)?,
            encode_input::<G::State>(input)?,
            Starter::Program,
        )
        .await
    }

    /// Starts a thread like [`Agent::start`], in the name of a person. The journal keeps who started the thread, with
    /// the evidence of their identity, and their name is in the digest of each of its reviews: `requester` cannot be
    /// changed without invalidating the signatures.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// let input = || TicketInput { message: "order A-9133 arrived broken".to_owned() };
    /// let turn = agent.start_as(&Operator::new("noor"), "ticket-A-9133", input()).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Pay(_)));
    ///
    /// // The thread belongs to noor: the same start by another person is a conflict.
    /// let error = agent.start_as(&mara(), "ticket-A-9133", input()).await.unwrap_err();
    /// assert_eq!(error.code(), "thread_exists");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::start`], and [`Error::BadOperator`] for an operator who cannot sign.
    pub async fn start_as<T>(
        &self,
        requester: &Operator,
        thread: T,
        input: <G::State as State>::Input,
    ) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let requester = named(&thread, requester)?;
        self.start_by(thread, encode_input::<G::State>(input)?, Starter::Caller(Some(requester))).await
    }

    /// Starts a thread for the caller of a request. A thread of another caller counts as an existing thread with this
    /// name.
    pub(crate) async fn start_for(
        &self,
        caller: Option<&Operator>,
        thread: ThreadId,
        input: &serde_json::Value,
    ) -> Result<G::Turn, Error> {
        let input = encode_input::<G::State>(read_input::<G>(input)?)?;
        let requester = caller.map(|caller| named(&thread, caller)).transpose()?;
        self.start_by(thread, input, Starter::Caller(requester)).await
    }

    async fn start_by(&self, thread: ThreadId, input: Values, starter: Starter) -> Result<G::Turn, Error> {
        let (agent, name) = (self.clone(), thread.clone());
        let begun = async move { agent.inner.begin(thread, input, starter).await };
        self.turn_of(&name, run_to_completion::finish_for(name.clone(), begun).await?)
    }

    /// Starts a thread like [`Agent::start`], with an input in JSON.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use serde_json::json;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// let turn = agent.start_json("ticket-A-9133", &json!({ "message": "order A-9133 arrived broken" })).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Pay(_)));
    ///
    /// let error = agent.start_json("ticket-A-9134", &json!({ "massage": "" })).await.unwrap_err();
    /// assert_eq!(error.code(), "invalid_input");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::start`], and [`Error::InvalidInput`] if the JSON is not the graph's input.
    pub async fn start_json<T>(&self, thread: T, input: &serde_json::Value) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        self.start(thread, read_input::<G>(input)?).await
    }

    /// Starts a thread like [`Agent::start_as`], with an input in JSON.
    ///
    /// # Errors
    /// As [`Agent::start_as`] and [`Agent::start_json`].
    pub async fn start_json_as<T>(
        &self,
        requester: &Operator,
        thread: T,
        input: &serde_json::Value,
    ) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        self.start_as(requester, thread, read_input::<G>(input)?).await
    }

    /// Returns the current turn of a thread. It runs nothing and writes nothing.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let _ = waiting(&agent, "A-9133").await?;
    /// match agent.thread("ticket-A-9133").await? {
    ///     RefundAgentTurn::Pay(review) => println!("sign this? {:?}", review.draft()),
    ///     RefundAgentTurn::Done(outcome) => println!("{outcome}"),
    ///     turn => println!("{turn}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownThread`], and [`Error::GraphChanged`] if the thread is incompatible with this program.
    pub async fn thread<T>(&self, thread: T) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let fold = contain_panics(&thread, self.inner.load_for_reading(&thread)).await?;
        self.turn_of(&thread, fold)
    }

    /// Continues a thread whose runner has died, and retries failed nodes. A thread that waits for a person, or that a
    /// live runner holds, is left as it is.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hitl::ThreadStatus;
    ///
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// // At startup: continue the threads of the previous process.
    /// let running = agent.store().threads(Some(ThreadStatus::Running), None, 100).await?;
    /// for (thread, _) in running.items {
    ///     println!("{}", agent.resume(thread).await?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::thread`].
    pub async fn resume<T>(&self, thread: T) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        self.resume_by(thread.try_into().map_err(Into::into)?, None).await
    }

    /// Resumes a thread like [`Agent::resume`], in the name of a person, which the journal keeps.
    ///
    /// # Errors
    /// As [`Agent::resume`], and [`Error::BadOperator`] for an operator who cannot sign.
    pub async fn resume_as<T>(&self, requester: &Operator, thread: T) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let by = named(&thread, requester)?;
        self.resume_by(thread, Some(by)).await
    }

    async fn resume_by(&self, thread: ThreadId, by: Option<Requester>) -> Result<G::Turn, Error> {
        let (agent, name) = (self.clone(), thread.clone());
        let taken_up = async move { agent.inner.take_up_by(&thread, RetryScope::Failures, by).await };
        self.turn_of(&name, run_to_completion::finish_for(name.clone(), taken_up).await?)
    }

    /// Converts the state of a thread into the graph's own turn type.
    pub(crate) fn turn_of(&self, thread: &ThreadId, fold: Fold) -> Result<G::Turn, Error> {
        contain_panics_sync(thread, || G::turn(thread_state::state_of(self, fold)?))
    }
}

impl Engine {
    async fn begin(
        self: Arc<Self>,
        thread: ThreadId,
        input: Values,
        starter: Starter,
    ) -> Result<Fold, Error> {
        match self.load_for_reading(&thread).await {
            Ok(fold) => return self.same_start(fold, &input, &starter).await,
            Err(Error::UnknownThread { .. }) => thread.check_new()?,
            Err(Error::GraphChanged { differences, .. })
                if matches!(differences[..], [Incompatibility::OtherGraph { .. }]) =>
            {
                return Err(Error::ThreadExists { thread });
            }
            Err(error) => return Err(error),
        }
        let mut fields = Slots::empty(self.graph.state);
        for (field, json) in &input {
            fields.write(field, json.get()).map_err(|e| Error::InvalidInput { problem: e.to_string() })?;
        }
        let unwritten = Slots::empty(self.graph.state);
        for (field, json) in &input {
            write_checks::check(self.graph, &unwritten, field, json.get())
                .map_err(|problem| Error::InvalidInput { problem })?;
        }
        for_each::fits(self.graph, Point::Start, &fields, |_| None)
            .map_err(|e| Error::InvalidInput { problem: e.to_string() })?;
        let to =
            route::after_start(self.graph, &fields).map_err(|problem| Error::InvalidInput { problem })?;
        let mut writer = ThreadWriter::new(&self, Fold::empty(self.graph.state, thread.clone()));
        // The thread has had no other runner: its own id is the first runner's name.
        let id = random_id()?;
        writer.claim_as(id.clone());
        writer.push(Event::Started {
            graph: self.graph.spec.name.to_owned(),
            print: self.print.clone(),
            version: self.graph.state.spec.version,
            id,
            input: input.clone(),
            to: Some(to),
            from: None,
            requester: match &starter {
                Starter::Program => None,
                Starter::Caller(requester) => requester.clone(),
            },
        })?;
        match executor::run(writer).await {
            Err(RunError::Conflict(_)) => {
                self.same_start(self.load_for_reading(&thread).await?, &input, &starter).await
            }
            other => self.fold_after(other).await,
        }
    }

    async fn same_start(
        self: &Arc<Self>,
        fold: Fold,
        input: &Values,
        starter: &Starter,
    ) -> Result<Fold, Error> {
        let thread = fold.thread.clone();
        let first = self.store.entries(&thread, 0, 1).await?;
        let entry = first.first().map(|record| serde_json::from_slice::<Entry>(&record.body));
        let same = match entry {
            Some(Ok(entry)) => match entry.event {
                Event::Started { graph, version, input: before, from: None, requester, .. } => {
                    let is_theirs = match starter {
                        Starter::Program => true,
                        Starter::Caller(caller) => owner(requester.as_ref()) == owner(caller.as_ref()),
                    };
                    is_theirs
                        && graph == self.graph.spec.name
                        && same_input(self.graph.state, version, &before, input)
                }
                _ => false,
            },
            _ => false,
        };
        if same { Ok(fold) } else { Err(Error::ThreadExists { thread }) }
    }

    pub(crate) async fn take_up(
        self: &Arc<Self>,
        thread: &ThreadId,
        scope: RetryScope,
    ) -> Result<Fold, Error> {
        self.take_up_by(thread, scope, None).await
    }

    async fn take_up_by(
        self: &Arc<Self>,
        thread: &ThreadId,
        scope: RetryScope,
        by: Option<Requester>,
    ) -> Result<Fold, Error> {
        loop {
            let writer = self.load_writer(thread).await?;
            let fold = &writer.fold;
            let leased = fold.is_leased(self.clock.now_ms());
            let orphaned = !leased && fold.runs();
            let mut lanes = fold.lanes.values().filter(|_| !leased && fold.stop().is_none());
            let failed = lanes.any(|lane| is_retryable(lane));
            let overdue = self.overdue(fold)?;
            let mut events =
                overdue.iter().map(|found| self.expiry(fold, found)).collect::<Result<Vec<_>, _>>()?;
            match scope {
                RetryScope::Failures if orphaned || failed => events.push(Event::Resumed { by: by.clone() }),
                RetryScope::Orphans if orphaned => events.push(Event::Renewed {}),
                _ => {}
            }
            if events.is_empty() {
                return Ok(writer.into_fold());
            }
            match self.append_and_run(writer, events).await {
                Err(RunError::Conflict(_)) => {}
                other => return self.fold_after(other).await,
            }
        }
    }

    /// Returns the thread after a run. If another runner has taken the thread over, the thread is
    /// read again.
    pub(crate) async fn fold_after(self: &Arc<Self>, end: Result<Fold, RunError>) -> Result<Fold, Error> {
        match end {
            Ok(fold) => Ok(fold),
            Err(RunError::Conflict(thread) | RunError::LeaseLost(thread)) => {
                self.load_for_reading(&thread).await
            }
            Err(RunError::Error(error)) => Err(error),
        }
    }
}

/// The party that starts a thread.
enum Starter {
    /// The program itself, which owns every thread.
    Program,
    /// A caller, if their identity is known.
    Caller(Option<Requester>),
}

/// Returns the owner of a thread: a verified person, or none.
fn owner(requester: Option<&Requester>) -> Option<&str> {
    requester.and_then(Requester::owner)
}

fn read_input<G: Graph>(input: &serde_json::Value) -> Result<<G::State as State>::Input, Error> {
    let invalid = |problem: String| Error::InvalidInput { problem };
    catch_panic(|| "deserializer of the input".to_owned(), || crate::review::read(&input.to_string()))
        .map_err(|broken| invalid(broken.to_string()))?
        .map_err(|violation| invalid(violation.to_string()))
}

/// Converts an operator into a requester, after a check of their name.
fn named(thread: &ThreadId, operator: &Operator) -> Result<Requester, Error> {
    may_decide(thread, "start", None, operator).map(|()| Requester::from(operator))
}

/// The work that is repeated when a thread is resumed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryScope {
    /// Nodes that were running when their runner died.
    Orphans,
    /// Failed nodes, too.
    Failures,
}

fn is_retryable(lane: &Lane) -> bool {
    matches!(lane.at, LaneState::Failed { stopped: false, .. })
}

/// Encodes the inputs for the journal. An input whose JSON does not deserialize to an equal value is rejected.
fn encode_input<S: State>(input: S::Input) -> Result<Values, Error> {
    let invalid = |problem: String| Error::InvalidInput { problem };
    let encode = || {
        let json = encode(&input).map_err(|e| invalid(e.to_string()))?;
        let values: Values = serde_json::from_str(&json).map_err(|e| invalid(e.to_string()))?;
        for (field, value) in S::inputs(&input) {
            let Some(json) = values.get(field) else { continue };
            let Some(table) = S::TABLE.field(field) else { continue };
            (table.check_round_trip)(field, value, json.get()).map_err(|e| invalid(e.to_string()))?;
        }
        drop(input);
        Ok(values)
    };
    catch_panic(|| "serializer of the input".to_owned(), encode)
        .map_err(|broken| invalid(broken.to_string()))?
}

/// Returns whether a thread was started with this input, after migration to this version of the state.
fn same_input(state: &StateTable, version: u32, before: &Values, now: &Values) -> bool {
    let parsed = |raw: &RawValue| serde_json::from_str::<serde_json::Value>(raw.get()).ok();
    let Ok(before) = updated(state, version, before) else { return false };
    // A migration may have added fields that are not inputs.
    let is_input = |field: &str| state.spec.field(field).is_some_and(|field| field.input);
    let before: Vec<_> = before.iter().filter(|(field, _)| is_input(field)).collect();
    before.len() == now.len()
        && before.iter().zip(now).all(|((ka, va), (kb, vb))| *ka == kb && parsed(va) == parsed(vb))
}
