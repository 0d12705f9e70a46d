//! What is done with bytes from outside, for libFuzzer here and for the kept corpus in `tests/corpus.rs`.
//!
//! ```console
//! $ cargo +nightly fuzz run journal -- -max_total_time=300
//! ```

mod desk;

pub mod command;
pub mod journal;
pub mod patch;
pub mod words;
