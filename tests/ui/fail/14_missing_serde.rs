//! A field with a type that cannot be serialized as JSON. Its uses report nothing else, except for the review, which
//! names the attribute too.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[derive(Clone)]
pub struct Letter;

#[derive(Clone, Validate)]
#[garde(allow_unvalidated)]
pub struct Payment {
    cents: u64,
}

#[state]
pub struct Mail {
    #[input]
    cents: u64,
    letter: Letter,
//          ^^^^^^ a field of a state cannot be of type `Letter`, because the journal cannot keep its value as JSON
//  | not both `Serialize` and `Deserialize`
//  | if not, put `#[derive(serde::Serialize, serde::Deserialize)]` on it
    payment: Payment,
//           ^^^^^^^ a field of a state cannot be of type `Payment`
//  | if a person signs the value, put `#[hitl::draft]` on your type
}

#[node(Mail, writes = (letter, payment))]
async fn write(cents: u64) -> Result<(Letter, Payment)> {
    Ok((Letter, Payment { cents }))
}

#[interrupt_before(unsigned(letter))]
#[node(Mail, writes = letter, effect)]
async fn pay(payment: &Approved<Payment>, letter: &Letter) -> Result<Letter> {
//                              ^^^^^^^ `Payment` cannot be signed by a person: it is not a `Draft`
    Ok(letter.clone())
}

#[node(Mail)]
async fn refuse(rejection: &Rejection, payment: Payment) -> Result<()> {
    Ok(())
}

graph! {
    Agent<Mail> {
        start -> write -> pay -> end;
        pay { reject -> refuse }
        refuse -> end;
    }
}

fn main() {}
