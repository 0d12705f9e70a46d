//! A node that depends on the draft runs before the fork with the draft's review.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = risk)]
async fn rate(draft: &RefundDraft) -> Result<Risk> {
    Ok(Risk::Low)
}

graph! {
    Agent<Ticket> {
        start -> draft -> rate -> (execute, plan) -> end;
//                                 ^^^^^^^ an edit of `draft` at the review before `execute` would have to rerun the path from where `draft` is written, because node `rate` depends on it, but a fork begins or ends after that
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
