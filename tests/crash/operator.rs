//! An operator, who finds a thread whose process may have died.

use std::time::Duration;

use hitl::{Agent, Error, Graph, ManualClock, ThreadStatus, ThreadView, Verdict, journal::Settlement};
use serde_json::json;

use crate::{
    ledger::{EffectKind, Ledger, Line},
    refund_agent::{Ticket, World, mara, paid, sent},
};

/// A lease that no runner of these tests comes to renew.
pub const LEASE: Duration = Duration::from_secs(3600);

/// More moves than any thread of these tests needs.
const MAX_MOVES: usize = 50;

/// Returns the verdict on a node: the letter is approved, the refund is edited.
pub fn verdict(node: &str) -> Verdict {
    match node {
        "send" | "resend" => Verdict::Approve,
        _ => Verdict::Edit { patch: json!({ "cents": 9_900 }) },
    }
}

/// Moves a thread until it has ended, or is stopped.
pub async fn finish<G>(
    agent: &Agent<G>,
    clock: &ManualClock,
    ledger: &Ledger,
    thread: &str,
) -> Result<(), Error>
where
    G: Graph<State = Ticket, Deps = World>,
{
    for _ in 0..MAX_MOVES {
        let view = agent.view(thread).await?;
        if let Some(doubt) = view.in_doubt {
            let how = settlement_from_ledger(&ledger.lines(), &doubt.key);
            drop(agent.settle(thread, doubt.digest, &mara(), how).await?);
        } else if let Some(review) = view.reviews.first() {
            drop(agent.decide(thread, review.digest, &mara(), verdict(&review.node)).await?);
        } else if matches!(view.standing, ThreadStatus::Running) && !view.stalled {
            assert_not_taken_over(agent, &view).await?;
            clock.advance(LEASE);
        } else if view.standing == ThreadStatus::Ended || view.failure.is_some_and(|failure| failure.stopped)
        {
            return Ok(());
        } else {
            drop(agent.resume(thread).await?);
        }
    }
    panic!("`{thread}` does not end: {:?}", agent.view(thread).await?);
}

/// Returns the settlement of a doubt, as the ledger says.
pub fn settlement_from_ledger(ledger: &[Line], key: &str) -> Settlement {
    let Some(line) = ledger.iter().find(|line| line.key == key) else { return Settlement::RunAgain };
    let wrote = match line.what {
        EffectKind::Letter => json!({ "log": sent(&line.signed_by) }),
        EffectKind::Refund => json!({ "outcome": paid(line.cents, &line.signed_by) }),
    };
    Settlement::Happened { wrote: serde_json::from_str(&wrote.to_string()).unwrap() }
}

/// Asserts that a thread cannot be taken over before its dead runner's lease has expired.
async fn assert_not_taken_over<G: Graph>(agent: &Agent<G>, before: &ThreadView) -> Result<(), Error> {
    drop(agent.resume(before.thread.clone()).await?);
    let after = agent.view(before.thread.clone()).await?;
    assert_eq!(
        (after.place, after.standing),
        (before.place, before.standing),
        "the thread was taken from a live runner"
    );
    Ok(())
}
