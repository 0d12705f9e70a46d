//! What an operator does who comes to a thread whose process may have died.

use std::time::Duration;

use hitl::{Agent, Error, Graph, ManualClock, Standing, ThreadView, Verdict, journal::Settlement};
use serde_json::json;

use crate::{
    desk::{Ticket, World, mara, paid, sent},
    ledger::{Ledger, Line, What},
};

/// So long that no runner of these tests comes to renew it.
pub const LEASE: Duration = Duration::from_secs(3600);

/// No thread of these tests needs so many moves.
const ENOUGH: usize = 50;

/// The letter is approved, the refund is edited.
pub fn verdict(node: &str) -> Verdict {
    match node {
        "send" | "resend" => Verdict::Approve,
        _ => Verdict::Edit { patch: json!({ "cents": 9_900 }) },
    }
}

/// Takes a thread to where only its end, or a person's stop, is left.
pub async fn finish<G>(
    agent: &Agent<G>,
    clock: &ManualClock,
    ledger: &Ledger,
    thread: &str,
) -> Result<(), Error>
where
    G: Graph<State = Ticket, Deps = World>,
{
    for _ in 0..ENOUGH {
        let view = agent.view(thread).await?;
        if let Some(doubt) = view.in_doubt {
            let how = truth(&ledger.lines(), &doubt.key);
            drop(agent.settle(thread, doubt.digest, &mara(), how).await?);
        } else if let Some(review) = view.reviews.first() {
            drop(agent.decide(thread, review.digest, &mara(), verdict(&review.node)).await?);
        } else if matches!(view.standing, Standing::Running) && !view.stalled {
            cannot_be_taken(agent, &view).await?;
            clock.advance(LEASE);
        } else if view.standing == Standing::Ended || view.failure.is_some_and(|failure| failure.stopped) {
            return Ok(());
        } else {
            drop(agent.resume(thread).await?);
        }
    }
    panic!("`{thread}` comes to no end: {:?}", agent.view(thread).await?);
}

/// How it was, as the ledger has it.
pub fn truth(ledger: &[Line], key: &str) -> Settlement {
    let Some(line) = ledger.iter().find(|line| line.key == key) else { return Settlement::RunAgain };
    let wrote = match line.what {
        What::Letter => json!({ "log": sent(&line.signed_by) }),
        What::Refund => json!({ "outcome": paid(line.cents, &line.signed_by) }),
    };
    Settlement::Happened { wrote: serde_json::from_str(&wrote.to_string()).unwrap() }
}

/// Before a dead runner's lease is over, nobody can know that it is dead.
async fn cannot_be_taken<G: Graph>(agent: &Agent<G>, before: &ThreadView) -> Result<(), Error> {
    drop(agent.resume(before.thread.clone()).await?);
    let after = agent.view(before.thread.clone()).await?;
    assert_eq!(
        (after.place, after.standing),
        (before.place, before.standing),
        "a thread was taken from its runner"
    );
    Ok(())
}
