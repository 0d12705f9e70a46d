//! A reviewed type without the traits that a review needs.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[draft]
#[derive(Clone)]
pub struct Letter;

#[derive(Clone, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Invoice {
    #[garde(skip)]
    total: u32,
}

#[state]
pub struct Mail {
    letter: Letter,
    invoice: Invoice,
}

#[interrupt_before]
#[node(Mail, effect)]
async fn send(letter: &Approved<Letter>) -> Result<()> {
//                              ^^^^^^ `Letter` is signed by a person, so it must be a draft that derives `Validate`
//  | add `#[derive(garde::Validate)]` to `Letter`
    Ok(())
}

#[interrupt_before]
#[node(Mail, effect)]
async fn bill(invoice: &Approved<Invoice>) -> Result<()> {
//                               ^^^^^^^ `Invoice` cannot be signed by a person: it is not a `Draft`
//  | put `#[hitl::draft]` on it, in place of the derives of `Serialize`, `Deserialize` and `JsonSchema`
    Ok(())
}

#[draft]
#[derive(Clone, Validate)]
pub struct Payment {
    #[garde(skip)]
    cents: u32,
    #[garde(wellformed)]
//          ^^^^^^^^^^ unrecognized validation rule
    iban: String,
}

#[state]
pub struct Transfer {
    payment: Payment,
}

#[interrupt_before]
#[node(Transfer, effect)]
async fn pay(payment: &Approved<Payment>) -> Result<()> {
//                              ^^^^^^^ `Payment` is signed by a person, so it must be a draft that derives `Validate`
//  | if it derives `Validate` already, the derive has failed: another error says at which field
    Ok(())
}

fn main() {}
