//! Spans and log events: what a subscriber receives from runs through the public API, and the page `src/telemetry.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod capture;
mod page;
mod privacy;
mod refund_agent;
mod runs;
#[cfg(feature = "agentcore")]
mod server;
