//! Compatible threads: migration to new code, and the entries that record it.

use std::{sync::atomic::Ordering, time::Duration};

use hitl::{
    Error, Front, ManualClock, Store, ThreadStatus, Timestamp,
    journal::{Event, JournalKey, JournalKeys, Purpose},
    prelude::*,
    store::Append,
};

use super::{
    super::{counting_store::CountingStore, kit::world::Behavior},
    codes, entries_after, events, id, journal, mara, names,
    v1::{self, World},
    versions::{renamed, rewired, v2},
    waiting,
};

#[tokio::test]
async fn a_compatible_thread_continues_and_records_the_new_code() {
    let (store, world) = (CountingStore::default(), World::default());
    let digest = waiting(&store, &world, "t").await;
    let before = journal(&store).await;
    let agent = rewired::Refunds::new(world, store.clone());
    let check = agent.check("t").await.unwrap();
    assert!(check.can_go_on() && check.new_code && check.reopened.is_empty());
    // `resume` appends nothing, and the open review keeps its digest.
    assert!(
        matches!(agent.resume("t").await.unwrap(), rewired::RefundsTurn::Execute(review) if review.digest() == digest)
    );
    assert_eq!(journal(&store).await, before);
    let commits = store.layer().commits.load(Ordering::SeqCst);
    let turn = agent.decide("t", digest, &mara(), Verdict::Approve).await.unwrap();
    assert!(matches!(turn, rewired::RefundsTurn::Done(outcome) if outcome == "did A-9133 149 by mara"));
    // One commit for the verdict with `began`, and one for the end: as many as without new code.
    assert_eq!(store.layer().commits.load(Ordering::SeqCst) - commits, 2);
    let new = entries_after(&agent, &before).await;
    assert_eq!(names(&new), ["migrated", "decided", "began", "ran", "ended"]);
    assert_eq!(
        String::from_utf8(new[0].body.clone()).unwrap().split_once(r#""is":"#).unwrap().1,
        format!(r#"{{"migrated":{{"print":"{}"}}}}}}"#, agent.fingerprint())
    );
}

#[tokio::test]
async fn two_compatible_programs_may_alternate() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Refuses, Behavior::Refuses]));
    let digest = waiting(&store, &world, "t").await;
    let old = v1::Refunds::new(world.clone(), store.clone());
    let new = rewired::Refunds::new(world.clone(), store.clone());
    let _ = new.decide("t", digest, &mara(), Verdict::Approve).await.unwrap();
    assert!(matches!(old.resume("t").await.unwrap(), v1::RefundsTurn::Failed(_)));
    assert!(matches!(new.resume("t").await.unwrap(), rewired::RefundsTurn::Done(_)));
    let met = names(&journal(&store).await).into_iter().filter(|name| *name == "migrated").count();
    assert_eq!((met, world.calls()), (3, 3));
    new.verify(&id("t")).await.unwrap();
}

#[tokio::test]
async fn the_review_of_a_renamed_node_is_reopened() {
    let (store, world) = (CountingStore::default(), World::default());
    let old = waiting(&store, &world, "t").await;
    let before = journal(&store).await;
    let agent = renamed::Refunds::new(world.clone(), store.clone());
    assert_eq!(agent.check("t").await.unwrap().reopened, ["pay"]);

    let stale = agent.decide("t", old, &mara(), Verdict::Approve).await.unwrap_err();
    let renamed::RefundsTurn::Pay(review) = agent.turn("t").await.unwrap() else { panic!() };
    assert!(
        matches!(&stale, Error::Stale { reopened: true, open, .. } if *open == [review.digest()]),
        "{stale}"
    );
    assert!(
        stale.to_string().contains("was reopened under another digest, because the program changed"),
        "{stale}"
    );
    assert_eq!((world.calls(), journal(&store).await), (0, before.clone()));
    // The view reports the stored place, not that of the pending migration.
    assert_eq!(agent.view("t").await.unwrap().place, 3);

    let commits = store.layer().commits.load(Ordering::SeqCst);
    let (digest, deadline) = (review.digest(), review.deadline());
    let turn = review.approve(&mara()).await.unwrap();
    assert!(matches!(turn, renamed::RefundsTurn::Done(outcome) if outcome == "did A-9133 149 by mara"));
    assert_eq!(
        store.layer().commits.load(Ordering::SeqCst) - commits,
        3,
        "expected the appends decided + began, ran, ran + ended"
    );
    let new = entries_after(&agent, &before).await;
    assert_eq!(names(&new), ["migrated", "paused", "decided", "began", "ran", "ran", "ended"]);
    let events = events(&new);
    let Event::Migrated { renamed, version: None, .. } = &events[0] else { panic!("{:?}", events[0]) };
    assert_eq!(renamed["execute"], "pay");
    let Event::Paused { node, digest: opened, deadline: until, role, .. } = &events[1] else { panic!() };
    assert_eq!(
        (node.as_str(), *opened, *until, role.as_deref()),
        ("pay", digest, deadline, Some("approver"))
    );
    // A late verdict with the old digest gets the same error.
    let late = agent.decide("t", old, &mara(), Verdict::Approve).await.unwrap_err();
    assert!(matches!(&late, Error::Stale { reopened: true, open, .. } if open.is_empty()), "{late}");
}

#[tokio::test]
async fn fields_are_migrated_when_the_journal_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tickets.db");
    let (store, world) = (SqliteStore::open(&path).await.unwrap(), World::default());
    let old = waiting(&store, &world, "t").await;
    let before = journal(&store).await;
    let agent = v2::Refunds::new(world.clone(), store.clone());
    let check = agent.check("t").await.unwrap();
    assert_eq!((check.can_go_on(), check.reopened), (true, vec!["execute".to_owned()]));
    let v2::RefundsTurn::Execute(review) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(review.draft(), &v2::Proposal { order: "A-9133".into(), cents: 14_900 });
    let stale = agent.decide("t", old, &mara(), Verdict::Approve).await.unwrap_err();
    assert!(matches!(stale, Error::Stale { reopened: true, .. }), "{stale}");
    assert_eq!(journal(&store).await, before);

    let turn = review.edit(&mara(), |proposal| proposal.cents = 9_900).await.unwrap();
    assert!(matches!(turn, v2::RefundsTurn::Done(outcome) if outcome == "did A-9133 9900 en"));
    let new = entries_after(&agent, &before).await;
    assert_eq!(names(&new), ["migrated", "paused", "decided", "began", "ran", "ended"]);
    assert!(
        matches!(&events(&new)[0], Event::Migrated { version: Some(2), renamed, .. } if renamed.is_empty())
    );
    // The past state is migrated to the new shape, too.
    let then = agent.snapshot_at(&id("t"), 3).await.unwrap().fields;
    assert_eq!(then.proposal.unwrap().cents, 14_900);
    assert_eq!((then.language.as_deref(), then.scheme.as_deref()), (Some("en"), Some("refund A-9133")));
    // The first program rejects the thread, because a newer version has written to it.
    let differences = super::assert_incompatible(&v1::Refunds::new(world, store), Some(old)).await;
    assert_eq!(codes(&differences), [("from_the_future", "", "")]);
}

#[tokio::test]
async fn a_thread_of_a_newer_version_is_rejected() {
    let (store, world) = (MemoryStore::new(), World::default());
    let agent = v2::Refunds::new(world.clone(), store.clone());
    let input = || v2::TicketInput { message: "A-9133".into() };
    let _ = agent.start("t", input()).await.unwrap();
    let first = v1::Refunds::new(world, store);
    let differences = super::assert_incompatible(&first, None).await;
    assert_eq!(
        differences.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "version 2 of `Ticket` has written to the thread, but this program knows only version 1; run the newer program"
        ]
    );
}

#[tokio::test]
async fn a_repeated_start_finds_its_thread_under_new_code() {
    let (store, world) = (MemoryStore::new(), World::default());
    waiting(&store, &world, "t").await;
    let agent = v2::Refunds::new(world, store);
    let input = |message: &str| v2::TicketInput { message: message.into() };
    assert!(matches!(agent.start("t", input("A-9133")).await.unwrap(), v2::RefundsTurn::Execute(_)));
    assert_eq!(agent.start("t", input("A-9134")).await.unwrap_err().code(), "thread_exists");
}

/// A rejection holds the draft as its operator saw it, also after a migration of the field.
#[tokio::test]
async fn a_pending_rejection_keeps_the_rejected_draft() {
    let (store, world) = (MemoryStore::new(), World::default());
    let digest = waiting(&store, &world, "t").await;
    // The first program dies once the verdict is written: the entries after the verdict are dropped.
    let agent = v1::Refunds::new(world.clone(), store.clone());
    let reject = Verdict::Reject { reason: Reason::BadPlan, note: String::new() };
    let _ = agent.decide("t", digest, &mara(), reject).await.unwrap();
    let records = journal(&store).await;
    let store = MemoryStore::new();
    let append = Append::new(id("t"), records[..5].to_vec(), ThreadStatus::Running);
    store.append(append).await.unwrap();
    let agent = v2::Refunds::new(world, store)
        .clock(hitl::ManualClock::at(hitl::Timestamp::from_millis(u64::MAX / 4)));
    let v2::RefundsTurn::Done(outcome) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!(outcome, r#"bad_plan: {"dollars":149,"order":"A-9133"}"#);
    let new = entries_after(&agent, &records[..5]).await;
    assert_eq!(names(&new), ["migrated", "resumed", "ran", "ended"]);
}

#[tokio::test]
async fn a_review_of_old_code_expires_under_new_code() {
    let (store, world, clock) =
        (MemoryStore::new(), World::default(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let agent = v1::Refunds::new(world.clone(), store.clone()).clock(clock.clone());
    let _ = agent.start("t", v1::TicketInput { message: "A-9133".into() }).await.unwrap();
    let before = journal(&store).await;
    let agent = renamed::Refunds::new(world, store).clock(clock.clone());
    clock.advance(Duration::from_secs(23 * 3600));
    // New code does not extend the deadline.
    let renamed::RefundsTurn::Pay(review) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(review.deadline(), Some(Timestamp::from_millis(1_000_000 + 24 * 3_600_000)));
    clock.advance(Duration::from_secs(2 * 3600));
    assert_eq!(review.approve(&mara()).await.unwrap_err().code(), "expired");
    let new = entries_after(&agent, &before).await;
    assert_eq!(names(&new), ["migrated", "paused", "decided", "ran", "ended"]);
}

#[tokio::test]
async fn a_fork_of_an_old_thread_belongs_to_the_new_code() {
    let (store, world) = (MemoryStore::new(), World::default());
    let digest = waiting(&store, &world, "t").await;
    let _ = v1::Refunds::new(world.clone(), store.clone())
        .decide("t", digest, &mara(), Verdict::Approve)
        .await
        .unwrap();
    let before = journal(&store).await;
    let agent = v2::Refunds::new(world, store.clone());
    let v2::RefundsTurn::Execute(review) = agent.fork(&id("t"), 3, "f").await.unwrap() else { panic!() };
    assert_eq!(review.draft().cents, 14_900);
    let forked = store.entries(&id("f"), 0.into(), 100).await.unwrap();
    assert_eq!(names(&forked), ["started", "resumed", "paused"]);
    assert!(
        matches!(&events(&forked)[0], Event::Started { version: 2, print, .. } if print == agent.fingerprint())
    );
    assert!(matches!(review.approve(&mara()).await.unwrap(), v2::RefundsTurn::Done(_)));
    agent.verify(&id("f")).await.unwrap();
    assert_eq!(journal(&store).await, before);
}

/// While a runner of the first program holds the lease, another program does not modify the thread.
#[tokio::test]
async fn a_thread_leased_by_other_code_is_not_modified() {
    let (store, world, clock) = (
        MemoryStore::new(),
        World::new([Behavior::Hangs]),
        ManualClock::at(hitl::Clock::now(&hitl::SystemClock)),
    );
    let digest = waiting(&store, &world, "t").await;
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let old = v1::Refunds::new(world.clone(), store.clone()).clock(clock.clone());
    let _running = doomed.spawn(async move { old.decide("t", digest, &mara(), Verdict::Approve).await });
    world.reached.notified().await;
    doomed.shutdown_background();
    let before = journal(&store).await;

    let agent = renamed::Refunds::new(world.clone(), store.clone()).clock(clock.clone());
    assert!(matches!(agent.resume("t").await.unwrap(), renamed::RefundsTurn::Running(_)));
    assert_eq!(journal(&store).await, before);
    clock.advance(Duration::from_secs(31));
    let renamed::RefundsTurn::InDoubt(doubt) = agent.resume("t").await.unwrap() else { panic!() };
    let key = doubt.idempotency_key().to_owned();
    assert!(matches!(doubt.run_again(&mara()).await.unwrap(), renamed::RefundsTurn::Done(_)));
    assert_eq!(world.keys(), [key].into());
    let new = entries_after(&agent, &before).await;
    assert_eq!(names(&new), ["migrated", "resumed", "in_doubt", "settled", "began", "ran", "ran", "ended"]);
}

/// A front's keys cannot sign that a thread was converted to new code, and a runner's keys sign no verdicts.
#[tokio::test]
async fn a_resume_converts_a_waiting_thread_for_the_fronts() {
    let (store, world) = (MemoryStore::new(), World::default());
    let key = |byte| JournalKey::new([byte; 32]).unwrap();
    let running = || JournalKeys::signing(key(1), Purpose::Running).verifying(key(2), Purpose::Verdicts);
    let deciding = JournalKeys::signing(key(2), Purpose::Verdicts).verifying(key(1), Purpose::Running);
    let old = v1::Refunds::new(world.clone(), store.clone()).journal_keys(running());
    drop(old.start("t", v1::message()).await.unwrap());

    let front = Front::<renamed::Refunds>::new(store.clone()).journal_keys(deciding);
    let renamed::RefundsTurn::Pay(review) = front.turn("t").await.unwrap() else { panic!() };
    let digest = review.digest();
    let early = review.approve(&mara()).await.unwrap_err();
    assert_eq!(early.code(), "not_set_up", "{early}");

    let new = renamed::Refunds::new(world.clone(), store).journal_keys(running());
    assert!(matches!(new.resume("t").await.unwrap(), renamed::RefundsTurn::Pay(_)));
    drop(front.record("t", digest, &mara(), Verdict::Approve).await.unwrap());
    new.sweep().await.unwrap();
    assert!(matches!(front.turn("t").await.unwrap(), renamed::RefundsTurn::Done(_)));
    assert_eq!(world.calls(), 1);
    front.audit("t", None).await.unwrap().sound().unwrap();
}
