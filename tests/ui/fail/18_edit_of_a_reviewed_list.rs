//! A person has signed the list, so that an edit of an item would be of something else.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Day {
    #[input]
    pub drafts: Vec<RefundDraft>,
    pub draft: RefundDraft,
    #[output]
    #[reduce(append)]
    pub done: Vec<String>,
}

#[interrupt_before(role = "director")]
#[node(Day, writes = done, effect)]
async fn announce(drafts: &Approved<Vec<RefundDraft>>) -> Result<Vec<String>> {
    Ok(vec![])
}

#[interrupt_before(role = "clerk")]
#[node(Day, writes = done, effect)]
async fn pay(draft: &Approved<RefundDraft>) -> Result<Vec<String>> {
    Ok(vec![])
}

#[node(Day, writes = done)]
async fn forget(_no: &Rejection) -> Result<Vec<String>> {
    Ok(vec![])
}

graph! {
    Payer<Day> {
        start -> announce -> for draft in drafts { pay } -> end;
        //                                         ^^^ an edit of `draft` at the review before `pay` does not change the values that were written together with its list or computed from them, but node `announce` reads one of them and so decides the path to the review
        announce { reject -> forget }
        forget -> end;
        pay { reject -> continue }
    }
}

// So would one whose review reads what was computed from the list.
#[state]
pub struct Night {
    #[input]
    pub drafts: Vec<RefundDraft>,
    pub draft: RefundDraft,
    pub large: bool,
    #[output]
    #[reduce(append)]
    pub done: Vec<String>,
}

#[node(Night, writes = large)]
async fn rate(drafts: &[RefundDraft]) -> Result<bool> {
    Ok(drafts.len() > 3)
}

#[interrupt_before(show = large, role = if large { "director" } else { "clerk" })]
#[node(Night, writes = done, effect)]
async fn pay_rated(draft: &Approved<RefundDraft>) -> Result<Vec<String>> {
    Ok(vec![])
}

graph! {
    Rater<Night> {
        start -> rate -> for draft in drafts { pay_rated } -> end;
        //                                     ^^^^^^^^^ an edit of `draft` at the review before `pay_rated` does not change the values that were written together with its list or computed from them
        pay_rated { reject -> continue }
    }
}

fn main() {}
