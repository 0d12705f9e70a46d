//! One signature is used for two runs of an effect, or for an effect that its review does not name.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Transfer {
    #[input]
    pub n: u32,
    pub draft: RefundDraft,
    #[output]
    pub receipt: String,
}

#[node(Transfer, writes = draft)]
async fn propose(n: u32) -> Result<RefundDraft> {
    Ok(RefundDraft { amount: f64::from(n) })
}

#[interrupt_before(role = "clerk", covers = (hold, wire))]
#[node(Transfer, effect)]
async fn hold(draft: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

#[node(Transfer, writes = receipt, effect)]
async fn wire(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

#[node(Transfer, writes = n)]
async fn again(n: u32) -> Result<u32> {
    Ok(n + 1)
}

#[node(Transfer, writes = receipt)]
async fn refuse(rejection: &Rejection) -> Result<String> {
    Ok(String::new())
}

graph! {
    FiveTimes<Transfer> {
        start -> propose -> hold -> wire -> again -> match n { 0..=4 => wire, _ => end };
//                                  ^^^^ node `wire` takes `draft` as `&Approved<RefundDraft>`, but a path reaches it on which it has already spent the signature: `start -> propose -> hold -> wire -> again -> wire`; put `#[interrupt_before]` on `wire`
        hold { reject -> refuse }
        refuse -> end;
    }
}

#[interrupt_before(role = "clerk")]
#[node(Transfer, effect)]
async fn hold_alone(draft: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

graph! {
    Uncovered<Transfer> {
        start -> propose -> hold_alone -> wire -> end;
//                                        ^^^^ node `wire` takes `draft` as `&Approved<RefundDraft>`, but no review of `draft` covers `wire`: put `#[interrupt_before]` on `wire`, or add `covers = (wire)` to the review before `hold_alone`
        hold_alone { reject -> refuse }
        refuse -> end;
    }
}

#[interrupt_before(role = "director", edit = false)]
#[node(Transfer, effect)]
async fn book(draft: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

graph! {
    Another<Transfer> {
        start -> propose -> hold -> book -> wire -> end;
//                                          ^^^^ node `wire` takes `draft` as `&Approved<RefundDraft>`, but a path reaches it on which the last review, before `book`, does not cover it: `start -> propose -> hold -> book -> wire`; put `#[interrupt_before]` on `wire`
        hold { reject -> refuse }
        book { reject -> refuse }
        refuse -> end;
    }
}

#[interrupt_before(role = "director", covers = (wire), edit = false)]
#[node(Transfer, effect)]
async fn check(draft: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

#[node(Transfer, writes = n)]
async fn note(rejection: &Rejection) -> Result<u32> {
    Ok(0)
}

graph! {
    AfterNo<Transfer> {
        start -> propose -> hold -> check -> wire -> end;
//                                           ^^^^ node `wire` takes `draft` as `&Approved<RefundDraft>`, but a path reaches it on which its signature ends where the review before `check` is not granted: `start -> propose -> hold -> check -reject-> note -> wire`; put `#[interrupt_before]` on `wire`
        hold { reject -> refuse }
        check { reject -> note }
        note -> wire;
        refuse -> end;
    }
}

#[interrupt_before(covers = wrie)]
#[node(Transfer, writes = receipt, effect)]
async fn misspelt(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

graph! {
    Misspelt<Transfer> {
        start -> propose -> misspelt -> end;
//                          ^^^^^^^^ the review before `misspelt` covers `wrie`, which is not a node of this graph: use the name that the node has in the graph, or remove it from `covers`
        misspelt { reject -> refuse }
        refuse -> end;
    }
}

#[node(Transfer, writes = receipt)]
async fn report(draft: &Approved<RefundDraft>) -> Result<String> {
//                     ^^^^^^^^^^^^^^^^^^^^^^ node `report` takes `draft` as `&Approved<…>`, but only an effect can spend a signature: take `draft: &RefundDraft`, or add `effect`
    Ok(String::new())
}

fn main() {}
