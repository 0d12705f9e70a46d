//! The ping of a served agent reports a sweep that keeps ending.

use std::time::Duration;

use axum::{body::Body, http::Request};
use hitl::prelude::*;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;

use super::AgentCore;
use crate::server::Background;

#[state]
struct Note {
    #[input]
    #[output]
    text: String,
}

#[node(Note, writes = text)]
async fn copy(text: &str) -> Result<String> {
    Ok(text.to_owned())
}

graph! {
    Notes<Note> {
        start -> copy -> end;
    }
}

/// Time is paused and advances only by the timers of the background task, so the test does not actually wait.
#[tokio::test(start_paused = true)]
async fn a_ping_reports_a_sweep_that_stopped() {
    let background = Background::default();
    let mut served = AgentCore::new(Notes::new(MemoryStore::new()));
    served.server.state.background = background.clone();
    let router = served.router();
    let service = TowerToHyperService::new(router);
    let ping = async || {
        let request = Request::get("/ping").header("host", "localhost").body(Body::empty()).unwrap();
        service.call(request).await.unwrap().status().as_u16()
    };
    assert_eq!(ping().await, 200);
    let kept = tokio::spawn(async move { background.supervise("the sweep", || async {}).await });
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(ping().await, 503);
    kept.abort();
}
