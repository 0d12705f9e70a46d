//! A node without an outgoing edge inside of a `for`, and of a branch: it can lead only to the join.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Batch {
    #[input]
    pub orders: Vec<RefundDraft>,
    pub order: RefundDraft,
    pub risk: Risk,
    #[output]
    pub report: String,
}

#[node(Batch, writes = risk)]
async fn assess(order: &RefundDraft) -> Result<Risk> {
    Ok(Risk::Low)
}

#[interrupt_before]
#[node(Batch, effect)]
async fn pay(order: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

#[node(Batch)]
async fn refuse(rejection: Option<&Rejection>) -> Result<()> {
    Ok(())
}

#[node(Batch, writes = report)]
async fn report() -> Result<String> {
    Ok(String::new())
}

graph! {
    Rejected<Batch> {
        start -> for order in orders { pay } -> report -> end;
        pay { reject -> refuse }
//                      ^^^^^^ `refuse` has no outgoing edge: it runs in the `for` after `start`, so write `refuse -> report;`, where the items join
    }
}

graph! {
    Arms<Batch> {
        start -> for order in orders { assess -> match risk { Risk::Low => pay, _ => refuse } } -> report -> end;
//                                                                         ^^^ `pay` has no edge to follow after an approval: it runs in the `for` after `start`, so write `pay -> report;`, where the items join; an arm of a `match` does not lead there by itself
        pay { reject -> refuse }
        refuse -> report;
    }
}

#[node(Batch)]
async fn withdraw(rejection: &Rejection) -> Result<()> {
    Ok(())
}

graph! {
    Branch<Batch> {
        start -> assess -> (pay, refuse) -> report -> end;
        pay { reject -> withdraw }
//                      ^^^^^^^^ `withdraw` has no outgoing edge: it runs in a branch after `assess`, so write `withdraw -> report;`, where the branches join
    }
}

fn main() {}
