//! `.ask()` on a review without an `ask` edge.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
    }
}

async fn answer(turn: AgentTurn, mara: &Operator) {
    if let AgentTurn::Execute(review) = turn {
        let _ = review.ask(mara, "Is there a photo?").await;
//                     ^^^ so there is nowhere for a question to go
//  | declare it in the node's verdict block
    }
}

fn main() {}
