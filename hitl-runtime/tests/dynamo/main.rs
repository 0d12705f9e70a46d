//! The DynamoDB store against DynamoDBs that others wrote: crate `dynoxide-rs`, which the tests build and start, or
//! whatever answers at the address in `HITL_DYNAMODB`, such as AWS's own DynamoDB Local (`.ci/dynamodb-local`).
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
