//! Responses as server-sent events: the thread's events as they happen, and finally the thread.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use super::{House, access::Hearing, call::Call};
use crate::{
    journal::{Event as Entry, Requester},
    run::{Graph, Heard, Listener},
    serve::wire::{Refusal, Reply},
};

type Work = JoinHandle<Result<Reply, Refusal>>;

/// Answers a request with events. Each is one JSON object: an `entry`, text that was `said`, the number of events that
/// were `missed`, and finally the `thread` or an `error`. A request that is refused before its first event gets an
/// ordinary error response.
pub(super) async fn answer<G: Graph>(
    house: &Arc<House<G>>,
    call: Call,
    hearing: Hearing,
) -> Result<Response, Refusal> {
    let mut following = follow(house, call, hearing);
    let first = match following.next().await {
        Some(Told::Refused(refusal)) => return Err(refusal),
        first => first,
    };
    let events = stream::unfold((first, following), |(first, mut following)| async move {
        let told = match first {
            Some(told) => told,
            None => following.next().await?,
        };
        Some((Ok::<_, Infallible>(event(&told)), (None, following)))
    });
    Ok(sse(events))
}

fn sse(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

fn event(told: &Told) -> Event {
    // Serialization cannot fail: these are our own types, whose keys are strings.
    Event::default().data(serde_json::to_string(told).unwrap_or_default())
}

/// Subscribes to the thread and starts the request.
pub(super) fn follow<G: Graph>(house: &Arc<House<G>>, call: Call, hearing: Hearing) -> Following {
    let listener = house.agent.listen(&call.request.thread);
    let inner = Arc::clone(house);
    let work = async move { call.run(&inner).await }.in_current_span();
    Following { listener, hearing, work: Some(house.workers().spawn(work)), end: None }
}

/// A request in flight, with the events of its thread.
pub(super) struct Following {
    listener: Listener,
    hearing: Hearing,
    work: Option<Work>,
    end: Option<Told>,
}

/// An event sent to the caller.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", untagged)]
pub(super) enum Told {
    Heard(Heard),
    Answered { thread: Box<Reply> },
    Refused(Refusal),
}

impl Following {
    /// Returns the next event; `None` after the last one.
    pub(super) async fn next(&mut self) -> Option<Told> {
        while let Some(work) = &mut self.work {
            tokio::select! {
                biased;
                heard = self.listener.next() => match self.let_through(heard) {
                    Some(heard) => return Some(Told::Heard(heard)),
                    None => continue,
                },
                end = work => {
                    self.work = None;
                    self.end = Some(match end {
                        Ok(Ok(reply)) => Told::Answered { thread: Box::new(reply) },
                        Ok(Err(refusal)) => Told::Refused(refusal),
                        Err(_) => Told::Refused(Refusal::new(500, "internal", "this container failed in the middle")),
                    });
                }
            }
        }
        // Drain the events that happened before the end.
        while let Some(heard) = self.listener.try_next() {
            if let Some(heard) = self.let_through(heard) {
                return Some(Told::Heard(heard));
            }
        }
        self.end.take()
    }

    /// Returns the event if the caller may see it. The thread of this name may belong to another subject; a caller
    /// without the right to read it must not see its events.
    fn let_through(&mut self, heard: Heard) -> Option<Heard> {
        if let (Hearing::Own(own), Heard::Entry(entry)) = (&self.hearing, &heard)
            && let Entry::Started { requester, .. } = &entry.event
            && requester.as_ref().and_then(Requester::owner) == own.as_deref()
        {
            self.hearing = Hearing::All;
        }
        (self.hearing == Hearing::All).then_some(heard)
    }
}
