//! Effects and signatures across versions: no effect is repeated under another key, and none runs without a valid
//! signature.

use hitl::{Digest, journal::Event, prelude::*};

use super::{
    super::kit::world::Behavior,
    assert_incompatible, codes, entries_after, events, journal, mara, names,
    v1::{self, World},
    versions::{renamed, renamed_again},
    waiting,
};

/// Starts a thread of the first version whose effect is in doubt, and returns the idempotency key and the digest of the
/// effect.
async fn in_doubt(store: &MemoryStore, world: &World) -> (String, Digest) {
    let digest = waiting(store, world, "t").await;
    let agent = v1::Refunds::new(world.clone(), store.clone());
    match agent.decide("t", digest, &mara(), Verdict::Approve).await.unwrap() {
        v1::RefundsTurn::InDoubt(doubt) => (doubt.idempotency_key().to_owned(), doubt.digest()),
        other => panic!("{other}"),
    }
}

/// The idempotency key contains the node's name. With the new name in it the bank would take the second run for another
/// refund.
#[tokio::test]
async fn a_renamed_effect_keeps_its_idempotency_key() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Fails]));
    let (key, _) = in_doubt(&store, &world).await;
    let before = journal(&store).await;
    let agent = renamed::Refunds::new(world.clone(), store);
    let renamed::RefundsTurn::InDoubt(doubt) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!((doubt.node(), doubt.idempotency_key()), ("pay", key.as_str()));
    let turn = doubt.run_again(&mara()).await.unwrap();
    assert!(matches!(turn, renamed::RefundsTurn::Done(outcome) if outcome == "did A-9133 149 by mara"));
    assert_eq!((world.calls(), world.keys()), (2, [key].into()));
    let new = entries_after(&agent, &before).await;
    assert_eq!(names(&new), ["migrated", "settled", "began", "ran", "ran", "ended"]);
    assert!(matches!(&events(&new)[2], Event::Began { node, .. } if node == "pay"));
}

#[tokio::test]
async fn an_effect_renamed_twice_keeps_its_idempotency_key() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Fails, Behavior::Fails]));
    let (key, _) = in_doubt(&store, &world).await;
    let before = journal(&store).await;
    let second = renamed::Refunds::new(world.clone(), store.clone());
    let renamed::RefundsTurn::InDoubt(doubt) = second.turn("t").await.unwrap() else { panic!() };
    assert!(matches!(doubt.run_again(&mara()).await.unwrap(), renamed::RefundsTurn::InDoubt(_)));
    let third = renamed_again::Refunds::new(world.clone(), store);
    let renamed_again::RefundsTurn::InDoubt(doubt) = third.turn("t").await.unwrap() else { panic!() };
    assert_eq!((doubt.node(), doubt.idempotency_key()), ("refund", key.as_str()));
    // An operator who may not sign the effect may not settle it, also under its new name.
    let digest = doubt.digest();
    let eve = doubt.run_again(&Operator::new("eve")).await.unwrap_err();
    assert_eq!(eve.code(), "role_missing");
    let again = hitl::journal::Settlement::RunAgain;
    assert!(third.settle("t", digest, &mara(), again).await.is_ok());
    assert_eq!((world.calls(), world.keys()), (3, [key].into()));
    let new = entries_after(&third, &before).await;
    assert_eq!(
        names(&new),
        ["migrated", "settled", "began", "in_doubt", "migrated", "settled", "began", "ran", "ended"]
    );
}

/// A second activation of the same node has an idempotency key of its own.
#[tokio::test]
async fn a_new_activation_has_its_own_key() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Fails]));
    let old = waiting(&store, &world, "t").await;
    let agent = renamed::Refunds::new(world.clone(), store.clone());
    let renamed::RefundsTurn::Pay(review) = agent.turn("t").await.unwrap() else { panic!() };
    assert_ne!(review.digest(), old);
    let renamed::RefundsTurn::Pay(review) = review.ask(&mara(), "Is there a photo?").await.unwrap() else {
        panic!()
    };
    assert_eq!(review.draft().dollars, 99);
    let renamed::RefundsTurn::InDoubt(doubt) = review.approve(&mara()).await.unwrap() else { panic!() };
    let entered = doubt.idempotency_key().to_owned();
    // The same thread without the question.
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Fails]));
    assert_ne!(in_doubt(&store, &world).await.0, entered);
}

/// A version in which `act` is no longer an effect.
mod harmless {
    use hitl::prelude::*;

    use super::super::super::effects::Job;

    #[node(Job, writes = receipt)]
    async fn act(wish: &str) -> Result<String> {
        Ok(wish.to_owned())
    }

    graph! { pub Actor<Job> { start -> act -> end; } }
}

#[tokio::test]
async fn an_effect_in_doubt_may_no_longer_be_declared_an_effect() {
    use super::super::effects::{Actor, ActorTurn, JobInput};

    let (store, world) = (MemoryStore::new(), World::new([Behavior::Fails]));
    let actor = Actor::new(world.clone(), store.clone());
    let turn = actor.start("t", JobInput { wish: "it".into() }).await.unwrap();
    let ActorTurn::InDoubt(doubt) = turn else { panic!() };
    let (key, digest) = (doubt.idempotency_key().to_owned(), doubt.digest());
    let agent = harmless::Actor::new(store);
    let check = agent.check("t").await.unwrap();
    assert_eq!(codes(&check.differences), [("not_an_effect", "act", "")]);
    let again = hitl::journal::Settlement::RunAgain;
    assert_eq!(agent.settle("t", digest, &mara(), again).await.unwrap_err().code(), "graph_changed");
    assert_eq!(agent.view("t").await.unwrap().in_doubt.map(|doubt| doubt.key), Some(key));
    assert_eq!(world.calls(), 1);
}

/// Defines a version of a graph that pays and then files the payment. The parameters are the name of the amount, its
/// maximum, the arguments of `#[state]`, the type in which `file` takes the draft, further arguments of
/// `#[interrupt_before]`, the name of the node that pays and, optionally, its old name.
macro_rules! paid_and_filed {
    ($module:ident, $amount:ident, $most:literal, ($($state:tt)*), $file:ty, ($($covers:tt)*), $pay:ident $(, $old:ident)?) => {
        mod $module {
            use hitl::prelude::*;

            use super::World;

            #[draft]
            #[derive(Clone, Debug, PartialEq, Validate)]
            pub struct Draft {
                #[garde(range(max = $most))]
                pub $amount: u32,
            }

            #[state $($state)*]
            pub struct Ticket {
                #[input]
                pub message: String,
                pub draft: Draft,
                pub receipt: String,
                #[output]
                pub outcome: String,
            }

            #[allow(dead_code)]
            fn in_cents(_: u32, fields: &mut hitl::journal::Map) -> Result<()> {
                if let Some(draft) = fields.get_mut("draft") {
                    let dollars = draft["dollars"].as_u64().ok_or_else(|| NodeError::msg("no dollars"))?;
                    *draft = serde_json::json!({ "cents": dollars * 100 });
                }
                Ok(())
            }

            #[node(Ticket, writes = draft)]
            async fn draft(message: &str) -> Result<Draft> {
                Ok(Draft { $amount: message.len() as u32 })
            }

            #[interrupt_before(role = "approver" $($covers)*)]
            #[node(Ticket, writes = receipt, effect)]
            async fn $pay(draft: &Approved<Draft>) -> Result<String> {
                Ok(format!("{} signed by {}", draft.$amount, draft.signer()))
            }

            #[node(Ticket, writes = outcome, effect, risk = low)]
            async fn file(draft: $file, receipt: &str, world: Deps<World>, cx: &Cx) -> Result<String> {
                world.call(&format!("{} for {receipt}", draft.$amount), cx.idempotency_key()).await
            }

            #[node(Ticket, writes = outcome)]
            async fn cancel(rejection: &Rejection) -> Result<String> {
                Ok(rejection.note.clone())
            }

            graph! {
                pub Payments<Ticket, World> {
                    start -> draft -> $pay -> file -> end;
                    $pay { reject -> cancel }
                    cancel -> end;
                    $(renamed $old -> $pay;)?
                }
            }
        }
    };
}

paid_and_filed!(dollars, dollars, 500, (), &Draft, (), pay);
paid_and_filed!(cents, cents, 50_000, ((version = 2, migrate = in_cents)), &Draft, (), pay);
paid_and_filed!(signed_cents, cents, 50_000, ((version = 2, migrate = in_cents)), &Approved<Draft>, (, covers = (file), unsigned(receipt)), pay);
paid_and_filed!(signed_dollars, dollars, 500, (), &Approved<Draft>, (, covers = (file), unsigned(receipt)), pay);
paid_and_filed!(refunded, dollars, 500, (), &Approved<Draft>, (, covers = (file), unsigned(receipt)), refund, pay);
paid_and_filed!(refunded_unsaid, dollars, 500, (), &Approved<Draft>, (, covers = (file), unsigned(receipt)), refund);

/// Starts a thread that has paid and then failed to file the payment.
async fn paid(store: &MemoryStore, world: &World) {
    let agent = dollars::Payments::new(world.clone(), store.clone());
    let input = dollars::TicketInput { message: "it broke".into() };
    let dollars::PaymentsTurn::Pay(review) = agent.start("t", input).await.unwrap() else { panic!() };
    let turn = review.approve(&mara()).await.unwrap();
    assert!(matches!(turn, dollars::PaymentsTurn::Failed(_)), "{turn}");
}

#[tokio::test]
async fn a_migration_that_changes_the_value_voids_the_signature() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Refuses]));
    paid(&store, &world).await;
    let before = journal(&store).await;
    // No node ahead requires the signature.
    let agent = cents::Payments::new(world.clone(), store.clone());
    let cents::PaymentsTurn::Done(outcome) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!(outcome, "did 800 for 8 signed by mara");
    let new = entries_after(&agent, &before).await;
    assert_eq!(names(&new), ["migrated", "resumed", "began", "ran", "ended"]);
    let Event::Migrated { void, .. } = &events(&new)[0] else { panic!() };
    assert_eq!((void.len(), void[0].field.as_str(), void[0].lane), (1, "draft", 0));
}

#[tokio::test]
async fn a_thread_that_needs_a_voided_signature_is_rejected() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Refuses]));
    paid(&store, &world).await;
    let differences = assert_incompatible(&signed_cents::Payments::new(world.clone(), store), None).await;
    assert_eq!(
        differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["node `file` requires a signed `draft`, but the migration changed the value that mara signed"]
    );
    assert_eq!(world.calls(), 1);
}

/// The migration changes the draft from dollars to cents, so the effect cannot run again on the signature of the old
/// draft.
#[tokio::test]
async fn an_effect_in_doubt_with_a_migrated_draft_is_not_rerun() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Fails]));
    let (_, digest) = in_doubt(&store, &world).await;
    let agent = super::versions::v2::Refunds::new(world.clone(), store);
    let differences = assert_incompatible(&agent, None).await;
    assert_eq!(codes(&differences), [("unsigned", "execute", "proposal")]);
    let again = hitl::journal::Settlement::RunAgain;
    assert_eq!(agent.settle("t", digest, &mara(), again).await.unwrap_err().code(), "graph_changed");
    assert_eq!(world.calls(), 1);
}

/// The node before which the effect's signature was given has another name in the new code, with or without a `renamed`
/// line in the graph.
#[tokio::test]
async fn settling_under_a_renamed_review_needs_its_role() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Fails]));
    let agent = signed_dollars::Payments::new(world.clone(), store.clone());
    let input = signed_dollars::TicketInput { message: "it broke".into() };
    let signed_dollars::PaymentsTurn::Pay(review) = agent.start("t", input).await.unwrap() else { panic!() };
    let signed_dollars::PaymentsTurn::InDoubt(doubt) = review.approve(&mara()).await.unwrap() else {
        panic!()
    };
    let (key, digest) = (doubt.idempotency_key().to_owned(), doubt.digest());
    let eve = Operator::new("eve");
    let again = hitl::journal::Settlement::RunAgain;
    let unsaid = refunded_unsaid::Payments::new(world.clone(), store.clone());
    assert_eq!(unsaid.settle("t", digest, &eve, again.clone()).await.unwrap_err().code(), "role_missing");
    let agent = refunded::Payments::new(world.clone(), store);
    assert_eq!(agent.settle("t", digest, &eve, again.clone()).await.unwrap_err().code(), "role_missing");
    assert_eq!(world.calls(), 1);
    let refunded::PaymentsTurn::Done(_) = agent.settle("t", digest, &mara(), again).await.unwrap() else {
        panic!()
    };
    assert_eq!(world.keys(), [key].into());
}
