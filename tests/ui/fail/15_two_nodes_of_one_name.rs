//! Two nodes bear one name.
#[path = "../desk.rs"]
mod desk;
use desk::*;

mod other {
    use super::desk::*;

    #[node(Ticket, writes = plan)]
    pub async fn plan(message: &str) -> Result<String> {
        Ok(message.to_owned())
    }
}

graph! {
    Agent<Ticket> {
        start -> plan -> other::plan -> cancel -> end;
    }
}

fn main() {}
