//! An agent as AgentCore Runtime calls it: over real HTTP, good and bad.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod actions;
mod bad_input;
mod desk;
mod events;
mod identity;
mod process;
mod served;
