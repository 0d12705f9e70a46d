//! An item's own field is read after the `for`; a field that all items share is reviewed; an item acts unsigned.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Batch {
    #[input]
    pub orders: Vec<RefundDraft>,
    pub order: RefundDraft,
    pub note: String,
    #[reduce(|_, new| new)]
    pub latest: RefundDraft,
    #[output]
    pub report: String,
}

#[node(Batch, writes = note)]
async fn look_up(order: &RefundDraft) -> Result<String> {
    Ok(order.amount.to_string())
}

#[node(Batch, writes = report)]
async fn report(note: &str) -> Result<String> {
    Ok(note.to_owned())
}

graph! {
    Gone<Batch> {
        start -> for order in orders { look_up } -> report -> end;
//                                                  ^^^^^^ node `report` reads `note`, but a path reaches it unwritten: `start -empty orders-> report`; `look_up` writes it for one `order`, and that value is discarded at the join: collect it in a list with `#[reduce(append)]`, or take `Option<&str>`
    }
}

#[node(Batch, writes = latest)]
async fn propose(order: &RefundDraft) -> Result<RefundDraft> {
    Ok(order.clone())
}

#[interrupt_before]
#[node(Batch, effect)]
async fn send(latest: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

#[node(Batch, writes = report)]
async fn sum_up() -> Result<String> {
    Ok(String::new())
}

#[node(Batch)]
async fn skip(rejection: &Rejection) -> Result<()> {
    Ok(())
}

graph! {
    Shared<Batch> {
        start -> for order in orders { propose -> send } -> sum_up -> end;
//                                                ^^^^ node `send` runs once for each item of `orders`, but its review is of `latest`, which all items share because it has a reducer, so that several operators could edit one value: review a field without `#[reduce(…)]`, which is local to the item
        send { reject -> skip -> propose }
    }
}

#[interrupt_before(covers = ship)]
#[node(Batch, effect)]
async fn sign(order: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

#[node(Batch, effect)]
async fn ship(order: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

graph! {
    Unsigned<Batch> {
        start -> for order in orders { sign -> ship } -> sum_up -> end;
//                                             ^^^^ node `ship` takes `order` as `&Approved<RefundDraft>`, but a path reaches it on which `order` was never signed for it: `start -> sign -reject-> skip -> ship`; put `#[interrupt_before]` on `ship`
        sign { reject -> skip -> ship }
    }
}

fn main() {}
