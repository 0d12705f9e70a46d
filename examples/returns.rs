//! Returned parcels: the same steps for each item of a list, concurrently, with a signature for each refund.
//!
//! ```text
//! cargo run --example returns
//! ```
//!
//! There is no model and no file: the nodes are a few lines each, and the thread is kept in memory.

// The macros' output must keep it clean.
#![warn(clippy::pedantic)]

use std::error::Error;

use hitl::prelude::*;

/// A returned parcel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Parcel {
    order: String,
    dollars: f64,
    opened: bool,
}

/// The draft that the operator signs, one for each parcel.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
struct Refund {
    #[garde(length(min = 1))]
    order: String,
    /// US dollars.
    #[garde(range(min = 0.01, max = 500.0))]
    dollars: f64,
}

/// The state of one delivery.
#[state]
struct Delivery {
    #[input]
    parcels: Vec<Parcel>,
    /// The current item. It and the draft belong to one parcel, and are dropped at the end of the `for`.
    parcel: Parcel,
    draft: Refund,
    /// The receipts, in the order of the parcels, whichever was signed first.
    #[reduce(append)]
    #[output]
    receipts: Vec<String>,
}

/// Drafts the refund: half of the price if the parcel was opened.
#[node(Delivery, writes = draft)]
async fn assess(parcel: &Parcel) -> Result<Refund> {
    let share = if parcel.opened { 0.5 } else { 1.0 };
    Ok(Refund { order: parcel.order.clone(), dollars: parcel.dollars * share })
}

#[interrupt_before(role = "clerk")]
#[node(Delivery, writes = receipts, effect)]
async fn pay(draft: &Approved<Refund>, cx: &Cx) -> Result<Vec<String>> {
    // Each parcel has its own key, so that the bank does not take the refund of one for a retry of another.
    let key = &cx.idempotency_key()[..8];
    Ok(vec![format!(
        "{}: {:.2} dollars, signed by {}, key {key}",
        draft.order,
        draft.dollars,
        draft.signer()
    )])
}

#[node(Delivery, writes = receipts)]
async fn send_back(parcel: &Parcel, rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![format!("{}: goes back, {}", parcel.order, rejection.note)])
}

graph! {
    /// Refunds returned parcels, each once a clerk has signed for it.
    Returns<Delivery> {
        start -> for parcel in parcels, at_most = 4 { assess -> pay } -> end;
        pay { reject -> send_back }
        send_back -> end;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let returns = Returns::new(MemoryStore::new());
    let parcel = |order: &str, dollars, opened| Parcel { order: order.into(), dollars, opened };
    let parcels = vec![parcel("A-1", 30.0, false), parcel("A-2", 80.0, true), parcel("A-3", 12.0, true)];
    let mut turn = returns.start("monday", DeliveryInput { parcels }).await?;

    let clerk = Operator::new("mara").role("clerk");
    // Each parcel has its own review. Mara takes the last one first.
    let receipts = loop {
        let review = match turn {
            ReturnsTurn::Done(receipts) => break receipts,
            ReturnsTurn::Pay(review) => review,
            ReturnsTurn::Several(mut reviews) => match reviews.pop() {
                Some(ReturnsReview::Pay(review)) => review,
                None => return Err("nothing is open".into()),
            },
            other => return Err(other.to_string().into()),
        };
        println!("mara reads: {:.2} dollars for {}", review.draft().dollars, review.draft().order);
        turn = match review.draft().order.as_str() {
            "A-3" => review.reject(&clerk, Reason::BadPlan, "it was worn").await?,
            "A-2" => review.edit(&clerk, |draft| draft.dollars += 10.0).await?,
            _ => review.approve(&clerk).await?,
        };
    };
    for receipt in &receipts {
        println!("{receipt}");
    }
    Ok(())
}
