//! Journals that an attacker with write access to the table has changed.

use crate::{attacks, emulator::Emulator};

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_gives_nothing_away() {
    let emulator = Emulator::start().await;
    attacks::all(std::sync::Arc::new(emulator.store())).await;
}
