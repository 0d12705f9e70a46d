//! Names that nothing else has.

use crate::Error;

/// Sixteen hexadecimal digits from the operating system, for each call anew: two copies of one restored process differ.
pub(crate) fn token() -> Result<String, Error> {
    getrandom::u64()
        .map(|bits| format!("{bits:016x}"))
        .map_err(|error| Error::NoRandomness { problem: error.to_string() })
}
