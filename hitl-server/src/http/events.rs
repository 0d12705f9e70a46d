//! `GET /v1/threads/{thread}/events`: the entries of a thread as server-sent events, as they are stored.
//!
//! The `id` of an event is the place of its entry, so a client that reconnects with `Last-Event-ID`, as every
//! `EventSource` does, misses nothing. The entries are those of the journal, whichever process appended them: this
//! process is told about its own, and looks for those of others.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode},
    response::{IntoResponse as _, Response, sse::Event},
};
use futures_util::{Stream, stream};
use hitl_runtime::{
    Error, Place, ThreadId,
    agent::{HistoryEntry, Subscription, ThreadEvent},
    journal::Event as Entry,
};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};
use tracing::Instrument as _;

use super::{
    exchange::{Exchange, respond},
    payload::{PathMembers, Route, members_of_query},
};
use crate::{
    api::{ApiError, excerpt, invalid},
    identity::Caller,
    server::{AppState, Connection, ConnectionExtension, Refusal, response},
};

/// The interval between two looks for the entries of other processes.
const LOOK: Duration = Duration::from_secs(1);

/// The number of entries that are read at a time.
const PAGE: usize = 100;

/// Answers with the events after the place in `Last-Event-ID` or `after`; by default from the beginning on. After the
/// end of the thread the response is 204, which tells an `EventSource` not to reconnect.
pub(super) async fn events(
    PathMembers(thread): PathMembers<String>,
    State(state): State<Arc<AppState>>,
    connection: ConnectionExtension,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let span = response::span(&headers);
    let exchange = Exchange::new(state, connection, headers);
    let opening = open(&exchange, thread, query.as_deref().unwrap_or_default(), method == Method::HEAD);
    respond(span, exchange.connection.as_ref(), opening).await
}

async fn open(exchange: &Exchange, thread: String, query: &str, is_head: bool) -> Result<Response, Refusal> {
    let state = &exchange.state;
    let mut members = members_of_query(query)?;
    let (next, parameter) = next_place(&exchange.headers, &mut members)?;
    check_names(&members)?;
    // The stream does not count as a request that is executed, but its opening does: it reads the journal.
    let (caller, execution) = exchange.admit(Route::new("history").thread(thread.clone()), members).await?;
    let thread = ThreadId::existing(&thread).map_err(|error| ApiError::from(Error::from(error)))?;
    // Subscribe before the first read, so that no entry is missed in between.
    let subscription = state.engine.listen(&thread);
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = ThreadEvents {
        stopped: state.stopping.subscribe(),
        state: Arc::clone(state),
        connection: exchange.connection.clone(),
        caller,
        thread,
        subscription,
        next,
        read: VecDeque::new(),
        looks,
        has_ended: false,
    };
    let entry_before = match next.get().checked_sub(1) {
        Some(place) => events.history(Place::new(place), 1).await?,
        // A thread that does not exist is an error, and not an empty stream.
        None => events.history(Place::START, 1).await?,
    };
    match entry_before.first() {
        None if next > Place::START && !events.history(Place::START, 1).await?.is_empty() => {
            return Err(no_place(parameter).into());
        }
        None => return Err(ApiError::from(Error::UnknownThread { thread: events.thread }).into()),
        Some(entry) if next > Place::START && is_end(entry) => {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        Some(_) => {}
    }
    if is_head {
        return Ok(unbuffered(stream::empty()));
    }
    // It counts as a WebSocket does: there are few, and a new one replaces the one that has been open the longest.
    exchange.connection.as_ref().map(|connection| connection.begin_websocket()).transpose()?;
    drop(execution);
    let span = tracing::Span::current();
    let events = stream::unfold((events, span), |(mut events, span)| async move {
        let event = events.next().instrument(span.clone()).await?;
        Some((Ok::<_, Infallible>(event), (events, span)))
    });
    Ok(unbuffered(events))
}

/// Returns events as a response. A proxy that buffers a response would hold them back.
fn unbuffered(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let mut answered = response::sse(events);
    answered.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    answered
}

/// The header of a client that reconnects, as errors name it.
const LAST_EVENT_ID: &str = "Last-Event-ID";

/// Returns the place of the first entry that is wanted: the one after `Last-Event-ID`, or else after `after`; and the
/// name of that header or parameter.
fn next_place(headers: &HeaderMap, members: &mut Value) -> Result<(Place, &'static str), ApiError> {
    let after = members.as_object_mut().and_then(|members| members.remove("after"));
    // An empty header is that of a client that has got no event yet.
    let header = headers.get(LAST_EVENT_ID).filter(|header| !header.is_empty());
    let (text, name) = match (header, after) {
        (Some(header), _) => (header.to_str().unwrap_or_default().to_owned(), LAST_EVENT_ID),
        (None, Some(Value::String(after))) => (after, "after"),
        (None, _) => return Ok((Place::START, "after")),
    };
    let place = text.trim().parse::<u64>().ok().filter(|place| *place < u64::MAX / 2);
    Ok((Place::new(place.ok_or_else(|| no_place(name))? + 1), name))
}

/// Checks that a query has no other parameters, which would be ignored.
fn check_names(members: &Value) -> Result<(), ApiError> {
    let mut names = members.as_object().into_iter().flat_map(|members| members.keys());
    match names.find(|name| !matches!(name.as_str(), "operator" | "roles")) {
        None => Ok(()),
        Some(name) => {
            let name = excerpt(name);
            let problem = format!(
                "`{name}` is no parameter of the events: remove it, or use `after`, `operator` or `roles`"
            );
            Err(invalid(problem).detail("path", name))
        }
    }
}

fn no_place(parameter: &str) -> ApiError {
    invalid(format!("`{parameter}` must be the place of an entry of the thread")).detail("path", parameter)
}

fn is_end(entry: &HistoryEntry) -> bool {
    matches!(entry.event, Entry::Ended { .. })
}

/// The events of a thread from a place on.
struct ThreadEvents {
    state: Arc<AppState>,
    /// The connection, which another server may have accepted: then only this stream learns that it must close.
    connection: Option<Arc<Connection>>,
    caller: Caller,
    thread: ThreadId,
    subscription: Subscription,
    /// The place of the next entry to read.
    next: Place,
    /// Entries that were read and not sent yet.
    read: VecDeque<HistoryEntry>,
    /// The times at which to look for the entries of other processes, the first of them at once.
    looks: Interval,
    has_ended: bool,
    stopped: watch::Receiver<bool>,
}

impl ThreadEvents {
    /// Returns the next event; `None` after the end of the thread, when the caller's token expires, when the store
    /// fails, when a newer stream takes its place, and when the server stops. The client then reconnects, and gets the
    /// reason.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(entry) = self.read.pop_front() {
                self.has_ended = is_end(&entry);
                let id = entry.place.to_string();
                return event("entry", &ThreadEvent::Entry(Box::new(entry))).map(|event| event.id(id));
            }
            let is_over = self.has_ended || *self.stopped.borrow();
            if is_over || self.caller.check_expiry(self.state.engine.now()).is_err() {
                return None;
            }
            tokio::select! {
                biased;
                () = closed(self.connection.as_deref()) => return None,
                // The server stops.
                _ = self.stopped.changed() => return None,
                heard = self.subscription.next() => match heard {
                    // The journal is read, so that the entries are in order, and none is sent twice.
                    ThreadEvent::Entry(entry) if entry.place < self.next => {}
                    ThreadEvent::ModelOutput { .. } => return event("said", &heard),
                    _ => self.look().await?,
                },
                _ = self.looks.tick() => self.look().await?,
            }
        }
    }

    /// Reads the entries that have been stored since the last look.
    async fn look(&mut self) -> Option<()> {
        match self.history(self.next, PAGE).await {
            Ok(entries) => {
                if let Some(last) = entries.last() {
                    self.next = last.place + 1;
                }
                self.read.extend(entries);
                Some(())
            }
            Err(refusal) => {
                refusal.log();
                None
            }
        }
    }

    /// Reads entries on the runtime that executes nodes.
    async fn history(&self, from: Place, limit: usize) -> Result<Vec<HistoryEntry>, Refusal> {
        let (engine, thread) = (Arc::clone(&self.state.engine), self.thread.clone());
        let reading = async move {
            let read = engine.history(&thread, from, limit).await;
            read.map_err(|error| Refusal::from(ApiError::from(error).redacted()))
        };
        self.state.work(reading).await
    }
}

/// Waits until a connection must close.
async fn closed(connection: Option<&Connection>) {
    match connection {
        Some(connection) => connection.closed().await,
        None => std::future::pending().await,
    }
}

fn event(name: &str, event: &ThreadEvent) -> Option<Event> {
    Some(Event::default().event(name).data(serde_json::to_string(event).ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_header_of_a_reconnect_takes_precedence() {
        let mut headers = HeaderMap::new();
        let place = |headers: &HeaderMap, members: Value| {
            next_place(headers, &mut { members }).map(|(place, _)| place)
        };
        assert_eq!(place(&headers, json!({})).unwrap(), Place::START);
        assert_eq!(place(&headers, json!({ "after": "3" })).unwrap(), Place::new(4));
        for wrong in ["", "-1", "x", "18446744073709551615"] {
            assert!(place(&headers, json!({ "after": wrong })).is_err(), "{wrong}");
        }
        headers.insert("last-event-id", HeaderValue::from_static("7"));
        assert_eq!(place(&headers, json!({ "after": "3" })).unwrap(), Place::new(8));
    }
}
