//! One signature is used for two runs of an effect, or for an effect that its review does not name.
#[path = "../desk.rs"]
mod desk;
use desk::*;

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
//                                  ^^^^ node `wire` takes `draft` as `&Approved<RefundDraft>`, but a path reaches it on which it has spent the signature already: `start -> propose -> hold -> wire -> again -> wire`; put `#[interrupt_before]` on `wire`
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
//                                        ^^^^ node `wire` takes `draft` as `&Approved<RefundDraft>`, and no review signs it for `wire`: put `#[interrupt_before]` on `wire`, or let the review before `hold_alone` cover it, `covers = (wire)`
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
//                                          ^^^^ node `wire` takes `draft` as `&Approved<RefundDraft>`, but a path reaches it on which the review before `book` comes last, and does not cover it: `start -> propose -> hold -> book -> wire`; put `#[interrupt_before]` on `wire`
        hold { reject -> refuse }
        book { reject -> refuse }
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
//                          ^^^^^^^^ the review before `misspelt` covers `wrie`, which is no node of this graph: write the name that the graph has for it, or take it out
        misspelt { reject -> refuse }
        refuse -> end;
    }
}

#[node(Transfer, writes = receipt)]
async fn report(draft: &Approved<RefundDraft>) -> Result<String> {
//                     ^^^^^^^^^^^^^^^^^^^^^^ node `report` takes `draft` as signed, and only an effect runs on a signature, and spends it: take `draft: &RefundDraft`, or add `effect`
    Ok(String::new())
}

fn main() {}
