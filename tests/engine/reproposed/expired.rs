//! A pending edit signs nothing at or after the deadline of the edited review.

use std::time::Duration;

use hitl::{ManualClock, Timestamp, prelude::*};
use serde_json::json;

use crate::kit::{
    operators::clerk,
    payment::{Case, CaseInput, Draft, Payer, PayerTurn, Size, cancel, measure, pay, pay_large, propose},
    world::World,
};

/// The review has no deadline.
#[interrupt_before(role = "clerk")]
#[node(Case, writes = outcome, effect)]
async fn pay_patiently(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<String> {
    pay("small", draft, &world, cx).await
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
        world.set_down(true);
        let turn = agent.decide("t", review.digest(), &clerk(), edit()).await.unwrap();
        assert!(matches!(turn, PayerTurn::Failed(_)), "{turn}");
        world.set_down(false);
        clock.advance(passes);
        // Another person resumes the failed thread.
        let turn = agent.resume("t").await.unwrap();
        if signs {
            assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
            assert_eq!(world.called(), ["small 90 by clerk carl"]);
        } else {
            assert_eq!(world.calls(), 0, "paid after {passes:?}");
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
    world.set_down(true);
    let turn = agent.decide("t", review.digest(), &clerk(), edit()).await.unwrap();
    assert!(matches!(turn, PatientTurn::Failed(_)), "{turn}");
    world.set_down(false);
    clock.advance(DAY * 30);
    assert!(matches!(agent.resume("t").await.unwrap(), PatientTurn::Done(_)));
    assert_eq!(world.called(), ["small 90 by clerk carl"]);
}
