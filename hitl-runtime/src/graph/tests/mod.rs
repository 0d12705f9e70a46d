//! Tests of the proofs, on hand-written and on random graphs.

mod each;
mod edits;
mod forks;
mod oracle;
mod resume_check;
mod rules;
mod sketch;
