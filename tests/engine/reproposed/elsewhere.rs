//! An edit of what waits before one effect signs, unseen, what then opens before another one: which one, says a model that
//! runs after the verdict.

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
    /// What the "model" says the next time.
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

/// As a model would: twice the same question, two answers.
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
    world.done.lock().unwrap().push(format!("wired {} by {} as {:?}", draft.cents, draft.operator(), draft.role()));
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

#[tokio::test]
async fn an_edit_before_one_effect_does_not_sign_another() {
    let world = World::default();
    let agent = Payer::new(world.clone(), MemoryStore::new());
    // Holds both roles, as the head of a desk does.
    let mara = Operator::new("mara").role("clerk").role("treasurer");
    let PayerTurn::SendVoucher(review) = agent.start("t", CaseInput { cents: 50 }).await.unwrap() else { panic!() };
    let digest = review.digest();
    let edit = || Verdict::Edit { patch: json!({ "cents": 90 }) };
    let preview = agent.preview("t", digest, &mara, edit()).await.unwrap();
    println!("preview: {}", serde_json::to_string(&preview).unwrap());
    println!("  said: {}", preview.again.as_ref().map(ToString::to_string).unwrap_or_default());
    *world.says.lock().unwrap() = Some(Channel::Wire);
    let turn = agent.decide("t", digest, &mara, edit()).await;
    println!("turn: {:?}", turn.map(|t| t.to_string()));
    println!("done: {:?}", world.done.lock().unwrap());
    for entry in agent.history(&"t".parse().unwrap(), 3, 20).await.unwrap() {
        println!("{} {} {:?}", entry.place, entry.event.name(), entry.event.node());
    }
    println!("{:?}", agent.verify(&"t".parse().unwrap()).await.map(|_| "verify: sound"));
    let done = world.done.lock().unwrap();
    assert!(!done.iter().any(|said| said.starts_with("wired")), "she was shown a voucher, and money was wired");
}
