//! New code that asks for more on the same nodes: another effect on an old signature, another field beside an open
//! review.

use hitl::{Error, ReviewChange, prelude::*};

use crate::kit::{payment::Draft, world::World};

/// The state and the nodes that all versions share.
mod shared {
    use super::*;

    #[state]
    pub struct Transfer {
        #[input]
        pub memo: String,
        pub draft: Draft,
        pub checked: bool,
        #[output]
        #[reduce(append)]
        pub receipts: Vec<String>,
    }

    #[node(Transfer, writes = draft)]
    pub async fn propose() -> Result<Draft> {
        Ok(Draft { cents: 5 })
    }

    #[node(Transfer, writes = checked)]
    pub async fn check() -> Result<bool> {
        Err(NodeError::msg("the books are closed"))
    }

    /// Settles the payment. Reads nothing but the signed draft.
    #[node(Transfer, writes = receipts, effect)]
    pub async fn settle(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![world.call(&format!("settle {}", draft.cents), cx.idempotency_key()).await?])
    }

    #[node(Transfer, writes = receipts)]
    pub async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.note.clone()])
    }
}

macro_rules! version {
    ($module:ident, $rule:meta, ($($way:tt)*)) => {
        mod $module {
            #[allow(unused_imports)]
            use super::{
                Draft, World,
                shared::{Transfer, check, propose, refuse, settle},
            };
            use hitl::prelude::*;

            #[$rule]
            #[node(Transfer, writes = receipts, effect)]
            async fn hold(
                draft: &Approved<Draft>,
                memo: &str,
                world: Deps<World>,
                cx: &Cx,
            ) -> Result<Vec<String>> {
                Ok(vec![world.call(&format!("hold {}: {memo}", draft.cents), cx.idempotency_key()).await?])
            }

            graph! {
                pub Transfers<Transfer, World> {
                    $($way)*
                    hold { reject -> refuse }
                    refuse -> end;
                }
            }
        }
    };
}

version!(alone, interrupt_before(unsigned(memo)), (start -> propose -> hold -> check -> end;));
version!(showing, interrupt_before(show = memo), (start -> propose -> hold -> check -> end;));
version!(
    covering,
    interrupt_before(covers = settle, unsigned(memo)),
    (start -> propose -> hold -> check -> settle -> end;)
);

fn input() -> shared::TransferInput {
    shared::TransferInput { memo: "lunch".into() }
}

/// Starts a thread that waits for a signature, and returns the agent and the digest.
async fn waiting(store: &MemoryStore, world: &World) -> (Agent<alone::Transfers>, hitl::Digest) {
    let agent = alone::Transfers::new(world.clone(), store.clone());
    let alone::TransfersTurn::Hold(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let digest = review.digest();
    (agent, digest)
}

#[tokio::test]
async fn a_signature_for_one_effect_runs_no_other() {
    let (store, world, mara) = (MemoryStore::new(), World::default(), Operator::new("mara"));
    let (agent, digest) = waiting(&store, &world).await;
    let turn = agent.decide("t", digest, &mara, Verdict::Approve).await.unwrap();
    assert!(matches!(turn, alone::TransfersTurn::Failed(_)), "{turn}");
    let error = covering::Transfers::new(world.clone(), store).resume("t").await.unwrap_err();
    let Error::GraphChanged { differences, .. } = &error else { panic!("{error}") };
    let told: Vec<_> = differences.iter().map(|d| (d.code(), d.node(), d.field())).collect();
    assert_eq!(told, [("unsigned", Some("settle"), Some("draft"))]);
    assert_eq!(world.called(), ["hold 5: lunch"]);
}

/// The nodes, the edges and their reads are the same; only the field that the review shows is new.
#[tokio::test]
async fn a_review_that_shows_another_field_is_reopened() {
    let (store, world, mara) = (MemoryStore::new(), World::default(), Operator::new("mara"));
    let (_, seen) = waiting(&store, &world).await;
    let agent = showing::Transfers::new(world.clone(), store);
    let check = agent.check("t").await.unwrap();
    assert_eq!((check.new_code, check.reopened), (true, vec!["hold".to_owned()]));
    assert_eq!(check.changes, [ReviewChange::Signed { node: "hold".into() }]);
    let error = agent.decide("t", seen, &mara, Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "stale", "{error}");
    assert_eq!(world.calls(), 0);
    let showing::TransfersTurn::Hold(review) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(review.shown()["memo"], "lunch");
    let _ = review.approve(&mara).await.unwrap();
    assert_eq!(world.called(), ["hold 5: lunch"]);
}
