//! The fuzz targets for untrusted bytes, used by libFuzzer here and for the stored corpus by `tests/corpus.rs`.
//!
//! ```console
//! $ cargo +nightly fuzz run journal -- -max_total_time=300
//! ```

mod fixture;

pub mod command;
pub mod journal;
pub mod patch;
pub mod identifiers;
