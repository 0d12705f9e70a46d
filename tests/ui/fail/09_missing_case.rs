//! A `match` does not cover all cases, also where the missing arm was the only way to a node.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Agent<Ticket> {
        start -> triage -> match risk { Risk::High => draft, Risk::Low => cancel };
//                               ^^^^ `&fixture::Risk::Odd` not covered
        draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
    }
}

graph! {
    Removed<Ticket> {
        start -> triage -> match risk { Risk::High => draft, Risk::Low => cancel };
        plan -> cancel;
//      ^^^^ no path leads from `start` to `plan`: add an edge `… -> plan` or an arm of `match risk`, or remove `plan` from the graph
        draft -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
