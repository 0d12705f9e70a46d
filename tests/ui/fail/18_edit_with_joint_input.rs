//! The path to the review depends on a value that came with the draft: another input, or one from the whole list.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Order {
    #[input]
    pub draft: RefundDraft,
    #[input]
    pub risk: Risk,
    #[output]
    pub outcome: String,
}

#[interrupt_before(role = "clerk")]
#[node(Order, writes = outcome, effect)]
async fn pay(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok("paid".to_owned())
}

#[interrupt_before(role = "director", edit = false)]
#[node(Order, writes = outcome, effect)]
async fn pay_much(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok("paid".to_owned())
}

#[node(Order, writes = outcome)]
async fn stop(rejection: Option<&Rejection>) -> Result<String> {
    Ok("not paid".to_owned())
}

graph! {
    Inputs<Order> {
        start -> match risk { Risk::Low => pay, _ => pay_much };
//                                         ^^^ an edit of `draft` at the review before `pay` does not change the other inputs, but `match risk` after `start` reads one of them and so decides the path to the review: compute that value in a node that reads `draft`, or write `#[interrupt_before(edit = false)]` on `pay`, whose review then accepts no edit
        pay { reject -> stop }
        pay_much { reject -> stop }
        pay -> end;
        pay_much -> end;
        stop -> end;
    }
}

#[state]
pub struct Batch {
    #[input]
    pub orders: Vec<RefundDraft>,
    pub risk: Risk,
    pub order: RefundDraft,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

#[node(Batch, writes = risk)]
async fn rate(orders: &[RefundDraft]) -> Result<Risk> {
    Ok(Risk::Low)
}

#[node(Batch)]
async fn look() -> Result<()> {
    Ok(())
}

#[interrupt_before(role = "clerk")]
#[node(Batch, writes = log, effect)]
async fn pay_one(order: &Approved<RefundDraft>) -> Result<Vec<String>> {
    Ok(vec!["paid".to_owned()])
}

#[node(Batch, writes = log)]
async fn skip_one(rejection: Option<&Rejection>) -> Result<Vec<String>> {
    Ok(vec![])
}

graph! {
    Items<Batch> {
        start -> rate -> for order in orders { look -> match risk { Risk::Low => pay_one, _ => skip_one } } -> end;
//                                                                               ^^^^^^^ an edit of `order` at the review before `pay_one` does not change the values that were written together with its list or computed from them, but `match risk` after `look` reads one of them and so decides the path to the review: compute that value in a node that reads `order`, or write `#[interrupt_before(edit = false)]` on `pay_one`, whose review then accepts no edit
        pay_one { reject -> skip_one }
        pay_one -> end;
        skip_one -> end;
    }
}

fn main() {}
