//! `match` with one arm for each variant of an enum: an edit from one variant to another must not run the first one's
//! effect.

use std::sync::{Arc, Mutex};

use hitl::prelude::*;
use serde_json::json;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
#[garde(allow_unvalidated)]
pub enum Call {
    Refund { cents: u32 },
    Mail { text: String },
}

#[state]
pub struct Desk {
    #[input]
    pub cents: u32,
    pub call: Call,
    #[output]
    pub outcome: String,
}

type Done = Arc<Mutex<Vec<String>>>;

#[node(Desk, writes = call)]
async fn think(cents: u32) -> Result<Call> {
    Ok(Call::Refund { cents })
}

#[interrupt_before]
#[node(Desk, writes = outcome, effect)]
async fn refund(call: &Approved<Call>, done: Deps<Done>) -> Result<String> {
    let Call::Refund { cents } = &**call else { unreachable!("the arm says which it is") };
    done.lock().unwrap().push(format!("refunded {cents}"));
    Ok("refunded".into())
}

#[interrupt_before]
#[node(Desk, writes = outcome, effect)]
async fn mail(call: &Approved<Call>, done: Deps<Done>) -> Result<String> {
    let Call::Mail { text } = &**call else { unreachable!("the arm says which it is") };
    done.lock().unwrap().push(format!("mailed {text}"));
    Ok("mailed".into())
}

graph! {
    pub Calls<Desk, Done> {
        start -> think -> match call {
            Call::Refund { .. } => refund,
            Call::Mail { .. } => mail,
        };
        refund -> end;
        mail -> end;
        refund { reject -> end_it }
        mail { reject -> end_it }
        end_it -> end;
    }
}

#[node(Desk, writes = outcome)]
async fn end_it(rejection: &Rejection) -> Result<String> {
    Ok(rejection.reason.to_string())
}

#[tokio::test]
async fn an_edit_to_another_variant_takes_its_arm() {
    let (done, mara) = (Done::default(), Operator::new("mara"));
    let agent = Calls::new(done.clone(), MemoryStore::new());
    let turn = agent.start("typed", DeskInput { cents: 7 }).await.unwrap();
    let CallsTurn::Refund(review) = turn else { panic!("{turn}") };
    let turn = review.edit(&mara, |call| *call = Call::Mail { text: "sorry".into() }).await.unwrap();
    assert!(matches!(turn, CallsTurn::Done(outcome) if outcome == "mailed"));
    // The same edit as a JSON patch.
    let turn = agent.start("json", DeskInput { cents: 7 }).await.unwrap();
    let CallsTurn::Refund(review) = turn else { panic!("{turn}") };
    let patch = json!({ "Refund": null, "Mail": { "text": "sorry" } });
    let _ = agent.decide("json", review.digest(), &mara, Verdict::Edit { patch }).await;
    assert!(done.lock().unwrap().iter().all(|done| done == "mailed sorry"), "{done:?}");
}
