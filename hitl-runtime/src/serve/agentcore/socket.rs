//! `/ws`: the same actions and the same events, over one connection.

use std::sync::Arc;

use axum::{
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use tracing::Instrument;

use super::{
    House, answer,
    call::Call,
    identity::Caller,
    invoke, payload,
    stream::{self, Told},
};
use crate::{run::Graph, serve::wire::Refusal};

/// Each text that comes is one request; its events are texts, and the last of them is the thread or an `error`. The next
/// request is read after that.
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
        .max_message_size(payload::LARGEST)
        .on_upgrade(move |socket| talk(house, caller, socket).instrument(span))
}

/// A request that opens no socket (RFC 6455, section 4).
fn no_socket(rejection: &WebSocketUpgradeRejection) -> Refusal {
    let status = rejection.status();
    let code = if status == StatusCode::METHOD_NOT_ALLOWED { "no_such_method" } else { "no_socket" };
    Refusal::new(status.as_u16(), code, format!("/ws opens a WebSocket: {}", rejection.body_text()))
}

async fn talk<G: Graph>(house: Arc<House<G>>, caller: Caller, mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let bytes = match message {
            Message::Text(text) => text.as_bytes().to_vec(),
            Message::Binary(bytes) => bytes.to_vec(),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        if told(&house, &caller, &bytes, &mut socket).await.is_err() {
            // Nobody listens any more; what was begun goes on.
            return;
        }
    }
}

/// Answers one request.
async fn told<G: Graph>(
    house: &Arc<House<G>>,
    caller: &Caller,
    bytes: &[u8],
    socket: &mut WebSocket,
) -> Result<(), axum::Error> {
    let call = caller.still(house).and_then(|()| Call::read(house, caller, payload::parse(bytes)?));
    let mut following = match call {
        Ok(call) => stream::follow(house, call),
        Err(refusal) => return send(socket, &Told::Refused(refusal)).await,
    };
    while let Some(told) = following.next().await {
        send(socket, &told).await?;
    }
    Ok(())
}

async fn send(socket: &mut WebSocket, told: &Told) -> Result<(), axum::Error> {
    let text = serde_json::to_string(told).map_err(axum::Error::new)?;
    socket.send(Message::Text(text.into())).await
}
