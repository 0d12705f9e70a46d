//! Tests that a node can read the workload's token and custom headers of the request that runs it, and nothing stores
//! them.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use hitl::{
    ManualClock, Timestamp,
    agentcore::{AgentCore, OperatorAuth, workload_access_token},
    prelude::*,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};

use crate::test_server::read;

const CUSTOM: &str = "X-Amzn-Bedrock-AgentCore-Runtime-Custom-Tenant";

/// A record of what the nodes have read: their name, the token and the custom header.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<[Option<String>; 3]>>>);

impl Seen {
    fn record(&self, cx: &Cx) {
        assert!(!format!("{cx:?}").contains("s3cret"), "{cx:?}");
        assert_eq!((cx.request_header("authorization"), cx.request_header("cookie")), (None, None));
        let seen = [Some(cx.node()), workload_access_token(cx), cx.request_header(CUSTOM)];
        self.0.lock().unwrap().push(seen.map(|text| text.map(str::to_owned)));
    }

    fn take(&self) -> Vec<[Option<String>; 3]> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Letter {
    #[garde(length(min = 1))]
    text: String,
}

#[state]
pub struct Post {
    #[input]
    text: String,
    letter: Letter,
    #[output]
    sent: String,
}

#[node(Post, writes = letter)]
async fn write(text: &str, seen: Deps<Seen>, cx: &Cx) -> Result<Letter> {
    seen.record(cx);
    Ok(Letter { text: text.to_owned() })
}

#[interrupt_before(expires = "24h")]
#[node(Post, writes = sent, effect)]
async fn send(letter: &Approved<Letter>, seen: Deps<Seen>, cx: &Cx) -> Result<String> {
    seen.record(cx);
    Ok(letter.text.clone())
}

#[node(Post, writes = sent)]
async fn discard(rejection: &Rejection, seen: Deps<Seen>, cx: &Cx) -> Result<String> {
    seen.record(cx);
    Ok(rejection.reason.to_string())
}

graph! {
    Poster<Post, Seen> {
        start -> write -> send -> end;
        send { reject -> discard }
        discard -> end;
    }
}

fn saw(node: &str, token: Option<&str>, custom: Option<&str>) -> [Option<String>; 3] {
    [Some(node), token, custom].map(|text| text.map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_reads_the_headers_of_the_request_that_runs_it() {
    let (seen, clock) = (Seen::default(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let agent = Poster::new(seen.clone(), MemoryStore::new()).clock(clock.clone());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = AgentCore::new(agent.clone()).operators(OperatorAuth::claimed());
    let serving = tokio::spawn(served.serve_until(listener, async {
        let _ = stopped.await;
    }));
    let post = |payload: &Value| {
        let request = reqwest::Client::new().post(format!("http://{address}/invocations")).json(payload);
        request.header("cookie", "s3cret")
    };
    let ask = async |request: reqwest::RequestBuilder| {
        let (status, body) = read(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{body}");
        assert!(!body.to_string().contains("s3cret"), "{body}");
        body
    };

    let start = |thread: &str| json!({ "thread_id": thread, "text": "Dear all" });
    let with_both = post(&start("t")).header("WorkloadAccessToken", "s3cret-old").header(CUSTOM, "s3cret-a");
    let view = ask(with_both.header("X-Amz-Bedrock-AgentCore-Identity-WAT", "s3cret-new")).await;
    assert_eq!(seen.take(), [saw("write", Some("s3cret-new"), Some("s3cret-a"))]);
    // The verdict is another request, of another caller.
    let approve = json!({
        "action": "approve", "thread_id": "t", "digest": view["reviews"][0]["digest"], "operator": "mara",
    });
    // The effect has the credential, and no header that the signer has not seen.
    let approved = post(&approve).header("WorkloadAccessToken", "s3cret-b").header(CUSTOM, "s3cret-unsigned");
    let _ = ask(approved).await;
    assert_eq!(seen.take(), [saw("send", Some("s3cret-b"), None)]);
    let history = ask(post(&json!({ "action": "history", "thread_id": "t" }))).await;
    assert!(history["entries"].as_array().is_some_and(|entries| entries.len() > 4), "{history}");

    // As a stream, and on a WebSocket.
    let streamed = post(&start("u")).header("accept", "text/event-stream").header(CUSTOM, "s3cret-c");
    assert!(!streamed.send().await.unwrap().text().await.unwrap().contains("s3cret"));
    let mut upgrade = format!("ws://{address}/ws").into_client_request().unwrap();
    upgrade.headers_mut().insert(CUSTOM, "s3cret-d".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(upgrade).await.unwrap();
    socket.send(Message::text(start("v").to_string())).await.unwrap();
    while let Message::Text(text) = socket.next().await.unwrap().unwrap() {
        assert!(!text.contains("s3cret"), "{text}");
        if text.contains(r#"{"thread":"#) {
            break;
        }
    }
    drop(socket);
    assert_eq!(seen.take(), [saw("write", None, Some("s3cret-c")), saw("write", None, Some("s3cret-d"))]);

    // The request of a sweep is not about the threads that it moves.
    clock.advance(Duration::from_secs(24 * 60 * 60));
    let swept = ask(post(&json!({ "action": "sweep" })).header("WorkloadAccessToken", "s3cret-e")).await;
    assert_eq!(swept["sweep"]["moved"], 2, "{swept}");
    assert_eq!(seen.take(), [saw("discard", None, None), saw("discard", None, None)]);
    let _ = stop.send(());
    serving.await.unwrap().unwrap();
}
