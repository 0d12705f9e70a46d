//! Signatures: each allows one run of every effect that it covers, and includes the fields shown beside the draft.

use hitl::prelude::*;
use serde_json::json;

use crate::kit::{
    payment::Draft,
    world::{
        Behavior::{Fails, Refuses, Works},
        World,
    },
};

fn mara() -> Operator {
    Operator::new("mara").role("clerk")
}

/// The state and the nodes that the versions of the graph share.
mod shared {
    use super::*;

    #[state]
    pub struct Transfer {
        #[input]
        pub iban: String,
        #[input]
        pub memo: String,
        pub draft: Draft,
        pub n: u32,
        #[output]
        #[reduce(append)]
        pub receipts: Vec<String>,
    }

    #[node(Transfer, writes = draft)]
    pub async fn propose(memo: &str) -> Result<Draft> {
        Ok(Draft { cents: memo.len() as u32 })
    }

    #[interrupt_before(role = "clerk", covers = (hold, wire), show = (iban), unsigned(memo))]
    #[node(Transfer, writes = receipts, effect)]
    pub async fn hold(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        world.call(&format!("hold {}", draft.cents), cx.idempotency_key()).await?;
        Ok(vec![format!("held {} for {}", draft.cents, draft.signer())])
    }

    #[node(Transfer, writes = receipts, effect)]
    pub async fn wire(
        draft: &Approved<Draft>,
        iban: &str,
        memo: &str,
        world: Deps<World>,
        cx: &Cx,
    ) -> Result<Vec<String>> {
        assert_eq!((draft.thread().as_str(), draft.node(), draft.field()), ("t", "hold", "draft"));
        assert_eq!((draft.role(), draft.signer().operator()), (Some("clerk"), Some("mara")));
        world.call(&format!("wire {} to {iban}: {memo}", draft.cents), cx.idempotency_key()).await?;
        Ok(vec![format!("wired {} by {}", draft.cents, draft.digest().short())])
    }

    #[node(Transfer, writes = n, effect, risk = low)]
    pub async fn again(n: Option<&u32>, world: Deps<World>, cx: &Cx) -> Result<u32> {
        world.call("again", cx.idempotency_key()).await?;
        Ok(n.map_or(1, |n| n + 1))
    }

    #[node(Transfer, writes = receipts)]
    pub async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.note.clone()])
    }

    graph! {
        pub Transfers<Transfer, World> {
            start -> propose -> hold -> wire -> again -> match n { 0..=1 => propose, _ => end };
            hold { reject -> refuse }
            refuse -> end;
        }
    }
}

use shared::{TransferInput, Transfers, TransfersTurn};

fn input() -> TransferInput {
    TransferInput { iban: "DE1".into(), memo: "lunch".into() }
}

/// The same nodes with `wire` after `again`, an order that a careless change of the graph may produce.
mod reordered {
    use super::{
        World,
        shared::{Transfer, again, hold, propose, refuse, wire},
    };
    use hitl::prelude::*;

    graph! {
        pub Transfers<Transfer, World> {
            start -> propose -> hold -> again -> wire -> end;
            hold { reject -> refuse }
            refuse -> end;
        }
    }
}

#[tokio::test]
async fn each_covered_effect_runs_once_in_each_round() {
    let world = World::default();
    let agent = Transfers::new(world.clone(), MemoryStore::new());
    let TransfersTurn::Hold(first) = agent.start("t", input()).await.unwrap() else { panic!() };
    assert_eq!(first.covers(), ["wire"]);
    assert_eq!(serde_json::Value::Object(first.shown()), json!({ "iban": "DE1" }));

    let view = serde_json::to_value(agent.view("t").await.unwrap()).unwrap();
    let review = &view["reviews"][0];
    assert_eq!(review["covers"], json!(["wire"]));
    assert_eq!(review["shown"], json!({ "iban": "DE1" }));
    assert_eq!(review["unsigned"], json!(["memo"]));

    // Each round of the loop opens a new review.
    let TransfersTurn::Hold(second) = first.edit(&mara(), |draft| draft.cents = 7).await.unwrap() else {
        panic!()
    };
    assert_eq!(world.called(), ["hold 7", "wire 7 to DE1: lunch", "again"]);
    let TransfersTurn::Done(receipts) = second.approve(&mara()).await.unwrap() else { panic!() };
    assert_eq!((receipts.len(), world.calls()), (4, 6));
    assert_eq!(world.keys().len(), 6);
    agent.verify("t").await.unwrap();
}

#[tokio::test]
async fn an_effect_in_doubt_is_rerun_on_the_same_signature() {
    let (store, world) = (MemoryStore::new(), World::new([Works, Fails]));
    let agent = Transfers::new(world.clone(), store.clone());
    let TransfersTurn::Hold(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let TransfersTurn::InDoubt(doubt) = review.approve(&mara()).await.unwrap() else { panic!() };
    assert_eq!(doubt.node(), "wire");
    // Another process continues from the journal alone.
    let (agent, digest) = (Transfers::new(world.clone(), store), doubt.digest());
    let again = hitl::journal::Settlement::RunAgain;
    let eve = Operator::new("eve");
    assert_eq!(agent.settle("t", digest, &eve, again.clone()).await.unwrap_err().code(), "role_missing");
    let turn = agent.settle("t", digest, &mara(), again).await.unwrap();
    assert!(matches!(turn, TransfersTurn::Hold(_)), "{turn}");
    assert_eq!(world.called(), ["hold 5", "wire 5 to DE1: lunch", "wire 5 to DE1: lunch", "again"]);
}

#[tokio::test]
async fn a_failed_effect_is_resumed_on_the_same_signature() {
    let (store, world) = (MemoryStore::new(), World::new([Works, Refuses]));
    let agent = Transfers::new(world.clone(), store.clone());
    let TransfersTurn::Hold(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    assert!(matches!(review.approve(&mara()).await.unwrap(), TransfersTurn::Failed(_)));
    let turn = Transfers::new(world.clone(), store).resume("t").await.unwrap();
    assert!(matches!(turn, TransfersTurn::Hold(_)), "{turn}");
}

/// The signature that `hold` ran on is not carried into another thread, where `wire` would run on it a second time.
#[tokio::test]
async fn a_fork_runs_no_covered_effect_on_the_old_signature() {
    let world = World::new([Works, Works, Refuses]);
    let agent = Transfers::new(world.clone(), MemoryStore::new());
    let TransfersTurn::Hold(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    assert!(matches!(review.approve(&mara()).await.unwrap(), TransfersTurn::Failed(_)));
    let thread = "t";
    let history = agent.history(thread, 0, 100).await.unwrap();
    let held = |event: &hitl::journal::Event| matches!(event, hitl::journal::Event::Ran { node, .. } if node == "hold");
    let place = history.iter().find(|entry| held(&entry.event)).unwrap().place;
    let error = agent.fork(thread, place, "u").await.unwrap_err();
    assert_eq!(error.code(), "signature_not_carried", "{error}");
    assert_eq!(world.called(), ["hold 5", "wire 5 to DE1: lunch", "again"]);
}

/// The thread is past `wire`. Code that leads to `wire` again is incompatible, because the signature is spent.
#[tokio::test]
async fn new_code_cannot_spend_a_signature_again() {
    let (store, world) = (MemoryStore::new(), World::new([Works, Works, Refuses]));
    let agent = Transfers::new(world.clone(), store.clone());
    let TransfersTurn::Hold(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let TransfersTurn::Failed(failed) = review.approve(&mara()).await.unwrap() else { panic!() };
    assert_eq!((failed.node(), world.calls()), ("again", 3));

    let careless = reordered::Transfers::new(world.clone(), store.clone());
    let error = careless.resume("t").await.unwrap_err();
    let hitl::Error::GraphChanged { differences, .. } = &error else { panic!("{error}") };
    let told: Vec<_> = differences.iter().map(|d| (d.code(), d.node(), d.field())).collect();
    assert_eq!(told, [("unsigned", Some("wire"), Some("draft"))]);
    assert_eq!(world.calls(), 3);
    assert!(agent.resume("t").await.is_ok());
}

/// A version in which the signature covers `hold` alone.
mod narrow {
    use super::{
        Draft, World,
        shared::{Transfer, again, propose, refuse},
    };
    use hitl::prelude::*;

    #[interrupt_before(role = "clerk")]
    #[node(Transfer, writes = receipts, effect)]
    async fn hold(draft: &Approved<Draft>) -> Result<Vec<String>> {
        Ok(vec![format!("held {}", draft.cents)])
    }

    graph! {
        pub Transfers<Transfer, World> {
            start -> propose -> hold -> again -> end;
            hold { reject -> refuse }
            refuse -> end;
        }
    }
}

#[tokio::test]
async fn new_code_cannot_widen_what_a_signature_covers() {
    let (store, world) = (MemoryStore::new(), World::new([Refuses]));
    let agent = narrow::Transfers::new(world.clone(), store.clone());
    let narrow::TransfersTurn::Hold(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let digest = review.digest();
    // An open review is reopened under another digest, because the covered effects are part of what is signed.
    let wide = reordered::Transfers::new(world.clone(), store.clone());
    let reordered::TransfersTurn::Hold(wider) = wide.turn("t").await.unwrap() else { panic!() };
    assert_ne!(wider.digest(), digest);
    assert_eq!(wider.covers(), ["wire"]);
    // A decided review is not reopened, so the thread is incompatible.
    assert!(matches!(review.approve(&mara()).await.unwrap(), narrow::TransfersTurn::Failed(_)));
    assert_eq!(wide.resume("t").await.unwrap_err().code(), "graph_changed");
    assert_eq!(world.called(), ["again"]);
}

/// Defines a version of a graph that shows the account; the version `respelt` rewrites the account in its migration.
macro_rules! shown {
    ($module:ident, ($($state:tt)*)) => {
        mod $module {
            use super::Draft;
            use hitl::prelude::*;

            #[allow(dead_code)]
            fn respelt(_: u32, fields: &mut hitl::journal::Map) -> Result<()> {
                if let Some(iban) = fields.get_mut("iban") {
                    *iban = "DE01".into();
                }
                Ok(())
            }

            #[state $($state)*]
            pub struct Transfer {
                #[input]
                pub iban: String,
                pub draft: Draft,
                #[output]
                pub receipt: String,
            }

            #[node(Transfer, writes = draft)]
            async fn propose() -> Result<Draft> {
                Ok(Draft { cents: 5 })
            }

            #[interrupt_before(show = iban)]
            #[node(Transfer, writes = receipt, effect)]
            async fn pay(draft: &Approved<Draft>, iban: &str) -> Result<String> {
                Ok(format!("{} to {iban}", draft.cents))
            }

            #[node(Transfer, writes = receipt)]
            async fn refuse(rejection: &Rejection) -> Result<String> {
                Ok(rejection.note.clone())
            }

            graph! {
                pub Transfers<Transfer> {
                    start -> propose -> pay -> end;
                    pay { reject -> refuse }
                    refuse -> end;
                }
            }
        }
    };
}

shown!(plain, ());
shown!(respelt, ((version = 2, migrate = respelt)));

#[tokio::test]
async fn shown_fields_are_part_of_the_digest() {
    let store = MemoryStore::new();
    let agent = plain::Transfers::new(store.clone());
    let input = plain::TransferInput { iban: "DE1".into() };
    let plain::TransfersTurn::Pay(review) = agent.start("t", input).await.unwrap() else { panic!() };
    let digest = review.digest();

    // The draft is the same, but the field shown beside it is not.
    let agent = respelt::Transfers::new(store);
    let respelt::TransfersTurn::Pay(review) = agent.turn("t").await.unwrap() else { panic!() };
    assert_ne!(review.digest(), digest);
    assert_eq!(review.shown()["iban"], "DE01");
    let nobody = Operator::new("mara");
    assert_eq!(agent.decide("t", digest, &nobody, Verdict::Approve).await.unwrap_err().code(), "stale");
    // A field shown beside the draft cannot be edited.
    let patch = json!({ "iban": "DE2" });
    assert_eq!(
        agent.decide("t", review.digest(), &nobody, Verdict::Edit { patch }).await.unwrap_err().code(),
        "unknown_key"
    );
    let respelt::TransfersTurn::Done(receipt) = review.approve(&nobody).await.unwrap() else { panic!() };
    assert_eq!(receipt, "5 to DE01");
}

mod batch {
    use super::*;

    #[state]
    pub struct Batch {
        #[input]
        pub orders: Vec<String>,
        pub order: String,
        pub note: String,
        pub draft: Draft,
        #[output]
        #[reduce(append)]
        pub receipts: Vec<String>,
    }

    #[node(Batch, writes = (note, draft))]
    async fn propose(order: &str) -> Result<(String, Draft)> {
        Ok((format!("look at {order}"), Draft { cents: 5 }))
    }

    #[interrupt_before(show = order)]
    #[node(Batch, writes = receipts, effect)]
    async fn pay(draft: &Approved<Draft>, order: &str) -> Result<Vec<String>> {
        Ok(vec![format!("{} for {order}", draft.cents)])
    }

    #[node(Batch)]
    async fn refuse(rejection: &Rejection) -> Result<()> {
        let _ = rejection;
        Ok(())
    }

    graph! {
        pub Orders<Batch> {
            start -> for order in orders { propose -> pay } -> end;
            pay { reject -> refuse }
            refuse -> end;
        }
    }
}

#[tokio::test]
async fn a_review_in_a_for_names_its_item() {
    let agent = batch::Orders::new(MemoryStore::new());
    let orders = ["A", "B", "C"].map(str::to_owned).to_vec();
    let _ = agent.start("t", batch::BatchInput { orders }).await.unwrap();
    let view = serde_json::to_value(agent.view("t").await.unwrap()).unwrap();
    let reviews = view["reviews"].as_array().unwrap();
    let items: Vec<_> = reviews.iter().map(|review| (&review["shown"], &review["items"])).collect();
    let item = |index: usize, order: &str| {
        let fields = json!({ "note": format!("look at {order}") });
        (
            json!({ "order": order }),
            json!([{ "item": "order", "list": "orders", "index": index, "count": 3, "fields": fields }]),
        )
    };
    let expected = [item(0, "A"), item(1, "B"), item(2, "C")];
    assert_eq!(items, expected.iter().map(|(shown, items)| (shown, items)).collect::<Vec<_>>());
}
