//! Conditions of reviews, `when = …`: a person is asked only if the condition is true, and the rule signs otherwise.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use hitl::{
    Error, ManualClock, MemoryStore, Scope, Timestamp,
    journal::{Condition, Decision, Event, Signer},
    prelude::*,
};
use serde_json::json;

use crate::{
    kit::{
        operators::{both, clerk, director},
        world::{Behavior, World},
    },
    new_code::{altered, cut_before, events, id, journal, later, names, stored},
};

/// The limits above which a condition asks, by the tag of a draft, and how often they were read. Tests run concurrently,
/// so each uses its own tag.
static LIMITS: Mutex<BTreeMap<String, (u32, u32)>> = Mutex::new(BTreeMap::new());

/// Sets the limit of a tag: 0 panics.
fn set_limit(tag: &str, cents: u32) {
    LIMITS.lock().unwrap_or_else(PoisonError::into_inner).entry(tag.to_owned()).or_default().0 = cents;
}

fn times_read(tag: &str) -> u32 {
    LIMITS.lock().unwrap_or_else(PoisonError::into_inner).get(tag).map_or(0, |(_, times)| *times)
}

/// Returns the limit of a tag, which is 100 unless a test sets it.
fn limit(tag: &str) -> u32 {
    let mut limits = LIMITS.lock().unwrap_or_else(PoisonError::into_inner);
    let (cents, times) = limits.entry(tag.to_owned()).or_insert((100, 0));
    *times += 1;
    let cents = *cents;
    drop(limits);
    assert!(cents > 0, "no limit");
    cents
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Payment {
    #[garde(range(max = 1_000_000))]
    pub cents: u32,
    #[garde(skip)]
    pub tag: String,
}

#[draft]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    Low,
    High,
}

#[state]
pub struct Order {
    #[input]
    pub cents: u32,
    #[input]
    pub tag: String,
    pub draft: Payment,
    pub risk: Risk,
    #[output]
    #[reduce(append)]
    pub receipts: Vec<String>,
}

fn input(tag: &str, cents: u32) -> OrderInput {
    OrderInput { cents, tag: tag.to_owned() }
}

#[node(Order, writes = draft)]
async fn propose(cents: u32, tag: &str) -> Result<Payment> {
    Ok(Payment { cents, tag: tag.to_owned() })
}

#[interrupt_before(role = "clerk", expires = "24h", when = draft.cents > limit(&draft.tag))]
#[node(Order, writes = receipts, effect)]
async fn pay(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("pay {} by {}", draft.cents, draft.signer()), cx.idempotency_key()).await?])
}

#[node(Order, writes = receipts)]
async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![format!("refused by {}", rejection.operator)])
}

graph! {
    pub Payer<Order, World> {
        start -> propose -> pay -> end;
        pay { reject -> refuse }
        refuse -> end;
    }
}

const RULE: &str = "the rule `when = draft.cents > limit(&draft.tag)`";

#[tokio::test]
async fn a_rule_signs_what_its_condition_does_not_ask_about() {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = Payer::new(world.clone(), store.clone());
    let turn = agent.start("t", input("small", 100)).await.unwrap();
    let PayerTurn::Done(receipts) = turn else { panic!("{turn}") };
    assert_eq!(receipts, [format!("did pay 100 by {RULE}")]);
    assert_eq!((world.calls(), times_read("small")), (1, 1), "evaluated once");

    let records = journal(&store).await;
    assert_eq!(names(&records), ["started", "ran", "signed", "began", "ran", "ended"]);
    let Event::Signed { node, field, by, proposed: None, .. } = &events(&records)[2] else { panic!() };
    let rule = Signer::Rule("draft.cents > limit(&draft.tag)".to_owned());
    assert_eq!((node.as_str(), field.as_str(), by), ("pay", "draft", &rule));
    agent.verify("t").await.unwrap();
}

#[tokio::test]
async fn a_true_condition_asks_a_person() {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = Payer::new(world.clone(), store.clone());
    let turn = agent.start("t", input("large", 101)).await.unwrap();
    let PayerTurn::Pay(review) = turn else { panic!("{turn}") };
    let when = review.when().unwrap();
    assert_eq!((when.expr.as_str(), when.value), ("draft.cents > limit(&draft.tag)", true));
    assert_eq!(agent.view("t").await.unwrap().reviews[0].when.as_ref(), Some(when));
    assert_eq!((world.calls(), times_read("large")), (0, 1));
    let turn = review.approve(&clerk()).await.unwrap();
    let PayerTurn::Done(receipts) = turn else { panic!("{turn}") };
    assert_eq!(receipts, ["did pay 101 by carl"]);
    // Not again for the verdict: an approval changes nothing that the condition reads.
    assert_eq!((world.calls(), times_read("large")), (1, 1));
    agent.verify("t").await.unwrap();
}

/// An edit is signed by its operator, also if the rule would sign the edited draft. The entry has the value of the
/// condition.
#[tokio::test]
async fn an_edit_evaluates_the_condition_again() {
    let store = MemoryStore::new();
    let agent = Payer::new(World::default(), store.clone());
    for (thread, cents, value) in [("t", 7, false), ("u", 300, true)] {
        let PayerTurn::Pay(review) = agent.start(thread, input("edited", 500)).await.unwrap() else {
            panic!()
        };
        let turn = review.edit(&clerk(), |draft| draft.cents = cents).await.unwrap();
        let PayerTurn::Done(receipts) = turn else { panic!("{turn}") };
        assert_eq!(receipts, [format!("did pay {cents} by carl")]);
        let history = agent.history(thread, 0, 100).await.unwrap();
        let when = history.iter().find_map(|entry| match &entry.event {
            Event::Decided { verdict: Decision::Edit { .. }, when: Some(when), .. } => Some(when.value),
            _ => None,
        });
        assert_eq!(when, Some(value));
        agent.verify(thread).await.unwrap();
    }
    assert_eq!(times_read("edited"), 4, "one evaluation for each review, and one for each edit");
    let lie = altered(
        &store,
        r#""when":{"expr":"draft.cents > limit(&draft.tag)","value":false}"#,
        r#""note":"x""#,
    )
    .await;
    let report = Payer::new(World::default(), lie).audit("t", None).await.unwrap();
    assert!(
        report.findings.iter().any(|finding| finding.problem.contains("but the entry has no condition")),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_condition_that_panics_fails_its_thread_only() {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = Payer::new(world.clone(), store.clone());
    set_limit("panics", 0);
    let turn = agent.start("t", input("panics", 5)).await.unwrap();
    let PayerTurn::Failed(failure) = turn else { panic!("{turn}") };
    let said =
        "the condition `draft.cents > limit(&draft.tag)` of the review before `pay` panicked: no limit";
    assert!(failure.error().contains(said), "{}", failure.error());
    assert_eq!(world.calls(), 0);
    assert!(matches!(agent.start("other", input("fine", 5)).await.unwrap(), PayerTurn::Done(_)));
    set_limit("panics", 100);
    assert!(matches!(agent.resume("t").await.unwrap(), PayerTurn::Done(_)));

    // A verdict on an edited draft for which it panics is refused, and the review stays open.
    let PayerTurn::Pay(review) = agent.start("u", input("panics", 500)).await.unwrap() else { panic!() };
    let digest = review.digest();
    set_limit("panics", 0);
    let refused = review.edit(&clerk(), |draft| draft.cents = 400).await.unwrap_err();
    assert!(
        matches!(&refused, Error::BadVerdict { problem, .. } if problem.contains("panicked")),
        "{refused}"
    );
    assert!(matches!(
        agent.decide("u", digest, &clerk(), Verdict::Approve).await.unwrap(),
        PayerTurn::Done(_)
    ));
}

/// The process ends between the signature of the rule and the effect, and the next one evaluates the condition again:
/// the program is the authority on its rule, and not the journal.
#[tokio::test]
async fn the_next_process_asks_if_its_rule_does() {
    let store = MemoryStore::new();
    let _ = Payer::new(World::default(), store.clone()).start("t", input("next", 90)).await.unwrap();
    for (cents, ends) in [(100, true), (80, false)] {
        let (store, world) = (cut_before(&store, "began").await, World::default());
        let agent = Payer::new(world.clone(), store.clone()).clock(later());
        set_limit("next", cents);
        let before = times_read("next");
        let turn = agent.resume("t").await.unwrap();
        if ends {
            assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
            assert_eq!((world.called(), times_read("next")), (vec![format!("pay 90 by {RULE}")], before + 1));
        } else {
            let PayerTurn::Pay(review) = turn else { panic!("{turn}") };
            assert_eq!((world.calls(), review.when().map(|when| when.value)), (0, Some(true)));
            let _ = review.reject(&clerk(), Reason::WrongTool, "").await.unwrap();
            assert_eq!(world.calls(), 0);
        }
        set_limit("next", 100);
        agent.verify("t").await.unwrap();
    }
}

/// Someone writes into the store that the rule has signed a large payment.
#[tokio::test]
async fn a_forged_signature_of_the_rule_runs_nothing() {
    let store = MemoryStore::new();
    let _ = Payer::new(World::default(), store.clone()).start("t", input("forged", 90)).await.unwrap();
    let forged = altered(&cut_before(&store, "began").await, r#""cents":90"#, r#""cents":99000"#).await;
    let world = World::default();
    let agent = Payer::new(world.clone(), forged).clock(later());
    let report = agent.audit("t", None).await.unwrap();
    let said = report.findings.iter().map(|finding| finding.problem.as_str()).collect::<Vec<_>>().join("\n");
    assert!(
        said.contains("its condition is true for these values now") && said.contains("its digest is not"),
        "{said}"
    );
    let turn = agent.resume("t").await.unwrap();
    assert!(matches!(turn, PayerTurn::Pay(_)), "{turn}");
    assert_eq!(world.calls(), 0);

    // Nor does a signature in the name of a person that no verdict gave.
    let named = altered(
        &cut_before(&store, "began").await,
        r#""rule":"draft.cents > limit(&draft.tag)""#,
        r#""operator":"dora""#,
    )
    .await;
    let agent = Payer::new(world.clone(), named).clock(later());
    assert_eq!(agent.resume("t").await.unwrap_err().code(), "damaged");
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn an_effect_that_a_rule_signed_is_in_doubt_after_a_crash() {
    let (store, world) = (MemoryStore::new(), World::default());
    let _ = Payer::new(world.clone(), store.clone()).start("t", input("doubt", 90)).await.unwrap();
    // The second `ran` is that of the effect.
    let records = journal(&store).await;
    let store = stored(records[..4].to_vec()).await;
    let world = World::default();
    let agent = Payer::new(world.clone(), store).clock(later());
    let PayerTurn::InDoubt(doubt) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!(world.calls(), 0);
    let again = agent.clone();
    let refused = doubt.run_again(&director()).await.unwrap_err();
    assert_eq!(refused.code(), "role_missing", "the role of its review");
    let PayerTurn::InDoubt(doubt) = again.turn("t").await.unwrap() else { panic!() };
    // It did not happen, and the rule asks by now.
    set_limit("doubt", 80);
    let PayerTurn::Pay(review) = doubt.run_again(&clerk()).await.unwrap() else { panic!() };
    let PayerTurn::Done(receipts) = review.approve(&clerk()).await.unwrap() else { panic!() };
    assert_eq!(receipts, ["did pay 90 by carl"]);
    set_limit("doubt", 100);
    again.verify("t").await.unwrap();
}

/// The entries that begin an effect are a runner's, as the signature of a rule is: they vouch for nothing.
#[tokio::test]
async fn a_forged_beginning_does_not_replace_the_rule() {
    let store = MemoryStore::new();
    let agent = Payer::new(World::new([Behavior::Refuses]), store.clone());
    assert!(matches!(agent.start("t", input("begun", 90)).await.unwrap(), PayerTurn::Failed(_)));
    assert_eq!(names(&journal(&store).await), ["started", "ran", "signed", "began", "failed"]);
    let forged = altered(&store, r#""cents":90"#, r#""cents":99000"#).await;
    let world = World::default();
    let turn = Payer::new(world.clone(), forged).clock(later()).resume("t").await.unwrap();
    assert!(matches!(turn, PayerTurn::Pay(_)), "{turn}");
    assert_eq!(world.calls(), 0);
    // Unaltered, the effect is attempted again on the same signature, unless the rule asks by now.
    let world = World::default();
    set_limit("begun", 80);
    let honest = stored(journal(&store).await).await;
    let turn = Payer::new(world.clone(), honest).clock(later()).resume("t").await.unwrap();
    assert!(matches!(turn, PayerTurn::Pay(_)), "{turn}");
    set_limit("begun", 100);
    let turn = Payer::new(world.clone(), store).clock(later()).resume("t").await.unwrap();
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    assert_eq!(world.called(), [format!("pay 90 by {RULE}")]);
}

/// A fork may repeat what its origin has done, so a person is asked.
#[tokio::test]
async fn no_rule_signs_in_a_fork() {
    let world = World::default();
    let agent = Payer::new(world.clone(), MemoryStore::new());
    let _ = agent.start("t", input("fork", 90)).await.unwrap();
    for (place, fork) in [(0, "u"), (1, "v")] {
        let turn = agent.fork("t", place, fork).await.unwrap();
        let PayerTurn::Pay(review) = turn else { panic!("{turn}") };
        assert_eq!((world.calls(), review.when().map(|when| when.value)), (1, Some(false)));
        agent.verify(fork).await.unwrap();
    }
}

#[tokio::test]
async fn a_stopped_thread_is_signed_by_no_rule() {
    let (store, world) = (MemoryStore::new(), World::new([]));
    let first = Payer::new(world.clone(), store.clone());
    let _ = first.start("t", input("stopped", 90)).await.unwrap();
    let store = cut_before(&store, "signed").await;
    let agent = Payer::new(world.clone(), store.clone()).clock(later());
    let calls = world.calls();
    agent.front().pause(Scope::Thread(id("t")), &clerk(), "look first").await.unwrap();
    let _ = agent.resume("t").await.unwrap();
    assert!(!names(&journal(&store).await).contains(&"signed"));
    agent.front().unpause(Scope::Thread(id("t")), &clerk(), "").await.unwrap();
    let _ = agent.resume("t").await.unwrap();
    assert_eq!(world.calls(), calls + 1);
    agent.verify("t").await.unwrap();
}

mod rejected {
    use super::*;

    /// Leaves the draft as it is.
    #[node(Order)]
    async fn note(rejection: &Rejection) -> Result<()> {
        let _ = rejection;
        Ok(())
    }

    #[node(Order, writes = receipts)]
    async fn give_up(rejection: &Rejection) -> Result<Vec<String>> {
        let _ = rejection;
        Ok(vec![])
    }

    #[interrupt_before(role = "director", when = draft.cents > limit(&draft.tag))]
    #[node(Order, writes = receipts, effect)]
    async fn insist(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![world.call(&format!("insist by {}", draft.signer()), cx.idempotency_key()).await?])
    }

    graph! {
        pub Insisting<Order, World> {
            start -> propose -> pay -> end;
            pay { reject -> note }
            note -> insist -> end;
            insist { reject -> give_up }
            give_up -> end;
        }
    }

    /// Proposes the same draft again.
    #[node(Order, writes = draft)]
    async fn repeat(draft: &Payment, rejection: &Rejection) -> Result<Payment> {
        let _ = rejection;
        Ok(draft.clone())
    }

    #[node(Order)]
    async fn answer(question: &Question) -> Result<()> {
        let _ = question;
        Ok(())
    }

    graph! {
        pub Repeating<Order, World> {
            start -> propose -> pay -> end;
            pay { reject -> repeat, ask -> answer, expire -> note }
            repeat -> insist -> end;
            answer -> insist;
            note -> insist;
            insist { reject -> give_up }
            give_up -> end;
        }
    }

    /// A person who has been asked about a draft is the one who signs it: not a rule after a question, a deadline, or a
    /// node that writes the same draft again.
    #[tokio::test]
    async fn a_draft_that_a_person_was_asked_about_is_signed_by_no_rule() {
        let (clock, world) = (ManualClock::at(Timestamp::from_millis(1_000_000)), World::default());
        let agent = Repeating::new(world.clone(), MemoryStore::new()).clock(clock.clone());
        for (thread, verdict) in [
            ("rejected", Some(Verdict::Reject { reason: Reason::WrongTool, note: String::new() })),
            ("asked", Some(Verdict::Ask { question: "why?".into() })),
            ("expired", None),
        ] {
            set_limit("repeat", 100);
            let RepeatingTurn::Pay(review) = agent.start(thread, input("repeat", 500)).await.unwrap() else {
                panic!()
            };
            set_limit("repeat", 1_000);
            let turn = match verdict {
                Some(verdict) => agent.decide(thread, review.digest(), &clerk(), verdict).await.unwrap(),
                None => {
                    clock.advance(std::time::Duration::from_hours(25));
                    agent.resume(thread).await.unwrap()
                }
            };
            let RepeatingTurn::Insist(review) = turn else { panic!("{thread}: {turn}") };
            assert_eq!((world.calls(), review.when().map(|when| when.value)), (0, Some(false)), "{thread}");
        }
    }

    graph! {
        pub Joining<Order, World> {
            start -> propose -> (pay_or_note, other) -> join_at -> end;
            pay_or_note { reject -> note }
            note -> join_at;
            join_at { reject -> give_up }
            give_up -> end;
        }
    }

    #[interrupt_before(role = "director", edit = false, when = draft.cents > limit(&draft.tag))]
    #[node(Order, writes = receipts, effect)]
    async fn join_at(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![world.call(&format!("joined by {}", draft.signer()), cx.idempotency_key()).await?])
    }

    #[interrupt_before(role = "clerk", edit = false, when = draft.cents > limit(&draft.tag))]
    #[node(Order, effect)]
    async fn pay_or_note(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<()> {
        world.call(&format!("pay by {}", draft.signer()), cx.idempotency_key()).await?;
        Ok(())
    }

    #[node(Order)]
    async fn other() -> Result<()> {
        Ok(())
    }

    #[tokio::test]
    async fn a_rejection_in_a_branch_outlives_the_join() {
        let world = World::default();
        let agent = Joining::new(world.clone(), MemoryStore::new());
        let JoiningTurn::PayOrNote(review) = agent.start("t", input("joined", 500)).await.unwrap() else {
            panic!()
        };
        set_limit("joined", 1_000);
        let turn = review.reject(&clerk(), Reason::WrongTool, "").await.unwrap();
        let JoiningTurn::JoinAt(review) = turn else { panic!("{turn}") };
        assert_eq!((world.calls(), review.when().map(|when| when.value)), (0, Some(false)));
        agent.verify("t").await.unwrap();
    }

    /// A rejection is a "no": no rule signs the same draft later.
    #[tokio::test]
    async fn a_rejected_draft_is_signed_by_no_rule() {
        let (store, world) = (MemoryStore::new(), World::default());
        let agent = Insisting::new(world.clone(), store.clone());
        let turn = agent.start("t", input("rejected", 500)).await.unwrap();
        let InsistingTurn::Pay(review) = turn else { panic!("{turn}") };
        set_limit("rejected", 1_000);
        let turn = review.reject(&clerk(), Reason::WrongTool, "").await.unwrap();
        let InsistingTurn::Insist(review) = turn else { panic!("{turn}") };
        assert_eq!((world.calls(), review.when().map(|when| when.value)), (0, Some(false)));
        agent.verify("t").await.unwrap();
        let _ = review.approve(&director()).await.unwrap();
        assert_eq!(world.called(), ["insist by dora"]);
    }
}

mod shown {
    use super::*;

    #[node(Order, writes = risk)]
    async fn assess(cents: u32) -> Result<Risk> {
        Ok(if cents.is_multiple_of(2) { Risk::Low } else { Risk::High })
    }

    #[interrupt_before(show = risk, covers = (wire), when = risk == Risk::High || matches!(risk, Risk::High if draft.cents > 7))]
    #[node(Order, writes = receipts, effect)]
    async fn hold(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![world.call(&format!("hold by {}", draft.signer()), cx.idempotency_key()).await?])
    }

    #[node(Order, writes = receipts, effect)]
    async fn wire(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![
            world.call(&format!("wire {} by {}", draft.cents, draft.signer()), cx.idempotency_key()).await?,
        ])
    }

    graph! {
        pub Transfers<Order, World> {
            start -> propose -> assess -> hold -> wire -> end;
            hold { reject -> refuse }
            refuse -> end;
        }
    }

    const RULE: &str =
        "the rule `when = risk == Risk::High || matches!(risk, Risk::High if draft.cents > 7)`";

    #[tokio::test]
    async fn a_rule_signs_for_the_effects_that_its_review_covers() {
        let (store, world) = (MemoryStore::new(), World::default());
        let agent = Transfers::new(world.clone(), store.clone());
        assert!(matches!(agent.start("t", input("", 10)).await.unwrap(), TransfersTurn::Done(_)));
        assert_eq!(world.called(), [format!("hold by {RULE}"), format!("wire 10 by {RULE}")]);
        agent.verify("t").await.unwrap();
        let turn = agent.start("u", input("", 11)).await.unwrap();
        let TransfersTurn::Hold(review) = turn else { panic!("{turn}") };
        assert_eq!(review.shown()["risk"], "High");
        let _ = review.approve(&clerk()).await.unwrap();
        assert_eq!(world.called()[2..], ["hold by carl", "wire 11 by carl"]);
    }

    /// A covered effect that another process begins: the journal was altered in between.
    #[tokio::test]
    async fn a_covered_effect_needs_the_signed_values() {
        let store = MemoryStore::new();
        let _ = Transfers::new(World::default(), store.clone()).start("t", input("", 10)).await.unwrap();
        let records = journal(&store).await;
        for (from, to, calls) in [("", "", 1), (r#""risk":"Low""#, r#""risk":"High""#, 0)] {
            // Up to the run of `hold`.
            let held = stored(records[..6].to_vec()).await;
            let store = if from.is_empty() { held } else { altered(&held, from, to).await };
            let world = World::default();
            let agent = Transfers::new(world.clone(), store).clock(later());
            let turn = agent.resume("t").await.unwrap();
            assert_eq!(world.calls(), calls, "{turn}");
            assert_eq!(matches!(turn, TransfersTurn::Failed(_)), calls == 0, "{turn}");
        }
    }
}

mod proposed_again {
    use super::*;

    #[interrupt_before(role = "director", when = draft.cents > 50)]
    #[node(Order, writes = receipts, effect)]
    async fn pay_small(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![
            world.call(&format!("small {} by {}", draft.cents, draft.signer()), cx.idempotency_key()).await?,
        ])
    }

    graph! {
        pub Routed<Order, World> {
            start -> propose -> match draft {
                Payment { cents: ..=100, .. } => pay_small,
                Payment { .. } => pay,
            };
            pay -> end;
            pay_small -> end;
            pay { reject -> refuse }
            pay_small { reject -> refuse }
            refuse -> end;
        }
    }

    /// An edit leads to another review: its condition is evaluated for the edited draft.
    #[tokio::test]
    async fn the_edit_of_a_route_meets_the_condition_there() {
        let (store, world) = (MemoryStore::new(), World::default());
        let agent = Routed::new(world.clone(), store.clone());
        let edit = |cents: u32| Verdict::Edit { patch: json!({ "cents": cents }) };
        for (thread, cents) in [("t", 40), ("u", 60)] {
            let RoutedTurn::Pay(review) = agent.start(thread, input("route", 500)).await.unwrap() else {
                panic!()
            };
            let preview = agent.preview(thread, review.digest(), &clerk(), edit(cents)).await.unwrap();
            let again = preview.again.unwrap();
            if cents == 40 {
                assert_eq!((again.by_rule.as_deref(), &again.opens), (Some("pay_small"), &None));
                assert!(
                    again
                        .to_string()
                        .ends_with("where `pay_small` runs without a review, because its condition is false")
                );
            } else {
                assert_eq!((again.by_rule, again.opens.unwrap().role.as_deref()), (None, Some("director")));
            }
            let turn = agent.decide(thread, review.digest(), &clerk(), edit(cents)).await.unwrap();
            assert_eq!(matches!(turn, RoutedTurn::Done(_)), cents == 40, "{turn}");
            agent.verify(thread).await.unwrap();
        }
        assert_eq!(world.called(), ["small 40 by the rule `when = draft.cents > 50`"]);
        let signed = agent.history("t", 0, 100).await.unwrap();
        let proposed = signed.iter().find_map(|entry| match &entry.event {
            Event::Signed { proposed, .. } => proposed.as_ref().map(|by| by.operator.as_str()),
            _ => None,
        });
        assert_eq!(proposed, Some("carl"));
        // The pending edit of the clerk signs nothing later.
        let RoutedTurn::PaySmall(review) = agent.turn("u").await.unwrap() else { panic!() };
        assert_eq!((review.proposed_by(), review.when().map(|when| when.value)), (Some("carl"), Some(true)));
        let _ = review.approve(&both()).await.unwrap();
        assert_eq!(world.called().last().unwrap(), "small 60 by bea");
    }
}

mod items {
    use super::*;

    #[state]
    pub struct Run {
        #[input]
        pub payments: Vec<Payment>,
        pub payment: Payment,
        #[output]
        #[reduce(append)]
        pub receipts: Vec<String>,
    }

    #[interrupt_before(when = payment.cents > 100)]
    #[node(Run, writes = receipts, effect)]
    async fn pay_one(payment: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        let by = payment.signer();
        Ok(vec![world.call(&format!("{} by {by}", payment.cents), cx.idempotency_key()).await?])
    }

    #[node(Run, writes = receipts)]
    async fn skip(rejection: &Rejection) -> Result<Vec<String>> {
        let _ = rejection;
        Ok(vec![])
    }

    graph! {
        pub PayRun<Run, World> {
            start -> for payment in payments { pay_one } -> end;
            pay_one { reject -> skip }
            skip -> continue;
        }
    }

    #[tokio::test]
    async fn a_rule_signs_the_small_items_of_a_list() {
        let (store, world) = (MemoryStore::new(), World::default());
        let agent = PayRun::new(world.clone(), store.clone());
        let payments = (0..6).map(|n| Payment { cents: n * 50, tag: String::new() }).collect();
        let turn = agent.start("t", RunInput { payments }).await.unwrap();
        let PayRunTurn::Several(reviews) = turn else { panic!("{turn}") };
        assert_eq!((reviews.len(), world.calls()), (3, 3));
        agent.verify("t").await.unwrap();
        for PayRunReview::PayOne(review) in reviews {
            let _ = review.approve(&clerk()).await.unwrap();
        }
        let mut called = world.called();
        called.sort();
        assert_eq!(called.iter().filter(|call| call.ends_with("by carl")).count(), 3);
        assert_eq!(world.keys().len(), 6);
        agent.verify("t").await.unwrap();
    }
}

mod new_rules {
    use super::*;

    /// Defines a version of `Payer` with another condition before `pay`, or none.
    macro_rules! version {
        ($name:ident, [$($when:tt)*]) => {
            mod $name {
                use super::*;

                #[interrupt_before(role = "clerk", expires = "24h" $($when)*)]
                #[node(Order, writes = receipts, effect)]
                async fn pay(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
                    let by = draft.signer();
                    Ok(vec![world.call(&format!("pay {} by {by}", draft.cents), cx.idempotency_key()).await?])
                }

                graph! {
                    pub Payer<Order, World> {
                        start -> propose -> pay -> end;
                        pay { reject -> refuse }
                        refuse -> end;
                    }
                }
            }
        };
    }
    version!(always, []);
    version!(stricter, [, when = draft.cents > 50]);
    version!(looser, [, when = draft.cents > 500]);

    /// A thread whose draft an older version's rule has signed, and whose effect has not begun.
    async fn signed() -> MemoryStore {
        let store = MemoryStore::new();
        let _ = Payer::new(World::default(), store.clone()).start("t", input("", 90)).await.unwrap();
        cut_before(&store, "began").await
    }

    #[tokio::test]
    async fn a_new_rule_asks_about_what_an_older_one_has_signed() {
        let world = World::default();
        let agent = always::Payer::new(world.clone(), signed().await).clock(later());
        let check = agent.check("t").await.unwrap();
        let text = check.changes[0].to_string();
        assert!(text.starts_with(&format!("{RULE} signed before `pay` under a weaker rule")), "{text}");
        let turn = agent.resume("t").await.unwrap();
        assert!(matches!(turn, always::PayerTurn::Pay(_)), "{turn}");
        let agent = stricter::Payer::new(world.clone(), signed().await).clock(later());
        let turn = agent.resume("t").await.unwrap();
        assert!(matches!(turn, stricter::PayerTurn::Pay(_)), "{turn}");
        agent.verify("t").await.unwrap();
        assert_eq!(world.calls(), 0);
        // The new rule does not ask either.
        let agent = looser::Payer::new(world.clone(), signed().await).clock(later());
        let turn = agent.resume("t").await.unwrap();
        assert!(matches!(turn, looser::PayerTurn::Done(_)), "{turn}");
        agent.verify("t").await.unwrap();
        assert_eq!(world.calls(), 1);
    }

    /// A person who was asked stays asked.
    #[tokio::test]
    async fn an_open_review_stays_open_under_a_looser_rule() {
        let (store, world) = (MemoryStore::new(), World::default());
        let _ = stricter::Payer::new(world.clone(), store.clone()).start("t", input("", 90)).await.unwrap();
        let agent = looser::Payer::new(world.clone(), store);
        let looser::PayerTurn::Pay(review) = agent.resume("t").await.unwrap() else { panic!() };
        assert_eq!(world.calls(), 0);
        let _ = review.approve(&clerk()).await.unwrap();
        assert_eq!(world.called(), ["pay 90 by carl"]);
        agent.verify("t").await.unwrap();
    }
}

/// Ten processes run one thread at once: one effect.
#[tokio::test]
async fn a_rule_signs_once_for_racing_runners() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Works]));
    let _ = Payer::new(World::default(), store.clone()).start("t", input("race", 90)).await.unwrap();
    let store = cut_before(&store, "signed").await;
    let runs = (0..10).map(|_| {
        let agent = Payer::new(world.clone(), store.clone()).clock(later());
        tokio::spawn(async move { agent.resume("t").await.map(drop) })
    });
    for run in runs.collect::<Vec<_>>() {
        let _ = run.await.unwrap();
    }
    assert_eq!(world.calls(), 1);
    let names = names(&journal(&store).await);
    assert_eq!(names.iter().filter(|name| ["signed", "began"].contains(name)).count(), 2, "{names:?}");
}

#[test]
fn a_condition_is_text_and_value() {
    let condition: Condition = serde_json::from_value(json!({ "expr": "a > 1", "value": false })).unwrap();
    assert_eq!(condition.to_string(), "`a > 1` is false");
}
