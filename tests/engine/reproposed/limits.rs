//! Limits of what an edit signs: nothing that its operator was not shown, and nothing that another operator has
//! rejected.

use hitl::prelude::*;

use crate::kit::{
    operators::{both, director},
    payment::Draft,
};

#[state]
pub struct Order {
    #[input]
    pub cents: u32,
    #[input]
    pub iban: String,
    pub draft: Draft,
    #[output]
    pub outcome: String,
}

#[node(Order, writes = draft)]
async fn propose(cents: u32) -> Result<Draft> {
    Ok(Draft { cents })
}

#[interrupt_before(role = "clerk", unsigned(rejection))]
#[node(Order, writes = outcome, effect)]
async fn pay_small(draft: &Approved<Draft>, rejection: Option<&Rejection>) -> Result<String> {
    let note = rejection.map(|rejection| rejection.note.as_str()).unwrap_or_default();
    Ok(format!("{} by {} {note}", draft.cents, draft.signer()))
}

#[interrupt_before(role = "director")]
#[node(Order, writes = outcome, effect)]
async fn pay_large(draft: &Approved<Draft>) -> Result<String> {
    Ok(format!("{} by {}", draft.cents, draft.signer()))
}

#[interrupt_before(role = "director", show = iban)]
#[node(Order, writes = outcome, effect)]
async fn pay_abroad(draft: &Approved<Draft>, iban: &str) -> Result<String> {
    Ok(format!("{} to {iban} by {}", draft.cents, draft.signer()))
}

#[node(Order, writes = outcome)]
async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(format!("rejected by {}", rejection.operator))
}

graph! {
    /// A graph whose review of a large amount shows the account, which the review of a small one does not.
    pub Abroad<Order> {
        start -> propose -> match draft { Draft { cents: ..=500 } => pay_small, Draft { .. } => pay_abroad };
        pay_small -> end;
        pay_abroad -> end;
        pay_small { reject -> cancel }
        pay_abroad { reject -> cancel }
        cancel -> end;
    }
}

graph! {
    /// A graph in which a large amount that the director rejects goes to a clerk.
    pub Passed<Order> {
        start -> propose -> match draft { Draft { cents: ..=500 } => pay_small, Draft { .. } => pay_large };
        pay_small -> end;
        pay_large -> end;
        pay_small { reject -> cancel }
        pay_large { reject -> pay_small }
        cancel -> end;
    }
}

fn input(cents: u32) -> OrderInput {
    OrderInput { cents, iban: "DE1".into() }
}

#[tokio::test]
async fn an_edit_signs_only_what_its_operator_was_shown() {
    let agent = Abroad::new(MemoryStore::new());
    let AbroadTurn::PaySmall(review) = agent.start("t", input(100)).await.unwrap() else { panic!() };
    let edit = Verdict::Edit { patch: serde_json::json!({ "cents": 900 }) };
    let preview = agent.preview("t", review.digest(), &both(), edit).await.unwrap();
    assert!(preview.again.unwrap().opens.is_some_and(|opens| opens.node == "pay_abroad" && !opens.signs));
    let turn = review.edit(&both(), |draft| draft.cents = 900).await.unwrap();
    let AbroadTurn::PayAbroad(review) = turn else { panic!("{turn}") };
    assert_eq!((review.proposed_by(), &review.shown()["iban"]), (Some("bea"), &"DE1".into()));
    let turn = review.approve(&both()).await.unwrap();
    assert!(matches!(turn, AbroadTurn::Done(outcome) if outcome == "900 to DE1 by bea"));
}

#[tokio::test]
async fn an_edit_does_not_sign_what_another_operator_rejected() {
    let agent = Passed::new(MemoryStore::new());
    let PassedTurn::PayLarge(review) = agent.start("t", input(900)).await.unwrap() else { panic!() };
    let turn = review.reject(&director(), Reason::BadPlan, "too much").await.unwrap();
    let PassedTurn::PaySmall(review) = turn else { panic!("{turn}") };
    let edit = Verdict::Edit { patch: serde_json::json!({ "cents": 800 }) };
    let preview = agent.preview("t", review.digest(), &both(), edit).await.unwrap();
    assert!(preview.again.unwrap().opens.is_some_and(|opens| opens.node == "pay_large" && !opens.signs));
    let turn = review.edit(&both(), |draft| draft.cents = 800).await.unwrap();
    let PassedTurn::PayLarge(review) = turn else { panic!("{turn}") };
    assert_eq!((review.draft().cents, review.proposed_by()), (800, Some("bea")));
}
