//! `GET /ping`: whether the session may be put away.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;

use super::{House, answer, background::Health};
use crate::run::Graph;

#[derive(Serialize)]
struct Status {
    status: &'static str,
    /// Unix seconds.
    time_of_last_update: u64,
    /// How the sweep goes, where it does not go well.
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<&'static str>,
}

/// `HealthyBusy` while a thread runs here. The time is that of the last change, not of the ping: a session whose time
/// moved with each ping would never be idle, and one without a time is taken for idle in the middle of its work.
pub(super) async fn ping<G: Graph>(State(house): State<Arc<House<G>>>) -> Response {
    let activity = house.agent.activity();
    let status = if activity.running > 0 { "HealthyBusy" } else { "Healthy" };
    let time_of_last_update = activity.since_ms.max(house.since_ms) / 1000;
    // A container whose sweep ends each time that it is started does not do its work: it is to be replaced.
    let (code, sweep) = match house.background.health() {
        Health::Well => (StatusCode::OK, None),
        Health::Restarting => (StatusCode::OK, Some("restarting")),
        Health::Down => (StatusCode::SERVICE_UNAVAILABLE, Some("down")),
    };
    answer::json(code, &Status { status, time_of_last_update, sweep })
}
