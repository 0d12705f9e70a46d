//! Edits of threads that started under other code.

use hitl::{Digest, prelude::*};

/// The state and the nodes that all versions share.
mod shared {
    use hitl::prelude::*;

    pub use crate::kit::payment::Draft;

    #[state]
    pub struct Order {
        #[input]
        pub cents: u32,
        pub draft: Draft,
        #[reduce(append)]
        pub notes: Vec<String>,
        #[output]
        pub outcome: String,
    }

    #[node(Order, writes = outcome)]
    pub async fn cancel(rejection: &Rejection) -> Result<String> {
        Ok(rejection.operator.clone())
    }

    #[interrupt_before(role = "clerk")]
    #[node(Order, writes = outcome, effect)]
    pub async fn pay(draft: &Approved<Draft>) -> Result<String> {
        Ok(format!("{} by {}", draft.cents, draft.signer()))
    }

    #[interrupt_before(role = "director")]
    #[node(Order, writes = outcome, effect)]
    pub async fn pay_large(draft: &Approved<Draft>) -> Result<String> {
        Ok(format!("{} by {}, as large", draft.cents, draft.signer()))
    }
}

use crate::kit::operators::{both, clerk};
use shared::Draft;

mod straight {
    use super::shared::*;
    use hitl::prelude::*;

    #[node(Order, writes = draft)]
    async fn propose(cents: u32) -> Result<Draft> {
        Ok(Draft { cents })
    }

    graph! {
        pub Till<Order> {
            start -> propose -> pay -> end;
            pay { reject -> cancel }
            cancel -> end;
        }
    }
}

/// A version with `propose` renamed to `draft`, and a `match` on the amount.
mod renamed {
    use super::shared::*;
    use hitl::prelude::*;

    #[node(Order, writes = draft)]
    async fn draft(cents: u32) -> Result<Draft> {
        Ok(Draft { cents })
    }

    graph! {
        pub Till<Order> {
            renamed propose -> draft;
            start -> draft -> match draft {
                Draft { cents: ..=500 } => pay,
                Draft { .. } => pay_large,
            };
            pay -> end;
            pay_large -> end;
            pay { reject -> cancel }
            pay_large { reject -> cancel }
            cancel -> end;
        }
    }
}

/// A version without the node that wrote the draft.
mod gone {
    use super::shared::*;
    use hitl::prelude::*;

    #[node(Order, writes = draft)]
    async fn invent(cents: u32) -> Result<Draft> {
        Ok(Draft { cents })
    }

    graph! {
        pub Till<Order> {
            start -> invent -> match draft {
                Draft { cents: ..=500 } => pay,
                Draft { .. } => pay_large,
            };
            pay -> end;
            pay_large -> end;
            pay { reject -> cancel }
            pay_large { reject -> cancel }
            cancel -> end;
        }
    }
}

/// An old version with an effect between the draft and its review, where the new code has a `match`.
mod noisy {
    use super::shared::*;
    use hitl::prelude::*;

    #[node(Order, writes = draft)]
    async fn propose(cents: u32) -> Result<Draft> {
        Ok(Draft { cents })
    }

    #[node(Order, writes = notes, effect, risk = low)]
    async fn ring() -> Result<Vec<String>> {
        Ok(vec!["rang".into()])
    }

    graph! {
        pub Till<Order> {
            start -> propose -> ring -> pay -> end;
            pay { reject -> cancel }
            cancel -> end;
        }
    }
}

fn edit(cents: u32) -> Verdict {
    Verdict::Edit { patch: serde_json::json!({ "cents": cents }) }
}

async fn waiting(store: &MemoryStore) -> Digest {
    let agent = straight::Till::new(store.clone());
    match agent.start("t", shared::OrderInput { cents: 100 }).await.unwrap() {
        straight::TillTurn::Pay(review) => review.digest(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_edit_follows_the_path_of_the_new_code() {
    let store = MemoryStore::new();
    let digest = waiting(&store).await;
    let agent = renamed::Till::new(store);
    let turn = agent.decide("t", digest, &clerk(), edit(999)).await.unwrap();
    let renamed::TillTurn::PayLarge(review) = turn else { panic!("{turn}") };
    assert_eq!((review.draft(), review.proposed_by()), (&Draft { cents: 999 }, Some("carl")));
}

#[tokio::test]
async fn a_draft_of_a_removed_node_cannot_be_edited() {
    let store = MemoryStore::new();
    let digest = waiting(&store).await;
    let agent = gone::Till::new(store);
    let error = agent.decide("t", digest, &clerk(), edit(999)).await.unwrap_err();
    assert_eq!(error.code(), "bad_verdict", "{error}");
    let turn = agent.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
    assert!(matches!(turn, gone::TillTurn::Done(_)), "the unedited draft can still be signed");
}

#[tokio::test]
async fn an_effect_that_ran_under_old_code_is_not_repeated() {
    let store = MemoryStore::new();
    let agent = noisy::Till::new(store.clone());
    let noisy::TillTurn::Pay(review) = agent.start("t", shared::OrderInput { cents: 100 }).await.unwrap()
    else {
        panic!()
    };
    let digest = review.digest();
    let agent = renamed::Till::new(store);
    let error = agent.decide("t", digest, &clerk(), edit(999)).await.unwrap_err();
    assert!(error.to_string().contains("an effect has begun since"), "{error}");
}

/// An edit made under old code is pending when new code takes over. Its operator agreed to another path, so the edit
/// signs nothing.
#[tokio::test]
async fn an_edit_of_old_code_signs_nothing_under_new_code() {
    let clock = hitl::ManualClock::at(hitl::Timestamp::from_millis(1_000_000));
    let store = MemoryStore::new();
    let digest = waiting(&store).await;
    let old = renamed::Till::new(store.clone()).clock(clock.clone());
    let turn = old.decide("t", digest, &both(), edit(999)).await.unwrap();
    assert!(matches!(turn, renamed::TillTurn::Done(_)));
    // The journal of a process that died right after the edit.
    let records = hitl::Store::entries(&store, &"t".parse().unwrap(), 0.into(), 100).await.unwrap();
    let decided =
        records.iter().position(|record| String::from_utf8_lossy(&record.body).contains("\"made\""));
    let cut = MemoryStore::new();
    super::by_tier::copy(&cut, "t", records[..=decided.unwrap()].to_vec()).await;
    clock.advance(std::time::Duration::from_secs(3_600 * 24 * 365 * 80));
    let new = again::Till::new(cut).clock(clock);
    let turn = new.resume("t").await.unwrap();
    let again::TillTurn::PayLarge(review) = turn else { panic!("{turn}") };
    assert_eq!(review.proposed_by(), Some("bea"));
}

/// The version `renamed` with a further node, `muse`, before `pay_large`.
mod again {
    use super::shared::*;
    use hitl::prelude::*;

    #[node(Order, writes = draft)]
    async fn draft(cents: u32) -> Result<Draft> {
        Ok(Draft { cents })
    }

    #[node(Order)]
    async fn muse() -> Result<()> {
        Ok(())
    }

    graph! {
        pub Till<Order> {
            renamed propose -> draft;
            start -> draft -> match draft {
                Draft { cents: ..=500 } => pay,
                Draft { .. } => muse,
            };
            muse -> pay_large -> end;
            pay -> end;
            pay { reject -> cancel }
            pay_large { reject -> cancel }
            cancel -> end;
        }
    }
}
