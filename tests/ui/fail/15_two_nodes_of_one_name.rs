//! Two nodes with the same name.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

mod other {
    use super::fixture::*;

    #[node(Ticket, writes = plan)]
    pub async fn plan(message: &str) -> Result<String> {
        Ok(message.to_owned())
    }
}

graph! {
    Agent<Ticket> {
        start -> plan -> other::plan -> cancel -> end;
//                              ^^^^ two nodes have the name `plan`: `plan` on line 17, and `other::plan` here; import one of them under another name, `use other::plan as other_plan`
    }
}

fn main() {}
