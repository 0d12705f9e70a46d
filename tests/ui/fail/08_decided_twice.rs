//! Two verdicts on one review.
#[path = "../desk.rs"]
mod desk;
use desk::*;

graph! {
    Agent<Ticket> {
        start -> draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
    }
}

async fn answer(turn: AgentTurn, mara: &Operator) {
    if let AgentTurn::Execute(review) = turn {
        let _ = review.approve(mara).await;
        let _ = review.approve(mara).await;
//              ^^^^^^ use of moved value: `review`
    }
}

fn main() {}
