//! Tests of the HTTP API: a real server, over real connections.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod batches;
mod errors;
mod events;
mod fronts;
#[path = "../agentcore/issuer.rs"]
mod issuer;
mod openapi;
mod program;
// The tests of AgentCore use more of it.
#[allow(dead_code)]
#[path = "../agentcore/refund_agent.rs"]
mod refund_agent;
mod rights;
mod served;
mod verdicts;
