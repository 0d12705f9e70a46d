//! A pending edit signs nothing at or after the deadline of the edited review.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use hitl::{ManualClock, Timestamp, prelude::*};
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

/// The review has no deadline.
#[interrupt_before(role = "clerk")]
#[node(Case, writes = outcome, effect)]
async fn pay_patiently(draft: &Approved<Draft>, world: Deps<World>) -> Result<String> {
    world.done.lock().unwrap().push(format!("paid {} for {}", draft.cents, draft.operator()));
    Ok("patiently".into())
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

graph! {
    pub Patient<Case, World> {
        start -> propose -> measure -> match size { Size::Small => pay_patiently, Size::Large => pay_large };
        pay_patiently -> end;
        pay_large -> end;
        pay_patiently { reject -> cancel }
        pay_large { reject -> cancel }
        cancel -> end;
    }
}

const START_MS: u64 = 1_763_800_000_000;

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn carl() -> Operator {
    Operator::new("carl").role("clerk")
}

fn edit() -> Verdict {
    Verdict::Edit { patch: json!({ "cents": 90 }) }
}

#[tokio::test]
async fn an_edit_signs_until_the_deadline_of_its_review() {
    let month = DAY * 30;
    for (passes, signs) in [(DAY - Duration::from_millis(1), true), (DAY, false), (month, false)] {
        let (world, clock) = (World::default(), ManualClock::at(Timestamp::from_millis(START_MS)));
        let agent = Payer::new(world.clone(), MemoryStore::new()).clock(clock.clone());
        let turn = agent.start("t", CaseInput { cents: 50 }).await.unwrap();
        let PayerTurn::PaySmall(review) = turn else { panic!("{turn}") };
        *world.down.lock().unwrap() = true;
        let turn = agent.decide("t", review.digest(), &carl(), edit()).await.unwrap();
        assert!(matches!(turn, PayerTurn::Failed(_)), "{turn}");
        *world.down.lock().unwrap() = false;
        clock.advance(passes);
        // Another person resumes the failed thread.
        let turn = agent.resume("t").await.unwrap();
        if signs {
            assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
            assert_eq!(*world.done.lock().unwrap(), ["paid 90 for carl"]);
        } else {
            assert!(world.done.lock().unwrap().is_empty(), "paid after {passes:?}");
            let PayerTurn::PaySmall(again) = turn else { panic!("{turn}") };
            assert_eq!((again.draft().cents, again.proposed_by()), (90, Some("carl")));
            assert_ne!(again.digest(), review.digest());
        }
        agent.verify("t").await.unwrap();
    }
}

#[tokio::test]
async fn an_edit_of_a_review_without_a_deadline_waits() {
    let (world, clock) = (World::default(), ManualClock::at(Timestamp::from_millis(START_MS)));
    let agent = Patient::new(world.clone(), MemoryStore::new()).clock(clock.clone());
    let turn = agent.start("t", CaseInput { cents: 50 }).await.unwrap();
    let PatientTurn::PayPatiently(review) = turn else { panic!("{turn}") };
    *world.down.lock().unwrap() = true;
    let turn = agent.decide("t", review.digest(), &carl(), edit()).await.unwrap();
    assert!(matches!(turn, PatientTurn::Failed(_)), "{turn}");
    *world.down.lock().unwrap() = false;
    clock.advance(DAY * 30);
    assert!(matches!(agent.resume("t").await.unwrap(), PatientTurn::Done(_)));
    assert_eq!(*world.done.lock().unwrap(), ["paid 90 for carl"]);
}
