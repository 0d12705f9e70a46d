//! A path leads around the review to an effect that shares its signature.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[node(Ticket, writes = plan, effect)]
async fn notify(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

graph! {
    Agent<Ticket> {
        start -> draft -> notify -> execute -> end;
//                        ^^^^^^ node `notify` takes `draft` as `&Approved<RefundDraft>`, but a path reaches it on which `draft` was never signed: `start -> draft -> notify`; put `#[interrupt_before]` on `notify`, or lead that path through `execute`, whose review signs it
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
