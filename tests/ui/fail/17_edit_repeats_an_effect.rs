//! An edit would run nodes again, among them an effect that has read the draft.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[interrupt_before]
#[node(Ticket, writes = plan, effect)]
async fn hold(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

graph! {
    Agent<Ticket> {
        start -> draft -> hold -> execute -> end;
//                                ^^^^^^^ an edit of `draft` at the review before `execute` would take again the way from where `draft` is written, on which node `hold` depends on it, and effect `hold` on that way would run a second time: write `#[interrupt_before(edit = false)]` on `execute`, whose review then takes no edit, or lead `hold` off that way
        hold { reject -> cancel }
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
