//! `/ws`: the same actions and the same events, over one connection.

use std::{sync::Arc, time::Duration};

use axum::{
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
    House, answer,
    call::Call,
    identity::Caller,
    invoke, payload,
    stream::{self, Following, Told},
};
use crate::{run::Graph, serve::wire::Refusal};

/// How often the other side is told that somebody is there. Proxies cut lines that are silent for a minute.
const BEAT: Duration = Duration::from_secs(15);

/// Each text that comes is one request; its events are texts, and the last of them is the thread or an `error`. Of those
/// that come meanwhile one is kept, and the next is read once it is answered.
pub(super) async fn connect<G: Graph>(
    State(house): State<Arc<House<G>>>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return answer::refused(&no_socket(&rejection)),
    };
    let caller = match Caller::of(&house, &headers).await {
        Ok(caller) => caller,
        Err(refusal) => return answer::refused(&refusal),
    };
    let span = invoke::span(&headers);
    upgrade
        // What is a little too large is read, to be refused by a text; more than that ends the connection.
        .max_message_size(2 * payload::LARGEST)
        .max_frame_size(2 * payload::LARGEST)
        .on_upgrade(move |socket| talk(house, caller, Line::new(socket)).instrument(span))
}

/// A request that opens no socket (RFC 6455, section 4).
fn no_socket(rejection: &WebSocketUpgradeRejection) -> Refusal {
    let status = rejection.status();
    let code = if status == StatusCode::METHOD_NOT_ALLOWED { "no_such_method" } else { "no_socket" };
    Refusal::new(status.as_u16(), code, format!("/ws opens a WebSocket: {}", rejection.body_text()))
}

async fn talk<G: Graph>(house: Arc<House<G>>, caller: Caller, mut line: Line) {
    while let Some(request) = line.request().await {
        let call = caller.still(&house).and_then(|()| Call::read(&house, &caller, payload::parse(&request)?));
        let heard = match call {
            Ok(call) => line.follow(stream::follow(&house, call)).await,
            Err(refusal) => line.say(&Told::Refused(refusal)).await,
        };
        if heard.is_none() {
            // Nobody listens any more; what was begun goes on.
            return;
        }
    }
}

/// A connection. What it is asked for is none once the other side is gone.
struct Line {
    socket: WebSocket,
    beat: Interval,
    /// A request that came while another one was answered.
    next: Option<Vec<u8>>,
}

impl Line {
    fn new(socket: WebSocket) -> Self {
        Self { socket, beat: interval_at(Instant::now() + BEAT, BEAT), next: None }
    }

    async fn request(&mut self) -> Option<Vec<u8>> {
        while self.next.is_none() {
            tokio::select! {
                came = self.socket.recv() => self.next = read(came)?,
                _ = self.beat.tick() => self.send(Message::Ping(Bytes::new())).await?,
            }
        }
        self.next.take()
    }

    /// Says what happens, and meanwhile answers pings and notices when nobody listens any more.
    async fn follow(&mut self, mut following: Following) -> Option<()> {
        loop {
            tokio::select! {
                told = following.next() => match told {
                    Some(told) => self.say(&told).await?,
                    None => return Some(()),
                },
                came = self.socket.recv(), if self.next.is_none() => self.next = read(came)?,
                _ = self.beat.tick() => self.send(Message::Ping(Bytes::new())).await?,
            }
        }
    }

    async fn say(&mut self, told: &Told) -> Option<()> {
        let text = serde_json::to_string(told).ok()?;
        self.send(Message::Text(text.into())).await
    }

    async fn send(&mut self, message: Message) -> Option<()> {
        self.socket.send(message).await.ok()
    }
}

/// The request in a message, if it is one; nothing at all once the other side is gone.
fn read(came: Option<Result<Message, axum::Error>>) -> Option<Option<Vec<u8>>> {
    match came? {
        Ok(Message::Text(text)) => Some(Some(text.as_bytes().to_vec())),
        Ok(Message::Binary(bytes)) => Some(Some(bytes.to_vec())),
        Ok(Message::Ping(_) | Message::Pong(_)) => Some(None),
        Ok(Message::Close(_)) | Err(_) => None,
    }
}
