//! Journals that record weaker rules than the program has: neither a recorded review nor a recorded signature relaxes
//! the program's rules.

use std::time::Duration;

use hitl::{
    Clock as _, Digest, Error, ManualClock, ReviewChange, SystemClock, Timestamp,
    journal::{Event, Settlement},
    prelude::*,
    store::Record,
};

use super::{altered, codes, entries_after, events, id, journal, stored};
use crate::kit::{
    operators::{clerk, director},
    payment::Draft,
    world::{Behavior, World},
};

#[state]
pub struct Order {
    #[input]
    pub iban: String,
    pub draft: Draft,
    #[output]
    #[reduce(append)]
    pub receipts: Vec<String>,
}

#[node(Order, writes = draft)]
async fn propose() -> Result<Draft> {
    Ok(Draft { cents: 42 })
}

#[node(Order, writes = receipts)]
async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

/// Defines a version: the attributes of `hold` and of `wire`, the effect arguments of both, and the graph.
macro_rules! version {
    ($name:ident, [$($hold:meta),*], [$($wire:meta),*], ($($effect:ident),*), { $($graph:tt)* }) => {
        mod $name {
            use hitl::prelude::*;

            use super::{Draft, Order, World, propose, refuse};

            $(#[$hold])*
            #[node(Order, writes = receipts, $($effect),*)]
            async fn hold(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
                let by = draft.signer();
                Ok(vec![world.call(&format!("hold {} by {by}", draft.cents), cx.idempotency_key()).await?])
            }

            $(#[$wire])*
            #[node(Order, writes = receipts, $($effect),*)]
            async fn wire(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
                let by = draft.signer();
                Ok(vec![world.call(&format!("wire {} by {by}", draft.cents), cx.idempotency_key()).await?])
            }

            /// Checks the draft. Its signature covers `wire` in the versions whose graph has this node.
            #[interrupt_before(role = "director", covers = (wire), edit = false)]
            #[node(Order, writes = receipts, effect)]
            #[allow(dead_code)]
            async fn check(draft: &Approved<Draft>) -> Result<Vec<String>> {
                Ok(vec![format!("checked by {}", draft.signer())])
            }

            graph! { pub Orders<Order, World> { $($graph)* } }
        }
    };
    ($name:ident, [$($hold:meta),*]) => {
        version!($name, [$($hold),*], [], (effect), {
            start -> propose -> hold -> wire -> end;
            hold { reject -> refuse }
            refuse -> end;
        });
    };
}

version!(clerk, [interrupt_before(role = "clerk", covers = (wire))]);
version!(director, [interrupt_before(role = "director", covers = (wire))]);
version!(noted, [interrupt_before(role = "clerk", covers = (wire), remind = "4h")]);
version!(unedited, [interrupt_before(role = "clerk", covers = (wire), edit = false)]);
version!(idempotent, [interrupt_before(role = "clerk", covers = (wire))], [], (effect, idempotent), {
    start -> propose -> hold -> wire -> end;
    hold { reject -> refuse }
    refuse -> end;
});
version!(idempotent_director, [interrupt_before(role = "director", covers = (wire))], [], (effect, idempotent), {
    start -> propose -> hold -> wire -> end;
    hold { reject -> refuse }
    refuse -> end;
});
// Stricter than `clerk` in every rule, with a separate review before `wire`.
version!(strict, [interrupt_before(role = "director", expires = "1h", show = iban)], [interrupt_before(role = "chief", edit = false)], (effect), {
    start -> propose -> hold -> wire -> end;
    hold { reject -> refuse }
    wire { reject -> refuse }
    refuse -> end;
});
// `check` covers `wire`, and `hold` does not.
version!(checked, [interrupt_before(role = "clerk")], [], (effect), {
    start -> propose -> hold -> check -> wire -> end;
    hold { reject -> refuse }
    check { reject -> refuse }
    refuse -> end;
});

/// Starts a thread of the version `clerk` that waits before `hold`, and returns the digest.
async fn begun(store: &MemoryStore, world: &World) -> Digest {
    let agent = clerk::Orders::new(world.clone(), store.clone());
    match agent.start("t", OrderInput { iban: "DE1".into() }).await.unwrap() {
        clerk::OrdersTurn::Hold(review) => review.digest(),
        other => panic!("{other}"),
    }
}

/// The rules that a journal records for an open review do not replace the program's, although the journal says that
/// this program opened the review.
#[tokio::test]
async fn a_forged_review_is_reopened_under_the_program_rules() {
    let (store, world) = (MemoryStore::new(), World::default());
    let seen = begun(&store, &world).await;
    let print = clerk::Orders::new(world.clone(), store.clone()).fingerprint().to_owned();
    let this = strict::Orders::new(world.clone(), store.clone()).fingerprint().to_owned();
    let agent = strict::Orders::new(world.clone(), altered(&store, &print, &this).await);
    assert!(!agent.check("t").await.unwrap().new_code, "the forged journal names this program");

    let review = &agent.view("t").await.unwrap().reviews[0];
    let (opened, role) = (review.opened, review.role.as_deref());
    assert_eq!(
        (role, review.covers.len(), review.shown["iban"].as_str()),
        (Some("director"), 0, Some("DE1"))
    );
    assert!(
        review.deadline.is_some_and(|deadline| deadline <= opened.saturating_add(Duration::from_hours(1))),
        "{review:?}"
    );
    let chief = Operator::new("ada").role("clerk").role("director").role("chief");
    for operator in [clerk(), chief.clone()] {
        let refused = agent.decide("t", seen, &operator, Verdict::Approve).await.unwrap_err();
        assert!(matches!(refused, Error::Stale { reopened: true, .. }), "{refused}");
    }
    let refused = agent.decide("t", review.digest, &clerk(), Verdict::Approve).await.unwrap_err();
    assert_eq!(refused.code(), "role_missing");
    assert_eq!(world.calls(), 0);

    // `wire` has a review of its own.
    let turn = agent.decide("t", review.digest, &director(), Verdict::Approve).await.unwrap();
    assert!(matches!(turn, strict::OrdersTurn::Wire(_)), "{turn}");
    assert_eq!(world.calls(), 1);
}

#[tokio::test]
async fn a_forged_deadline_permits_no_late_signature() {
    let (store, world) = (MemoryStore::new(), World::default());
    begun(&store, &world).await;
    let print = clerk::Orders::new(world.clone(), store.clone()).fingerprint().to_owned();
    let this = strict::Orders::new(world.clone(), store.clone()).fingerprint().to_owned();
    let clock = ManualClock::at(SystemClock.now());
    let store = altered(&store, &print, &this).await;
    let agent = strict::Orders::new(world.clone(), store).clock(clock.clone());
    let strict::OrdersTurn::Hold(review) = agent.turn("t").await.unwrap() else { panic!() };
    clock.advance(Duration::from_secs(2 * 3600));
    assert_eq!(review.approve(&director()).await.unwrap_err().code(), "expired");
    assert_eq!(world.calls(), 0);
}

/// In the journal the clerk's signature covers `wire`; in the program only the director's does.
#[tokio::test]
async fn a_forged_signature_covers_only_what_the_program_declares() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Works, Behavior::Refuses]));
    let digest = begun(&store, &world).await;
    let agent = clerk::Orders::new(world.clone(), store.clone());
    let turn = agent.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
    assert!(matches!(&turn, clerk::OrdersTurn::Failed(failed) if failed.node() == "wire"), "{turn}");
    let this = checked::Orders::new(world.clone(), store.clone()).fingerprint().to_owned();
    let forged = altered(&store, agent.fingerprint(), &this).await;
    // An effect that has begun would be finished, so the entries after the run of `hold` are dropped.
    let records = journal(&forged).await;
    let ran = |event: &Event| matches!(event, Event::Ran { node, .. } if node == "hold");
    let at = events(&records).iter().position(ran).unwrap();
    let forged = stored(records[..=at].to_vec()).await;
    let clock = ManualClock::at(Timestamp::from_millis(u64::MAX / 4));
    let agent = checked::Orders::new(world.clone(), forged).clock(clock);
    let turn = agent.resume("t").await.unwrap();
    let checked::OrdersTurn::Failed(failed) = turn else { panic!("{turn}") };
    assert_eq!((failed.node(), world.calls()), ("wire", 2), "{failed}");
    assert!(failed.error().contains("does not cover node `wire`"), "{failed}");
}

/// Returns the entries up to the verdict, as if the program had died before the effect began.
async fn decided(store: &MemoryStore, world: &World) -> Vec<Record> {
    let digest = begun(store, world).await;
    let agent = clerk::Orders::new(world.clone(), store.clone());
    let _ = agent.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
    let records = journal(store).await;
    let at = events(&records).iter().position(|event| matches!(event, Event::Decided { .. })).unwrap();
    records[..=at].to_vec()
}

#[tokio::test]
async fn a_signature_under_a_weaker_rule_is_required_again() {
    let old = decided(&MemoryStore::new(), &World::default()).await;
    let (store, world) = (stored(old.clone()).await, World::default());
    let clock = ManualClock::at(SystemClock.now().saturating_add(Duration::from_hours(1)));
    let agent = director::Orders::new(world.clone(), store).clock(clock);
    let check = agent.check("t").await.unwrap();
    assert_eq!((check.can_go_on(), check.reopened), (true, vec!["hold".to_owned()]));
    assert_eq!(check.changes, [ReviewChange::SignedAgain { node: "hold".into(), by: "carl".into() }]);

    let turn = agent.resume("t").await.unwrap();
    let director::OrdersTurn::Hold(review) = turn else { panic!("{turn}") };
    let digest = review.digest();
    assert_eq!((review.role(), world.calls()), (Some("director"), 0));
    let refused = agent.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap_err();
    assert_eq!(refused.code(), "role_missing");
    let turn = agent.decide("t", digest, &director(), Verdict::Approve).await.unwrap();
    let director::OrdersTurn::Done(receipts) = turn else { panic!("{turn}") };
    assert_eq!(receipts, ["did hold 42 by dora", "did wire 42 by dora"]);
    let new = entries_after(&agent, &old).await;
    let names: Vec<_> = events(&new).iter().map(Event::name).collect();
    assert_eq!(names[..3], ["migrated", "paused", "decided"]);
}

#[tokio::test]
async fn a_signature_under_an_equally_strict_rule_is_valid() {
    let old = decided(&MemoryStore::new(), &World::default()).await;
    let (store, world) = (stored(old).await, World::default());
    let clock = ManualClock::at(SystemClock.now().saturating_add(Duration::from_hours(1)));
    let agent = noted::Orders::new(world.clone(), store).clock(clock);
    let turn = agent.resume("t").await.unwrap();
    assert!(
        matches!(&turn, noted::OrdersTurn::Done(receipts) if receipts[1] == "did wire 42 by carl"),
        "{turn}"
    );
}

/// While a runner of the old program holds the lease and may begin the effect, another program does not reopen the
/// review.
#[tokio::test]
async fn a_review_leased_by_another_runner_is_not_reopened() {
    let old = decided(&MemoryStore::new(), &World::default()).await;
    let (store, world) = (stored(old.clone()).await, World::default());
    let agent = director::Orders::new(world.clone(), store.clone());
    let view = agent.view("t").await.unwrap();
    let refused = agent.decide("t", view.reviews[0].digest, &director(), Verdict::Approve).await.unwrap_err();
    assert_eq!(refused.code(), "other_code", "{refused}");
    assert_eq!((journal(&store).await, world.calls()), (old, 0));
}

/// `hold` has run, and `wire` runs on the same signature, which can no longer be given again before `hold`.
#[tokio::test]
async fn a_covered_effect_does_not_begin_under_a_weaker_rule() {
    for refusals in [0, 1] {
        let (store, world) = (MemoryStore::new(), World::new([Behavior::Works, Behavior::Refuses]));
        let digest = begun(&store, &world).await;
        let agent = clerk::Orders::new(world.clone(), store.clone());
        let _ = agent.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
        let store = if refusals == 0 {
            let records = journal(&store).await;
            let ran = |event: &Event| matches!(event, Event::Ran { node, .. } if node == "hold");
            let at = events(&records).iter().position(ran).unwrap();
            stored(records[..=at].to_vec()).await
        } else {
            store
        };
        let calls = world.calls();
        let clock = ManualClock::at(SystemClock.now().saturating_add(Duration::from_hours(1)));
        let strict = director::Orders::new(world.clone(), store.clone()).clock(clock.clone());
        let differences = super::assert_incompatible(&strict, None).await;
        assert_eq!(codes(&differences), [("weakly_signed", "wire", "draft")]);
        assert_eq!(world.calls(), calls);
        // The program under which it was signed finishes it.
        let agent = clerk::Orders::new(world.clone(), store).clock(clock);
        assert!(matches!(agent.resume("t").await.unwrap(), clerk::OrdersTurn::Done(_)));
    }
}

/// The bank refused and nothing was done, so the effect starts over with a new signature.
#[tokio::test]
async fn an_effect_that_was_not_done_is_signed_again() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Refuses]));
    let digest = begun(&store, &world).await;
    let agent = clerk::Orders::new(world.clone(), store.clone());
    let turn = agent.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
    assert!(matches!(&turn, clerk::OrdersTurn::Failed(failed) if failed.node() == "hold"), "{turn}");
    let agent = director::Orders::new(world.clone(), store);
    let turn = agent.resume("t").await.unwrap();
    let director::OrdersTurn::Hold(review) = turn else { panic!("{turn}") };
    assert_eq!(world.calls(), 1);
    let turn = review.approve(&director()).await.unwrap();
    assert!(matches!(turn, director::OrdersTurn::Done(_)), "{turn}");
}

/// It is unknown whether the first attempt succeeded, and a second signature would come with a second idempotency key.
#[tokio::test]
async fn an_idempotent_effect_that_has_begun_keeps_its_key() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Fails]));
    let agent = idempotent::Orders::new(world.clone(), store.clone());
    let turn = agent.start("t", OrderInput { iban: "DE1".into() }).await.unwrap();
    let idempotent::OrdersTurn::Hold(review) = turn else { panic!("{turn}") };
    let turn = review.approve(&clerk()).await.unwrap();
    assert!(matches!(turn, idempotent::OrdersTurn::Failed(_)), "{turn}");
    let keys = world.keys();
    let agent = idempotent_director::Orders::new(world.clone(), store);
    // `hold` is finished, and `wire`, which its signature covers, does not begin.
    let turn = agent.resume("t").await.unwrap();
    let idempotent_director::OrdersTurn::Failed(failed) = turn else { panic!("{turn}") };
    assert_eq!((failed.node(), world.calls()), ("wire", 2));
    assert!(failed.error().contains("carl signed `draft` under a weaker rule"), "{failed}");
    assert_eq!(world.keys(), keys);
}

#[tokio::test]
async fn an_edit_is_rejected_if_new_code_allows_none() {
    let edit = || Verdict::Edit { patch: serde_json::json!({ "cents": 7 }) };
    let (store, world) = (MemoryStore::new(), World::default());
    let seen = begun(&store, &world).await;
    let agent = unedited::Orders::new(world.clone(), store.clone());
    let check = agent.check("t").await.unwrap();
    assert_eq!(check.changes, [ReviewChange::Edits { node: "hold".into(), to: false }]);
    let digest = agent.view("t").await.unwrap().reviews[0].digest;
    assert_eq!(agent.decide("t", seen, &clerk(), edit()).await.unwrap_err().code(), "stale");
    assert_eq!(agent.decide("t", digest, &clerk(), edit()).await.unwrap_err().code(), "bad_verdict");

    // The reverse change is reported as well.
    let store = MemoryStore::new();
    let agent = unedited::Orders::new(world.clone(), store.clone());
    let _ = agent.start("t", OrderInput { iban: "DE1".into() }).await.unwrap();
    let agent = clerk::Orders::new(world.clone(), store);
    let check = agent.check("t").await.unwrap();
    assert_eq!(check.changes, [ReviewChange::Edits { node: "hold".into(), to: true }]);
    let digest = agent.view("t").await.unwrap().reviews[0].digest;
    let turn = agent.decide("t", digest, &clerk(), edit()).await.unwrap();
    assert!(
        matches!(&turn, clerk::OrdersTurn::Done(receipts) if receipts[0] == "did hold 7 by carl"),
        "{turn}"
    );
}

/// A graph whose effect `close` runs on two signatures: settling it requires the roles of both.
mod twice_signed {
    use super::*;

    #[state]
    pub struct Deal {
        #[input]
        pub text: String,
        pub price: Draft,
        pub terms: Draft,
        #[output]
        #[reduce(append)]
        pub log: Vec<String>,
    }

    #[node(Deal, writes = (price, terms))]
    async fn propose(text: &str) -> Result<(Draft, Draft)> {
        let cents = text.len() as u32;
        Ok((Draft { cents }, Draft { cents }))
    }

    #[interrupt_before(role = "clerk", covers = (close), edit = false)]
    #[node(Deal, writes = log, effect)]
    async fn quote(price: &Approved<Draft>) -> Result<Vec<String>> {
        Ok(vec![format!("quoted {}", price.cents)])
    }

    #[interrupt_before(review = terms, role = "director", edit = false)]
    #[node(Deal, writes = log, effect)]
    async fn close(
        price: &Approved<Draft>,
        terms: &Approved<Draft>,
        world: Deps<World>,
        cx: &Cx,
    ) -> Result<Vec<String>> {
        let what = format!("close {} {}", price.cents, terms.cents);
        Ok(vec![world.call(&what, cx.idempotency_key()).await?])
    }

    #[node(Deal, writes = log)]
    async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.note.clone()])
    }

    graph! {
        pub Deals<Deal, World> {
            start -> propose -> quote -> close -> end;
            quote { reject -> refuse }
            close { reject -> refuse }
            refuse -> end;
        }
    }

    #[tokio::test]
    async fn a_settlement_requires_the_role_of_each_signature() {
        let world = World::new([Behavior::Fails]);
        let agent = Deals::new(world.clone(), MemoryStore::new());
        let turn = agent.start("t", DealInput { text: "abc".into() }).await.unwrap();
        let DealsTurn::Quote(review) = turn else { panic!("{turn}") };
        let DealsTurn::Close(review) = review.approve(&clerk()).await.unwrap() else { panic!() };
        let DealsTurn::InDoubt(doubt) = review.approve(&director()).await.unwrap() else { panic!() };
        let view = agent.view("t").await.unwrap().in_doubt.unwrap();
        assert_eq!(view.roles, ["director", "clerk"]);
        for (operator, missing) in [(clerk(), "director"), (director(), "clerk")] {
            for how in [Settlement::RunAgain, Settlement::Stop { note: String::new() }] {
                let error = agent.settle("t", doubt.digest(), &operator, how).await.unwrap_err();
                assert!(matches!(&error, Error::RoleMissing { role, .. } if role == missing), "{error}");
            }
        }
        assert_eq!(world.calls(), 1);
        let both = Operator::new("ada").role("clerk").role("director");
        let turn = doubt.run_again(&both).await.unwrap();
        assert!(matches!(turn, DealsTurn::Done(_)), "{turn}");
        let entries = agent.history(&id("t"), 0, 100).await.unwrap();
        let settled = entries.iter().find_map(|entry| match &entry.event {
            Event::Settled { evidence, .. } => evidence.clone(),
            _ => None,
        });
        let evidence = settled.unwrap();
        assert_eq!(
            (evidence.role.as_deref(), &evidence.further_roles[..]),
            (Some("director"), &["clerk".to_owned()][..])
        );
    }
}
