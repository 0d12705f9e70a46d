//! The risk of a review, `risk = …`: a person signs what is of high risk, even if the condition of the review is false.

use hitl::{Error, MemoryStore, RiskLevel, journal::Event, prelude::*};
use serde_json::json;

use crate::{
    kit::{operators::clerk, world::World},
    new_code::{altered, cut_before, events, journal, later, names},
};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Payment {
    #[garde(range(max = 1_000_000))]
    pub cents: u32,
    #[garde(skip)]
    pub abroad: bool,
}

#[state]
pub struct Order {
    #[input]
    pub cents: u32,
    #[input]
    pub abroad: bool,
    pub draft: Payment,
    #[output]
    #[reduce(append)]
    pub receipts: Vec<String>,
}

#[node(Order, writes = draft)]
async fn propose(cents: u32, abroad: bool) -> Result<Payment> {
    Ok(Payment { cents, abroad })
}

#[interrupt_before(
    role = "clerk",
    when = draft.cents > 100,
    risk = if draft.abroad { high } else if draft.cents > 500 { medium } else { low },
    reversible = false
)]
#[node(Order, writes = receipts, effect)]
async fn pay(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("pay {} by {}", draft.cents, draft.signer()), cx.idempotency_key()).await?])
}

#[node(Order, writes = receipts)]
async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![format!("refused by {}", rejection.operator)])
}

graph! {
    pub Payer<Order, World> {
        start -> propose -> pay -> end;
        pay { reject -> refuse }
        refuse -> end;
    }
}

#[interrupt_before(role = "clerk", covers = (wire), risk = low)]
#[node(Order, writes = receipts, effect)]
async fn hold(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("hold {}", draft.cents), cx.idempotency_key()).await?])
}

#[node(Order, writes = receipts, effect, risk = medium)]
async fn wire(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("wire {}", draft.cents), cx.idempotency_key()).await?])
}

graph! {
    pub Chain<Order, World> {
        start -> propose -> hold -> wire -> end;
        hold { reject -> refuse }
        refuse -> end;
    }
}

fn input(cents: u32, abroad: bool) -> OrderInput {
    OrderInput { cents, abroad }
}

#[tokio::test]
async fn a_rule_signs_nothing_of_high_risk() {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = Payer::new(world.clone(), store.clone());
    let turn = agent.start("low", input(1, false)).await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    assert_eq!(world.calls(), 1);

    let turn = agent.start("t", input(1, true)).await.unwrap();
    let PayerTurn::Pay(review) = turn else { panic!("{turn}") };
    assert_eq!((review.risk(), review.is_reversible()), (Some(RiskLevel::High), false));
    assert_eq!(review.when().map(|when| when.value), Some(false));
    let view = serde_json::to_value(agent.view("t").await.unwrap()).unwrap();
    assert_eq!(
        (&view["reviews"][0]["risk"], &view["reviews"][0]["irreversible"]),
        (&json!("high"), &json!(true))
    );
    agent.verify("t").await.unwrap();

    let turn = review.approve(&clerk()).await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    let records = journal(&store).await;
    assert_eq!(names(&records), ["started", "ran", "paused", "decided", "began", "ran", "ended"]);
    let Event::Paused { risk, irreversible, .. } = &events(&records)[2] else { panic!() };
    assert_eq!((*risk, *irreversible), (Some(RiskLevel::High), true));
    agent.verify("t").await.unwrap();
}

#[tokio::test]
async fn the_highest_risk_of_a_chain_counts() -> Result<(), Error> {
    let agent = Chain::new(World::default(), MemoryStore::new());
    let turn = agent.start("t", input(1, false)).await?;
    let ChainTurn::Hold(review) = turn else { panic!("{turn}") };
    assert_eq!((review.risk(), review.is_reversible()), (Some(RiskLevel::Medium), true));
    Ok(())
}

/// A later version of `Payer`: everything abroad or above 10 cents is of high risk, and the condition asks about
/// nothing.
mod riskier {
    use super::*;

    #[interrupt_before(
        role = "clerk",
        when = draft.cents > 1_000,
        risk = if draft.abroad || draft.cents > 10 { high } else { low },
        reversible = false
    )]
    #[node(Order, writes = receipts, effect)]
    async fn pay(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![
            world.call(&format!("pay {} by {}", draft.cents, draft.signer()), cx.idempotency_key()).await?,
        ])
    }

    graph! {
        pub Payer<Order, World> {
            start -> propose -> pay -> end;
            pay { reject -> refuse }
            refuse -> end;
        }
    }
}

/// Returns a thread whose draft the rule has signed, and whose effect has not begun.
async fn signed(cents: u32) -> MemoryStore {
    let store = MemoryStore::new();
    let _ = Payer::new(World::default(), store.clone()).start("t", input(cents, false)).await.unwrap();
    cut_before(&store, "began").await
}

#[tokio::test]
async fn new_code_asks_about_what_is_of_high_risk_now() {
    let world = World::default();
    let agent = riskier::Payer::new(world.clone(), signed(90).await).clock(later());
    let turn = agent.resume("t").await.unwrap();
    let riskier::PayerTurn::Pay(review) = turn else { panic!("{turn}") };
    assert_eq!(review.risk(), Some(RiskLevel::High));
    assert_eq!(world.calls(), 0);
    let _ = review.approve(&clerk()).await.unwrap();
    assert_eq!(world.called(), ["pay 90 by carl"]);
    agent.verify("t").await.unwrap();

    // The signature of the rule counts where the risk is still low.
    let agent = riskier::Payer::new(world.clone(), signed(9).await).clock(later());
    let turn = agent.resume("t").await.unwrap();
    assert!(matches!(turn, riskier::PayerTurn::Done(_)), "{turn}");
    agent.verify("t").await.unwrap();
    assert_eq!(world.calls(), 2);
}

#[tokio::test]
async fn new_code_opens_a_review_of_lower_risk_again() {
    let (store, world) = (MemoryStore::new(), World::default());
    let older = Payer::new(world.clone(), store.clone());
    let PayerTurn::Pay(review) = older.start("t", input(200, false)).await.unwrap() else { panic!() };
    assert_eq!(review.risk(), Some(RiskLevel::Low));
    let agent = riskier::Payer::new(world.clone(), store.clone());
    let check = agent.check("t").await.unwrap();
    assert!(check.changes.iter().any(|change| change.code() == "risk_changed"), "{:?}", check.changes);
    let riskier::PayerTurn::Pay(again) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!(again.risk(), Some(RiskLevel::High));
    // A verdict on the review that showed the lower risk is stale for this program.
    let stale = agent.decide("t", review.digest(), &clerk(), Verdict::Approve).await.unwrap_err();
    assert_eq!((stale.code(), world.calls()), ("stale", 0), "{stale}");
    let turn = again.approve(&clerk()).await.unwrap();
    assert!(matches!(turn, riskier::PayerTurn::Done(_)), "{turn}");
    agent.verify("t").await.unwrap();
}

/// Someone writes into the store that the risk is low, or that the rule has signed what is of high risk.
#[tokio::test]
async fn a_forged_risk_runs_nothing() {
    let world = World::default();
    let forged = altered(&signed(90).await, r#""abroad":false"#, r#""abroad":true"#).await;
    let agent = Payer::new(world.clone(), forged).clock(later());
    let report = agent.audit("t", None).await.unwrap();
    let said = report.findings.iter().map(|finding| finding.problem.as_str()).collect::<Vec<_>>().join("\n");
    assert!(said.contains("a person signs what is of high risk"), "{said}");
    let turn = agent.resume("t").await.unwrap();
    assert!(matches!(turn, PayerTurn::Pay(_)), "{turn}");

    let store = MemoryStore::new();
    let _ = Payer::new(world.clone(), store.clone()).start("t", input(1, true)).await.unwrap();
    for (from, to) in [
        (r#","risk":"high""#, r#","risk":"low""#),
        (r#","risk":"high""#, ""),
        (r#","irreversible":true"#, ""),
    ] {
        let agent = Payer::new(world.clone(), altered(&store, from, to).await);
        assert!(agent.verify("t").await.is_err(), "{from}: {to}");
        let PayerTurn::Pay(review) = agent.resume("t").await.unwrap() else { panic!() };
        assert_eq!((review.risk(), review.is_reversible()), (Some(RiskLevel::High), false), "{from}: {to}");
    }
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn an_edit_signs_no_higher_risk_than_its_operator_was_shown() {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = Payer::new(world.clone(), store.clone());
    let PayerTurn::Pay(review) = agent.start("t", input(200, false)).await.unwrap() else { panic!() };
    assert_eq!(review.risk(), Some(RiskLevel::Low));
    let edit = || Verdict::Edit { patch: json!({ "abroad": true }) };
    let preview = agent.preview("t", review.digest(), &clerk(), edit()).await.unwrap();
    let opens = preview.again.and_then(|again| again.opens).unwrap();
    assert!(!opens.signs, "{opens:?}");
    let turn = agent.decide("t", review.digest(), &clerk(), edit()).await.unwrap();
    let PayerTurn::Pay(review) = turn else { panic!("{turn}") };
    assert_eq!((review.risk(), world.calls()), (Some(RiskLevel::High), 0));
    agent.verify("t").await.unwrap();
    // An edit that lowers the risk signs at once.
    let lower = Verdict::Edit { patch: json!({ "abroad": false, "cents": 300 }) };
    let turn = agent.decide("t", review.digest(), &clerk(), lower).await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    assert_eq!(world.called(), ["pay 300 by carl"]);
    agent.verify("t").await.unwrap();
}

/// Returns a thread that a clerk has signed under `Payer`, and whose effect has not begun.
async fn signed_by_a_person(cents: u32) -> MemoryStore {
    let store = MemoryStore::new();
    let agent = Payer::new(World::default(), store.clone());
    let PayerTurn::Pay(review) = agent.start("t", input(cents, false)).await.unwrap() else { panic!() };
    let _ = review.approve(&clerk()).await.unwrap();
    cut_before(&store, "began").await
}

#[tokio::test]
async fn what_a_person_signed_as_a_lower_risk_is_signed_again() {
    let world = World::default();
    let agent = riskier::Payer::new(world.clone(), signed_by_a_person(200).await).clock(later());
    let check = agent.check("t").await.unwrap();
    assert_eq!(check.changes[0].code(), "signed_again", "{:?}", check.changes);
    let turn = agent.resume("t").await.unwrap();
    let riskier::PayerTurn::Pay(review) = turn else { panic!("{turn}") };
    assert_eq!((review.risk(), world.calls()), (Some(RiskLevel::High), 0));
    let _ = review.approve(&clerk()).await.unwrap();
    assert_eq!(world.called(), ["pay 200 by carl"]);
    agent.verify("t").await.unwrap();
    // The same program pays on the signature.
    let agent = Payer::new(world.clone(), signed_by_a_person(200).await).clock(later());
    assert!(matches!(agent.resume("t").await.unwrap(), PayerTurn::Done(_)));
}

mod limits {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    static LIMIT: AtomicU32 = AtomicU32::new(1_000);

    #[interrupt_before(role = "clerk", risk = if draft.cents > LIMIT.load(SeqCst) { high } else { low })]
    #[node(Order, writes = receipts, effect)]
    async fn pay(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![
            world.call(&format!("pay {} by {}", draft.cents, draft.signer()), cx.idempotency_key()).await?,
        ])
    }

    graph! {
        pub Payer<Order, World> {
            start -> propose -> pay -> end;
            pay { reject -> refuse }
            refuse -> end;
        }
    }

    /// The fingerprint is the same, because the text of the choice is.
    #[tokio::test]
    async fn a_limit_that_has_changed_asks_again() {
        let (store, world) = (MemoryStore::new(), World::default());
        let agent = Payer::new(World::default(), store.clone());
        let PayerTurn::Pay(review) = agent.start("t", input(200, false)).await.unwrap() else { panic!() };
        let _ = review.approve(&clerk()).await.unwrap();
        let agent = Payer::new(world.clone(), cut_before(&store, "began").await).clock(later());
        LIMIT.store(100, SeqCst);
        let turn = agent.resume("t").await.unwrap();
        let PayerTurn::Pay(review) = turn else { panic!("{turn}") };
        assert_eq!((review.risk(), world.calls()), (Some(RiskLevel::High), 0));
    }
}

mod covered_reviews {
    use super::*;

    #[draft]
    #[derive(Clone, Debug, PartialEq, Validate)]
    #[garde(allow_unvalidated)]
    pub struct Letter {
        pub text: String,
    }

    #[state]
    pub struct Parcel {
        #[input]
        pub cents: u32,
        pub draft: Payment,
        pub letter: Letter,
        #[output]
        #[reduce(append)]
        pub receipts: Vec<String>,
    }

    #[node(Parcel, writes = (draft, letter))]
    async fn write(cents: u32) -> Result<(Payment, Letter)> {
        Ok((Payment { cents, abroad: false }, Letter { text: "Dear Ada".into() }))
    }

    #[interrupt_before(role = "clerk", covers = (wire), when = draft.cents > 100)]
    #[node(Parcel, writes = receipts, effect)]
    async fn hold(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![world.call(&format!("hold {}", draft.cents), cx.idempotency_key()).await?])
    }

    #[interrupt_before(review = letter, role = "clerk", risk = high, reversible = false)]
    #[node(Parcel, writes = receipts, effect)]
    async fn wire(
        letter: &Approved<Letter>,
        draft: &Approved<Payment>,
        world: Deps<World>,
        cx: &Cx,
    ) -> Result<Vec<String>> {
        let by = draft.signer();
        Ok(vec![
            world
                .call(&format!("wire {} by {by}: {}", draft.cents, letter.text), cx.idempotency_key())
                .await?,
        ])
    }

    #[node(Parcel, writes = receipts)]
    async fn drop_it(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![format!("refused by {}", rejection.operator)])
    }

    graph! {
        pub Parcels<Parcel, World> {
            start -> write -> hold -> wire -> end;
            hold { reject -> drop_it }
            wire { reject -> drop_it }
            drop_it -> end;
        }
    }

    /// The draft is used by an effect whose own review, of the letter, is of high risk.
    #[tokio::test]
    async fn a_rule_signs_nothing_for_an_effect_whose_own_review_is_of_high_risk() {
        let (store, world) = (MemoryStore::new(), World::default());
        let agent = Parcels::new(world.clone(), store);
        let turn = agent.start("t", ParcelInput { cents: 9 }).await.unwrap();
        let ParcelsTurn::Hold(review) = turn else { panic!("{turn}") };
        assert_eq!((review.risk(), review.is_reversible()), (Some(RiskLevel::High), false));
        assert_eq!(world.calls(), 0);
        let turn = review.approve(&clerk()).await.unwrap();
        let ParcelsTurn::Wire(review) = turn else { panic!("{turn}") };
        let _ = review.approve(&clerk()).await.unwrap();
        assert_eq!(world.called(), ["hold 9", "wire 9 by carl: Dear Ada"]);
        agent.verify("t").await.unwrap();
    }
}
