//! The static description of a graph, and the proofs that rustc runs on it.
//!
//! Plain data and `const fn`: nothing here waits or knows a serializer, and the proofs do not allocate.

mod bits;
mod check;
mod fault;
mod names;
mod order;
mod path;
mod prove;
mod query;
mod sentence;
mod spec;

pub use check::{check_edge, check_node, check_route};
pub use prove::{Proof, prove};
pub use spec::*;

#[cfg(test)]
mod tests;
