//! Effects: retries, effects in doubt, and their settlement. An effect that may have run is not run again unless it is
//! idempotent or an operator decides so.

use std::time::Duration;

use hitl::{ManualClock, Timestamp, prelude::*};

use crate::kit::world::{Behavior, World};

#[state]
pub struct Job {
    #[input]
    pub wish: String,
    #[output]
    pub receipt: String,
}

#[node(Job, writes = receipt, effect, risk = low)]
async fn act(wish: &str, world: Deps<World>, cx: &Cx) -> Result<String> {
    world.call(wish, cx.idempotency_key()).await
}

#[node(Job, writes = receipt, effect, idempotent, risk = low, retries = 3, backoff = "1ms", timeout = "20ms")]
async fn put(wish: &str, world: Deps<World>, cx: &Cx) -> Result<String> {
    world.call(wish, cx.idempotency_key()).await
}

#[node(Job, writes = receipt, retries = 2, backoff = "1ms")]
async fn look(wish: &str, world: Deps<World>, cx: &Cx) -> Result<String> {
    world.call(&format!("{wish} on try {}", cx.attempt()), cx.idempotency_key()).await
}

graph! { pub Actor<Job, World> { start -> act -> end; } }
graph! { pub Putter<Job, World> { start -> put -> end; } }
graph! { pub Looker<Job, World> { start -> look -> end; } }

fn wish() -> JobInput {
    JobInput { wish: "it".into() }
}

async fn in_doubt(world: &World) -> (Agent<Actor>, hitl::InDoubt<Actor>) {
    let agent = Actor::new(world.clone(), MemoryStore::new());
    match agent.start("t", wish()).await.unwrap() {
        ActorTurn::InDoubt(doubt) => (agent, doubt),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_failed_or_panicked_effect_is_in_doubt_and_not_rerun() {
    for behavior in [Behavior::Fails, Behavior::Panics] {
        let world = World::new([behavior]);
        let (agent, doubt) = in_doubt(&world).await;
        assert_eq!(doubt.node(), "act");
        assert!(world.keys().contains(doubt.idempotency_key()));
        assert!(matches!(agent.resume("t").await.unwrap(), ActorTurn::InDoubt(_)));
        assert_eq!(world.calls(), 1);
    }
}

#[tokio::test]
async fn a_fork_does_not_repeat_an_effect_in_doubt_or_stopped() {
    let world = World::new([Behavior::Fails]);
    let (agent, doubt) = in_doubt(&world).await;
    let thread = "t";
    // Place 1 is the `began` entry, place 2 the `in_doubt` entry.
    for place in [1, 2] {
        assert_eq!(agent.fork(thread, place, "f").await.unwrap_err().code(), "effect_under_way");
    }
    let _ = doubt.stop(&Operator::new("mara"), "").await.unwrap();
    assert_eq!(agent.fork(thread, 3, "f").await.unwrap_err().code(), "effect_under_way");
    assert_eq!(world.calls(), 1);
    assert!(matches!(agent.fork(thread, 0, "f").await.unwrap(), ActorTurn::Done(_)));
}

/// The idempotency key contains the thread's name, so a second run in a fork would have another key.
#[tokio::test]
async fn a_fork_does_not_repeat_an_idempotent_effect_that_began() {
    let fails = || std::iter::repeat_n(Behavior::Fails, 4);
    let world = World::new(fails().chain([Behavior::Fails]).chain([Behavior::Works]));
    let agent = Putter::new(world.clone(), MemoryStore::new());
    let PutterTurn::Failed(failed) = agent.start("t", wish()).await.unwrap() else { panic!() };
    assert!(matches!(failed.resume().await.unwrap(), PutterTurn::Done(_)));
    let (thread, calls) = ("t", world.calls());
    let history = agent.history(thread, 0, 100).await.unwrap();
    let began = history.iter().position(|entry| entry.event.name() == "began").unwrap();
    let ran = history.iter().position(|entry| entry.event.name() == "ran").unwrap();
    assert!(
        history[began..ran].iter().any(|entry| entry.event.name() == "resumed"),
        "expected a `resumed` entry between `began` and `ran`"
    );
    for entry in &history[began..ran] {
        let error = agent.fork(thread, entry.place, "f").await.unwrap_err();
        assert_eq!(error.code(), "effect_under_way", "{}", entry.event.name());
    }
    assert!(matches!(agent.fork(thread, ran as u64, "f").await.unwrap(), PutterTurn::Done(_)));
    assert_eq!((world.calls(), world.keys().len()), (calls, 1));
}

#[tokio::test]
async fn an_operator_settles_an_effect_in_doubt() {
    let mara = Operator::new("mara");

    let world = World::new([Behavior::Fails]);
    let (_, doubt) = in_doubt(&world).await;
    assert!(matches!(doubt.run_again(&mara).await.unwrap(), ActorTurn::Done(receipt) if receipt == "did it"));
    assert_eq!((world.calls(), world.keys().len()), (2, 1), "the same key");

    let world = World::new([Behavior::Fails]);
    let (agent, doubt) = in_doubt(&world).await;
    let digest = doubt.digest();
    let wrote = |json: &str| serde_json::from_str(json).unwrap();
    for wrong in [r#"{"receipt": 7}"#, r#"{}"#, r#"{"receipt": "x", "wish": "y"}"#] {
        let how = hitl::journal::Settlement::Happened { wrote: wrote(wrong) };
        assert_eq!(agent.settle("t", digest, &mara, how).await.unwrap_err().code(), "invalid", "{wrong}");
    }
    let turn = doubt.happened(&mara, wrote(r#"{"receipt": "seen at the bank"}"#)).await.unwrap();
    assert!(matches!(turn, ActorTurn::Done(receipt) if receipt == "seen at the bank"));
    assert_eq!(world.calls(), 1);

    let world = World::new([Behavior::Fails]);
    let (agent, doubt) = in_doubt(&world).await;
    let ActorTurn::Failed(failed) = doubt.stop(&mara, "the customer died").await.unwrap() else { panic!() };
    assert!(failed.is_stopped());
    assert!(matches!(agent.resume("t").await.unwrap(), ActorTurn::Failed(_)));
    assert_eq!(world.calls(), 1);
}

/// Two operators look into the same effect in doubt. The first has it run again, and it fails again, so by now it may
/// have happened. The second operator's settlement is about the first attempt and must not settle the second one.
#[tokio::test]
async fn a_settlement_applies_to_one_doubt_only() {
    let world = World::new([Behavior::Fails, Behavior::Fails]);
    let (agent, first) = in_doubt(&world).await;
    let ActorTurn::InDoubt(late) = agent.turn("t").await.unwrap() else { panic!() };
    let ActorTurn::InDoubt(_) = first.run_again(&Operator::new("mara")).await.unwrap() else { panic!() };
    assert_eq!(world.calls(), 2);
    assert!(
        late.run_again(&Operator::new("noor")).await.is_err(),
        "the settlement of the first doubt was accepted for the second"
    );
    assert_eq!(world.calls(), 2, "the effect was rerun without a settlement");
}

#[tokio::test]
async fn an_effect_returning_not_done_fails_and_can_be_resumed() {
    let world = World::new([Behavior::Refuses]);
    let agent = Actor::new(world.clone(), MemoryStore::new());
    assert!(matches!(agent.start("t", wish()).await.unwrap(), ActorTurn::Failed(_)));
    assert!(matches!(agent.resume("t").await.unwrap(), ActorTurn::Done(_)));
    assert_eq!((world.calls(), world.keys().len()), (2, 1));
}

/// The process dies during the effect. The store survives, the lease expires, and another process takes over.
#[tokio::test]
async fn an_effect_of_a_dead_process_is_in_doubt_after_its_lease() {
    let world = World::new([Behavior::Hangs]);
    let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let agent = Actor::new(world.clone(), store.clone()).clock(clock.clone());
    let _running = doomed.spawn(async move { agent.start("t", wish()).await });
    world.reached.notified().await;
    doomed.shutdown_background();

    let agent = Actor::new(world.clone(), store).clock(clock.clone());
    assert!(matches!(agent.resume("t").await.unwrap(), ActorTurn::Running(running) if !running.is_stalled()));
    clock.advance(Duration::from_secs(31));
    let ActorTurn::InDoubt(_) = agent.turn("t").await.unwrap() else { panic!() };
    let ActorTurn::InDoubt(doubt) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!(world.calls(), 1);
    assert!(matches!(doubt.run_again(&Operator::new("mara")).await.unwrap(), ActorTurn::Done(_)));
    assert_eq!((world.calls(), world.keys().len()), (2, 1));
}

#[tokio::test]
async fn an_idempotent_effect_is_retried_with_the_same_key() {
    let world = World::new([Behavior::Fails, Behavior::Hangs, Behavior::Panics]);
    let agent = Putter::new(world.clone(), MemoryStore::new());
    assert!(matches!(agent.start("t", wish()).await.unwrap(), PutterTurn::Done(_)));
    assert_eq!((world.calls(), world.keys().len()), (4, 1));
}

#[tokio::test]
async fn a_node_is_retried_up_to_its_limit_and_by_resume() {
    let world = World::new([Behavior::Fails, Behavior::Panics, Behavior::Fails]);
    let agent = Looker::new(world.clone(), MemoryStore::new());
    let LookerTurn::Failed(failed) = agent.start("t", wish()).await.unwrap() else { panic!() };
    assert_eq!((failed.node(), failed.error()), ("look", "the connection broke"));
    assert_eq!(world.calls(), 3);
    assert!(
        matches!(failed.resume().await.unwrap(), LookerTurn::Done(receipt) if receipt == "did it on try 1")
    );
}

/// Dropping the future that waits for a turn does not cancel the run.
#[tokio::test]
async fn dropping_a_caller_future_does_not_cancel_the_run() {
    let world = World::new([]);
    let store = MemoryStore::new();
    let agent = Looker::new(world.clone(), store);
    {
        let start = agent.start("t", wish());
        tokio::pin!(start);
        // Poll the future once, then drop it.
        let _ = futures_util::poll!(&mut start);
    }
    loop {
        match agent.turn("t").await {
            Ok(LookerTurn::Done(_)) => break,
            _ => tokio::task::yield_now().await,
        }
    }
}

mod signed {
    //! A signed effect that fails.
    use hitl::prelude::*;

    use super::{Behavior, World};

    #[draft]
    #[derive(Clone, Validate)]
    pub struct Wish {
        #[garde(length(min = 1))]
        pub text: String,
    }

    #[state]
    pub struct Order {
        #[input]
        pub wish: Wish,
        #[output]
        pub receipt: String,
    }

    #[interrupt_before(role = "buyer")]
    #[node(Order, writes = receipt, effect)]
    async fn buy(wish: &Approved<Wish>, world: Deps<World>, cx: &Cx) -> Result<String> {
        world.call(&wish.text, cx.idempotency_key()).await
    }

    graph! {
        pub Buyer<Order, World> {
            start -> buy -> end;
            buy { reject -> buy_nothing }
            buy_nothing -> end;
        }
    }

    #[node(Order, writes = receipt)]
    async fn buy_nothing(rejection: &Rejection) -> Result<String> {
        Ok(rejection.reason.to_string())
    }

    /// At the `settled` entry an operator has stated that the effect did not happen, so a fork there reopens the
    /// review. A fork at any other entry from the first `began` on is rejected.
    #[tokio::test]
    async fn a_fork_does_not_reopen_a_review_whose_effect_began() {
        let world = World::new([Behavior::Refuses, Behavior::Fails, Behavior::Fails]);
        let agent = Buyer::new(world.clone(), MemoryStore::new());
        let buyer = Operator::new("mara").role("buyer");
        let wish = Wish { text: "it".into() };
        let BuyerTurn::Buy(review) = agent.start("t", OrderInput { wish }).await.unwrap() else { panic!() };
        let BuyerTurn::Failed(failed) = review.approve(&buyer).await.unwrap() else { panic!() };
        let BuyerTurn::InDoubt(doubt) = failed.resume().await.unwrap() else { panic!() };
        let BuyerTurn::InDoubt(_) = doubt.run_again(&buyer).await.unwrap() else { panic!() };
        let (thread, calls) = ("t", world.calls());
        let history = agent.history(thread, 0, 100).await.unwrap();
        let began = history.iter().position(|entry| entry.event.name() == "began").unwrap();
        for entry in &history[began..] {
            let fork = agent.fork(thread, entry.place, format!("f{}", entry.place)).await;
            match entry.event.name() {
                "settled" => assert!(matches!(fork.unwrap(), BuyerTurn::Buy(_))),
                _ => assert_eq!(fork.unwrap_err().code(), "effect_under_way", "{}", entry.place),
            }
        }
        assert_eq!(world.calls(), calls);
    }

    #[tokio::test]
    async fn settling_an_effect_needs_the_role_to_sign_it() {
        let world = World::new([Behavior::Fails]);
        let agent = Buyer::new(world.clone(), MemoryStore::new());
        let buyer = Operator::new("mara").role("buyer");
        let wish = Wish { text: "it".into() };
        let BuyerTurn::Buy(review) = agent.start("t", OrderInput { wish }).await.unwrap() else { panic!() };
        let BuyerTurn::InDoubt(doubt) = review.approve(&buyer).await.unwrap() else { panic!() };
        let digest = doubt.digest();
        assert_eq!(doubt.run_again(&Operator::new("eve")).await.unwrap_err().code(), "role_missing");
        let nobody = Operator::new("").role("buyer");
        let again = hitl::journal::Settlement::RunAgain;
        assert_eq!(
            agent.settle("t", digest, &nobody, again.clone()).await.unwrap_err().code(),
            "bad_operator"
        );
        assert_eq!(world.calls(), 1);
        assert!(matches!(agent.settle("t", digest, &buyer, again).await.unwrap(), BuyerTurn::Done(_)));
    }
}
