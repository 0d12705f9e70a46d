//! `/ws`: the same actions and events as `/invocations`, over one connection.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::Bytes,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use tokio::time::{Instant, Interval, interval_at};
use tracing::Instrument;

use super::{
    session::thread_of,
    stream::{self, EventStream, StreamEvent},
};
use crate::{
    api::ApiError,
    identity::{Caller, Visibility},
    server::{AppState, AuthenticatedRequest, Connection, ConnectionExtension, Refusal, payload, response},
};

/// The number of pings sent within the silence timeout. Many proxies close connections that are idle for a minute.
const PINGS: u32 = 4;

/// Upgrades to a WebSocket. Each text message is one request; its events are text messages, and the last one is the
/// thread or an `error`. While a request is in flight, one more is buffered; further ones are not read before it is
/// answered.
pub(super) async fn connect(
    State(state): State<Arc<AppState>>,
    connection: ConnectionExtension,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let connection = connection.map(|Extension(connection)| connection);
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return response::error(&upgrade_error(&rejection)),
    };
    let span = response::span(&headers);
    let caller = match state.caller(headers, "ws").await {
        Ok(caller) => Arc::new(caller),
        Err(error) => {
            span.in_scope(|| Refusal::from(error.clone()).log());
            return response::error(&error);
        }
    };
    if let Some(Err(error)) = connection.as_ref().map(|connection| connection.begin_websocket()) {
        return response::error(&error);
    }
    // A message up to twice the limit is read, so that an error can be sent; a larger one closes the connection.
    let (max_bytes, silence) = (state.max_bytes.saturating_mul(2), state.limits.silence);
    upgrade.max_message_size(max_bytes).max_frame_size(max_bytes).on_upgrade(move |socket| {
        async move {
            let serving =
                serve_messages(state, caller, connection.as_ref(), WebSocketSession::new(socket, silence));
            match connection.as_deref() {
                Some(connection) => tokio::select! {
                    () = serving => {}
                    () = connection.closed() => {}
                },
                None => serving.await,
            }
        }
        .instrument(span)
    })
}

/// Returns the error of a request that does not open a WebSocket (RFC 6455, section 4).
fn upgrade_error(rejection: &WebSocketUpgradeRejection) -> ApiError {
    let status = rejection.status();
    let code = if status == StatusCode::METHOD_NOT_ALLOWED { "no_such_method" } else { "no_socket" };
    ApiError::new(
        status.as_u16(),
        code,
        format!("/ws accepts only WebSocket upgrades: {}", rejection.body_text()),
    )
}

async fn serve_messages(
    state: Arc<AppState>,
    caller: Arc<Caller>,
    connection: Option<&Arc<Connection>>,
    mut session: WebSocketSession,
) {
    while let Some(request) = session.request().await {
        let sent = match authorize(&state, &caller, connection, request).await {
            Ok((authorized, visibility)) => {
                session.send_events(stream::start(&state, authorized, visibility)).await
            }
            Err(refusal) => session.send_event(&StreamEvent::Failed(refusal)).await,
        };
        if sent.is_none() {
            // The client is gone; work that has begun continues.
            return;
        }
        if let Some(connection) = connection {
            connection.end_message();
        }
    }
}

/// Reads and admits a request. This runs on the runtime that executes nodes, so that it does not delay pings.
async fn authorize(
    state: &Arc<AppState>,
    caller: &Arc<Caller>,
    connection: Option<&Arc<Connection>>,
    request: Vec<u8>,
) -> Result<(AuthenticatedRequest, Visibility), Refusal> {
    let execution = connection.map(|connection| connection.begin_message()).transpose()?;
    if let Some(connection) = connection {
        connection.reserve_memory(request.len())?;
    }
    let (shared, caller, connection) = (Arc::clone(state), Arc::clone(caller), connection.cloned());
    let work = state.work(async move {
        caller.check_expiry(shared.engine.now())?;
        let payload = payload::parse(&request, shared.max_bytes, connection.as_deref())?;
        drop(request);
        let authorized =
            AuthenticatedRequest::parse(&shared, &caller, payload, thread_of(&caller), execution)?;
        let visibility = authorized.authorize(&shared, &caller).await?;
        Ok::<_, Refusal>((authorized, visibility))
    });
    work.await
}

/// An open WebSocket. Its methods return `None` once the peer is gone.
struct WebSocketSession {
    socket: WebSocket,
    ping_interval: Interval,
    /// The number of pings sent since the last message from the peer.
    unanswered_pings: u32,
    /// A request that arrived while another one was in flight.
    next: Option<Vec<u8>>,
}

impl WebSocketSession {
    /// Creates one that fails after `silence` without a message from the peer.
    fn new(socket: WebSocket, silence: Duration) -> Self {
        let ping_interval = (silence / PINGS).max(Duration::from_millis(1));
        Self {
            socket,
            ping_interval: interval_at(Instant::now() + ping_interval, ping_interval),
            unanswered_pings: 0,
            next: None,
        }
    }

    async fn request(&mut self) -> Option<Vec<u8>> {
        while self.next.is_none() {
            tokio::select! {
                received = self.socket.recv() => self.receive(received)?,
                _ = self.ping_interval.tick() => self.ping().await?,
            }
        }
        self.next.take()
    }

    /// Sends the events of a request. Also reads messages, which answers pings and detects a closed connection.
    async fn send_events(&mut self, mut events: EventStream) -> Option<()> {
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.send_event(&event).await?,
                    None => return Some(()),
                },
                received = self.socket.recv(), if self.next.is_none() => self.receive(received)?,
                _ = self.ping_interval.tick() => self.ping().await?,
            }
        }
    }

    fn receive(&mut self, received: Option<Result<Message, axum::Error>>) -> Option<()> {
        self.unanswered_pings = 0;
        self.next = read(received)?;
        Some(())
    }

    /// Sends a ping, or fails if the peer has been silent for too long. While a request is buffered nothing is read, so
    /// the silence does not count.
    async fn ping(&mut self) -> Option<()> {
        if self.next.is_none() {
            self.unanswered_pings += 1;
        }
        if self.unanswered_pings >= PINGS { None } else { self.send(Message::Ping(Bytes::new())).await }
    }

    async fn send_event(&mut self, event: &StreamEvent) -> Option<()> {
        event.log_refusal();
        let text = serde_json::to_string(event).ok()?;
        self.send(Message::Text(text.into())).await
    }

    async fn send(&mut self, message: Message) -> Option<()> {
        self.socket.send(message).await.ok()
    }
}

/// Extracts the request from a message, if it is one. The outer `None` means that the peer is gone.
fn read(received: Option<Result<Message, axum::Error>>) -> Option<Option<Vec<u8>>> {
    match received? {
        Ok(Message::Text(text)) => Some(Some(text.as_bytes().to_vec())),
        Ok(Message::Binary(bytes)) => Some(Some(bytes.to_vec())),
        Ok(Message::Ping(_) | Message::Pong(_)) => Some(None),
        Ok(Message::Close(_)) | Err(_) => None,
    }
}
