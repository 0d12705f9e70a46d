//! A node takes dependencies that the graph does not have.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[node(Ticket, writes = plan)]
async fn look_up(message: &str, desk: Deps<Desk>) -> Result<String> {
    Ok(String::new())
}

graph! {
    Agent<Ticket, String> {
        start -> look_up -> cancel -> end;
//               ^^^^^^^ `String` does not provide `fixture::Desk`
    }
}

graph! {
    Alone<Ticket> {
        start -> look_up -> cancel -> end;
//               ^^^^^^^ `()` does not provide `fixture::Desk`
//  | a node takes `Deps<fixture::Desk>`, and the graph's dependencies are `()`
//  | write `graph! { Agent<State, fixture::Desk> { … } }`
    }
}

fn main() {}
