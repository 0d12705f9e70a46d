//! A review is open for a day. An edit of it that is proposed anew, and whose way is held up, signs and pays a month later.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use hitl::{ManualClock, prelude::*};
use serde_json::json;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(range(max = 1_000))]
    pub cents: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Size {
    Small,
    Large,
}

#[derive(Clone, Default)]
pub struct World {
    down: Arc<Mutex<bool>>,
    done: Arc<Mutex<Vec<String>>>,
}

#[state]
pub struct Case {
    #[input]
    pub cents: u32,
    pub draft: Draft,
    pub size: Size,
    #[output]
    pub outcome: String,
}

#[node(Case, writes = draft)]
async fn propose(cents: u32) -> Result<Draft> {
    Ok(Draft { cents })
}

#[node(Case, writes = size)]
async fn measure(draft: &Draft, world: Deps<World>) -> Result<Size> {
    if *world.down.lock().unwrap() {
        return Err(NodeError::msg("the model is down"));
    }
    Ok(if draft.cents > 100 { Size::Large } else { Size::Small })
}

#[interrupt_before(role = "clerk", expires = "24h")]
#[node(Case, writes = outcome, effect)]
async fn pay_small(draft: &Approved<Draft>, world: Deps<World>) -> Result<String> {
    world.done.lock().unwrap().push(format!("paid {} for {}", draft.cents, draft.operator()));
    Ok("small".into())
}

#[interrupt_before(role = "director", expires = "24h")]
#[node(Case, writes = outcome, effect)]
async fn pay_large(draft: &Approved<Draft>, world: Deps<World>) -> Result<String> {
    world.done.lock().unwrap().push(format!("paid {} for {}", draft.cents, draft.operator()));
    Ok("large".into())
}

#[node(Case, writes = outcome)]
async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(format!("{:?}", rejection.reason))
}

graph! {
    pub Payer<Case, World> {
        start -> propose -> measure -> match size { Size::Small => pay_small, Size::Large => pay_large };
        pay_small -> end;
        pay_large -> end;
        pay_small { reject -> cancel }
        pay_large { reject -> cancel }
        cancel -> end;
    }
}

#[tokio::test]
async fn a_verdict_of_last_month_pays_nothing() {
    let (world, clock) = (World::default(), ManualClock::at_ms(1_763_800_000_000));
    let agent = Payer::new(world.clone(), MemoryStore::new()).clock(clock.clone());
    let carl = Operator::new("carl").role("clerk");
    let PayerTurn::PaySmall(review) = agent.start("t", CaseInput { cents: 50 }).await.unwrap() else { panic!() };
    *world.down.lock().unwrap() = true;
    let edit = Verdict::Edit { patch: json!({ "cents": 90 }) };
    println!("edit: {:?}", agent.decide("t", review.digest(), &carl, edit).await.map(|t| t.to_string()));
    *world.down.lock().unwrap() = false;
    clock.advance(Duration::from_secs(30 * 24 * 3600));
    // carl has left the house by now. Whoever keeps the machine resumes what has failed.
    println!("resume: {:?}", agent.resume("t").await.map(|t| t.to_string()));
    println!("done: {:?}", world.done.lock().unwrap());
    println!("{:?}", agent.verify(&"t".parse().unwrap()).await.map(|_| "verify: sound"));
    assert!(world.done.lock().unwrap().is_empty(), "a verdict on a review of one day paid a month later");
}
