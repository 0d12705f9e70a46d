//! The DynamoDB store against third-party implementations: the crate `dynoxide-rs`, which the tests build and start, or
//! the endpoint in `HITL_DYNAMODB`, such as DynamoDB Local by AWS (`.ci/dynamodb-local`).
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tampering/attacks.rs"]
#[allow(dead_code, unreachable_pub)]
mod attacks;
mod conformance;
mod cost;
mod dynoxide;
mod emulator;
mod expiry;
mod expiry_faults;
mod faults;
mod fixture;
mod garbage;
#[path = "../../../benches/graphs/mod.rs"]
#[allow(unreachable_pub)]
mod graphs;
mod limits;
mod lists;
mod old_layout;
#[path = "../tampering/pay_agent.rs"]
#[allow(dead_code, unreachable_pub)]
mod pay_agent;
mod processes;
mod proxy;
mod retries;
mod tampering;
