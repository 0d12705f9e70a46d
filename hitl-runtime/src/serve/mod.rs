//! How the world talks to an agent.

#[cfg(feature = "cli")]
pub mod cli;
pub mod wire;
