//! The static description of a graph, and the data-flow proofs that rustc evaluates on it.
//!
//! The module is plain data and `const fn`: nothing here awaits or depends on a serialization format, and the proofs do
//! not allocate. The proofs cover every path from `start`; `resume_check` answers the same questions at run time, for a
//! thread in the middle of a graph.

mod bit_set;
mod check;
mod const_string;
mod counterexample;
mod covers;
mod diagnostics;
mod edit_analysis;
mod facts;
mod field_index;
mod forks;
mod proof;
mod query;
mod resume_check;
mod risk_level;
mod spec;
mod traversal;

pub use check::{check_edge, check_guard, check_list, check_node, check_route};
pub(crate) use edit_analysis::{EditOutcome, edit_outcome};
pub use proof::{Proof, prove};
pub(crate) use resume_check::{LaneFacts, LanePosition, UnmetRequirement, next_review, unmet_requirements};
pub(crate) use risk_level::ReviewRisk;
pub use risk_level::RiskLevel;
pub use spec::*;

#[cfg(test)]
mod tests;
