//! The static description of a graph, and the proofs that rustc runs on it.
//!
//! Plain data and `const fn`: nothing here waits or knows a serializer, and the proofs do not allocate. What they ask of
//! a graph from `start` on, `ahead` asks at run time, of a thread that stands in the middle.

mod ahead;
mod bits;
mod check;
mod covers;
mod facts;
mod fault;
mod names;
mod order;
mod path;
mod prove;
mod query;
mod repropose;
mod sentence;
mod sides;
mod spec;
mod uneditable;
mod unsigned;

pub(crate) use ahead::{Lack, LaneAhead, Stand, lacks, review_ahead};
pub use check::{check_edge, check_list, check_node, check_route};
pub use prove::{Proof, prove};
pub(crate) use repropose::{EditWay, edit_way};
pub use spec::*;

#[cfg(test)]
mod tests;
