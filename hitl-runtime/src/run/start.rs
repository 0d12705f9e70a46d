//! How a thread begins, and how it is taken up again.

use serde_json::value::RawValue;

use super::{
    Agent, Graph, Outlook,
    agent::GraphFold,
    detach, drive::{self, Stopped}, post::Post, route, turn,
};
use crate::{
    Error, ThreadId,
    journal::{At, Entry, Event, Fold, Values},
    state::{Fields, State},
};

impl<G: Graph> Agent<G> {
    /// Begins a thread and runs it until a person must move, or to its end. The same start twice gives the same
    /// turn: what has run is not run again.
    ///
    /// The run goes on in the background when the caller hangs up.
    ///
    /// # Errors
    /// [`Error::ThreadExists`] when the name is taken by a thread with another input.
    pub async fn start<T>(
        &self,
        thread: T,
        input: <G::State as State>::Input,
    ) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let (agent, input) = (self.clone(), encode_input(&input)?);
        G::turn(detach::finish(async move { agent.begin(thread, input).await }).await?)
    }

    /// [`Agent::start`] with an input that comes as JSON.
    ///
    /// # Errors
    /// As `start`, and [`Error::InvalidInput`] when the JSON is not the graph's input.
    pub async fn start_json<T>(&self, thread: T, input: &serde_json::Value) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let input = serde::Deserialize::deserialize(input)
            .map_err(|e: serde_json::Error| Error::InvalidInput { problem: e.to_string() })?;
        self.start(thread, input).await
    }

    async fn begin(self, thread: ThreadId, input: Values) -> Result<Outlook<G>, Error> {
        if let Some(fold) = self.load(&thread).await? {
            return self.same_start(fold, &input).await;
        }
        let mut fields = <G::State as State>::Fields::default();
        for (field, json) in &input {
            fields
                .write(field, json.get())
                .map_err(|e| Error::InvalidInput { problem: e.to_string() })?;
        }
        let to = route::after_start::<G>(&fields).map_err(|problem| Error::InvalidInput { problem })?;
        let mut post = Post::new(&self, Fold::empty(thread.clone()));
        post.claim();
        post.push(Event::Started {
            graph: G::SPEC.name.to_owned(),
            print: self.inner.print.clone(),
            input: input.clone(),
            to: Some(to),
            from: None,
        })?;
        match drive::run(&self, post).await {
            Err(Stopped::Taken(_)) => match self.load(&thread).await? {
                Some(fold) => self.same_start(fold, &input).await,
                None => Err(Error::UnknownThread { thread }),
            },
            other => self.outlook_of(other).await,
        }
    }

    async fn same_start(&self, fold: GraphFold<G>, input: &Values) -> Result<Outlook<G>, Error> {
        let thread = fold.thread.clone();
        let first = self.inner.store.entries(&thread, 0, 1).await?;
        let entry = first.first().map(|record| serde_json::from_slice::<Entry>(&record.body));
        let same = match entry {
            Some(Ok(entry)) => match entry.event {
                Event::Started { graph, input: before, from: None, .. } => {
                    graph == G::SPEC.name && same_values(&before, input)
                }
                _ => false,
            },
            _ => false,
        };
        if same { turn::outlook(self, fold) } else { Err(Error::ThreadExists { thread }) }
    }

    /// Whose turn it is. Nothing moves.
    ///
    /// # Errors
    /// [`Error::UnknownThread`], and [`Error::GraphChanged`] when this program cannot take the thread up.
    pub async fn thread<T>(&self, thread: T) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let fold = self.known(&thread.try_into().map_err(Into::into)?).await?;
        G::turn(turn::outlook(self, fold)?)
    }

    /// Takes up a thread whose runner has died, and tries again what has failed. A thread that waits for a person, or
    /// that a runner still has, is left as it stands.
    ///
    /// # Errors
    /// As [`Agent::thread`].
    pub async fn resume<T>(&self, thread: T) -> Result<G::Turn, Error>
    where
        T: TryInto<ThreadId>,
        T::Error: Into<Error>,
    {
        let thread = thread.try_into().map_err(Into::into)?;
        let agent = self.clone();
        G::turn(detach::finish(async move { agent.take_up(&thread).await }).await?)
    }

    pub(crate) async fn take_up(&self, thread: &ThreadId) -> Result<Outlook<G>, Error> {
        loop {
            let fold = self.known(thread).await?;
            let now = self.inner.clock.now_ms();
            let leased = fold.lease.as_ref().is_some_and(|lease| lease.until_ms > now);
            let idle = !fold.lanes.values().any(|lane| lane.at.is_active() || is_retryable(&lane.at));
            let overdue = self.overdue(&fold);
            if leased || (idle && overdue.is_none()) {
                return turn::outlook(self, fold);
            }
            let mut post = Post::new(self, fold);
            post.claim();
            match overdue {
                Some(review) => self.expire(&mut post, &review)?,
                None => post.push(Event::Resumed {})?,
            }
            match drive::run(self, post).await {
                Err(Stopped::Taken(_)) => {}
                other => return self.outlook_of(other).await,
            }
        }
    }

    /// Turns the end of a drive into an outlook; a runner that was overtaken looks again.
    pub(crate) async fn outlook_of(
        &self,
        end: Result<GraphFold<G>, Stopped>,
    ) -> Result<Outlook<G>, Error> {
        match end {
            Ok(fold) => turn::outlook(self, fold),
            Err(Stopped::Taken(thread) | Stopped::Overtaken(thread)) => {
                turn::outlook(self, self.known(&thread).await?)
            }
            Err(Stopped::Error(error)) => Err(error),
        }
    }
}

fn is_retryable(at: &At) -> bool {
    matches!(at, At::Failed { stopped: false, .. })
}

fn encode_input<I: serde::Serialize>(input: &I) -> Result<Values, Error> {
    let invalid = |e: serde_json::Error| Error::InvalidInput { problem: e.to_string() };
    let json = serde_json::to_string(input).map_err(invalid)?;
    serde_json::from_str(&json).map_err(invalid)
}

fn same_values(a: &Values, b: &Values) -> bool {
    let parsed = |raw: &RawValue| serde_json::from_str::<serde_json::Value>(raw.get()).ok();
    a.len() == b.len() && a.iter().zip(b).all(|((ka, va), (kb, vb))| ka == kb && parsed(va) == parsed(vb))
}
