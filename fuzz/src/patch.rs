//! A verdict from outside, most often a merge patch.

use hitl::{Operator, Verdict, store::MemoryStore};
use serde_json::Value;

use crate::fixture::{TicketInput, agent_on, block_on};

/// Checks that a patch is applied as a whole or rejected as a whole, and that the result is valid.
pub fn run(data: &[u8]) {
    let verdict = match serde_json::from_slice::<Verdict>(data) {
        Ok(verdict) => verdict,
        Err(_) => match serde_json::from_slice::<Value>(data) {
            Ok(patch) => Verdict::Edit { patch },
            Err(_) => return,
        },
    };
    block_on(async {
        let agent = agent_on(MemoryStore::new());
        let start = agent.start("t", TicketInput { message: "it broke".into() }).await;
        drop(start.expect("the thread starts"));
        let before = agent.view("t").await.expect("the thread is readable");
        let review =
            before.reviews.iter().find(|review| review.node == "pay").expect("the thread waits before `pay`");
        let mara = Operator::new("mara").role("payer");
        let preview = agent.preview("t", review.digest, &mara, verdict.clone()).await;
        let decided = agent.decide("t", review.digest, &mara, verdict).await;
        assert_eq!(preview.is_ok(), decided.is_ok(), "the preview differs from the outcome");
        let after = agent.view("t").await.expect("the thread is readable");
        if decided.is_err() {
            assert_eq!(after.place, before.place, "a rejected verdict changed the thread");
        } else if let Some(signed) = preview.ok().and_then(|preview| preview.draft) {
            let cents = signed["cents"].as_u64().expect("the type says so");
            assert!((1..=10_000).contains(&cents), "{cents} was signed");
        }
        agent.verify("t").await.expect("the journal verifies");
    });
}
