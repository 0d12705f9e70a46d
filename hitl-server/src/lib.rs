//! The servers of an agent of `hitl`: the JSON API, its paths over HTTP, and the server for Amazon Bedrock AgentCore.
//! Programs depend on the crate `hitl`, which re-exports this one as `hitl::api`, `hitl::http` and `hitl::agentcore`.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, missing_debug_implementations)]

#[cfg(feature = "agentcore")]
pub mod agentcore;
pub mod api;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "http")]
mod identity;
#[cfg(feature = "http")]
mod server;

#[cfg(feature = "http")]
#[doc(hidden)]
pub use server::{ServeError, serve, serve_front};
