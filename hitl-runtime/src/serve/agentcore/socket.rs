//! `/ws`: the same actions and the same events, over one connection.

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

/// How often the other side is pinged in the time that it may be silent. Proxies cut lines that are silent for a minute.
const BEATS: u32 = 4;

/// Each text that comes is one request; its events are texts, and the last of them is the thread or an `error`. Of those
/// that come meanwhile one is kept, and the next is read once it is answered.
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
    // What is a little too large is read, to be refused by a text; more than that ends the connection.
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

/// A request that opens no socket (RFC 6455, section 4).
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
            // Nobody listens any more; what was begun goes on.
            return;
        }
        if let Some(connection) = connection {
            connection.listens();
        }
    }
}

/// A request that may be carried out. It is read where nodes run, so that it keeps no ping waiting.
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

/// A connection. What it is asked for is none once the other side is gone.
struct Line {
    socket: WebSocket,
    beat: Interval,
    /// How often the beat has gone since the other side was heard.
    missed: u32,
    /// A request that came while another one was answered.
    next: Option<Vec<u8>>,
}

impl Line {
    /// One whose other side may be silent for so long.
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

    /// Says what happens, and meanwhile answers pings and notices when nobody listens any more.
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

    /// Asks whether the other side is there. Nothing of it is heard while a request of its waits, so that counts for nothing.
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

/// The request in a message, if it is one; nothing at all once the other side is gone.
fn read(came: Option<Result<Message, axum::Error>>) -> Option<Option<Vec<u8>>> {
    match came? {
        Ok(Message::Text(text)) => Some(Some(text.as_bytes().to_vec())),
        Ok(Message::Binary(bytes)) => Some(Some(bytes.to_vec())),
        Ok(Message::Ping(_) | Message::Pong(_)) => Some(None),
        Ok(Message::Close(_)) | Err(_) => None,
    }
}
