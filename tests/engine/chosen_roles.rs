//! Reviews whose role and deadline are chosen by what is signed: `role = if draft.cents > 1000 { "director" } else { … }`.

use std::time::Duration;

use hitl::{
    ManualClock, MemoryStore, Scope, Timestamp,
    journal::{Event, Proposal},
    prelude::*,
};
use serde_json::json;

use crate::{
    kit::{
        operators::{both, clerk, director},
        payment::Draft,
        world::{Behavior, World},
    },
    new_code::{altered, cut_before, events, journal, later},
};

const LONG: Duration = Duration::from_hours(24);

#[state]
pub struct Order {
    #[input]
    pub cents: u32,
    #[input]
    pub urgent: bool,
    pub draft: Draft,
    #[output]
    #[reduce(append)]
    pub receipts: Vec<String>,
}

fn input(cents: u32) -> OrderInput {
    OrderInput { cents, urgent: cents % 2 == 1 }
}

#[node(Order, writes = draft)]
async fn propose(cents: u32) -> Result<Draft> {
    Ok(Draft { cents })
}

/// Returns the limit of a clerk. An amount of 13 has none.
fn clerk_limit(draft: &Draft) -> u32 {
    assert_ne!(draft.cents, 13, "unlucky");
    1_000
}

#[interrupt_before(
    role = if draft.cents > clerk_limit(&draft) { "director" } else { "clerk" },
    expires = if urgent { "1h" } else { LONG },
    show = urgent,
    covers = file,
)]
#[node(Order, writes = receipts, effect)]
async fn pay(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    let (role, by) = (draft.role().unwrap_or("nobody"), draft.signer());
    Ok(vec![world.call(&format!("pay {} by {role} {by}", draft.cents), cx.idempotency_key()).await?])
}

#[node(Order, effect, idempotent)]
async fn file(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<()> {
    world.call(&format!("file by {}", draft.role().unwrap_or("nobody")), cx.idempotency_key()).await?;
    Ok(())
}

#[node(Order, writes = receipts)]
async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![format!("refused by {}", rejection.operator)])
}

graph! {
    pub Payer<Order, World> {
        start -> propose -> pay -> file -> end;
        pay { reject -> refuse }
        refuse -> end;
    }
}

type PayReview = hitl::Review<Payer, Draft>;

async fn open(agent: &Agent<Payer>, thread: &str, cents: u32) -> PayReview {
    match agent.start(thread, input(cents)).await.unwrap() {
        PayerTurn::Pay(review) => review,
        other => panic!("{other}"),
    }
}

fn edit(cents: u32) -> Verdict {
    Verdict::Edit { patch: json!({ "cents": cents }) }
}

#[tokio::test]
async fn the_amount_chooses_who_signs() {
    let (clock, world) = (ManualClock::at(Timestamp::from_millis(1_000_000)), World::default());
    let agent = Payer::new(world.clone(), MemoryStore::new()).clock(clock.clone());
    let review = open(&agent, "small", 1_000).await;
    let open_for = |review: &PayReview| review.deadline().unwrap().as_millis() - 1_000_000;
    assert_eq!((review.role(), open_for(&review)), (Some("clerk"), 24 * 3_600_000));
    let review = open(&agent, "large", 1_001).await;
    assert_eq!((review.role(), open_for(&review)), (Some("director"), 3_600_000));
    let large = review.digest();
    let refused = review.approve(&clerk()).await.unwrap_err();
    assert_eq!((refused.code(), world.calls()), ("role_missing", 0));
    let turn = agent.decide("large", large, &director(), Verdict::Approve).await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    assert_eq!(world.called(), ["pay 1001 by director dora", "file by director"]);
    for thread in ["small", "large"] {
        agent.verify(thread).await.unwrap();
    }
}

/// An edit that changes who must sign is a new proposal: the review opens again for that role.
#[tokio::test]
async fn an_edit_does_not_choose_its_own_signer() {
    let world = World::default();
    let agent = Payer::new(world.clone(), MemoryStore::new());
    for (thread, from, to, who, then) in
        [("up", 500, 5_000, clerk(), "director"), ("down", 5_000, 500, director(), "clerk")]
    {
        let first = open(&agent, thread, from).await;
        let preview = agent.preview(thread, first.digest(), &who, edit(to)).await.unwrap().again.unwrap();
        let opens = preview.opens.as_ref().unwrap();
        assert_eq!((opens.role.as_deref(), opens.signs), (Some(then), false), "{preview}");
        let turn = agent.decide(thread, first.digest(), &who, edit(to)).await.unwrap();
        let PayerTurn::Pay(review) = turn else { panic!("{turn}") };
        assert_eq!((review.role(), review.draft().cents), (Some(then), to));
        assert_eq!(review.proposed_by(), Some(who.name()));
        assert_ne!(review.digest(), first.digest());
        let refused = review.approve(&who).await.unwrap_err();
        assert_eq!((refused.code(), world.calls()), ("role_missing", 0));
        agent.verify(thread).await.unwrap();
    }
    // Who holds both roles needs one verdict.
    let review = open(&agent, "both", 500).await;
    let turn = review.edit(&both(), |draft| draft.cents = 5_000).await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    assert_eq!(world.called()[0], "pay 5000 by director bea");
    let history = agent.history("both", 0, 100).await.unwrap();
    let proposals = history.iter().filter_map(|entry| match &entry.event {
        Event::Decided { proposal, .. } => proposal.as_deref(),
        _ => None,
    });
    assert!(matches!(proposals.collect::<Vec<_>>()[..], [Proposal::Made { .. }, Proposal::Signed { .. }]));
    agent.verify("both").await.unwrap();
    // An edit that does not change the role signs.
    let review = open(&agent, "same", 500).await;
    let turn = review.edit(&clerk(), |draft| draft.cents = 600).await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    agent.verify("same").await.unwrap();
}

/// An edit that leads back to its own review keeps the deadline, and does not choose a longer one.
#[tokio::test]
async fn edits_do_not_extend_the_deadline() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let agent = Payer::new(World::default(), MemoryStore::new()).clock(clock.clone());
    let mut review = open(&agent, "t", 500).await;
    let deadline = review.deadline().unwrap();
    for cents in [5_000, 600, 6_000] {
        clock.advance(Duration::from_hours(1));
        let who = if cents > 1_000 { clerk() } else { director() };
        let turn = agent.decide("t", review.digest(), &who, edit(cents)).await.unwrap();
        let PayerTurn::Pay(again) = turn else { panic!("{turn}") };
        assert_eq!((again.deadline(), again.draft().cents), (Some(deadline), cents));
        review = again;
    }
    clock.advance(Duration::from_hours(21));
    assert_eq!(review.approve(&director()).await.unwrap_err().code(), "expired");
    agent.verify("t").await.unwrap();
}

/// Someone writes into the store that a clerk may sign.
#[tokio::test]
async fn the_journal_does_not_choose_who_signs() {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = Payer::new(world.clone(), store.clone());
    let _ = open(&agent, "t", 5_000).await;
    assert!(events(&journal(&store).await).iter().any(|event| event.name() == "paused"));
    let forged = altered(&store, r#""role":"director""#, r#""role":"clerk""#).await;
    let agent = Payer::new(world.clone(), forged);
    assert!(agent.verify("t").await.is_err());
    let PayerTurn::Pay(review) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(review.role(), Some("director"));
    assert_eq!(review.approve(&clerk()).await.unwrap_err().code(), "role_missing");
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn a_role_that_panics_fails_its_thread_only() {
    let world = World::default();
    let agent = Payer::new(world.clone(), MemoryStore::new());
    let PayerTurn::Failed(failure) = agent.start("t", input(13)).await.unwrap() else { panic!() };
    assert!(failure.error().contains("of the review before `pay` panicked"), "{}", failure.error());
    let review = open(&agent, "u", 500).await;
    let digest = review.digest();
    let refused = review.edit(&both(), |draft| draft.cents = 13).await.unwrap_err();
    assert_eq!(refused.code(), "bad_verdict", "{refused}");
    let turn = agent.decide("u", digest, &clerk(), Verdict::Approve).await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
}

#[tokio::test]
async fn a_doubt_is_settled_in_the_role_that_signed() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Fails]));
    let agent = Payer::new(world.clone(), store);
    let turn = open(&agent, "t", 5_000).await.approve(&director()).await.unwrap();
    let PayerTurn::InDoubt(doubt) = turn else { panic!("{turn}") };
    assert_eq!(doubt.run_again(&clerk()).await.unwrap_err().code(), "role_missing");
    let PayerTurn::InDoubt(doubt) = agent.turn("t").await.unwrap() else { panic!() };
    assert!(matches!(doubt.run_again(&director()).await.unwrap(), PayerTurn::Done(_)));
    assert_eq!(world.keys().len(), 2, "one for each effect");
}

#[tokio::test]
async fn each_role_that_can_be_chosen_may_stop() {
    let agent = Payer::new(World::default(), MemoryStore::new());
    let front = agent.front();
    for who in [clerk(), director()] {
        front.pause(Scope::Graph, &who, "look first").await.unwrap();
        front.unpause(Scope::Graph, &who, "").await.unwrap();
    }
    let refused = front.pause(Scope::Graph, &Operator::new("eve"), "").await.unwrap_err();
    assert_eq!(refused.code(), "may_not_stop", "{refused}");
}

/// New code that chooses another role opens the review again.
#[tokio::test]
async fn new_code_chooses_again() {
    mod stricter {
        use super::*;

        #[interrupt_before(role = if draft.cents > 10 { "director" } else { "clerk" }, show = urgent, covers = file)]
        #[node(Order, writes = receipts, effect)]
        async fn pay(draft: &Approved<Draft>) -> Result<Vec<String>> {
            Ok(vec![format!("{}", draft.signer())])
        }

        graph! {
            pub Payer<Order, World> {
                start -> propose -> pay -> file -> end;
                pay { reject -> refuse }
                refuse -> end;
            }
        }
    }
    let (store, world) = (MemoryStore::new(), World::default());
    let _ = open(&Payer::new(world.clone(), store.clone()), "t", 500).await;
    let agent = stricter::Payer::new(world, store.clone());
    let check = agent.check("t").await.unwrap();
    assert!(check.changes.iter().any(|change| change.code() == "role_changed"), "{:?}", check.changes);
    let stricter::PayerTurn::Pay(review) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!(review.role(), Some("director"));
    // A thread whose clerk has signed, and whose effect has not begun.
    let signed = MemoryStore::new();
    let first = Payer::new(World::default(), signed.clone());
    let _ = open(&first, "t", 500).await.approve(&clerk()).await.unwrap();
    let store = cut_before(&signed, "began").await;
    let agent = stricter::Payer::new(World::default(), store).clock(later());
    let stricter::PayerTurn::Pay(review) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!(review.role(), Some("director"));
    agent.verify("t").await.unwrap();
}
