//! A path leads around the review to an effect that shares its signature.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[node(Ticket, writes = plan, effect)]
async fn notify(draft: Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

graph! {
    Agent<Ticket> {
        start -> draft -> notify -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
