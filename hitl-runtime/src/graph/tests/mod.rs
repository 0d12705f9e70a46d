//! The proofs, on graphs sketched by hand and at random.

mod ahead;
mod each;
mod edits;
mod forks;
mod oracle;
mod rows;
mod sketch;
