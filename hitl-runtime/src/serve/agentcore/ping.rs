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
    let (code, sweep) = told(house.background.health());
    answer::json(code, &Status { status, time_of_last_update, sweep })
}

/// A container whose sweep ends each time that it is started does not do its work: it is to be replaced. One whose store
/// does not answer is not, for another would find the same store.
fn told(health: Health) -> (StatusCode, Option<&'static str>) {
    match health {
        Health::Well => (StatusCode::OK, None),
        Health::Failing => (StatusCode::OK, Some("failing")),
        Health::Restarting => (StatusCode::OK, Some("restarting")),
        Health::Down => (StatusCode::SERVICE_UNAVAILABLE, Some("down")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ping_says_how_the_sweep_goes() {
        let said = |health| {
            let (code, sweep) = told(health);
            let status = Status { status: "Healthy", time_of_last_update: 7, sweep };
            (code.as_u16(), serde_json::to_string(&status).unwrap())
        };
        let body = |sweep: &str| format!(r#"{{"status":"Healthy","time_of_last_update":7{sweep}}}"#);
        assert_eq!(said(Health::Well), (200, body("")));
        assert_eq!(said(Health::Failing), (200, body(r#","sweep":"failing""#)));
        assert_eq!(said(Health::Restarting), (200, body(r#","sweep":"restarting""#)));
        assert_eq!(said(Health::Down), (503, body(r#","sweep":"down""#)));
    }
}
