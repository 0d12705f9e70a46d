//! How the world talks to an agent.

#[cfg(feature = "agentcore")]
pub mod agentcore;
#[cfg(feature = "cli")]
pub mod cli;
pub mod wire;
