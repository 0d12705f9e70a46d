//! An answer as server-sent events: what happens to the thread as it happens, and at last how it stands.

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

/// Each event is one JSON object: an `entry`, something `said`, how many were `missed`, and at last the `thread` as it
/// stands, or an `error`. What is refused before anything has happened is no stream.
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
    // Our own types, whose keys are texts.
    Event::default().data(serde_json::to_string(told).unwrap_or_default())
}

/// Begins what is asked for, and listens.
pub(super) fn follow<G: Graph>(house: &Arc<House<G>>, call: Call, hearing: Hearing) -> Following {
    let listener = house.agent.listen(&call.request.thread);
    let inner = Arc::clone(house);
    let work = async move { call.run(&inner).await }.in_current_span();
    Following { listener, hearing, work: Some(house.workers().spawn(work)), end: None }
}

/// A request under way.
pub(super) struct Following {
    listener: Listener,
    hearing: Hearing,
    work: Option<Work>,
    end: Option<Told>,
}

/// What the caller is told.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", untagged)]
pub(super) enum Told {
    Heard(Heard),
    Answered { thread: Box<Reply> },
    Refused(Refusal),
}

impl Following {
    /// What is told next; none after the end.
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
        // What happened before the end is told before it.
        while let Some(heard) = self.listener.try_next() {
            if let Some(heard) = self.let_through(heard) {
                return Some(Told::Heard(heard));
            }
        }
        self.end.take()
    }

    /// What the caller may hear. A name may be taken by somebody else's thread, which is no affair of a starter's.
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
