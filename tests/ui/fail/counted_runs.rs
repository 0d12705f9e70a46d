//! Guards that count the runs of what is no node of the same branch, or leave no arm for the time after.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

graph! {
    Misspelt<Ticket> {
        start -> plan -> draft -> match plan.len() {
            0 if runs(drafts) < 3 => draft,
//                    ^^^^^^ the graph has no node `drafts`; did you mean `draft`?
            1 if runs(triage) < 3 => draft,
//                    ^^^^^^ the graph has no node `triage`: `runs` takes a node of the graph
            _ => execute -> end,
        };
        execute { reject -> cancel }
        cancel -> end;
    }
}

graph! {
    TwoNodes<Ticket> {
        start -> plan -> draft -> match plan.len() {
            0 if runs(plan, draft) < 3 => draft,
//               ^^^^ `runs` takes one node of the graph: `runs(research) < 3`
            _ => execute -> end,
        };
        execute { reject -> cancel }
        cancel -> end;
    }
}

graph! {
    Endless<Ticket> {
        start -> plan -> draft -> triage -> match risk {
//                                                ^^^^ non-exhaustive patterns: `&fixture::Risk::High` not covered
            Risk::High if runs(draft) < 3 => draft,
            Risk::Low | Risk::Odd => execute -> end,
        };
        execute { reject -> cancel }
        cancel -> end;
    }
}

graph! {
    Elsewhere<Ticket> {
        start -> plan -> (triage -> match risk {
            Risk::High if runs(plan) < 3 => triage,
//                             ^^^^ `runs(plan)` counts the runs in the branch of this `match`, but `plan` runs outside of it: count a node of the same branch
            _ => continue,
        }, draft) -> execute -> end;
        execute { reject -> cancel }
        cancel -> end;
    }
}

fn main() {}
