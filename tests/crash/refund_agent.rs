//! A refund desk: two branches side by side, two effects that are signed, and a node that fails the first time.

use std::sync::Arc;

use hitl::prelude::*;
use tokio::{sync::SetOnce, task::yield_now};

use crate::{
    kill_points::{KillSwitch, PointKind},
    ledger::{EffectKind, Ledger, Line},
};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Letter {
    #[garde(length(chars, min = 1))]
    pub text: String,
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Refund {
    #[garde(pattern(r"^A-[0-9]{4}$"))]
    pub order: String,
    #[garde(range(min = 1, max = 1_000_000))]
    pub cents: u64,
    #[garde(length(chars, max = 100))]
    pub note: String,
}

#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub plan: String,
    pub letter: Letter,
    pub draft: Refund,
    #[output]
    pub outcome: String,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

/// The dependencies of the nodes.
pub struct World {
    pub ledger: Ledger,
    pub kill_switch: Arc<KillSwitch>,
    /// Set once the score may be written: until then, its branch is running while the other one is decided.
    pub scored: Arc<SetOnce<()>>,
}

impl World {
    async fn apply(&self, line: Line) {
        yield_now().await;
        self.kill_switch.reach(PointKind::Effect);
        self.ledger.add(&line);
        self.kill_switch.reach(PointKind::Effect);
        yield_now().await;
    }

    async fn send(&self, letter: &Approved<Letter>, key: &str) -> Result<Vec<String>> {
        let signed_by = letter.signer().to_string();
        self.kill_switch
            .count_awaits(self.apply(Line {
                what: EffectKind::Letter,
                key: key.to_owned(),
                cents: 0,
                signed_by,
            }))
            .await;
        Ok(sent(&letter.signer().to_string()))
    }

    async fn pay(&self, draft: &Approved<Refund>, key: &str) -> Result<String> {
        let signed_by = draft.signer().to_string();
        let line = Line { what: EffectKind::Refund, key: key.to_owned(), cents: draft.cents, signed_by };
        self.kill_switch.count_awaits(self.apply(line)).await;
        Ok(paid(draft.cents, &draft.signer().to_string()))
    }
}

/// Returns the value that the letter's node writes.
pub fn sent(signed_by: &str) -> Vec<String> {
    vec![format!("a letter, signed by {signed_by}")]
}

/// Returns the value that the refund's node writes.
pub fn paid(cents: u64, signed_by: &str) -> String {
    format!("{cents} cents, signed by {signed_by}")
}

#[node(Ticket, writes = plan)]
async fn plan(message: &str, world: Deps<World>) -> Result<String> {
    world.kill_switch.count_awaits(yield_now()).await;
    Ok(format!("refund what `{message}` asks for"))
}

#[node(Ticket, writes = log, retries = 1, backoff = "1ms")]
async fn score(plan: &str, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    if cx.attempt() == 1 {
        return Err(NodeError::msg("the first call always fails"));
    }
    world.kill_switch.count_awaits(world.scored.wait()).await;
    Ok(vec![format!("scored `{plan}`")])
}

#[node(Ticket, writes = letter)]
async fn write(plan: &str, world: Deps<World>) -> Result<Letter> {
    world.kill_switch.count_awaits(yield_now()).await;
    Ok(Letter { text: format!("we shall {plan}") })
}

#[interrupt_before(role = "clerk")]
#[node(Ticket, writes = log, effect)]
async fn send(letter: &Approved<Letter>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    world.send(letter, cx.idempotency_key()).await
}

#[interrupt_before(role = "clerk")]
#[node(Ticket, writes = log, effect, idempotent)]
async fn resend(letter: &Approved<Letter>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    world.send(letter, cx.idempotency_key()).await
}

#[node(Ticket, writes = log)]
async fn keep(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![format!("no letter: {}", rejection.reason)])
}

#[node(Ticket, writes = draft)]
async fn draft(question: Option<&Question>, world: Deps<World>) -> Result<Refund> {
    world.kill_switch.count_awaits(yield_now()).await;
    let note = question.map(|question| question.text.clone()).unwrap_or_default();
    Ok(Refund { order: "A-9133".into(), cents: 14_900, note })
}

#[interrupt_before(role = "approver")]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &Approved<Refund>, world: Deps<World>, cx: &Cx) -> Result<String> {
    world.pay(draft, cx.idempotency_key()).await
}

#[interrupt_before(role = "approver")]
#[node(Ticket, writes = outcome, effect, idempotent)]
async fn repay(draft: &Approved<Refund>, world: Deps<World>, cx: &Cx) -> Result<String> {
    world.pay(draft, cx.idempotency_key()).await
}

#[node(Ticket, writes = outcome)]
async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(format!("cancelled: {}", rejection.reason))
}

#[node(Ticket, writes = log)]
async fn close(outcome: &str, world: Deps<World>) -> Result<Vec<String>> {
    world.kill_switch.count_awaits(yield_now()).await;
    Ok(vec![format!("closed: {outcome}")])
}

graph! {
    /// Its effects must not be repeated.
    pub AtMostOnce<Ticket, World> {
        start -> plan -> (score, write -> send) -> draft -> pay -> close -> end;
        send { reject -> keep }
        keep -> draft;
        pay { reject -> cancel, ask -> draft }
        cancel -> close;
    }
}

graph! {
    /// Its effects may be repeated with the same key.
    pub AtLeastOnce<Ticket, World> {
        start -> plan -> (score, write -> resend) -> draft -> repay -> close -> end;
        resend { reject -> keep }
        keep -> draft;
        repay { reject -> cancel, ask -> draft }
        cancel -> close;
    }
}

pub fn message() -> TicketInput {
    TicketInput { message: "order A-9133 arrived broken".into() }
}

pub fn mara() -> Operator {
    Operator::new("mara").role("clerk").role("approver")
}
