//! Random identifiers.

use crate::Error;

/// Returns 16 random hex digits. Each call gets them from the operating system, so that two copies of one restored
/// process differ.
pub(in crate::engine) fn random_id() -> Result<String, Error> {
    getrandom::u64()
        .map(|bits| format!("{bits:016x}"))
        .map_err(|error| Error::NoRandomness { problem: error.to_string() })
}
