//! A low-risk effect without a review is in doubt. The result that a settlement gives it determines the role that signs
//! later.

use std::sync::{Arc, Mutex};

use hitl::{Digest, Error, journal::Settlement, prelude::*};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(range(max = 100_000))]
    pub cents: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Tier {
    Clerk,
    Director,
}

#[derive(Clone, Default)]
pub struct World(Arc<Mutex<Vec<String>>>);

#[state]
pub struct Case {
    #[input]
    pub cents: u32,
    pub tier: Tier,
    pub draft: Draft,
    #[output]
    pub outcome: String,
}

/// Opens a case at the fraud bureau, which sets the tier.
#[node(Case, writes = tier, effect, risk = low)]
async fn fraud_bureau(cents: u32) -> Result<Tier> {
    if cents > 100 { Err(NodeError::msg("the bureau does not answer")) } else { Ok(Tier::Clerk) }
}

#[node(Case, writes = draft)]
async fn propose(cents: u32) -> Result<Draft> {
    Ok(Draft { cents })
}

#[interrupt_before(role = "clerk")]
#[node(Case, writes = outcome, effect)]
async fn pay_small(draft: &Approved<Draft>, world: Deps<World>) -> Result<String> {
    world.0.lock().unwrap().push(format!("paid {} for {}", draft.cents, draft.operator()));
    Ok("paid".into())
}

#[interrupt_before(role = "director")]
#[node(Case, writes = outcome, effect)]
async fn pay_large(draft: &Approved<Draft>, world: Deps<World>) -> Result<String> {
    world.0.lock().unwrap().push(format!("paid {} for {}", draft.cents, draft.operator()));
    Ok("paid".into())
}

#[node(Case, writes = outcome)]
async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(rejection.note.clone())
}

graph! {
    pub Payer<Case, World> {
        start -> fraud_bureau -> propose -> match tier { Tier::Clerk => pay_small, Tier::Director => pay_large };
        pay_small -> end;
        pay_large -> end;
        pay_small { reject -> cancel }
        pay_large { reject -> cancel }
        cancel -> end;
    }
}

fn happened() -> Settlement {
    Settlement::Happened { wrote: serde_json::from_str(r#"{"tier": "Clerk"}"#).unwrap() }
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

    let (customer, clerk) = (Operator::new("noor"), Operator::new("carl").role("clerk"));
    let stop = || Settlement::Stop { note: String::new() };
    for (operator, how) in [
        (&customer, happened()),
        (&customer, Settlement::RunAgain),
        (&customer, stop()),
        (&clerk, happened()),
    ] {
        let error = agent.settle("t", digest, operator, how).await.unwrap_err();
        assert!(matches!(error, Error::RoleMissing { .. }), "{error}");
    }
    // An operator who holds the roles of all reviews that may follow may settle the effect with a result.
    let both = clerk.role("director");
    let turn = agent.settle("t", digest, &both, happened()).await.unwrap();
    assert!(matches!(turn, PayerTurn::PaySmall(_)), "{turn}");
    agent.verify("t").await.unwrap();
    assert!(world.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn any_role_of_the_graph_may_rerun_or_stop_an_effect() {
    let (director, world) = (Operator::new("dora").role("director"), World::default());
    let (agent, digest) = in_doubt(&world).await;
    let turn = agent.settle("t", digest, &director, Settlement::RunAgain).await.unwrap();
    let PayerTurn::InDoubt(again) = turn else { panic!("{turn}") };
    let turn = again.stop(&director, "").await.unwrap();
    assert!(matches!(turn, PayerTurn::Failed(failed) if failed.is_stopped()));
}
