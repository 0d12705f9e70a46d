//! A server in this process, and its client.

use std::net::{SocketAddr, TcpListener};

use hitl::{
    Agent, Store,
    agentcore::{AgentCore, OperatorAuth},
};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::refund_agent::{Desk, Refunds};

pub const SESSION: &str = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id";

/// A served agent. [`TestServer::stop`] stops it.
pub struct TestServer {
    pub address: SocketAddr,
    pub agent: Agent<Refunds>,
    pub desk: Desk,
    client: reqwest::Client,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl TestServer {
    /// Starts a server that accepts the operator that the payload claims.
    pub fn start() -> Self {
        Self::with_store(hitl::MemoryStore::new(), OperatorAuth::claimed())
    }

    pub fn with_store(store: impl Store, operators: OperatorAuth) -> Self {
        let desk = Desk::new();
        Self::serving(Refunds::new(desk.clone(), store), desk, operators)
    }

    pub fn serving(agent: Agent<Refunds>, desk: Desk, operators: OperatorAuth) -> Self {
        Self::with_settings(agent, desk, |served| served.operators(operators))
    }

    pub fn with_settings(
        agent: Agent<Refunds>,
        desk: Desk,
        settings: impl FnOnce(AgentCore) -> AgentCore,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = settings(AgentCore::new(agent.clone()));
        let serving = tokio::spawn(served.serve_until(listener, async {
            let _ = stopped.await;
        }));
        Self { address, agent, desk, client: reqwest::Client::new(), stop, serving }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn post(&self, payload: &Value) -> RequestBuilder {
        self.client.post(self.url("/invocations")).json(payload)
    }

    pub fn raw(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client.post(self.url("/invocations")).header("content-type", "application/json").body(body)
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path))
    }

    /// Sends a request. Returns the status and the JSON of the response.
    pub async fn ask(&self, payload: Value) -> (u16, Value) {
        read(self.post(&payload).send().await.unwrap()).await
    }

    /// Starts a thread and returns the digest of its draft.
    pub async fn waiting(&self, thread: &str) -> String {
        self.waiting_for(thread, None).await
    }

    /// Starts a thread with this `Authorization` header and returns the digest of its draft.
    pub async fn waiting_for(&self, thread: &str, authorization: Option<&str>) -> String {
        let start = json!({ "action": "start", "thread_id": thread, "message": "A-9133 arrived broken" });
        let (status, view) = self.ask_as(authorization, &start).await;
        assert_eq!(status, 200, "{view}");
        view["reviews"][0]["digest"].as_str().unwrap().to_owned()
    }

    /// Sends a request with this `Authorization` header. Returns the status and the JSON of the response.
    pub async fn ask_as(&self, authorization: Option<&str>, payload: &Value) -> (u16, Value) {
        let mut request = self.post(payload);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        read(request.send().await.unwrap()).await
    }

    pub async fn ping(&self) -> Value {
        read(self.get("/ping").send().await.unwrap()).await.1
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.serving.await.unwrap().unwrap();
    }
}

pub async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {text:?}: {error}"));
    (status, json)
}
