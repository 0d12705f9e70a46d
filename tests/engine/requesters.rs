//! `not = requester`: the person who started a thread does not sign in it.

use hitl::{
    Error, MemoryStore, Operator,
    journal::{Event, Evidence},
    prelude::*,
};

use crate::{
    kit::world::World,
    new_code::{altered, cut_before, events, journal, later, names, stored},
};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Payment {
    #[garde(range(max = 1_000_000))]
    pub cents: u32,
}

#[state]
pub struct Order {
    #[input]
    pub cents: u32,
    pub draft: Payment,
    #[output]
    #[reduce(append)]
    pub receipts: Vec<String>,
}

#[node(Order, writes = draft)]
async fn propose(cents: u32) -> Result<Payment> {
    Ok(Payment { cents })
}

#[interrupt_before(role = "clerk")]
#[node(Order, writes = receipts, effect)]
async fn pay_small(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("pay {} by {}", draft.cents, draft.signer()), cx.idempotency_key()).await?])
}

#[interrupt_before(role = "clerk", not = requester)]
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

graph! {
    pub Sizes<Order, World> {
        start -> propose -> match draft { draft if draft.cents > 500 => pay, _ => pay_small };
        pay_small -> end;
        pay -> end;
        pay_small { reject -> refuse }
        pay { reject -> refuse }
        refuse -> end;
    }
}

/// An older version of `Payer`, which excludes no one.
mod older {
    use super::*;

    #[interrupt_before(role = "clerk")]
    #[node(Order, writes = receipts, effect)]
    async fn pay(draft: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![
            world.call(&format!("pay {} by {}", draft.cents, draft.signer()), cx.idempotency_key()).await?,
        ])
    }

    graph! {
        pub Payer<Order, World> {
            start -> propose -> pay -> end;
            pay { reject -> refuse }
            refuse -> end;
        }
    }

    graph! {
        pub Sizes<Order, World> {
            start -> propose -> match draft { draft if draft.cents > 500 => pay, _ => pay_small };
            pay_small -> end;
            pay -> end;
            pay_small { reject -> refuse }
            pay { reject -> refuse }
            refuse -> end;
        }
    }
}

fn clerk(name: &str) -> Operator {
    Operator::new(name).role("clerk")
}

/// A clerk with a verified token.
fn subject(name: &str, subject: &str) -> Operator {
    let evidence = Evidence::through("http").with_issuer(Some("https://login.example".into()));
    clerk(name).with_evidence(evidence.with_subject(Some(subject.into())))
}

fn input(cents: u32) -> OrderInput {
    OrderInput { cents }
}

#[tokio::test]
async fn the_requester_may_reject_and_not_sign() -> Result<(), Error> {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = Payer::new(world.clone(), store.clone());
    for thread in ["t", "u"] {
        let PayerTurn::Pay(review) = agent.start_as(&clerk("mara"), thread, input(9)).await? else {
            panic!()
        };
        assert!(review.excludes_requester());
        let digest = review.digest();
        let error = review.approve(&clerk("mara")).await.unwrap_err();
        assert_eq!(error.code(), "own_request", "{error}");
        let patch = serde_json::json!({ "cents": 8 });
        let error = agent.decide(thread, digest, &clerk("mara"), Verdict::Edit { patch }).await.unwrap_err();
        assert_eq!(error.code(), "own_request", "{error}");
        let error = agent.record(thread, digest, &clerk("mara"), Verdict::Approve).await.unwrap_err();
        assert_eq!((error.code(), world.calls()), ("own_request", 0), "{error}");
    }
    let PayerTurn::Pay(review) = agent.turn("t").await? else { panic!() };
    let _ = review.approve(&clerk("noor")).await?;
    assert_eq!(world.called(), ["pay 9 by noor"]);
    let PayerTurn::Pay(review) = agent.turn("u").await? else { panic!() };
    let _ = review.reject(&clerk("mara"), Reason::Other, "changed my mind").await?;
    for thread in ["t", "u"] {
        agent.verify(thread).await?;
    }
    let Event::Paused { not_requester, .. } = &events(&journal(&store).await)[2] else { panic!() };
    assert!(not_requester);
    Ok(())
}

#[tokio::test]
async fn a_subject_is_one_person_under_each_of_its_names() -> Result<(), Error> {
    let agent = Payer::new(World::default(), MemoryStore::new());
    let PayerTurn::Pay(review) = agent.start_as(&subject("mara", "1"), "t", input(9)).await? else {
        panic!()
    };
    let digest = review.digest();
    let of_other_issuer = Evidence::through("slack").with_subject(Some("U9".into()));
    for who in [
        subject("mara", "1"),
        subject("mara b", "1"),
        // Names and subjects of other issuers prove nothing.
        clerk("mara"),
        clerk("noor"),
        clerk("noor").with_evidence(of_other_issuer),
    ] {
        let error = agent.decide("t", digest, &who, Verdict::Approve).await.unwrap_err();
        assert_eq!(error.code(), "own_request", "{who:?}: {error}");
    }
    let turn = agent.decide("t", digest, &subject("mara", "2"), Verdict::Approve).await?;
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    agent.verify("t").await.map(drop)
}

/// No thread starts that no one could sign; one that has started under older code is signed by no one.
#[tokio::test]
async fn without_a_requester_no_one_signs() -> Result<(), Error> {
    let store = MemoryStore::new();
    let agent = Payer::new(World::default(), store.clone());
    let error = agent.start("t", input(9)).await.unwrap_err();
    assert_eq!(error.code(), "requester_unknown", "{error}");
    let _ = older::Payer::new(World::default(), store).start("t", input(9)).await?;
    let PayerTurn::Pay(review) = agent.resume("t").await? else { panic!() };
    let error = review.approve(&clerk("noor")).await.unwrap_err();
    assert_eq!(error.code(), "requester_unknown", "{error}");
    let PayerTurn::Pay(review) = agent.turn("t").await? else { panic!() };
    let turn = review.reject(&clerk("noor"), Reason::Other, "").await?;
    assert!(matches!(turn, PayerTurn::Done(_)), "{turn}");
    Ok(())
}

/// An edit by the requester that leads to the review does not sign it.
#[tokio::test]
async fn an_edit_of_the_requester_waits_for_another_person() -> Result<(), Error> {
    let world = World::default();
    let agent = Sizes::new(world.clone(), MemoryStore::new());
    for (thread, editor, opens) in [("t", "mara", true), ("u", "noor", false)] {
        let SizesTurn::PaySmall(review) = agent.start_as(&clerk("mara"), thread, input(9)).await? else {
            panic!()
        };
        let patch = serde_json::json!({ "cents": 900 });
        let preview = agent
            .preview(thread, review.digest(), &clerk(editor), Verdict::Edit { patch: patch.clone() })
            .await?;
        let signs = preview.again.and_then(|again| again.opens).is_some_and(|opens| opens.signs);
        assert_eq!(signs, !opens, "{thread}");
        let turn = agent.decide(thread, review.digest(), &clerk(editor), Verdict::Edit { patch }).await?;
        assert_eq!(matches!(turn, SizesTurn::Pay(_)), opens, "{turn}");
        agent.verify(thread).await?;
    }
    assert_eq!(world.called(), ["pay 900 by noor"]);
    Ok(())
}

/// A fork is asked for by who forks it and by who started the old thread.
#[tokio::test]
async fn neither_requester_of_a_fork_signs() -> Result<(), Error> {
    let world = World::default();
    let agent = Payer::new(world.clone(), MemoryStore::new());
    let _ = agent.start_as(&clerk("noor"), "t", input(9)).await?;
    assert_eq!(agent.fork("t", 2, "u").await.unwrap_err().code(), "requester_unknown");
    let PayerTurn::Pay(review) = agent.fork_as(&clerk("mara"), "t", 2, "u").await? else { panic!() };
    let digest = review.digest();
    for who in ["mara", "noor"] {
        let error = agent.decide("u", digest, &clerk(who), Verdict::Approve).await.unwrap_err();
        assert_eq!(error.code(), "own_request", "{who}: {error}");
    }
    let _ = agent.decide("u", digest, &clerk("ana"), Verdict::Approve).await?;
    assert_eq!(world.called(), ["pay 9 by ana"]);
    agent.verify("u").await.map(drop)
}

/// A settlement that lets the effect run again, or count as done, is no way around the rule.
#[tokio::test]
async fn the_requester_settles_no_effect_that_the_rule_guards() -> Result<(), Error> {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = Payer::new(world.clone(), store.clone());
    let PayerTurn::Pay(review) = agent.start_as(&clerk("mara"), "t", input(9)).await? else { panic!() };
    let _ = review.approve(&clerk("noor")).await?;
    let records = journal(&store).await;
    let began = names(&records).iter().position(|name| *name == "began").unwrap();
    let agent = Payer::new(world.clone(), stored(records[..=began].to_vec()).await).clock(later());
    let PayerTurn::InDoubt(doubt) = agent.resume("t").await? else { panic!() };
    assert_eq!(doubt.run_again(&clerk("mara")).await.unwrap_err().code(), "own_request");
    let PayerTurn::InDoubt(doubt) = agent.turn("t").await? else { panic!() };
    let wrote = serde_json::from_str(r#"{ "receipts": ["by hand"] }"#).unwrap();
    assert_eq!(doubt.happened(&clerk("mara"), wrote).await.unwrap_err().code(), "own_request");
    let PayerTurn::InDoubt(doubt) = agent.turn("t").await? else { panic!() };
    let _ = doubt.run_again(&clerk("noor")).await?;
    assert_eq!(world.called(), ["pay 9 by noor", "pay 9 by noor"]);
    Ok(())
}

/// An older version of hitl did not write the subject of an edit into the entry of its signature.
#[tokio::test]
async fn an_older_signature_of_an_edit_is_by_its_operator() -> Result<(), Error> {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = older::Sizes::new(World::default(), store.clone());
    let turn = agent.start_as(&subject("mara", "1"), "t", input(9)).await?;
    let older::SizesTurn::PaySmall(review) = turn else { panic!("{turn}") };
    let patch = serde_json::json!({ "cents": 900 });
    let _ = agent.decide("t", review.digest(), &subject("noor", "2"), Verdict::Edit { patch }).await?;
    let before = cut_before(&store, "began").await;
    let evidence = r#","evidence":{"issuer":"https://login.example","subject":"2","role":"clerk"}"#;
    let old = altered(&before, evidence, "").await;
    assert_ne!(journal(&old).await, journal(&before).await);
    let copy = stored(journal(&old).await).await;
    let agent = older::Sizes::new(world.clone(), copy).clock(later());
    agent.verify("t").await?;
    let turn = agent.resume("t").await?;
    assert!(matches!(turn, older::SizesTurn::Done(_)), "{turn}");
    assert_eq!(world.called(), ["pay 900 by noor"]);
    // New code does not know who signed, and asks.
    let turn = Sizes::new(world.clone(), old).clock(later()).resume("t").await?;
    assert!(matches!(turn, SizesTurn::Pay(_)), "{turn}");
    Ok(())
}

#[tokio::test]
async fn new_code_excludes_who_has_signed_before() -> Result<(), Error> {
    // Open when the code changes.
    let (store, world) = (MemoryStore::new(), World::default());
    let _ = older::Payer::new(world.clone(), store.clone()).start_as(&clerk("mara"), "t", input(9)).await?;
    let agent = Payer::new(world.clone(), store);
    let check = agent.check("t").await?;
    assert!(check.changes.iter().any(|change| change.code() == "requester_changed"), "{:?}", check.changes);
    let PayerTurn::Pay(review) = agent.resume("t").await? else { panic!() };
    assert_eq!(review.approve(&clerk("mara")).await.unwrap_err().code(), "own_request");

    // Signed by the requester, or by another person, and not begun.
    for (signer, asks) in [("mara", true), ("noor", false)] {
        let store = MemoryStore::new();
        let first = older::Payer::new(World::default(), store.clone());
        let older::PayerTurn::Pay(review) = first.start_as(&clerk("mara"), "t", input(9)).await? else {
            panic!()
        };
        let _ = review.approve(&clerk(signer)).await?;
        let agent = Payer::new(world.clone(), cut_before(&store, "began").await).clock(later());
        let turn = agent.resume("t").await?;
        assert_eq!(matches!(turn, PayerTurn::Pay(_)), asks, "{signer}: {turn}");
        agent.verify("t").await?;
    }
    assert_eq!(world.called(), ["pay 9 by noor"]);
    Ok(())
}

/// Someone writes into the store that the requester may sign, or has signed.
#[tokio::test]
async fn a_forged_signature_of_the_requester_runs_nothing() -> Result<(), Error> {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = Payer::new(World::default(), store.clone());
    let PayerTurn::Pay(review) = agent.start_as(&clerk("mara"), "t", input(9)).await? else { panic!() };
    let open = altered(&store, r#","not_requester":true"#, "").await;
    let forged = Payer::new(world.clone(), open);
    assert!(forged.verify("t").await.is_err());
    let PayerTurn::Pay(weaker) = forged.turn("t").await? else { panic!() };
    assert_eq!(weaker.approve(&clerk("mara")).await.unwrap_err().code(), "own_request");

    let _ = review.approve(&clerk("noor")).await?;
    let before = cut_before(&store, "began").await;
    let signed = altered(&before, r#""operator":"noor""#, r#""operator":"mara""#).await;
    let forged = Payer::new(world.clone(), signed).clock(later());
    let report = forged.audit("t", None).await?;
    let said = report.findings.iter().map(|finding| finding.problem.as_str()).collect::<Vec<_>>().join("\n");
    assert!(said.contains("takes no signature of the person who started the thread"), "{said}");
    let turn = forged.resume("t").await?;
    assert!(matches!(turn, PayerTurn::Failed(_)), "{turn}");
    assert_eq!(world.calls(), 0);
    Ok(())
}
