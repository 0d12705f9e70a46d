//! A name in an arm of a `match` writes the field of that name, with the proofs of any other write.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[derive(Clone, Serialize, Deserialize)]
pub enum Order {
    Refund(RefundDraft),
    Credit { draft: RefundDraft, days: u32 },
    Say(String),
    Hang,
}

#[state]
pub struct Office {
    #[input]
    pub call: Order,
    pub draft: RefundDraft,
    pub note: String,
    #[output]
    pub answer: String,
}

#[interrupt_before(role = "clerk")]
#[node(Office, writes = answer, effect)]
async fn pay(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

#[node(Office, writes = answer)]
async fn refuse(_no: &Rejection) -> Result<String> {
    Ok(String::new())
}

#[node(Office, writes = note)]
async fn jot(call: &Order) -> Result<String> {
    let _ = call;
    Ok(String::new())
}

#[node(Office, writes = answer)]
async fn read(note: &str) -> Result<String> {
    Ok(note.to_owned())
}

// Another type, and a name that is no field.
graph! {
    Types<Office> {
        start -> match call {
            Order::Refund(note) => read -> end,
            //            ^^^^ the arm binds `&fixture::RefundDraft` to a field of type `String`
            Order::Credit { draft, days } => pay -> end,
            //                     ^^^^ no field `days` on type `&OfficeView<'_>`
            Order::Say(answer) => end,
            Order::Hang => jot -> read,
        };
        pay { reject -> refuse }
        refuse -> end;
    }
}

// A name for the guard writes nothing.
graph! {
    Guards<Office> {
        start -> match call {
            Order::Refund(draft) if draft.amount > 1.0 => pay -> end,
            //            ^^^^^ the guard uses `draft`, so the arm does not write the field of that name: give the part another name, or choose after the field is written, `pattern => match draft { … }`
            Order::Say(answer) => end,
            _ => jot -> read -> end,
        };
        pay { reject -> refuse }
        refuse -> end;
    }
}

// The binding overwrites what was signed.
#[interrupt_before(role = "clerk", covers = send)]
#[node(Office, writes = answer, effect)]
async fn hold(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

#[node(Office, writes = answer, effect)]
async fn send(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

#[node(Office, writes = draft)]
async fn propose(call: &Order) -> Result<RefundDraft> {
    let _ = call;
    Ok(RefundDraft { amount: 1.0 })
}

graph! {
    Overwritten<Office> {
        start -> propose -> hold -> match call {
            Order::Refund(draft) => send -> end,
            //                      ^^^^ node `send` takes `draft` as `&Approved<RefundDraft>`, but a path reaches it on which `draft` is written by `bind:hold:call:Refund:draft` after it was signed
            _ => end,
        };
        hold { reject -> refuse }
        refuse -> end;
    }
}

// Two branches at once.
graph! {
    Races<Office> {
        start -> (jot -> match call { Order::Refund(draft) => continue, _ => continue }, propose) -> pay -> end;
        //                                                                               ^^^^^^^ nodes `bind:jot:call:Refund:draft` and `propose` run concurrently and both write `draft`
        pay { reject -> refuse }
        refuse -> end;
    }
}

// A guard is tried for each alternative, and an arm cannot write the matched field. Arms of one variant need names of
// their own.
#[derive(Clone, Serialize, Deserialize)]
pub enum Two {
    Either(RefundDraft, RefundDraft),
    More(Box<Two>),
    Same(RefundDraft, u32),
}

#[state]
pub struct Pair {
    #[input]
    pub two: Two,
    pub draft: RefundDraft,
    #[output]
    pub answer: String,
}

#[interrupt_before(role = "clerk")]
#[node(Pair, writes = answer, effect)]
async fn give(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

#[node(Pair, writes = answer)]
async fn decline(_no: &Rejection) -> Result<String> {
    Ok(String::new())
}

graph! {
    Alternatives<Pair> {
        start -> match two {
            Two::Either(draft, other) | Two::Either(other, draft) if other.amount > 1.0 => give,
            //          ^^^^^ the guard is tried for each alternative of the pattern, so that `draft` could be bound to another one than the guard has accepted: write an arm for each alternative
            Two::More(two) => give,
            //        ^^^ `match two` reads `two`, so an arm cannot write it: use another field
            Two::Same(draft, 0) => give,
            Two::Same(draft, _) => give,
            //        ^^^^^ bind the same fields of the same variant, and would have the name `bind:start:two:Same:draft` in a journal: write one arm, and choose after it, or put a node before one of the `match`es
            _ => end,
        };
        give -> end;
        give { reject -> decline }
        decline -> end;
    }
}

// An edit of what an arm binds does not change the value that other patterns look at, or that was computed from it.
#[node(Office, writes = note)]
async fn assess(call: &Order) -> Result<String> {
    Ok(String::new())
}

#[interrupt_before(role = "director")]
#[node(Office, writes = answer, effect)]
async fn pay_much(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

graph! {
    Looks<Office> {
        start -> match call {
            Order::Refund(draft @ RefundDraft { amount: ..=100.0 }) => pay -> end,
            //                                                         ^^^ an edit of `draft` at the review before `pay` does not change `call`, but the patterns, guards or methods of `match call` after `start` look at what `draft` is bound to
            Order::Refund(draft) => pay_much -> end,
            //                      ^^^^^^^^ an edit of `draft` at the review before `pay_much` does not change `call`
            _ => jot -> read -> end,
        };
        pay { reject -> refuse }
        pay_much { reject -> refuse }
        refuse -> end;
    }
}

graph! {
    Computed<Office> {
        start -> assess -> match note.len() {
            0 => match call {
                Order::Refund(draft) => pay -> end,
                //                      ^^^ an edit of `draft` at the review before `pay` does not change the value that it is bound to a part of
                _ => read,
            },
            _ => read -> end,
        };
        pay { reject -> refuse }
        refuse -> end;
    }
}

// A review of the whole value, or of what was computed from it, has seen another part than the one after an edit.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Bundle {
    #[garde(dive)]
    pub refund: RefundDraft,
}

#[state]
pub struct Deal {
    #[input]
    pub bundle: Bundle,
    pub draft: RefundDraft,
    pub tier: bool,
    pub note: String,
    #[output]
    pub answer: String,
}

#[interrupt_before(role = "director", when = bundle.refund.amount > 1000.0)]
#[node(Deal, writes = note, effect)]
async fn vet(bundle: &Approved<Bundle>) -> Result<String> {
    Ok(String::new())
}

#[node(Deal, writes = tier)]
async fn rate(bundle: &Bundle) -> Result<bool> {
    Ok(false)
}

#[interrupt_before(role = "clerk")]
#[node(Deal, writes = answer, effect)]
async fn settle(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

#[interrupt_before(show = tier, role = if tier { "director" } else { "clerk" })]
#[node(Deal, writes = answer, effect)]
async fn settle_rated(draft: &Approved<RefundDraft>) -> Result<String> {
    Ok(String::new())
}

#[node(Deal, writes = answer)]
async fn drop_it(_no: &Rejection) -> Result<String> {
    Ok(String::new())
}

graph! {
    Vetted<Deal> {
        start -> vet -> match bundle { Bundle { refund: draft } => settle -> end };
        //                                                         ^^^^^^ an edit of `draft` at the review before `settle` does not change the value that it is bound to a part of
        vet { reject -> drop_it }
        settle { reject -> drop_it }
        drop_it -> end;
    }
}

graph! {
    Rated<Deal> {
        start -> match bundle { Bundle { refund: draft } => rate -> settle_rated -> end };
        //                                                          ^^^^^^^^^^^^ an edit of `draft` at the review before `settle_rated` does not change the value that it is bound to a part of
        settle_rated { reject -> drop_it }
        drop_it -> end;
    }
}

// Computed from both.
#[node(Deal, writes = tier)]
async fn rate_both(bundle: &Bundle, draft: &RefundDraft) -> Result<bool> {
    Ok(false)
}

graph! {
    Both<Deal> {
        start -> match bundle { Bundle { refund: draft } => rate_both -> match tier { true => drop_after, false => settle } };
        //                                                                                                         ^^^^^^ an edit of `draft` at the review before `settle` does not change the value that it is bound to a part of
        settle { reject -> drop_it }
        settle -> end;
        drop_it -> end;
        drop_after -> end;
    }
}

// A rejection of the whole.
#[node(Deal, writes = note)]
async fn triage(_no: &Rejection) -> Result<String> {
    Ok(String::new())
}

graph! {
    Rejected<Deal> {
        start -> vet -> drop_after -> end;
        vet { reject -> triage }
        triage -> match bundle { Bundle { refund: draft } => settle -> end };
        //                                                   ^^^^^^ an edit of `draft` at the review before `settle` does not change the value that it is bound to a part of
        settle { reject -> drop_it }
        drop_it -> end;
    }
}

// A choice of an earlier round.
#[node(Deal, writes = note)]
async fn log(_no: &Rejection) -> Result<String> {
    Ok(String::new())
}

#[node(Deal, writes = note)]
async fn look(bundle: &Bundle) -> Result<String> {
    Ok(String::new())
}

graph! {
    Rounds<Deal> {
        start -> look -> match bundle { Bundle { refund: draft } => settle -> end };
        //                                                          ^^^^^^ an edit of `draft` at the review before `settle` does not change the value that it is bound to a part of
        settle { reject -> log }
        log -> match draft.amount { ..=1000.0 => look, _ => drop_after };
        drop_after -> end;
    }
}

#[node(Deal, writes = answer)]
async fn drop_after(note: Option<&String>) -> Result<String> {
    Ok(note.cloned().unwrap_or_default())
}

fn main() {}
