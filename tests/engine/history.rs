//! The journal: history, reads of past states, forks of threads, and detection of tampering.

use hitl::{
    Error, Store, ThreadId, ThreadStatus,
    api::{self, Request},
    journal::Entry,
    prelude::*,
    store::{Append, Record},
};
use serde_json::json;

use super::{
    counting_store::{CountingStore, Counts},
    kit::refund::*,
    new_code::incompatible::node_renamed,
};

fn id(name: &str) -> ThreadId {
    name.parse().unwrap()
}

#[tokio::test]
async fn the_history_lists_every_entry_in_pages() {
    let agent = Refunds::new(World::default(), MemoryStore::new());
    done(open(&agent, "t").await.approve(&mara()).await.unwrap());
    let history = agent.history(&id("t"), 0, 100).await.unwrap();
    let names: Vec<&str> = history.iter().map(|entry| entry.event.name()).collect();
    assert_eq!(names, ["started", "ran", "ran", "paused", "decided", "began", "ran", "ended"]);
    let page = agent.history(&id("t"), 3, 2).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.place).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(agent.history(&id("nobody"), 0, 9).await.unwrap_err().code(), "unknown_thread");
}

#[tokio::test]
async fn small_store_pages_do_not_truncate_the_history() {
    let agent = Refunds::new(
        World::default(),
        CountingStore::new(MemoryStore::new(), Counts { page: Some(2), ..Counts::default() }),
    );
    done(open(&agent, "t").await.approve(&mara()).await.unwrap());
    let places = async |from, limit| -> Vec<u64> {
        agent.history(&id("t"), from, limit).await.unwrap().iter().map(|entry| entry.place.get()).collect()
    };
    assert_eq!(places(0, 100).await, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(places(1, 5).await, [1, 2, 3, 4, 5]);
    assert!(places(8, 5).await.is_empty());
}

#[tokio::test]
async fn the_starting_runner_takes_the_lease() {
    let agent = Refunds::new(World::default(), MemoryStore::new());
    let _ = open(&agent, "t").await;
    let records = agent.store().entries(&id("t"), 0.into(), 100).await.unwrap();
    let mut entries = records.iter().map(|record| serde_json::from_slice::<Entry>(&record.body).unwrap());
    assert_eq!(entries.next().unwrap().lease.unwrap().runner, "");
    // The runner has just taken the lease, so later entries do not renew it.
    assert!(entries.all(|entry| entry.lease.is_none()));
}

#[tokio::test]
async fn past_states_are_readable() {
    let agent = Refunds::new(World::default(), MemoryStore::new());
    done(open(&agent, "t").await.edit(&mara(), |draft| draft.dollars = 99).await.unwrap());
    let then = agent.snapshot_at(&id("t"), 3).await.unwrap();
    assert_eq!((then.standing, then.fields.draft.unwrap().dollars), (ThreadStatus::Waiting, 149));
    assert!(then.fields.outcome.is_none());
    let now = agent.snapshot(&id("t")).await.unwrap();
    assert_eq!((now.standing, now.fields.draft.unwrap().dollars), (ThreadStatus::Ended, 99));
    let error = agent.snapshot_at(&id("t"), 99).await.err().unwrap();
    assert!(matches!(error, Error::NoSuchPlace { head, .. } if head == 7), "{error}");
}

#[tokio::test]
async fn a_fork_continues_from_the_past_without_its_signatures() {
    let world = World::default();
    let agent = Refunds::new(world.clone(), MemoryStore::new());
    let first = open(&agent, "t").await;
    let old = first.digest();
    done(first.approve(&mara()).await.unwrap());
    // Place 4 is the approval, which is not carried into a fork.
    for place in [3, 4] {
        let new = format!("t-{place}");
        let again = review(agent.fork(&id("t"), place, new.as_str()).await.unwrap());
        assert_ne!(again.digest(), old);
        assert_eq!(world.calls(), 1);
        agent.verify(&id(&new)).await.unwrap();
    }
    // Place 5 is the `began` entry of the refund: a fork from there would pay again.
    assert_eq!(agent.fork(&id("t"), 5, "t-5").await.unwrap_err().code(), "effect_under_way");
    assert_eq!(agent.fork(&id("t"), 3, "t-3").await.unwrap_err().code(), "thread_exists");
    assert_eq!(agent.fork(&id("t"), 99, "t-99").await.unwrap_err().code(), "no_such_place");
    done(review(agent.turn("t-4").await.unwrap()).approve(&mara()).await.unwrap());
}

/// Copies the journal of thread `t`, modified by `change`, into a new store, and returns an agent on that store.
async fn forged(agent: &Agent<Refunds>, change: impl Fn(&mut Vec<Record>)) -> Agent<Refunds> {
    let mut records = agent.store().entries(&id("t"), 0.into(), 100).await.unwrap();
    change(&mut records);
    let store = MemoryStore::new();
    let (standing, reviews) = (ThreadStatus::Waiting, vec![]);
    let append = Append::new(id("t"), records, standing).with_reviews(reviews);
    store.append(append).await.unwrap();
    Refunds::new(World::default(), store)
}

#[tokio::test]
async fn changed_or_swapped_entries_are_detected_before_anything_runs() {
    let honest = Refunds::new(World::default(), MemoryStore::new());
    let _ = open(&honest, "t").await;
    let head = honest.verify(&id("t")).await.unwrap();
    assert_eq!(forged(&honest, |_| {}).await.verify(&id("t")).await.unwrap(), head);

    let raise = |records: &mut Vec<Record>| {
        let text = String::from_utf8(records[2].body.clone()).unwrap();
        assert!(text.contains(r#""dollars":149"#));
        records[2].body = text.replace(r#""dollars":149"#, r#""dollars":449"#).into_bytes();
    };
    let swap = |records: &mut Vec<Record>| {
        let (a, b) = (records[1].body.clone(), records[2].body.clone());
        (records[1].body, records[2].body) = (b, a);
    };
    let renumber = |records: &mut Vec<Record>| {
        (0..).zip(records).for_each(|(place, record)| record.place = hitl::Place::new(place))
    };
    let remove = |records: &mut Vec<Record>| {
        records.remove(1);
        renumber(records);
    };
    let insert = |records: &mut Vec<Record>| {
        records.insert(2, records[1].clone());
        renumber(records);
    };
    let changes = [(2, &raise as &dyn Fn(&mut Vec<Record>)), (1, &swap), (1, &remove), (2, &insert)];
    for (place, change) in changes {
        let agent = forged(&honest, change).await;
        for error in [
            agent.verify(&id("t")).await.unwrap_err(),
            agent.turn("t").await.unwrap_err(),
            agent.history(&id("t"), place, 9).await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::Damaged { place: at, .. } if at == place), "{error}");
        }
    }
}

/// A hash chain does not show by itself that its end was cut off or that all of it was rewritten; a head kept elsewhere
/// does.
#[tokio::test]
async fn a_kept_head_detects_truncation_and_rewrites() {
    let honest = Refunds::new(World::default(), MemoryStore::new());
    let review = open(&honest, "t").await;
    let kept = honest.verify(&id("t")).await.unwrap();
    let cut = forged(&honest, |records| drop(records.pop())).await;
    assert!(cut.verify(&id("t")).await.is_ok());
    let error = cut.verify_against(&kept).await.unwrap_err();
    assert!(error.to_string().contains("the end was cut off"), "{error}");

    let anew = Refunds::new(World::default(), MemoryStore::new());
    let _ = open(&anew, "t").await;
    assert!(anew.verify(&id("t")).await.is_ok());
    let error = anew.verify_against(&kept).await.unwrap_err();
    assert!(error.to_string().contains("the entry was rewritten"), "{error}");

    let gone = Refunds::new(World::default(), MemoryStore::new());
    assert_eq!(gone.verify_against(&kept).await.unwrap_err().code(), "unknown_thread");

    let _ = review.approve(&mara()).await.unwrap();
    assert!(honest.verify_against(&kept).await.unwrap().place > kept.place);
}

#[tokio::test]
async fn a_missing_node_is_reported_before_anything_runs() {
    let store = MemoryStore::new();
    let digest = open(&Refunds::new(World::default(), store.clone()), "t").await.digest();
    let new = node_renamed::Refunds::new(World::default(), store);
    for error in [
        new.turn("t").await.unwrap_err(),
        new.resume("t").await.unwrap_err(),
        new.decide("t", digest, &mara(), Verdict::Approve).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), "graph_changed");
        assert!(
            error.to_string().contains("`execute`") && error.to_string().contains("`executed`"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_reused_thread_name_has_other_digests() {
    let store = MemoryStore::new();
    let agent = Refunds::new(World::default(), store.clone());
    let old = open(&agent, "t").await.digest();
    store.delete(&id("t")).await.unwrap();
    assert_ne!(open(&agent, "t").await.digest(), old);
    assert_eq!(agent.decide("t", old, &mara(), Verdict::Approve).await.unwrap_err().code(), "stale");
}

mod deleted {
    //! A thread that is deleted and started again while a process still runs it.
    use std::sync::Arc;

    use hitl::prelude::*;
    use tokio::sync::Semaphore;

    #[state]
    pub struct Errand {
        #[input]
        pub wish: String,
        #[output]
        pub receipt: String,
    }

    /// Lets the node finish once for each permit.
    #[derive(Clone)]
    pub struct Gate(Arc<Semaphore>);

    #[node(Errand, writes = receipt)]
    async fn look(wish: &str, gate: Deps<Gate>) -> Result<String> {
        gate.0.acquire().await?.forget();
        Ok(wish.to_owned())
    }

    graph! { pub Looker<Errand, Gate> { start -> look -> end; } }

    #[tokio::test]
    async fn a_runner_of_a_deleted_thread_cannot_write_to_its_successor() {
        let thread = super::id("t");
        let store = MemoryStore::new();
        let begin = || {
            let gate = Gate(Arc::new(Semaphore::new(0)));
            let agent = Looker::new(gate.clone(), store.clone());
            let started = agent.clone();
            let run =
                tokio::spawn(async move { started.start("t", ErrandInput { wish: "it".into() }).await });
            (agent, gate, run)
        };
        let started = async |agent: &Agent<Looker>| {
            while agent.turn("t").await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        let (agent, old_gate, old_run) = begin();
        started(&agent).await;
        agent.store().delete(&thread).await.unwrap();
        let (agent, new_gate, new_run) = begin();
        started(&agent).await;

        old_gate.0.add_permits(1);
        // The result of the old run does not matter, only that the run has ended.
        drop(old_run.await.unwrap());
        agent.verify(&thread).await.expect("the old runner wrote into the new thread");
        new_gate.0.add_permits(1);
        assert!(matches!(new_run.await.unwrap().unwrap(), LookerTurn::Done(_)));
    }
}

/// Each verdict keeps the operator's note, by a handle of the review, by its digest and over the API.
#[tokio::test]
async fn a_note_is_kept_with_every_verdict() {
    let agent = Refunds::new(World::default(), MemoryStore::new());
    let noted = |number: usize| format!("note \"{number}\"\n");
    let given = async |thread: &str| {
        let history = agent.history(thread, 0, 100).await.unwrap();
        let decided = history.into_iter().find(|entry| entry.event.name() == "decided").unwrap();
        agent.verify(thread).await.unwrap();
        serde_json::to_value(decided.event).unwrap()["decided"].take()
    };
    let open = async |thread: &'static str, number| open(&agent, thread).await.with_note(noted(number));
    drop(open("approve", 0).await.approve(&mara()).await.unwrap());
    assert_eq!(given("approve").await["note"], noted(0));
    drop(open("edit", 1).await.edit(&mara(), |draft| draft.dollars = 7).await.unwrap());
    assert_eq!(given("edit").await["note"], noted(1));
    drop(open("ask", 2).await.ask(&mara(), "Why?").await.unwrap());
    assert_eq!(given("ask").await["note"], noted(2));
    // The note of a rejection is that of the verdict.
    drop(open("reject", 3).await.reject(&mara(), Reason::Other, "no").await.unwrap());
    let rejected = given("reject").await;
    assert_eq!((&rejected["note"], &rejected["verdict"]["reject"]["note"]), (&json!(null), &json!("no")));

    let review = open("api", 4).await;
    let request =
        json!({ "action": "approve", "thread_id": "api", "digest": review.digest(), "note": noted(4) });
    api::dispatch(&agent, Request::parse(request, None).unwrap(), Some(&mara())).await.unwrap();
    assert_eq!(given("api").await["note"], noted(4));
    let review = open("digest", 5).await;
    let verdict = Verdict::Reject { reason: Reason::Other, note: "before".into() }.with_note(noted(5));
    drop(agent.record("digest", review.digest(), &mara(), verdict).await.unwrap());
    assert_eq!(given("digest").await["verdict"]["reject"]["note"], noted(5));
}
