//! The agent under test: a graph with something of every construct, and the world that its nodes act on.

use std::{
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
};

use hitl::prelude::*;
use tokio::sync::Notify;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Offer {
    #[garde(range(min = 1, max = 100))]
    pub dollars: u32,
    #[garde(skip)]
    pub note: String,
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Letter {
    #[garde(length(min = 1))]
    pub text: String,
}

/// The tier of an offer, which decides who may sign it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Tier {
    Small,
    Large,
}

impl Tier {
    pub fn of(dollars: u32) -> Self {
        if dollars < LARGE { Self::Small } else { Self::Large }
    }
}

/// The least number of dollars that only a boss may sign.
pub const LARGE: u32 = 11;

#[state]
pub struct Case {
    #[input]
    pub wish: u32,
    pub price: u32,
    pub offer: Offer,
    pub tier: Tier,
    pub letter: Letter,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

/// The nodes, by their names in the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    Look,
    Draft,
    Rate,
    Pay,
    PayLarge,
    Cancel,
    Send,
    Skip,
    Tidy,
    File,
}

impl Node {
    /// Returns whether the node is one of the two that pay.
    pub fn pays(self) -> bool {
        matches!(self, Self::Pay | Self::PayLarge)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Draft => "draft",
            Self::Rate => "rate",
            Self::Pay => "pay",
            Self::PayLarge => "pay_large",
            Self::Cancel => "cancel",
            Self::Send => "send",
            Self::Skip => "skip",
            Self::Tidy => "tidy",
            Self::File => "file",
        }
    }
}

/// The outcome of an effect.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Effect {
    #[default]
    Works,
    /// An error that does not tell whether the effect happened.
    Breaks,
    /// An error that guarantees that the effect did not happen.
    Refuses,
}

/// The conditions under which the nodes run, until they change.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// The number of further failures of `look`.
    pub look_fails: u32,
    pub pay: Effect,
    pub send: Effect,
    pub tidy_fails: bool,
    /// The node at which the next process dies: its work is done, and its end is not stored.
    pub dies_at: Option<Node>,
}

/// An effect that was attempted.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptedEffect {
    pub thread: String,
    pub what: String,
    pub by: String,
}

/// The number of calls of the nodes, and the effects that were attempted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallLog {
    pub looked: u32,
    pub drafted: u32,
    pub rated: u32,
    pub tidied: u32,
    pub filed: u32,
    pub paid: Vec<AttemptedEffect>,
    pub sent: Vec<AttemptedEffect>,
}

#[derive(Clone, Default)]
pub struct World {
    state: Arc<Mutex<WorldState>>,
    death: Arc<Notify>,
}

#[derive(Default)]
pub struct WorldState {
    pub conditions: Conditions,
    pub call_log: CallLog,
    /// The idempotency keys of the payments and of the letters, in their order.
    pub pay_keys: Vec<String>,
    pub send_keys: Vec<String>,
    is_dead: bool,
}

impl World {
    pub fn state(&self) -> MutexGuard<'_, WorldState> {
        self.state.lock().unwrap()
    }

    /// Waits until the process that works here has died.
    pub async fn death(&self) {
        self.death.notified().await;
    }

    /// Lets another process work here from now on.
    pub fn replace_process(&self) {
        let mut state = self.state();
        state.is_dead = false;
        state.conditions.dies_at = None;
    }

    /// Does the work of a node. It does not return if the process dies there.
    async fn work<T>(&self, at: Node, work: impl FnOnce(&mut WorldState) -> T + Send) -> T {
        match self.try_work(at, work) {
            Some(done) => done,
            None => pending().await,
        }
    }

    fn try_work<T>(&self, at: Node, work: impl FnOnce(&mut WorldState) -> T) -> Option<T> {
        let mut state = self.state();
        if state.is_dead {
            return None;
        }
        let done = work(&mut state);
        if state.conditions.dies_at == Some(at) {
            state.is_dead = true;
            self.death.notify_one();
            return None;
        }
        Some(done)
    }
}

fn attempted_effect(cx: &Cx, what: &str, by: &str) -> AttemptedEffect {
    AttemptedEffect { thread: cx.thread().to_string(), what: what.to_owned(), by: by.to_owned() }
}

fn end(effect: Effect, line: String) -> Result<Vec<String>> {
    match effect {
        Effect::Works => Ok(vec![line]),
        Effect::Breaks => Err(NodeError::msg("the line broke")),
        Effect::Refuses => Err(NodeError::not_done("the other side refused")),
    }
}

#[node(Case, writes = price, retries = 2, backoff = "1ms")]
async fn look(wish: u32, world: Deps<World>) -> Result<u32> {
    let look = |state: &mut WorldState| {
        state.call_log.looked += 1;
        let fails = state.conditions.look_fails > 0;
        state.conditions.look_fails = state.conditions.look_fails.saturating_sub(1);
        fails
    };
    if world.work(Node::Look, look).await { Err(NodeError::msg("nothing was found")) } else { Ok(wish) }
}

#[node(Case, writes = letter)]
async fn greet() -> Result<Letter> {
    Ok(Letter { text: "dear customer".into() })
}

#[node(Case, writes = offer)]
async fn draft(price: u32, question: Option<&Question>, world: Deps<World>) -> Result<Offer> {
    world.work(Node::Draft, |state| state.call_log.drafted += 1).await;
    let note = question.map_or_else(|| "as wished".to_owned(), |question| question.text.clone());
    Ok(Offer { dollars: price, note })
}

/// Returns the tier of the offer, which decides who signs it.
#[node(Case, writes = tier)]
async fn rate(offer: &Offer, world: Deps<World>) -> Result<Tier> {
    world.work(Node::Rate, |state| state.call_log.rated += 1).await;
    Ok(Tier::of(offer.dollars))
}

#[interrupt_before(role = "payer", expires = "24h")]
#[node(Case, writes = log, effect)]
async fn pay(offer: &Approved<Offer>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    let what = format!("{} dollars, {}", offer.dollars, offer.note);
    let pay = |state: &mut WorldState| {
        state.call_log.paid.push(attempted_effect(cx, &what, &offer.signer().to_string()));
        state.pay_keys.push(cx.idempotency_key().to_owned());
        state.conditions.pay
    };
    end(world.work(Node::Pay, pay).await, format!("paid {what}"))
}

#[interrupt_before(role = "boss", expires = "24h")]
#[node(Case, writes = log, effect)]
async fn pay_large(offer: &Approved<Offer>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    let what = format!("{} dollars, {}", offer.dollars, offer.note);
    let pay = |state: &mut WorldState| {
        state.call_log.paid.push(attempted_effect(cx, &what, &offer.signer().to_string()));
        state.pay_keys.push(cx.idempotency_key().to_owned());
        state.conditions.pay
    };
    end(world.work(Node::PayLarge, pay).await, format!("paid {what}"))
}

#[node(Case)]
async fn book() -> Result<()> {
    Ok(())
}

#[node(Case, writes = log)]
async fn cancel(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![format!("cancelled by {}: {}", rejection.operator, rejection.reason)])
}

#[interrupt_before(expires = "48h")]
#[node(Case, writes = log, effect)]
async fn send(letter: &Approved<Letter>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    let send = |state: &mut WorldState| {
        state.call_log.sent.push(attempted_effect(cx, &letter.text, &letter.signer().to_string()));
        state.send_keys.push(cx.idempotency_key().to_owned());
        state.conditions.send
    };
    end(world.work(Node::Send, send).await, format!("sent {}", letter.text))
}

#[node(Case, writes = log)]
async fn skip(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![format!("skipped by {}: {}", rejection.operator, rejection.reason)])
}

#[node(Case, writes = log)]
async fn tidy(world: Deps<World>) -> Result<Vec<String>> {
    let tidy = |state: &mut WorldState| {
        state.call_log.tidied += 1;
        state.conditions.tidy_fails
    };
    if world.work(Node::Tidy, tidy).await {
        Err(NodeError::msg("too much paper"))
    } else {
        Ok(vec!["tidied".into()])
    }
}

#[node(Case, writes = log)]
async fn file(world: Deps<World>) -> Result<Vec<String>> {
    world.work(Node::File, |state| state.call_log.filed += 1).await;
    Ok(vec!["filed".into()])
}

graph! {
    pub Clerk<Case, World> {
        start -> greet -> look -> draft -> rate -> match tier { Tier::Small => pay, Tier::Large => pay_large };
        pay -> book;
        pay_large -> book;
        book -> (send, tidy) -> file -> end;
        pay { reject -> cancel, ask -> draft }
        pay_large { reject -> cancel, ask -> draft }
        cancel -> end;
        send { reject -> skip }
        skip -> file;
    }
}
