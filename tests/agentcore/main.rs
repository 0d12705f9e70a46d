//! Tests of an agent as AgentCore Runtime calls it: over real HTTP, with valid and invalid requests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod actions;
mod bad_input;
mod container;
mod cross_origin;
#[cfg(feature = "dynamodb")]
#[path = "../../hitl-runtime/tests/dynamo/dynoxide.rs"]
mod dynoxide;
mod events;
mod forwarded_headers;
mod identity;
#[cfg(feature = "dynamodb")]
mod inbox;
mod issuer;
#[cfg(feature = "dynamodb")]
#[path = "../kit/mod.rs"]
mod kit;
mod limits;
mod mounted_routes;
mod owners;
mod process;
mod refund_agent;
mod refusals;
#[cfg(feature = "dynamodb")]
mod restored_processes;
#[cfg(feature = "dynamodb")]
mod shared_table;
#[cfg(feature = "dynamodb")]
mod sweep;
#[cfg(feature = "dynamodb")]
mod sweep_requests;
#[cfg(feature = "dynamodb")]
mod table;
mod test_server;
mod timeouts;
mod tokens;
