//! Nodes between the draft and its review, which run again on the edited draft.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use hitl::{Error, prelude::*};

use super::summary;
use crate::kit::{
    operators::{clerk, director},
    payment::Draft,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tier {
    Low,
    High,
}

#[state]
pub struct Order {
    #[input]
    pub cents: u32,
    pub draft: Draft,
    pub tax: u32,
    pub tier: Tier,
    #[output]
    pub outcome: String,
}

#[derive(Clone, Default)]
pub struct Office {
    taxed: Arc<AtomicU32>,
    /// The number of times that `rate` will still fail.
    failing: Arc<AtomicU32>,
}

#[node(Order, writes = draft)]
async fn draft(cents: u32) -> Result<Draft> {
    Ok(Draft { cents })
}

#[node(Order, writes = tax)]
async fn levy(draft: &Draft, office: Deps<Office>) -> Result<u32> {
    office.taxed.fetch_add(1, Ordering::SeqCst);
    Ok(draft.cents / 10)
}

/// Rates the order. Depends on the draft through `tax`, the write of another node.
#[node(Order, writes = tier)]
async fn rate(tax: u32, office: Deps<Office>) -> Result<Tier> {
    if office.failing.load(Ordering::SeqCst) > 0 {
        office.failing.fetch_sub(1, Ordering::SeqCst);
        return Err(NodeError::msg("no rates today"));
    }
    Ok(if tax > 5_000 { Tier::High } else { Tier::Low })
}

#[interrupt_before(role = "clerk", unsigned(tax))]
#[node(Order, writes = outcome, effect)]
async fn pay_low(draft: &Approved<Draft>, tax: u32) -> Result<String> {
    Ok(format!("{} and {tax} tax, by {}", draft.cents, draft.signer()))
}

#[interrupt_before(role = "director", unsigned(tax))]
#[node(Order, writes = outcome, effect)]
async fn pay_high(draft: &Approved<Draft>, tax: u32) -> Result<String> {
    Ok(format!("{} and {tax} tax, by {}", draft.cents, draft.signer()))
}

#[node(Order, writes = outcome)]
async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(rejection.operator.clone())
}

graph! {
    pub Taxed<Order, Office> {
        start -> draft -> levy -> rate -> match tier { Tier::Low => pay_low, Tier::High => pay_high };
        pay_low -> end;
        pay_high -> end;
        pay_low { reject -> cancel }
        pay_high { reject -> cancel }
        cancel -> end;
    }
}

async fn low(agent: &Agent<Taxed>) -> hitl::Review<Taxed, Draft> {
    match agent.start("t", OrderInput { cents: 1_000 }).await.unwrap() {
        TaxedTurn::PayLow(review) => review,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn nodes_between_are_rerun_and_one_verdict_signs() {
    let agent = Taxed::new(Office::default(), MemoryStore::new());
    let turn = low(&agent).await.edit(&clerk(), |draft| draft.cents = 2_000).await.unwrap();
    assert!(matches!(turn, TaxedTurn::Done(outcome) if outcome == "2000 and 200 tax, by carl"));
    assert_eq!(
        summary(&agent, "t").await[4..],
        [
            "carl edit pay_low from `draft` to levy",
            "ran levy",
            "ran rate",
            "paused pay_low for clerk, proposed by carl",
            "carl approve pay_low by the edit",
            "began pay_low",
            "ran pay_low",
        ]
    );
}

#[tokio::test]
async fn a_value_derived_from_the_draft_is_recomputed() {
    let agent = Taxed::new(Office::default(), MemoryStore::new());
    let review = low(&agent).await;
    let edit = Verdict::Edit { patch: serde_json::json!({ "cents": 999_999 }) };
    let preview = agent.preview("t", review.digest(), &clerk(), edit).await.unwrap();
    assert_eq!(preview.again.unwrap().to.to_string(), "levy");
    let turn = review.edit(&clerk(), |draft| draft.cents = 999_999).await.unwrap();
    let TaxedTurn::PayHigh(review) = turn else { panic!("{turn}") };
    assert_eq!((review.proposed_by(), review.role()), (Some("carl"), Some("director")));
}

/// A node between the draft and its review fails: the edit stays pending, and signs once the thread is resumed.
#[tokio::test]
async fn a_failing_node_loses_no_pending_edit() {
    let office = Office::default();
    let agent = Taxed::new(office.clone(), MemoryStore::new());
    let review = low(&agent).await;
    office.failing.store(1, Ordering::SeqCst);
    let turn = review.edit(&clerk(), |draft| draft.cents = 2_000).await.unwrap();
    let TaxedTurn::Failed(failed) = turn else { panic!("{turn}") };
    let turn = failed.resume().await.unwrap();
    assert!(matches!(turn, TaxedTurn::Done(outcome) if outcome == "2000 and 200 tax, by carl"));
    assert_eq!(office.taxed.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_fork_of_a_thread_drops_its_pending_edit() {
    let office = Office::default();
    let agent = Taxed::new(office.clone(), MemoryStore::new());
    let review = low(&agent).await;
    office.failing.store(1, Ordering::SeqCst);
    let _ = review.edit(&clerk(), |draft| draft.cents = 2_000).await.unwrap();
    let head = agent.history("t", 0, 100).await.unwrap().last().unwrap().place;
    let turn = agent.fork("t", head, "u").await.unwrap();
    let TaxedTurn::PayLow(review) = turn else { panic!("{turn}") };
    assert_eq!(review.draft().cents, 2_000);
    // The fork has a review of its own, which can be edited.
    let turn = review.edit(&clerk(), |draft| draft.cents = 3_000).await.unwrap();
    assert!(matches!(turn, TaxedTurn::Done(outcome) if outcome == "3000 and 300 tax, by carl"));
}

#[interrupt_before(role = "director", edit = false)]
#[node(Order, writes = outcome, effect)]
async fn pay_held(draft: &Approved<Draft>) -> Result<String> {
    Ok(format!("{} by {}", draft.cents, draft.signer()))
}

#[interrupt_before(role = "clerk")]
#[node(Order, writes = tax, effect)]
async fn hold(draft: &Approved<Draft>) -> Result<u32> {
    Ok(draft.cents)
}

graph! {
    pub Held<Order> {
        start -> draft -> hold -> pay_held -> end;
        hold { reject -> cancel }
        pay_held { reject -> cancel }
        cancel -> end;
    }
}

#[tokio::test]
async fn a_review_without_edits_rejects_an_edit() {
    let agent = Held::new(MemoryStore::new());
    let HeldTurn::Hold(hold) = agent.start("t", OrderInput { cents: 5 }).await.unwrap() else { panic!() };
    let turn = hold.edit(&clerk(), |draft| draft.cents = 6).await.unwrap();
    let HeldTurn::PayHeld(review) = turn else { panic!("{turn}") };
    let (digest, dora) = (review.digest(), director());
    let view = agent.view("t").await.unwrap();
    assert_eq!(view.reviews[0].verdicts, ["approve", "reject"]);
    let edit = || Verdict::Edit { patch: serde_json::json!({ "cents": 7 }) };
    let error = agent.decide("t", digest, &dora, edit()).await.unwrap_err();
    assert!(
        matches!(&error, Error::BadVerdict { problem, .. } if problem.contains("edit = false")),
        "{error}"
    );
    assert!(agent.preview("t", digest, &dora, edit()).await.is_err());
    let turn = review.approve(&dora).await.unwrap();
    assert!(matches!(turn, HeldTurn::Done(outcome) if outcome == "6 by dora"));
}

graph! {
    pub Plain<Order> {
        start -> draft -> pay_held -> end;
        pay_held { reject -> cancel }
        cancel -> end;
    }
}

/// `edit = false` holds also where the graph would allow an edit.
#[tokio::test]
async fn edit_false_rejects_an_edit_that_the_graph_allows() {
    let agent = Plain::new(MemoryStore::new());
    let turn = agent.start("t", OrderInput { cents: 5 }).await.unwrap();
    let PlainTurn::PayHeld(review) = turn else { panic!("{turn}") };
    let (digest, dora) = (review.digest(), director());
    let edit = || Verdict::Edit { patch: serde_json::json!({ "cents": 7 }) };
    for error in [
        agent.decide("t", digest, &dora, edit()).await.unwrap_err(),
        agent.preview("t", digest, &dora, edit()).await.unwrap_err(),
    ] {
        let Error::BadVerdict { problem, .. } = &error else { panic!("{error}") };
        assert!(problem.contains("edit = false"), "{error}");
    }
    let turn = review.approve(&dora).await.unwrap();
    assert!(matches!(turn, PlainTurn::Done(outcome) if outcome == "5 by dora"));
}

/// Adds the draft's amount to `tax`. The loop has a review in each round, and an edit in a later round must not repeat
/// the earlier ones.
#[interrupt_before(role = "clerk", unsigned(tax))]
#[node(Order, writes = tax, effect)]
async fn instalment(draft: &Approved<Draft>, tax: Option<&u32>) -> Result<u32> {
    Ok(tax.copied().unwrap_or_default() + draft.cents)
}

#[node(Order, writes = tier)]
async fn judge(tax: u32) -> Result<Tier> {
    Ok(if tax >= 10 { Tier::High } else { Tier::Low })
}

#[node(Order, writes = outcome)]
async fn close(tax: u32) -> Result<String> {
    Ok(format!("{tax} in all"))
}

graph! {
    pub Instalments<Order> {
        start -> draft -> instalment -> judge -> match tier { Tier::Low => instalment, Tier::High => close };
        instalment { reject -> cancel }
        cancel -> end;
        close -> end;
    }
}

#[tokio::test]
async fn an_edit_in_a_later_round_reruns_no_earlier_round() {
    let agent = Instalments::new(MemoryStore::new());
    let turn = agent.start("t", OrderInput { cents: 4 }).await.unwrap();
    let InstalmentsTurn::Instalment(review) = turn else { panic!("{turn}") };
    let turn = review.approve(&clerk()).await.unwrap();
    let InstalmentsTurn::Instalment(review) = turn else { panic!("{turn}") };
    let turn = review.edit(&clerk(), |draft| draft.cents = 6).await.unwrap();
    assert!(matches!(turn, InstalmentsTurn::Done(outcome) if outcome == "10 in all"));
    let began = summary(&agent, "t").await.iter().filter(|told| told.starts_with("began")).count();
    assert_eq!(began, 2);
}
