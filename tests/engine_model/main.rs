//! A comparison of a real agent on real stores with a plain reference model.
//!
//! `proptest` generates moves of people, programs and the world on three threads. After each move, everything
//! observable (turns, reviews, the inbox, histories, effects and who signed them) must be as [`reference`] says. A
//! failure is shrunk to the fewest moves that show it; commit the seed that it leaves in `tests/proptest-regressions`.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod agent;
mod comparison;
mod coverage;
mod moves;
mod process;
mod progress;
mod reference;
mod system;

use process::{InFile, InMemory};
use proptest::test_runner::{Config, RngSeed};
use proptest_state_machine::prop_state_machine;
use system::Test;

/// Returns the configuration. `HITL_TEST_WALKS=10` runs ten times as many cases, with random seeds; without it, each
/// run is the same.
fn config(cases: u32, seed: u64) -> Config {
    let more: Option<u32> = std::env::var("HITL_TEST_WALKS").ok().map(|more| more.parse().unwrap());
    Config {
        rng_seed: if more.is_some() { RngSeed::Random } else { RngSeed::Fixed(seed) },
        max_shrink_iters: 20_000,
        ..Config::with_cases(cases * more.unwrap_or(1))
    }
}

prop_state_machine! {
    #![proptest_config(config(100, 0))]

    #[test]
    fn the_memory_store_agrees_with_the_reference(sequential 1..60 => Test<InMemory>);
}

prop_state_machine! {
    #![proptest_config(config(12, 1))]

    #[test]
    fn the_sqlite_store_agrees_with_the_reference(sequential 1..60 => Test<InFile>);
}
