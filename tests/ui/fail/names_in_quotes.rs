//! Arguments of attributes in a form of another framework. Each is understood, so it is reported once, and the graph is
//! not.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = "plan")]
//                      ^^^^^^ `writes` takes a name without quotes: write `plan` instead of `"plan"`
async fn quoted(message: &str) -> Result<String> {
    Ok(message.to_owned())
}

#[node(Ticket, writes = [draft])]
//                      ^ several names are written in parentheses: `writes = (plan, notes)`
async fn bracketed(plan: &str) -> Result<RefundDraft> {
    Ok(RefundDraft { amount: 1.0 })
}

#[node(Ticket, writes(risk))]
//             ^^^^^^ `writes` needs a `=`: write `writes = plan`
async fn called(draft: &RefundDraft) -> Result<Risk> {
    Ok(Risk::Low)
}

#[node(state = Ticket, writes = plan)]
//     ^^^^^ the type of the state has no name before it: write `#[node(Ticket, …)]`
async fn named(risk: &Risk) -> Result<String> {
    Ok(String::new())
}

#[node(Ticket, writes = plan, draft)]
//                            ^^^^^ several fields are written in parentheses: `writes = (plan, draft)`
async fn listed(plan: &str) -> Result<(String, RefundDraft)> {
    Ok((String::new(), RefundDraft { amount: 1.0 }))
}

#[node(Ticket)]
async fn forgotten(risk: &Risk) -> Result<Outcome> {
//                                        ^^^^^^^ node `forgotten` returns `Outcome`, but has no `writes`: add `writes = field`, or return `Result<()>`
    Ok(Outcome)
}

#[interrupt_before(role = admin)]
//                        ^^^^^ `role` takes a string in quotes, the name of a role that the operator must hold: write `role = "refund-approver"`
#[node(Ticket, writes = outcome, effect)]
async fn unquoted(draft: &Approved<RefundDraft>) -> Result<Outcome> {
    Ok(Outcome)
}

graph! {
    Agent<Ticket> {
        start -> quoted -> bracketed -> called -> named -> listed -> forgotten -> end;
    }
}

fn main() {}
