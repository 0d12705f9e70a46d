//! The DynamoDB store against third-party implementations: the crate `dynoxide-rs`, which the tests build and start, or
//! the endpoint in `HITL_DYNAMODB`, such as DynamoDB Local by AWS (`.ci/dynamodb-local`).
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tampering/attacks.rs"]
#[allow(dead_code, unreachable_pub)]
mod attacks;
mod conformance;
mod cost;
#[path = "../tampering/desk.rs"]
#[allow(dead_code, unreachable_pub)]
mod desk;
mod dynoxide;
mod emulator;
mod ended;
mod faults;
mod forgotten;
mod left;
mod limits;
mod patience;
mod processes;
mod proxy;
mod scene;
mod tampered;
