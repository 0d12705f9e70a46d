//! A low-risk effect without a review is in doubt. The result that a settlement gives it determines the role that signs
//! later.

use hitl::{Digest, Error, journal::Settlement, prelude::*};

use crate::kit::{
    operators::{both, clerk, director},
    payment::{Case, CaseInput, Size, cancel, pay_large, pay_small, propose},
    world::World,
};

/// Opens a case at the fraud bureau, which determines the size.
#[node(Case, writes = size, effect, risk = low)]
async fn fraud_bureau(cents: u32) -> Result<Size> {
    if cents > 100 { Err(NodeError::msg("the bureau does not answer")) } else { Ok(Size::Small) }
}

graph! {
    pub Payer<Case, World> {
        start -> fraud_bureau -> propose -> match size { Size::Small => pay_small, Size::Large => pay_large };
        pay_small -> end;
        pay_large -> end;
        pay_small { reject -> cancel }
        pay_large { reject -> cancel }
        cancel -> end;
    }
}

fn happened() -> Settlement {
    Settlement::Happened { wrote: serde_json::from_str(r#"{"size": "Small"}"#).unwrap() }
}

async fn in_doubt(world: &World) -> (Agent<Payer>, Digest) {
    let agent = Payer::new(world.clone(), MemoryStore::new());
    let turn = agent.start_as(&Operator::new("noor"), "t", CaseInput { cents: 99_000 }).await.unwrap();
    let PayerTurn::InDoubt(doubt) = turn else { panic!("{turn}") };
    let digest = doubt.digest();
    (agent, digest)
}

#[tokio::test]
async fn settling_with_a_result_needs_every_role_that_may_follow() {
    let world = World::default();
    let (agent, digest) = in_doubt(&world).await;
    let view = agent.view("t").await.unwrap().in_doubt.unwrap();
    assert_eq!(view.role.as_deref(), Some("clerk"));
    assert_eq!(
        (view.roles, view.any_role),
        (vec!["clerk".to_owned(), "director".to_owned()], vec!["clerk".to_owned(), "director".to_owned()])
    );

    let customer = Operator::new("noor");
    let stop = || Settlement::Stop { note: String::new() };
    for (operator, how) in [
        (&customer, happened()),
        (&customer, Settlement::RunAgain),
        (&customer, stop()),
        (&clerk(), happened()),
    ] {
        let error = agent.settle("t", digest, operator, how).await.unwrap_err();
        assert!(matches!(error, Error::RoleMissing { .. }), "{error}");
    }
    // An operator who holds the roles of all reviews that may follow may settle the effect with a result.
    let turn = agent.settle("t", digest, &both(), happened()).await.unwrap();
    assert!(matches!(turn, PayerTurn::PaySmall(_)), "{turn}");
    agent.verify("t").await.unwrap();
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn any_role_of_the_graph_may_rerun_or_stop_an_effect() {
    let (agent, digest) = in_doubt(&World::default()).await;
    let turn = agent.settle("t", digest, &director(), Settlement::RunAgain).await.unwrap();
    let PayerTurn::InDoubt(again) = turn else { panic!("{turn}") };
    let turn = again.stop(&director(), "").await.unwrap();
    assert!(matches!(turn, PayerTurn::Failed(failed) if failed.is_stopped()));
}
