//! A review is read after its verdict.
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
        let _ = review.approve(mara).await;
        println!("{:?}", review.draft());
//                       ^^^^^^ borrow of moved value: `review`
    }
}

fn main() {}
