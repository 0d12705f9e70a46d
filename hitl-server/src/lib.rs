//! The servers of an agent of `hitl`: the JSON API, and the HTTP server for Amazon Bedrock AgentCore. Programs depend on
//! the crate `hitl`, which re-exports this one as `hitl::api` and `hitl::agentcore`.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, missing_debug_implementations)]

#[cfg(feature = "agentcore")]
pub mod agentcore;
pub mod api;
#[cfg(feature = "agentcore")]
mod identity;
