//! A server in this process, and its client.

use std::net::{SocketAddr, TcpListener};

use hitl::{
    Agent, Front, MemoryStore, Store,
    agentcore::{AgentCore, Limits, OperatorAuth},
    http::HttpApi,
};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::refund_agent::{Desk, Refunds};

/// A served API. [`Served::stop`] stops it.
pub struct Served {
    pub address: SocketAddr,
    pub agent: Agent<Refunds>,
    pub desk: Desk,
    client: reqwest::Client,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Served {
    /// Serves an agent that accepts claimed operators.
    pub fn start() -> Self {
        Self::with_store(MemoryStore::new(), OperatorAuth::claimed())
    }

    pub fn with_store(store: impl Store, operators: OperatorAuth) -> Self {
        let desk = Desk::new();
        Self::agent(Refunds::new(desk.clone(), store), desk, operators)
    }

    pub fn agent(agent: Agent<Refunds>, desk: Desk, operators: OperatorAuth) -> Self {
        Self::with(agent, desk, |served| served.operators(operators))
    }

    /// Serves an agent on at most this number of connections.
    pub fn limited(agent: Agent<Refunds>, desk: Desk, connections: usize) -> Self {
        let limits = Limits::default().connections(connections);
        Self::with(agent, desk, |served| served.operators(OperatorAuth::claimed()).limits(limits))
    }

    fn with(agent: Agent<Refunds>, desk: Desk, settings: impl FnOnce(AgentCore) -> AgentCore) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, (stop, stopped)) = (listener.local_addr().unwrap(), oneshot::channel());
        let served = settings(AgentCore::new(agent.clone()));
        let serving = tokio::spawn(served.serve_until(listener, async { drop(stopped.await) }));
        Self { address, agent, desk, client: reqwest::Client::new(), stop, serving }
    }

    /// Serves the front of an agent, and nothing else.
    pub fn front(front: Front<Refunds>, agent: Agent<Refunds>, desk: Desk) -> Self {
        Self::front_with(front, agent, desk, |served| served)
    }

    pub fn front_with(
        front: Front<Refunds>,
        agent: Agent<Refunds>,
        desk: Desk,
        settings: impl FnOnce(HttpApi) -> HttpApi,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, (stop, stopped)) = (listener.local_addr().unwrap(), oneshot::channel());
        let served = settings(HttpApi::new(front).operators(OperatorAuth::claimed()));
        let serving = tokio::spawn(served.serve_until(listener, async { drop(stopped.await) }));
        Self { address, agent, desk, client: reqwest::Client::new(), stop, serving }
    }

    /// Serves the front of an agent on at most this number of connections, by the server of another program, in which
    /// [`HttpApi::router`] is mounted.
    pub async fn mounted(agent: Agent<Refunds>, desk: Desk, connections: usize) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, (stop, stopped)) = (listener.local_addr().unwrap(), oneshot::channel());
        let limits = Limits::default().connections(connections);
        let api = HttpApi::new(agent.front()).operators(OperatorAuth::claimed()).limits(limits);
        let service = api.router().into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async {
            axum::serve(listener, service).with_graceful_shutdown(async { drop(stopped.await) }).await
        });
        Self { address, agent, desk, client: reqwest::Client::new(), stop, serving }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        read(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// Posts a body in the name of `mara`, who is a clerk.
    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.post_by("mara", path, body).await
    }

    pub async fn post_by(&self, name: &str, path: &str, mut body: Value) -> (u16, Value) {
        body["operator"] = json!(name);
        body["roles"] = json!(["clerk"]);
        read(self.request(Method::POST, path).json(&body).send().await.unwrap()).await
    }

    /// Starts a thread. Returns the digest of its review.
    pub async fn waiting(&self, thread: &str) -> String {
        let start = json!({ "thread_id": thread, "input": { "message": "A-9133 arrived broken" } });
        let started = self.request(Method::POST, "/v1/threads").json(&start).send().await.unwrap();
        let (status, view) = read(started).await;
        assert_eq!(status, 200, "{view}");
        view["reviews"][0]["digest"].as_str().unwrap().to_owned()
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.serving.await.unwrap().unwrap();
    }
}

pub async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {text:?}: {error}"));
    let expected = if status < 400 { "application/json" } else { "application/problem+json" };
    assert_eq!(kind.as_deref(), Some(expected), "{text}");
    (status, json)
}
