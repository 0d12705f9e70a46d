//! The turn type of a graph, used in a module where the graph's nodes are private.
#![deny(warnings)]
#[path = "../fixture.rs"]
mod fixture;

mod agent {
    use super::fixture::*;

    #[interrupt_before]
    #[node(Ticket, writes = outcome, effect)]
    async fn pay(draft: &Approved<RefundDraft>) -> Result<Outcome> {
        let _ = draft;
        Ok(Outcome)
    }

    graph! {
        pub Agent<Ticket> {
            start -> draft -> pay -> end;
            pay { reject -> cancel, ask -> draft }
            cancel -> end;
        }
    }
}

async fn answer(turn: agent::AgentTurn, mara: &hitl::Operator) -> Result<(), hitl::Error> {
    if let agent::AgentTurn::Pay(review) = turn {
        if review.draft().amount > 3.0 {
            let _ = review.edit(mara, |draft| draft.amount = 3.0).await?;
        } else {
            let _ = review.ask(mara, "Is there a photo?").await?;
        }
    }
    Ok(())
}

fn main() {
    let _ = answer;
}
