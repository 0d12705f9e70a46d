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
    House,
    access::Hearing,
    answer,
    call::Call,
    connections::Connection,
    identity::Caller,
    invoke::{self, On},
    payload,
    stream::{self, Following, Told},
};
use crate::{run::Graph, serve::wire::Refusal};

/// The number of pings sent within the silence timeout. Many proxies close connections that are idle for a minute.
const BEATS: u32 = 4;

/// Upgrades to a WebSocket. Each text message is one request; its events are text messages, and the last one is the
/// thread or an `error`. While a request is in flight, one more is buffered; further ones are not read before it is
/// answered.
pub(super) async fn connect<G: Graph>(
    State(house): State<Arc<House<G>>>,
    on: On,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let connection = on.map(|Extension(connection)| connection);
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return answer::refused(&no_socket(&rejection)),
    };
    let span = invoke::span(&headers);
    let caller = match house.caller(headers, "ws").await {
        Ok(caller) => Arc::new(caller),
        Err(refusal) => return answer::refused(&refusal),
    };
    if let Some(Err(refusal)) = connection.as_ref().map(|connection| connection.opens()) {
        return answer::refused(&refusal);
    }
    // A message up to twice the limit is read, so that a refusal can be sent; a larger one closes the connection.
    let (largest, silence) = (house.largest.saturating_mul(2), house.limits.silence);
    upgrade.max_message_size(largest).max_frame_size(largest).on_upgrade(move |socket| {
        async move {
            let talk = talk(house, caller, connection.as_ref(), Line::new(socket, silence));
            match connection.as_deref() {
                Some(connection) => tokio::select! {
                    () = talk => {}
                    () = connection.cut() => {}
                },
                None => talk.await,
            }
        }
        .instrument(span)
    })
}

/// Returns the refusal of a request that does not open a WebSocket (RFC 6455, section 4).
fn no_socket(rejection: &WebSocketUpgradeRejection) -> Refusal {
    let status = rejection.status();
    let code = if status == StatusCode::METHOD_NOT_ALLOWED { "no_such_method" } else { "no_socket" };
    Refusal::new(status.as_u16(), code, format!("/ws opens a WebSocket: {}", rejection.body_text()))
}

async fn talk<G: Graph>(
    house: Arc<House<G>>,
    caller: Arc<Caller>,
    connection: Option<&Arc<Connection>>,
    mut line: Line,
) {
    while let Some(request) = line.request().await {
        let heard = match ready(&house, &caller, connection, request).await {
            Ok((call, hearing)) => line.follow(stream::follow(&house, call, hearing)).await,
            Err(refusal) => line.say(&Told::Refused(refusal)).await,
        };
        if heard.is_none() {
            // The client is gone; work that has begun goes on.
            return;
        }
        if let Some(connection) = connection {
            connection.listens();
        }
    }
}

/// Reads and admits a request. This runs on the runtime that executes nodes, so that it does not delay pings.
async fn ready<G: Graph>(
    house: &Arc<House<G>>,
    caller: &Arc<Caller>,
    connection: Option<&Arc<Connection>>,
    request: Vec<u8>,
) -> Result<(Call, Hearing), Refusal> {
    if let Some(connection) = connection {
        connection.talks()?;
        connection.takes(request.len())?;
    }
    let (inner, caller, connection) = (Arc::clone(house), Arc::clone(caller), connection.cloned());
    let ready = house.work(async move {
        caller.still(&inner)?;
        let payload = payload::parse(&request, inner.largest, connection.as_deref())?;
        drop(request);
        let call = Call::read(&inner, &caller, payload)?;
        let hearing = call.admit(&inner, &caller).await?;
        Ok((call, hearing))
    });
    ready.await
}

/// An open WebSocket. Its methods return `None` once the peer is gone.
struct Line {
    socket: WebSocket,
    beat: Interval,
    /// The number of pings sent since the last message from the peer.
    missed: u32,
    /// A request that arrived while another one was in flight.
    next: Option<Vec<u8>>,
}

impl Line {
    /// Creates one that fails after `silence` without a message from the peer.
    fn new(socket: WebSocket, silence: Duration) -> Self {
        let beat = (silence / BEATS).max(Duration::from_millis(1));
        Self { socket, beat: interval_at(Instant::now() + beat, beat), missed: 0, next: None }
    }

    async fn request(&mut self) -> Option<Vec<u8>> {
        while self.next.is_none() {
            tokio::select! {
                came = self.socket.recv() => self.hear(came)?,
                _ = self.beat.tick() => self.ask().await?,
            }
        }
        self.next.take()
    }

    /// Sends the events of a request. Also reads messages, which answers pings and detects a closed connection.
    async fn follow(&mut self, mut following: Following) -> Option<()> {
        loop {
            tokio::select! {
                told = following.next() => match told {
                    Some(told) => self.say(&told).await?,
                    None => return Some(()),
                },
                came = self.socket.recv(), if self.next.is_none() => self.hear(came)?,
                _ = self.beat.tick() => self.ask().await?,
            }
        }
    }

    fn hear(&mut self, came: Option<Result<Message, axum::Error>>) -> Option<()> {
        self.missed = 0;
        self.next = read(came)?;
        Some(())
    }

    /// Sends a ping, or fails if the peer has been silent for too long. While a request is buffered nothing is read, so
    /// the silence does not count.
    async fn ask(&mut self) -> Option<()> {
        if self.next.is_none() {
            self.missed += 1;
        }
        if self.missed >= BEATS { None } else { self.send(Message::Ping(Bytes::new())).await }
    }

    async fn say(&mut self, told: &Told) -> Option<()> {
        let text = serde_json::to_string(told).ok()?;
        self.send(Message::Text(text.into())).await
    }

    async fn send(&mut self, message: Message) -> Option<()> {
        self.socket.send(message).await.ok()
    }
}

/// Extracts the request from a message, if it is one. The outer `None` means that the peer is gone.
fn read(came: Option<Result<Message, axum::Error>>) -> Option<Option<Vec<u8>>> {
    match came? {
        Ok(Message::Text(text)) => Some(Some(text.as_bytes().to_vec())),
        Ok(Message::Binary(bytes)) => Some(Some(bytes.to_vec())),
        Ok(Message::Ping(_) | Message::Pong(_)) => Some(None),
        Ok(Message::Close(_)) | Err(_) => None,
    }
}
