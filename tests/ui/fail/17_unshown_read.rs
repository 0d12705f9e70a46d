//! A reviewed effect reads a field that is neither signed, nor shown, nor declared as unsigned.
#[path = "../fixture.rs"]
mod fixture;
use fixture::*;

#[state]
pub struct Transfer {
    #[input]
    pub iban: String,
    #[input]
    pub memo: String,
    pub draft: RefundDraft,
    #[output]
    pub receipt: String,
}

#[node(Transfer, writes = draft)]
async fn propose(iban: &str) -> Result<RefundDraft> {
    Ok(RefundDraft { amount: 1.0 })
}

#[interrupt_before]
#[node(Transfer, writes = receipt, effect)]
async fn pay(draft: &Approved<RefundDraft>, iban: &str, memo: Option<&str>) -> Result<String> {
//                                          ^^^^ node `pay` reads `iban`, but its review does not show it: add `show = (iban)` to `#[interrupt_before]`, take it as `iban: &Approved<…>`, signed in a review of its own, or add `unsigned(iban)` if it needs no signature
//                                                      ^^^^ node `pay` reads `memo`, but its review does not show it: add `show = (memo)` to `#[interrupt_before]`, take it as `memo: &Approved<…>`, signed in a review of its own, or add `unsigned(memo)` if it needs no signature
    Ok(String::new())
}

#[interrupt_before(covers = wire, show = (ibna, memo))]
//                                        ^^^^ no field `ibna`
//  | a field with a similar name exists
#[node(Transfer, effect)]
async fn unknown(draft: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

#[interrupt_before(show = (draft, memo, memo), unsigned(memo, iban))]
//                                      ^^^^ `memo` is given twice
//                         ^^^^^ `draft` is the field that the review before node `twice` signs: remove it from `show`
//                                                      ^^^^ `memo` is in `show` before node `twice`, and so it is signed: remove it from `show` or from `unsigned`
//                                                            ^^^^ node `twice` does not read `iban`: remove it from `unsigned`
#[node(Transfer, effect)]
async fn twice(draft: &Approved<RefundDraft>, memo: &str) -> Result<()> {
    Ok(())
}

#[interrupt_before(covers = wire, show = memo)]
#[node(Transfer, effect)]
async fn hold(draft: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

#[node(Transfer, writes = receipt, effect)]
async fn wire(draft: &Approved<RefundDraft>, iban: &str, memo: &str) -> Result<String> {
    Ok(String::new())
}

#[node(Transfer, writes = receipt)]
async fn refuse(rejection: &Rejection) -> Result<String> {
    Ok(String::new())
}

graph! {
    Covered<Transfer> {
        start -> propose -> hold -> wire -> end;
//                                  ^^^^ node `wire` reads `iban`, but the review before `hold`, whose signature it runs on, does not show it: add `show = (iban)` to that review, take the field as `&Approved<…>`, or add `unsigned(iban)` to that review if the field needs no signature
        hold { reject -> refuse }
        refuse -> end;
    }
}

#[interrupt_before(covers = wire, show = (iban, memo))]
#[node(Transfer, effect)]
async fn hold_all(draft: &Approved<RefundDraft>) -> Result<()> {
    Ok(())
}

#[node(Transfer, writes = iban)]
async fn divert(memo: &str) -> Result<String> {
    Ok(memo.to_owned())
}

graph! {
    Diverted<Transfer> {
        start -> propose -> hold_all -> divert -> wire -> end;
//                                                ^^^^ node `wire` takes `draft` as `&Approved<RefundDraft>`, but a path reaches it on which `iban` is written by `divert` after it was shown with the signed draft: `start -> propose -> hold_all -> divert -> wire`; put `#[interrupt_before]` on `wire`
        hold_all { reject -> refuse }
        refuse -> end;
    }
}

fn main() {}
