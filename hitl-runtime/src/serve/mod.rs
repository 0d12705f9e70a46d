//! Interfaces to an agent: the JSON API, the command line, and AgentCore.

#[cfg(feature = "agentcore")]
pub mod agentcore;
pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
