//! Responses as server-sent events: the thread's events as they happen, and finally the thread.

use std::{convert::Infallible, sync::Arc};

use axum::response::{Response, sse::Event};
use futures_util::stream;
use hitl_runtime::{
    agent::{Subscription, ThreadEvent},
    journal::Event as Entry,
    plumbing::is_same_owner,
};
use serde::Serialize;
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::{
    api::{ApiError, Reply},
    identity::Visibility,
    server::{AppState, AuthenticatedRequest, Refusal, response},
};

type Execution = JoinHandle<Result<Reply, Refusal>>;

/// Answers a request with events. Each is one JSON object: an `entry`, text that was `said`, the number of events that
/// were `missed`, and finally the `thread` or an `error`. A request that is refused before its first event gets an
/// ordinary error response.
pub(crate) async fn respond(
    state: &Arc<AppState>,
    request: AuthenticatedRequest,
    visibility: Visibility,
) -> Result<Response, Refusal> {
    let mut events = start(state, request, visibility);
    let first = match events.next().await {
        Some(StreamEvent::Failed(refusal)) => return Err(refusal),
        first => first,
    };
    let span = tracing::Span::current();
    let events = stream::unfold((first, events, span), |(first, mut events, span)| async move {
        let event = match first {
            Some(event) => event,
            None => events.next().await?,
        };
        span.in_scope(|| event.log_refusal());
        Some((Ok::<_, Infallible>(to_sse(&event)), (None, events, span)))
    });
    Ok(response::sse(events))
}

fn to_sse(event: &StreamEvent) -> Event {
    // Serialization cannot fail: these are our own types, whose keys are strings.
    Event::default().data(serde_json::to_string(event).unwrap_or_default())
}

/// Subscribes to the thread and starts the request.
pub(crate) fn start(
    state: &Arc<AppState>,
    request: AuthenticatedRequest,
    visibility: Visibility,
) -> EventStream {
    let subscription = state.engine.listen(&request.request.thread);
    let shared = Arc::clone(state);
    let execution = async move { request.execute(&shared).await }.in_current_span();
    EventStream { subscription, visibility, execution: Some(state.workers().spawn(execution)), end: None }
}

/// A request in flight, with the events of its thread.
pub(crate) struct EventStream {
    subscription: Subscription,
    visibility: Visibility,
    execution: Option<Execution>,
    end: Option<StreamEvent>,
}

/// An event sent to the caller.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", untagged)]
pub(crate) enum StreamEvent {
    Thread(ThreadEvent),
    Completed { thread: Box<Reply> },
    Failed(Refusal),
}

impl StreamEvent {
    /// Logs the event if it is a refusal.
    pub(crate) fn log_refusal(&self) {
        if let Self::Failed(refusal) = self {
            refusal.log();
        }
    }
}

impl EventStream {
    /// Returns the next event; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Option<StreamEvent> {
        while let Some(execution) = &mut self.execution {
            tokio::select! {
                biased;
                event = self.subscription.next() => match self.visible(event) {
                    Some(event) => return Some(StreamEvent::Thread(event)),
                    None => continue,
                },
                end = execution => {
                    self.execution = None;
                    self.end = Some(match end {
                        Ok(Ok(reply)) => StreamEvent::Completed { thread: Box::new(reply) },
                        Ok(Err(refusal)) => StreamEvent::Failed(refusal),
                        Err(_) => {
                            let message = "internal error: get the status of the thread";
                            StreamEvent::Failed(ApiError::new(500, "internal", message).into())
                        }
                    });
                }
            }
        }
        // Drain the events that happened before the end.
        while let Some(event) = self.subscription.try_next() {
            if let Some(event) = self.visible(event) {
                return Some(StreamEvent::Thread(event));
            }
        }
        self.end.take()
    }

    /// Returns the event if the caller may see it. The thread of this name may belong to another subject; a caller
    /// without the right to read it must not see its events.
    fn visible(&mut self, event: ThreadEvent) -> Option<ThreadEvent> {
        if let (Visibility::OwnThread(own), ThreadEvent::Entry(entry)) = (&self.visibility, &event)
            && let Entry::Started { requester, .. } = &entry.event
            && is_same_owner(requester.as_ref(), own.as_ref())
        {
            self.visibility = Visibility::All;
        }
        (self.visibility == Visibility::All).then_some(event)
    }
}
