//! An edit would run nodes again, among them an effect that has read the draft.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[interrupt_before]
#[node(Ticket, writes = plan, effect)]
async fn hold(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

graph! {
    Agent<Ticket> {
        start -> draft -> hold -> execute -> end;
//                                ^^^^^^^ an edit of `draft` at the review before `execute` would rerun the path from where `draft` is written, because node `hold` depends on it, and effect `hold` on that path would run a second time: write `#[interrupt_before(edit = false)]` on `execute`, whose review then accepts no edit, or move `hold` off that path
        hold { reject -> cancel }
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
