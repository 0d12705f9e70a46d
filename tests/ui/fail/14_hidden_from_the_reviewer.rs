//! Something of what a review signs would not be in what the reviewer sees.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

fn todays_rate() -> u64 {
    1
}

fn is_todays_rate(rate: &u64) -> bool {
    *rate == todays_rate()
}

#[draft]
#[derive(Validate)]
#[garde(allow_unvalidated)]
pub struct Payment {
    pub cents: u64,
    #[serde(default = "todays_rate", skip_serializing_if = "is_todays_rate")]
//                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ field `rate` is skipped where this holds, so its value would be neither shown nor signed: remove this, or make `rate` an `Option` with `#[serde(default, skip_serializing_if = "Option::is_none")]`
    pub rate: u64,
    #[cfg_attr(all(), serde(skip))]
//                          ^^^^ field `fee` is skipped by `skip`, so it would be neither shown nor signed
    pub fee: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub struct Account {
    iban: String,
    #[serde(default, skip)]
    bank: u64,
}

#[state]
pub struct Order {
    #[input]
    pub account: Account,
    #[input]
    pub draft: RefundDraft,
    #[output]
    pub outcome: String,
}

#[interrupt_before(show = (account))]
//                         ^^^^^^^ `Account` cannot be signed by a person: it is not a `Draft`
#[node(Order, writes = outcome, effect)]
async fn pay(draft: &Approved<RefundDraft>, account: &Account) -> Result<String> {
    Ok(account.iban.clone())
}

fn main() {}
