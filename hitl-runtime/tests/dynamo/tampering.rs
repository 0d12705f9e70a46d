//! Journals that an attacker with write access to the table has changed.

use crate::{attacks, emulator::Emulator};

#[tokio::test(flavor = "multi_thread")]
async fn attacks_on_a_dynamodb_journal_are_detected() {
    let emulator = Emulator::start().await;
    attacks::all(std::sync::Arc::new(emulator.store())).await;
}
