//! Interfaces to an agent: the JSON API, the command line, and AgentCore.

#[cfg(feature = "agentcore")]
pub mod agentcore;
#[cfg(feature = "cli")]
pub mod cli;
pub mod wire;
