//! `GET /ping`: whether the container is busy, and the health of the sweep.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;

use super::{AppState, background::Health, response};

#[derive(Serialize)]
struct Status {
    status: &'static str,
    /// The time in Unix seconds.
    time_of_last_update: u64,
    /// The state of the sweep, unless it is healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<&'static str>,
}

/// Reports `HealthyBusy` while a thread runs in this process. The time is that of the last change, not of the ping: if
/// it changed with each ping, the session would never count as idle, and without a time it would count as idle during
/// its work.
pub(crate) async fn ping(State(state): State<Arc<AppState>>) -> Response {
    let activity = state.engine.activity();
    let status = if activity.running > 0 { "HealthyBusy" } else { "Healthy" };
    let time_of_last_update = activity.since.max(state.since).as_millis() / 1000;
    let (code, sweep) = sweep_status(state.background.health());
    response::json(code, &Status { status, time_of_last_update, sweep })
}

/// Maps the health of the sweep to a status. A container whose sweep keeps ending does not work and should be replaced.
/// One whose store does not answer should not, because its replacement would use the same store.
fn sweep_status(health: Health) -> (StatusCode, Option<&'static str>) {
    match health {
        Health::Healthy => (StatusCode::OK, None),
        Health::Failing => (StatusCode::OK, Some("failing")),
        Health::Restarting => (StatusCode::OK, Some("restarting")),
        Health::Down => (StatusCode::SERVICE_UNAVAILABLE, Some("down")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ping_reports_the_health_of_the_sweep() {
        let response_for = |health| {
            let (code, sweep) = sweep_status(health);
            let status = Status { status: "Healthy", time_of_last_update: 7, sweep };
            (code.as_u16(), serde_json::to_string(&status).unwrap())
        };
        let body = |sweep: &str| format!(r#"{{"status":"Healthy","time_of_last_update":7{sweep}}}"#);
        assert_eq!(response_for(Health::Healthy), (200, body("")));
        assert_eq!(response_for(Health::Failing), (200, body(r#","sweep":"failing""#)));
        assert_eq!(response_for(Health::Restarting), (200, body(r#","sweep":"restarting""#)));
        assert_eq!(response_for(Health::Down), (503, body(r#","sweep":"down""#)));
    }
}
