//! Tests of an agent as AgentCore Runtime calls it: over real HTTP, with valid and invalid requests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod actions;
mod bad_input;
mod container;
mod desk;
#[cfg(feature = "dynamodb")]
mod drained;
#[cfg(feature = "dynamodb")]
#[path = "../../hitl-runtime/tests/dynamo/dynoxide.rs"]
mod dynoxide;
mod events;
mod foreign;
mod identity;
mod issuer;
mod limits;
mod mounted;
#[cfg(feature = "dynamodb")]
mod one_table;
mod owners;
mod process;
#[cfg(feature = "dynamodb")]
mod restored;
mod served;
#[cfg(feature = "dynamodb")]
mod table;
mod timeouts;
mod tokens;
