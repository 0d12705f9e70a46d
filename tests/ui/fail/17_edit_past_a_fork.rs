//! What depends on the draft stands before the fork that its review is in.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[node(Ticket, writes = risk)]
async fn rate(draft: &RefundDraft) -> Result<Risk> {
    Ok(Risk::Low)
}

graph! {
    Agent<Ticket> {
        start -> draft -> rate -> (execute, plan) -> end;
//                                 ^^^^^^^ an edit of `draft` at the review before `execute` cannot take again the way from where `draft` is written, on which node `rate` depends on it, because a fork begins or ends after that
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
