//! Evidence about the person who decides, starts or resumes.

use hitl::{
    Digest, MemoryStore, Operator, Verdict,
    journal::{Event, Evidence},
};

use super::{
    attacks::id,
    pay_agent::{JobInput, PayAgentTurn, agent, clerk, waiting},
};

#[tokio::test]
async fn a_verdict_records_its_evidence() {
    let (agent, _) = agent(MemoryStore::new(), None);
    let digest = waiting(&agent, "t", 1).await;
    let given = Evidence::through("http")
        .with_issuer(Some("https://login.example".into()))
        .with_subject(Some("b1946ac9".into()))
        .with_key(Some("2026-01".into()))
        .with_token(Some(Digest::of(b"token")))
        .with_previewed(true);
    let _ = agent.decide("t", digest, &clerk().with_evidence(given.clone()), Verdict::Approve).await.unwrap();
    let history = agent.history(&id("t"), 0, 100).await.unwrap();
    let kept = history.iter().find_map(|entry| match &entry.event {
        Event::Decided { evidence, .. } => evidence.clone(),
        _ => None,
    });
    let mut expected = given;
    expected.role = Some("clerk".into());
    assert_eq!(*kept.unwrap(), expected);
    agent.verify(&id("t")).await.unwrap();
}

#[tokio::test]
async fn the_requester_is_in_the_journal_and_the_digest() {
    let (agent, _) = agent(MemoryStore::new(), None);
    let noor = Operator::new("noor");
    let input = || JobInput { rounds: 90 };
    let PayAgentTurn::Pay(review) = agent.start_as(&noor, "t", input()).await.unwrap() else { panic!() };
    let started = agent.history(&id("t"), 0, 1).await.unwrap().remove(0).event;
    let Event::Started { requester: Some(requester), .. } = started else { panic!("{started:?}") };
    assert_eq!(requester.operator, "noor");
    assert_eq!(requester.evidence.unwrap().channel.as_deref(), Some("api"));

    // The thread continues from a snapshot, which has the requester, too.
    assert!(hitl::Store::tail(agent.store(), &id("t")).await.unwrap().unwrap().records[0].place > 0);
    agent.verify(&id("t")).await.unwrap();
    let other = agent.start_as(&clerk(), "t", input()).await;
    assert_eq!(other.unwrap_err().code(), "thread_exists");
    let _ = agent.start_as(&noor, "t", input()).await.unwrap();
    let _ = agent.decide("t", review.digest(), &clerk(), Verdict::Approve).await.unwrap();
    let nameless = agent.start_as(&Operator::new(" "), "u", input()).await.unwrap_err();
    assert_eq!(nameless.code(), "bad_operator");
}

#[tokio::test]
async fn the_operator_of_a_resume_is_in_the_journal() {
    let store = MemoryStore::new();
    let (agent, bank) = agent(store, None);
    let digest = waiting(&agent, "t", 1).await;
    *bank.1.lock().unwrap() = true;
    let _ = agent.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap();
    *bank.1.lock().unwrap() = false;
    let _ = agent.resume_as(&Operator::new("noor"), "t").await.unwrap();
    let history = agent.history(&id("t"), 0, 100).await.unwrap();
    assert!(history.iter().any(|entry| {
        matches!(&entry.event, Event::Resumed { by: Some(by), .. } if by.operator == "noor")
    }));
    agent.verify(&id("t")).await.unwrap();
}

/// With a key, a request for the history returns an error instead of a page with altered entries.
#[tokio::test]
async fn an_altered_history_is_not_returned() {
    use super::attacks::{read, relink, replace, write};
    use hitl::api::{Reply, Request};

    let store = hitl::MemoryStore::new();
    let (honest, _) = super::pay_agent::agent(store.clone(), Some(super::pay_agent::keys(1)));
    super::pay_agent::waiting(&honest, "t", 90).await;
    let thread = super::attacks::id("t");
    let page = async |from: u64| {
        let request = serde_json::json!({ "action": "history", "thread_id": "t", "from": from, "limit": 20 });
        hitl::api::dispatch(&honest, Request::parse(request, None).unwrap(), None).await
    };
    for from in [0, 30] {
        assert!(matches!(page(from).await, Ok(Reply::History { entries, .. }) if entries.len() == 20));
    }
    let mut records = read(&store, &thread).await;
    records[40].body = replace(&records[40].body, "\"round\":40", "\"round\":41");
    relink(&thread, &mut records);
    write(&store, &thread, records).await;
    assert!(page(0).await.is_ok(), "the altered entry is not on this page");
    assert_eq!(page(30).await.unwrap_err().code, "unauthenticated_entry");
}
