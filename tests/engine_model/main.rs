//! A real agent on real stores, against a plain struct that says what should be.
//!
//! `proptest` makes up what people, programs and the world do to three threads; after each move everything that can be
//! seen (turns, reviews, the inbox, histories, what was done, by whose word) must be what [`reference`] says. A failure
//! is shrunk to the fewest moves that show it; commit the seed that it leaves in `tests/proptest-regressions`.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod moves;
mod office;
mod process;
mod reach;
mod reference;
mod seen;
mod system;
mod walk;

use process::{InFile, InMemory};
use proptest::test_runner::{Config, RngSeed};
use proptest_state_machine::prop_state_machine;
use system::Test;

/// `HITL_TEST_WALKS=10` walks ten times as far, and each time elsewhere; without it, each run is the same.
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
    fn a_thread_in_memory_is_what_it_should_be(sequential 1..60 => Test<InMemory>);
}

prop_state_machine! {
    #![proptest_config(config(12, 1))]

    #[test]
    fn a_thread_in_a_file_is_what_it_should_be(sequential 1..60 => Test<InFile>);
}
