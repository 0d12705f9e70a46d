//! A model that runs after the edit may determine which review opens next. The edit signs that review only if it is
//! before the same node as the edited one.

use std::sync::{Arc, Mutex};

use hitl::prelude::*;
use serde_json::json;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(range(max = 1_000))]
    pub cents: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Channel {
    Voucher,
    Wire,
}

#[derive(Clone, Default)]
pub struct World {
    /// The next answer of the "model".
    says: Arc<Mutex<Option<Channel>>>,
    done: Arc<Mutex<Vec<String>>>,
}

#[state]
pub struct Case {
    #[input]
    pub cents: u32,
    pub draft: Draft,
    pub channel: Channel,
    #[output]
    pub outcome: String,
}

#[node(Case, writes = draft)]
async fn propose(cents: u32) -> Result<Draft> {
    Ok(Draft { cents })
}

/// Returns the next answer of the "model", which may differ for the same draft.
#[node(Case, writes = channel)]
async fn classify(draft: &Draft, world: Deps<World>) -> Result<Channel> {
    let _ = draft;
    Ok(world.says.lock().unwrap().clone().unwrap_or(Channel::Voucher))
}

#[interrupt_before(role = "clerk")]
#[node(Case, writes = outcome, effect)]
async fn send_voucher(draft: &Approved<Draft>, world: Deps<World>) -> Result<String> {
    world.done.lock().unwrap().push(format!("voucher {} by {}", draft.cents, draft.operator()));
    Ok("voucher".into())
}

#[interrupt_before(role = "treasurer")]
#[node(Case, writes = outcome, effect)]
async fn wire_money(draft: &Approved<Draft>, world: Deps<World>) -> Result<String> {
    world.done.lock().unwrap().push(format!(
        "wired {} by {} as {:?}",
        draft.cents,
        draft.operator(),
        draft.role()
    ));
    Ok("wire".into())
}

#[node(Case, writes = outcome)]
async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(rejection.note.clone())
}

graph! {
    pub Payer<Case, World> {
        start -> propose -> classify -> match channel { Channel::Voucher => send_voucher, Channel::Wire => wire_money };
        send_voucher -> end;
        wire_money -> end;
        send_voucher { reject -> cancel }
        wire_money { reject -> cancel }
        cancel -> end;
    }
}

/// Returns an operator who holds both roles.
fn mara() -> Operator {
    Operator::new("mara").role("clerk").role("treasurer")
}

fn edit() -> Verdict {
    Verdict::Edit { patch: json!({ "cents": 90 }) }
}

async fn voucher(agent: &Agent<Payer>) -> hitl::Digest {
    let PayerTurn::SendVoucher(review) = agent.start("t", CaseInput { cents: 50 }).await.unwrap() else {
        panic!()
    };
    review.digest()
}

#[tokio::test]
async fn an_edit_before_one_effect_does_not_sign_another() {
    let world = World::default();
    let agent = Payer::new(world.clone(), MemoryStore::new());
    let digest = voucher(&agent).await;
    *world.says.lock().unwrap() = Some(Channel::Wire);
    let turn = agent.decide("t", digest, &mara(), edit()).await.unwrap();
    assert!(world.done.lock().unwrap().is_empty(), "an edit of the voucher signed a wire transfer");
    let PayerTurn::WireMoney(review) = turn else { panic!("{turn}") };
    assert_ne!(review.digest(), digest);
    assert_eq!((review.proposed_by(), review.role()), (Some("mara"), Some("treasurer")));
    assert!(matches!(review.approve(&mara()).await.unwrap(), PayerTurn::Done(_)));
    assert_eq!(*world.done.lock().unwrap(), ["wired 90 by mara as Some(\"treasurer\")"]);
    agent.verify("t").await.unwrap();
}

#[tokio::test]
async fn a_preview_names_the_only_review_that_an_edit_may_sign() {
    let world = World::default();
    let agent = Payer::new(world.clone(), MemoryStore::new());
    let digest = voucher(&agent).await;
    let again = agent.preview("t", digest, &mara(), edit()).await.unwrap().again.unwrap();
    assert_eq!((&again.opens, again.signs_only.as_deref()), (&None, Some("send_voucher")));
    assert_eq!(
        again.to_string(),
        "the edit is a new proposal of `draft`: the thread returns to `propose` and continues to `classify`, \
         and a later review requires a signature of its own, unless it is the one before `send_voucher` again"
    );
    // The model gives the same answer again, so one verdict is sufficient.
    let turn = agent.decide("t", digest, &mara(), edit()).await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    assert_eq!(*world.done.lock().unwrap(), ["voucher 90 by mara"]);
    agent.verify("t").await.unwrap();
}
