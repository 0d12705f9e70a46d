//! New code that asks for more on the same nodes: another effect on an old signature, another field beside an open
//! review.

use std::sync::{Arc, Mutex};

use hitl::{Error, ReviewChange, prelude::*};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(range(max = 1_000))]
    pub cents: u32,
}

#[derive(Clone, Default)]
pub struct Bank(Arc<Mutex<Vec<String>>>);

impl Bank {
    fn done(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

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
    pub async fn settle(draft: &Approved<Draft>, bank: Deps<Bank>) -> Result<Vec<String>> {
        bank.0.lock().unwrap().push(format!("settle {}", draft.cents));
        Ok(vec![])
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
                Bank, Draft,
                shared::{Transfer, check, propose, refuse, settle},
            };
            use hitl::prelude::*;

            #[$rule]
            #[node(Transfer, writes = receipts, effect)]
            async fn hold(draft: &Approved<Draft>, memo: &str, bank: Deps<Bank>) -> Result<Vec<String>> {
                bank.0.lock().unwrap().push(format!("hold {}: {memo}", draft.cents));
                Ok(vec![])
            }

            graph! {
                pub Transfers<Transfer, Bank> {
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
async fn waiting(store: &MemoryStore, bank: &Bank) -> (Agent<alone::Transfers>, hitl::Digest) {
    let agent = alone::Transfers::new(bank.clone(), store.clone());
    let alone::TransfersTurn::Hold(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let digest = review.digest();
    (agent, digest)
}

#[tokio::test]
async fn a_signature_for_one_effect_runs_no_other() {
    let (store, bank, mara) = (MemoryStore::new(), Bank::default(), Operator::new("mara"));
    let (agent, digest) = waiting(&store, &bank).await;
    let turn = agent.decide("t", digest, &mara, Verdict::Approve).await.unwrap();
    assert!(matches!(turn, alone::TransfersTurn::Failed(_)), "{turn}");
    let error = covering::Transfers::new(bank.clone(), store).resume("t").await.unwrap_err();
    let Error::GraphChanged { differences, .. } = &error else { panic!("{error}") };
    let told: Vec<_> = differences.iter().map(|d| (d.code(), d.node(), d.field())).collect();
    assert_eq!(told, [("unsigned", Some("settle"), Some("draft"))]);
    assert_eq!(bank.done(), ["hold 5: lunch"]);
}

/// The nodes, the edges and their reads are the same; only the field that the review shows is new.
#[tokio::test]
async fn a_review_that_shows_another_field_is_reopened() {
    let (store, bank, mara) = (MemoryStore::new(), Bank::default(), Operator::new("mara"));
    let (_, seen) = waiting(&store, &bank).await;
    let agent = showing::Transfers::new(bank.clone(), store);
    let check = agent.check("t").await.unwrap();
    assert_eq!((check.new_code, check.reopened), (true, vec!["hold".to_owned()]));
    assert_eq!(check.changes, [ReviewChange::Signed { node: "hold".into() }]);
    let error = agent.decide("t", seen, &mara, Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "stale", "{error}");
    assert!(bank.done().is_empty());
    let showing::TransfersTurn::Hold(review) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(review.shown()["memo"], "lunch");
    let _ = review.approve(&mara).await.unwrap();
    assert_eq!(bank.done(), ["hold 5: lunch"]);
}
