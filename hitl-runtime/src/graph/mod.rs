//! The static description of a graph, and the data-flow proofs that rustc evaluates on it.
//!
//! The module is plain data and `const fn`: nothing here awaits or depends on a serialization format, and the proofs do
//! not allocate. The proofs cover every path from `start`; `ahead` answers the same questions at run time, for a thread
//! in the middle of a graph.

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
