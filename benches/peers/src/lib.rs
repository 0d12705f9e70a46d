//! The same two graphs on hitl and on its Rust peers.

pub mod adk_side;
pub mod graph_flow_side;
pub mod hitl_side;
pub mod measure;
pub mod child_side;
