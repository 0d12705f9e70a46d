//! Rules of garde that do not exist or do not fit. The type still has its invariants, so its review reports nothing.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[draft]
#[derive(Clone, Validate)]
pub struct Payment {
    #[garde(rnge(min = 1))]
//          ^^^^ field `cents` has the rule `rnge`, which garde does not have; did you mean `range`?
    cents: u64,
    #[garde(length(minimum = 2))]
//                 ^^^^^^^ rule `length` takes no `minimum`; did you mean `min`?
    currency: String,
    #[garde(length(max = 100))]
//          ^^^^^^ rule `length` does not fit field `fee`, which is a `u32`: write a rule such as `#[garde(range(min = 1, max = 1000))]`
    fee: Option<u32>,
    #[garde(range(min = 1))]
//          ^^^^^ rule `range` does not fit field `note`, which is a `String`: write a rule such as `#[garde(length(min = 1, max = 100))]`
    note: String,
    iban: String,
//        ^^^^^^ field `iban` has no rule, but the draft derives `Validate`: add one, `#[garde(length(min = 1, max = 100))]`, or `#[garde(skip)]` if every value is valid
}

#[state]
pub struct Transfer {
    #[input]
    payment: Payment,
}

#[interrupt_before]
#[node(Transfer, effect)]
async fn pay(payment: &Approved<Payment>) -> Result<()> {
    Ok(())
}

fn main() {}
