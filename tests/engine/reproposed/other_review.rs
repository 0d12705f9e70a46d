//! A node that runs after the edit may determine which review opens next. The edit signs that review only if it is
//! before the same node as the edited one.

use hitl::prelude::*;
use serde_json::json;

use crate::kit::{
    operators::both,
    payment::{CaseInput, Payer, PayerTurn},
    world::World,
};

fn edit() -> Verdict {
    Verdict::Edit { patch: json!({ "cents": 90 }) }
}

async fn small(agent: &Agent<Payer>) -> hitl::Digest {
    let PayerTurn::PaySmall(review) = agent.start("t", CaseInput { cents: 50 }).await.unwrap() else {
        panic!()
    };
    review.digest()
}

#[tokio::test]
async fn an_edit_before_one_effect_does_not_sign_another() {
    let world = World::default();
    let agent = Payer::new(world.clone(), MemoryStore::new());
    let digest = small(&agent).await;
    // `measure` may now give another answer for the same draft.
    world.set_limit(10);
    let turn = agent.decide("t", digest, &both(), edit()).await.unwrap();
    assert_eq!(world.calls(), 0, "an edit of the small payment signed a large one");
    let PayerTurn::PayLarge(review) = turn else { panic!("{turn}") };
    assert_ne!(review.digest(), digest);
    assert_eq!((review.proposed_by(), review.role()), (Some("bea"), Some("director")));
    assert!(matches!(review.approve(&both()).await.unwrap(), PayerTurn::Done(_)));
    assert_eq!(world.called(), ["large 90 by director bea"]);
    agent.verify("t").await.unwrap();
}

#[tokio::test]
async fn a_preview_names_the_only_review_that_an_edit_may_sign() {
    let world = World::default();
    let agent = Payer::new(world.clone(), MemoryStore::new());
    let digest = small(&agent).await;
    let again = agent.preview("t", digest, &both(), edit()).await.unwrap().again.unwrap();
    assert_eq!((&again.opens, again.signs_only.as_deref()), (&None, Some("pay_small")));
    assert_eq!(
        again.to_string(),
        "the edit is a new proposal of `draft`: the thread returns to `propose` and continues to `measure`, \
         and a later review requires a signature of its own, unless it is the one before `pay_small` again"
    );
    // `measure` gives the same answer again, so one verdict is sufficient.
    let turn = agent.decide("t", digest, &both(), edit()).await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    assert_eq!(world.called(), ["small 90 by clerk bea"]);
    agent.verify("t").await.unwrap();
}
