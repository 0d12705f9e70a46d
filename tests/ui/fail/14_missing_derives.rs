//! A reviewed type lacks what a review needs.
#[path = "../desk.rs"]
mod desk;
use desk::*;

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Letter;

#[derive(Clone, Serialize, Deserialize, Validate)]
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
//                              ^^^^^^ `Letter` is signed by a person, so it must derive `Validate`
//  | add `#[derive(garde::Validate)]` to `Letter`
    Ok(())
}

#[interrupt_before]
#[node(Mail, effect)]
async fn bill(invoice: &Approved<Invoice>) -> Result<()> {
//                               ^^^^^^^ `Invoice` is signed by a person, so it must derive `JsonSchema`
//  | add `#[derive(schemars::JsonSchema)]` to `Invoice`
    Ok(())
}

fn main() {}
