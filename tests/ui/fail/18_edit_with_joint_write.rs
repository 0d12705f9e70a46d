//! The path to the review depends on a field that is written together with the draft.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = (draft, risk))]
async fn rate(message: &str) -> Result<(RefundDraft, Risk)> {
    Ok((RefundDraft { amount: 1.0 }, Risk::Low))
}

#[node(Ticket, writes = outcome)]
async fn skip() -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    Agent<Ticket> {
        start -> rate -> match risk { Risk::Low => execute, _ => skip };
//                                                 ^^^^^^^ an edit of `draft` at the review before `execute` does not change the values that were written together with it, but `match risk` after `rate` reads one of them and so decides the path to the review
        execute { reject -> cancel }
        execute -> end;
        skip -> end;
        cancel -> end;
    }
}

fn main() {}
