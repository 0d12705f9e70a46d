//! Edits in a branch of a fork, across a fork, and in the items of a `for`.

use std::sync::{Arc, Mutex};

use hitl::prelude::*;

use super::summary;
use crate::kit::operators::{clerk, director};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Parcel {
    #[garde(range(max = 1_000))]
    pub cents: u32,
}

#[state]
pub struct Batch {
    #[input]
    pub parcels: Vec<Parcel>,
    pub parcel: Parcel,
    pub tax: u32,
    pub stock: u32,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

type Runs = Arc<Mutex<Vec<String>>>;

#[node(Batch, writes = tax)]
async fn assess(parcel: &Parcel, runs: Deps<Runs>) -> Result<u32> {
    runs.lock().unwrap().push(format!("assess {}", parcel.cents));
    Ok(parcel.cents / 10)
}

#[interrupt_before(role = "clerk", unsigned(tax))]
#[node(Batch, writes = log, effect)]
async fn pay_low(parcel: &Approved<Parcel>, tax: u32) -> Result<Vec<String>> {
    Ok(vec![format!("{} + {tax} low by {}", parcel.cents, parcel.signer())])
}

#[interrupt_before(role = "director", unsigned(tax))]
#[node(Batch, writes = log, effect)]
async fn pay_high(parcel: &Approved<Parcel>, tax: u32) -> Result<Vec<String>> {
    Ok(vec![format!("{} + {tax} high by {}", parcel.cents, parcel.signer())])
}

#[node(Batch, writes = log)]
async fn drop_it(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.operator.clone()])
}

graph! {
    pub Parcels<Batch, Runs> {
        start -> for parcel in parcels {
            assess -> match tax { ..50 => pay_low, _ => pay_high }
        } -> end;
        pay_low -> end;
        pay_high -> end;
        pay_low { reject -> drop_it }
        pay_high { reject -> drop_it }
        drop_it -> end;
    }
}

#[tokio::test]
async fn an_edit_reruns_only_its_own_item() {
    let runs = Runs::default();
    let agent = Parcels::new(runs.clone(), MemoryStore::new());
    let parcels = [100, 200, 300].map(|cents| Parcel { cents }).to_vec();
    let turn = agent.start("t", BatchInput { parcels }).await.unwrap();
    let ParcelsTurn::Several(mut reviews) = turn else { panic!("{turn}") };
    runs.lock().unwrap().clear();
    let ParcelsReview::PayLow(second) = reviews.remove(1) else { panic!() };
    let ParcelsReview::PayLow(first) = reviews.remove(0) else { panic!() };
    let _ = second.edit(&clerk(), |parcel| parcel.cents = 900).await.unwrap();
    let _ = first.edit(&clerk(), |parcel| parcel.cents = 101).await.unwrap();
    assert_eq!(*runs.lock().unwrap(), ["assess 900", "assess 101"], "another item was rerun");
    let view = agent.view("t").await.unwrap();
    let open: Vec<_> = view
        .reviews
        .iter()
        .map(|review| (review.node.as_str(), review.draft["cents"].as_u64(), review.proposed_by.as_deref()))
        .collect();
    assert_eq!(open, [("pay_high", Some(900), Some("carl")), ("pay_low", Some(300), None)]);
    let high = view.reviews[0].digest;
    assert!(agent.decide("t", high, &clerk(), Verdict::Approve).await.is_err());
    let _ = agent.decide("t", high, &director(), Verdict::Approve).await.unwrap();
    let low = agent.view("t").await.unwrap().reviews[0].digest;
    let turn = agent.decide("t", low, &clerk(), Verdict::Approve).await.unwrap();
    let ParcelsTurn::Done(log) = turn else { panic!("{turn}") };
    assert_eq!(log, ["101 + 10 low by carl", "900 + 90 high by dora", "300 + 30 low by carl"]);
}

#[node(Batch, writes = parcel)]
async fn draft(parcels: &[Parcel]) -> Result<Parcel> {
    Ok(parcels[0].clone())
}

#[node(Batch, writes = stock)]
async fn count(runs: Deps<Runs>) -> Result<u32> {
    runs.lock().unwrap().push("count".into());
    Ok(1)
}

graph! {
    /// A graph with a whole fork between the draft and its review.
    pub Across<Batch, Runs> {
        start -> draft -> (assess, count) -> pay_low -> end;
        pay_low { reject -> drop_it }
        drop_it -> end;
    }
}

#[tokio::test]
async fn a_fork_on_the_path_is_rerun_completely() {
    let runs = Runs::default();
    let agent = Across::new(runs.clone(), MemoryStore::new());
    let turn = agent.start("t", BatchInput { parcels: vec![Parcel { cents: 100 }] }).await.unwrap();
    let AcrossTurn::PayLow(review) = turn else { panic!("{turn}") };
    runs.lock().unwrap().clear();
    let turn = review.edit(&clerk(), |parcel| parcel.cents = 200).await.unwrap();
    assert!(matches!(turn, AcrossTurn::Done(log) if log == ["200 + 20 low by carl"]));
    let mut again = runs.lock().unwrap().clone();
    again.sort();
    assert_eq!(again, ["assess 200", "count"]);
}

graph! {
    /// A graph in which the review and the nodes that depend on the draft are in one branch.
    pub Inside<Batch, Runs> {
        start -> draft -> (assess -> match tax { ..50 => pay_low, _ => pay_high }, count) -> end;
        pay_low -> end;
        pay_high -> end;
        pay_low { reject -> drop_it }
        pay_high { reject -> drop_it }
        drop_it -> end;
    }
}

#[tokio::test]
async fn an_edit_in_a_branch_restarts_the_branch() {
    let runs = Runs::default();
    let agent = Inside::new(runs.clone(), MemoryStore::new());
    let turn = agent.start("t", BatchInput { parcels: vec![Parcel { cents: 100 }] }).await.unwrap();
    let InsideTurn::PayLow(review) = turn else { panic!("{turn}") };
    runs.lock().unwrap().clear();
    let turn = review.edit(&clerk(), |parcel| parcel.cents = 900).await.unwrap();
    let InsideTurn::PayHigh(review) = turn else { panic!("{turn}") };
    assert_eq!(*runs.lock().unwrap(), ["assess 900"]);
    assert_eq!(review.proposed_by(), Some("carl"));
    let turn = review.approve(&director()).await.unwrap();
    assert!(matches!(turn, InsideTurn::Done(log) if log == ["900 + 90 high by dora"]));
    assert!(summary(&agent, "t").await.contains(&"carl edit pay_low from `assess` to assess".to_owned()));
}
