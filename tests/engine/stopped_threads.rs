//! A person stops a thread with an effect in doubt, after which no node of the thread starts.

use hitl::{Digest, Error, ThreadStatus, ThreadView, journal::Settlement, prelude::*};

use crate::kit::{
    operators::clerk,
    payment::Draft,
    world::{Behavior, World},
};

#[state]
pub struct Case {
    #[input]
    pub cents: u32,
    pub first: Draft,
    pub second: Draft,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

#[node(Case, writes = (first, second))]
async fn propose(cents: u32) -> Result<(Draft, Draft)> {
    Ok((Draft { cents }, Draft { cents }))
}

#[interrupt_before(role = "clerk")]
#[node(Case, writes = log, effect)]
async fn pay_first(first: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("first {}", first.cents), cx.idempotency_key()).await?])
}

#[node(Case, writes = log)]
async fn look_up() -> Result<Vec<String>> {
    Ok(vec![])
}

#[interrupt_before(role = "clerk")]
#[node(Case, writes = log, effect)]
async fn pay_second(second: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("second {}", second.cents), cx.idempotency_key()).await?])
}

#[node(Case, writes = log)]
async fn no_first(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

#[node(Case, writes = log)]
async fn no_second(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

graph! {
    pub Payer<Case, World> {
        start -> propose -> (pay_first, look_up -> pay_second) -> end;
        pay_first { reject -> no_first }
        pay_second { reject -> no_second }
        no_first -> end;
        no_second -> end;
    }
}

fn digest(view: &ThreadView, node: &str) -> Digest {
    view.reviews.iter().find(|review| review.node == node).unwrap().digest
}

#[tokio::test]
async fn no_node_starts_in_a_stopped_thread() {
    let world = World::new([Behavior::Fails]);
    let (agent, thread) = (Payer::new(world.clone(), MemoryStore::new()), "t");
    let _ = agent.start("t", CaseInput { cents: 50 }).await.unwrap();
    let view = agent.view("t").await.unwrap();
    let second = digest(&view, "pay_second");
    let turn = agent.decide("t", digest(&view, "pay_first"), &clerk(), Verdict::Approve).await.unwrap();
    let PayerTurn::InDoubt(doubt) = turn else { panic!("{turn}") };
    let turn = doubt.stop(&clerk(), "fraud: nothing more is to be paid").await.unwrap();
    assert!(matches!(turn, PayerTurn::Failed(failed) if failed.is_stopped()));

    let patch = serde_json::json!({ "cents": 1 });
    for verdict in [Verdict::Approve, Verdict::Edit { patch }] {
        let error = agent.decide("t", second, &clerk(), verdict).await.unwrap_err();
        assert!(matches!(error, Error::BadVerdict { .. }), "{error}");
        assert!(error.to_string().contains("stopped by carl: fraud"), "{error}");
    }
    assert!(matches!(agent.resume("t").await.unwrap(), PayerTurn::Failed(failed) if failed.is_stopped()));
    assert_eq!(world.called(), ["first 50"]);

    // The review is in no inbox, and a sweep does not find the thread due.
    let view = agent.view("t").await.unwrap();
    assert!(view.reviews.is_empty() && view.standing == ThreadStatus::Failed, "{view:?}");
    assert!(view.failure.unwrap().stopped);
    assert!(agent.inbox(None, 10).await.unwrap().items.is_empty());
    let before = agent.verify(thread).await.unwrap();
    let _ = agent.sweep().await.unwrap();
    assert_eq!(agent.verify(thread).await.unwrap(), before);
}

/// An effect in progress when the thread is stopped is completed and settled. It does not run again.
#[tokio::test]
async fn two_effects_in_doubt_of_a_stopped_thread_are_settled() {
    let world = World::new([Behavior::Fails, Behavior::Fails]);
    let (agent, thread) = (Payer::new(world.clone(), MemoryStore::new()), "t");
    let _ = agent.start("t", CaseInput { cents: 50 }).await.unwrap();
    let view = agent.view("t").await.unwrap();
    for node in ["pay_first", "pay_second"] {
        let _ = agent.decide("t", digest(&view, node), &clerk(), Verdict::Approve).await.unwrap();
    }
    let stop = Settlement::Stop { note: String::new() };
    let first = agent.view("t").await.unwrap().in_doubt.unwrap();
    let _ = agent.settle("t", first.digest, &clerk(), stop).await.unwrap();
    let second = agent.view("t").await.unwrap().in_doubt.unwrap();
    assert_ne!(second.node, first.node);
    let error = agent.settle("t", second.digest, &clerk(), Settlement::RunAgain).await.unwrap_err();
    assert!(error.to_string().contains("stopped by carl"), "{error}");
    let wrote = serde_json::from_str(r#"{"log": ["second"]}"#).unwrap();
    let turn = agent.settle("t", second.digest, &clerk(), Settlement::Happened { wrote }).await.unwrap();
    assert!(matches!(turn, PayerTurn::Failed(failed) if failed.is_stopped()));
    assert_eq!(world.called(), ["first 50", "second 50"]);
    agent.verify(thread).await.unwrap();
}
