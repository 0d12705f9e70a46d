//! Tests of the proofs, on hand-written and on random graphs.

mod ahead;
mod each;
mod edits;
mod forks;
mod oracle;
mod rows;
mod sketch;
