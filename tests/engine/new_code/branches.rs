//! Threads with several concurrent branches under new code.

use std::time::Duration;

use hitl::{Error, ManualClock, Store, ThreadStatus, Timestamp, journal::Event, prelude::*, store::Append};

use super::{
    super::kit::world::Behavior, assert_incompatible, codes, entries_after, events, id, journal, mara, names,
    v1::World,
};

/// The first version: two letters in concurrent branches, and a long counting loop in one of the branches.
mod v1 {
    use hitl::prelude::*;

    use super::World;

    #[draft]
    #[derive(Clone, Debug, PartialEq, Validate)]
    pub struct Letter {
        #[garde(length(min = 1))]
        pub text: String,
    }

    #[state]
    pub struct Case {
        #[input]
        pub rounds: u32,
        pub first: String,
        pub last: String,
        pub round: u32,
        #[reduce(append)]
        pub log: Vec<String>,
        pub letter: Letter,
        pub note: Letter,
        #[output]
        pub outcome: String,
    }

    #[node(Case, writes = log)]
    pub async fn open(rounds: u32) -> Result<Vec<String>> {
        Ok(vec![format!("{rounds} rounds")])
    }

    #[node(Case, writes = letter)]
    pub async fn write_letter(rounds: u32) -> Result<Letter> {
        Ok(Letter { text: format!("dear {rounds}") })
    }

    #[interrupt_before(role = "approver")]
    #[node(Case, writes = log, effect)]
    pub async fn send_letter(letter: &Approved<Letter>) -> Result<Vec<String>> {
        Ok(vec![format!("sent {}", letter.text)])
    }

    #[node(Case, writes = (first, last))]
    pub async fn name(world: Deps<World>) -> Result<(String, String)> {
        world.call("name", "").await?;
        Ok(("Ada".to_owned(), "Lovelace".to_owned()))
    }

    #[node(Case, writes = (round, log))]
    pub async fn count(round: Option<&u32>) -> Result<(u32, Vec<String>)> {
        let round = round.map_or(1, |round| round + 1);
        Ok((round, vec![format!("round {round}")]))
    }

    #[node(Case, writes = note)]
    pub async fn write_note(first: &str) -> Result<Letter> {
        Ok(Letter { text: format!("for {first}") })
    }

    #[interrupt_before(role = "approver")]
    #[node(Case, writes = log, effect)]
    pub async fn send_note(note: &Approved<Letter>) -> Result<Vec<String>> {
        Ok(vec![format!("noted {}", note.text)])
    }

    #[node(Case, writes = outcome)]
    pub async fn archive(first: &str, last: &str, log: &[String]) -> Result<String> {
        Ok(format!("{first} {last}: {}", log.len()))
    }

    #[node(Case, writes = log)]
    pub async fn drop_one(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.reason.to_string()])
    }

    #[node(Case, writes = log)]
    pub async fn drop_other(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.reason.to_string()])
    }

    graph! {
        pub Letters<Case, World> {
            start -> open
                -> (write_letter -> send_letter, name -> count -> match round { ..80 => count, _ => write_note })
                -> archive -> end;
            write_note -> send_note -> archive;
            send_letter { reject -> drop_one }
            send_note { reject -> drop_other }
            drop_one -> archive;
            drop_other -> archive;
        }
    }
}

/// The second version: one name field instead of two, log lines and notes of another shape, and `archive` renamed to
/// `file_all`.
mod v2 {
    use hitl::{journal::Map, prelude::*};
    use serde_json::json;

    use super::World;
    pub use super::v1::Letter;

    #[draft]
    #[derive(Clone, Debug, PartialEq, Validate)]
    pub struct Note {
        #[garde(length(min = 1))]
        pub lines: Vec<String>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Line {
        pub text: String,
    }

    #[state(version = 2, migrate = migrate)]
    pub struct Case {
        #[input]
        pub rounds: u32,
        pub name: String,
        pub round: u32,
        #[reduce(append)]
        pub log: Vec<Line>,
        pub letter: Letter,
        pub note: Note,
        #[output]
        pub outcome: String,
    }

    fn migrate(_: u32, fields: &mut Map) -> Result<()> {
        if let (Some(first), Some(last)) = (fields.remove("first"), fields.remove("last")) {
            let text = |name: &serde_json::Value| name.as_str().unwrap_or_default().to_owned();
            fields.insert("name".into(), format!("{} {}", text(&first), text(&last)).into());
        }
        if let Some(serde_json::Value::Array(log)) = fields.get_mut("log") {
            log.iter_mut().for_each(|line| *line = json!({ "text": line }));
        }
        if let Some(note) = fields.get_mut("note") {
            *note = json!({ "lines": [note["text"]] });
        }
        Ok(())
    }

    fn line(text: String) -> Result<Vec<Line>> {
        Ok(vec![Line { text }])
    }

    #[node(Case, writes = log)]
    async fn open(rounds: u32) -> Result<Vec<Line>> {
        line(format!("{rounds} rounds"))
    }

    #[node(Case, writes = letter)]
    async fn write_letter(rounds: u32) -> Result<Letter> {
        Ok(Letter { text: format!("dear {rounds}") })
    }

    #[interrupt_before(role = "approver")]
    #[node(Case, writes = log, effect)]
    async fn send_letter(letter: &Approved<Letter>) -> Result<Vec<Line>> {
        line(format!("sent {}", letter.text))
    }

    #[node(Case, writes = name)]
    async fn name(world: Deps<World>) -> Result<String> {
        world.call("name", "").await
    }

    #[node(Case, writes = (round, log))]
    async fn count(round: Option<&u32>) -> Result<(u32, Vec<Line>)> {
        let round = round.map_or(1, |round| round + 1);
        Ok((round, line(format!("round {round}"))?))
    }

    #[node(Case, writes = note)]
    async fn write_note(name: &str) -> Result<Note> {
        Ok(Note { lines: vec![format!("for {name}")] })
    }

    #[interrupt_before(role = "approver")]
    #[node(Case, writes = log, effect)]
    async fn send_note(note: &Approved<Note>) -> Result<Vec<Line>> {
        line(format!("noted {}", note.lines.join("/")))
    }

    #[node(Case, writes = outcome)]
    async fn file_all(name: &str, log: &[Line]) -> Result<String> {
        let last: Vec<&str> = log.iter().rev().take(2).map(|line| line.text.as_str()).collect();
        Ok(format!("{name}: {}, {}", log.len(), last.join(", ")))
    }

    #[node(Case, writes = log)]
    async fn drop_one(rejection: &Rejection) -> Result<Vec<Line>> {
        line(rejection.reason.to_string())
    }

    #[node(Case, writes = log)]
    async fn drop_other(rejection: &Rejection) -> Result<Vec<Line>> {
        line(rejection.reason.to_string())
    }

    graph! {
        pub Letters<Case, World> {
            start -> open
                -> (write_letter -> send_letter, name -> count -> match round { ..80 => count, _ => write_note })
                -> file_all -> end;
            write_note -> send_note -> file_all;
            send_letter { reject -> drop_one }
            send_note { reject -> drop_other }
            drop_one -> file_all;
            drop_other -> file_all;
            renamed archive -> file_all;
        }
    }
}

/// Starts a thread that waits for both signatures, and returns its journal.
async fn open(store: &MemoryStore) -> Vec<hitl::store::Record> {
    let agent = v1::Letters::new(World::default(), store.clone());
    let turn = agent.start("t", v1::CaseInput { rounds: 80 }).await.unwrap();
    assert!(matches!(turn, v1::LettersTurn::Several(reviews) if reviews.len() == 2));
    journal(store).await
}

/// Signs both reviews, each with the digest that the new program shows, and returns the outcome.
async fn signed(agent: &Agent<v2::Letters>) -> String {
    let v2::LettersTurn::Several(reviews) = agent.turn("t").await.unwrap() else { panic!() };
    let mut last = None;
    for review in reviews {
        last = Some(match review {
            v2::LettersReview::SendLetter(review) => review.approve(&mara()).await.unwrap(),
            v2::LettersReview::SendNote(review) => {
                // The first verdict has migrated the thread; this review was read before that.
                review.edit(&mara(), |note| note.lines.push("Yours".into())).await.unwrap()
            }
        });
    }
    match last.unwrap() {
        v2::LettersTurn::Done(outcome) => outcome,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn only_the_changed_review_is_reopened() {
    let store = MemoryStore::new();
    let before = open(&store).await;
    let agent = v2::Letters::new(World::default(), store.clone());
    let check = agent.check("t").await.unwrap();
    assert_eq!((check.differences, check.reopened), (vec![], vec!["send_note".to_owned()]));
    let outcome = signed(&agent).await;
    assert_eq!(outcome, "Ada Lovelace: 83, noted for Ada/Yours, round 80");
    let new = entries_after(&agent, &before).await;
    assert_eq!(names(&new)[..4], ["migrated", "paused", "decided", "began"]);
    let Event::Migrated { renamed, version, .. } = &events(&new)[0] else { panic!() };
    assert_eq!((renamed["archive"].as_str(), *version), ("file_all", Some(2)));
}

/// A snapshot holds the writes that a branch has yet to merge; reading from it or from the first entry gives the same
/// thread.
#[tokio::test]
async fn an_old_snapshot_migrates_like_its_entries() {
    let store = MemoryStore::new();
    let records = open(&store).await;
    let tail = store.tail(&id("t")).await.unwrap().unwrap().records;
    assert!(tail[0].snapshot && tail[0].place > 10, "expected `name` to be written before the snapshot");
    let from_snapshot = signed(&v2::Letters::new(World::default(), store)).await;

    let plain = MemoryStore::new();
    let records = records.into_iter().map(|record| record.with_snapshot(false));
    let (records, standing) = (records.collect(), ThreadStatus::Waiting);
    let append = Append::new(id("t"), records, standing);
    plain.append(append).await.unwrap();
    assert_eq!(plain.tail(&id("t")).await.unwrap().unwrap().records[0].place, 0);
    assert_eq!(signed(&v2::Letters::new(World::default(), plain)).await, from_snapshot);
}

/// The same nodes, with another node at the join.
mod rejoined {
    use hitl::prelude::*;

    use super::{
        World,
        v1::{
            Case, archive, count, drop_one, drop_other, name, open, send_letter, send_note, write_letter,
            write_note,
        },
    };

    #[node(Case)]
    async fn meet(rounds: u32) -> Result<()> {
        println!("{rounds}");
        Ok(())
    }

    graph! {
        pub Letters<Case, World> {
            start -> open
                -> (write_letter -> send_letter, name -> count -> match round { ..80 => count, _ => write_note })
                -> meet -> archive -> end;
            write_note -> send_note -> meet;
            send_letter { reject -> drop_one }
            send_note { reject -> drop_other }
            drop_one -> meet;
            drop_other -> meet;
        }
    }
}

/// The same nodes in sequence, without `archive`.
mod unforked {
    use hitl::prelude::*;

    use super::{
        World,
        v1::{
            Case, count, drop_one, drop_other, name, open, send_letter, send_note, write_letter, write_note,
        },
    };

    #[node(Case, writes = outcome)]
    async fn archived(first: &str) -> Result<String> {
        Ok(first.to_owned())
    }

    graph! {
        pub Letters<Case, World> {
            start -> open -> write_letter -> send_letter -> name -> count;
            count -> match round { ..80 => count, _ => write_note -> send_note };
            send_note -> archived -> end;
            send_letter { reject -> drop_one }
            send_note { reject -> drop_other }
            drop_one -> name;
            drop_other -> archived;
        }
    }
}

#[tokio::test]
async fn incompatible_branches_are_reported() {
    let store = MemoryStore::new();
    open(&store).await;
    let sentences = async |differences: Vec<hitl::Incompatibility>| {
        differences.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let rejoined = assert_incompatible(&rejoined::Letters::new(World::default(), store.clone()), None).await;
    assert_eq!(
        sentences(rejoined).await,
        [
            "node `send_letter` is in a branch that joins at `meet`, but was in another when the thread arrived at it",
            "node `send_note` is in a branch that joins at `meet`, but was in another when the thread arrived at it",
        ]
    );
    let unforked = assert_incompatible(&unforked::Letters::new(World::default(), store), None).await;
    assert_eq!(codes(&unforked), [("join_gone", "archive", "")]);
    assert!(unforked[0].to_string().contains("`renamed archive -> archived;`"), "{}", unforked[0]);
}

/// A runner of the first program runs one branch while the other one waits for a review.
#[tokio::test]
async fn a_verdict_waits_for_a_runner_of_other_code() {
    let (store, world, clock) = (
        MemoryStore::new(),
        World::new([Behavior::Hangs]),
        ManualClock::at(Timestamp::from_millis(1_000_000)),
    );
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let old = v1::Letters::new(world.clone(), store.clone()).clock(clock.clone());
    let _running = doomed.spawn(async move { old.start("t", v1::CaseInput { rounds: 80 }).await });
    world.reached.notified().await;
    let open = loop {
        match store.reviews(None, 1).await.unwrap().items.pop() {
            Some(open) => break open,
            None => tokio::task::yield_now().await,
        }
    };
    doomed.shutdown_background();
    let before = journal(&store).await;

    let agent = v2::Letters::new(world, store.clone()).clock(clock.clone());
    let decide = async || agent.decide("t", open.digest, &mara(), Verdict::Approve).await;
    let busy = decide().await.unwrap_err();
    assert!(
        matches!(busy, Error::OtherCode { until, .. } if until == Timestamp::from_millis(1_030_000)),
        "{busy}"
    );
    assert_eq!(journal(&store).await, before);
    clock.advance(Duration::from_secs(31));
    // The letter is the same as before, so its digest is still valid; the other branch runs again.
    let v2::LettersTurn::SendNote(note) = decide().await.unwrap() else { panic!() };
    assert_eq!(note.draft().lines, ["for did name"]);
    entries_after(&agent, &before).await;
}
