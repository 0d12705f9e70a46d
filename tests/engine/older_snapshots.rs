//! Snapshots of an older version of hitl, which do not say about which values a person has been asked: such a journal is
//! read, verified and continued, and no rule signs in it.

use hitl::{Digest, ManualClock, MemoryStore, Timestamp, prelude::*, store::Record};

use crate::{
    kit::{
        operators::{clerk, director},
        payment::Draft,
        world::World,
    },
    new_code::{journal, stored},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum More {
    Yes,
    No,
}

#[state]
pub struct Job {
    #[input]
    pub cents: u32,
    pub draft: Draft,
    pub round: u32,
    pub more: More,
    #[output]
    #[reduce(append)]
    pub log: Vec<String>,
}

#[node(Job, writes = draft)]
async fn propose(cents: u32) -> Result<Draft> {
    Ok(Draft { cents })
}

#[interrupt_before(role = "clerk", edit = false)]
#[node(Job, writes = log, effect)]
async fn hold(draft: &Approved<Draft>) -> Result<Vec<String>> {
    Ok(vec![format!("held by {}", draft.signer())])
}

#[node(Job, writes = (round, more))]
async fn count(round: Option<&u32>) -> Result<(u32, More)> {
    let round = round.copied().unwrap_or(0) + 1;
    Ok((round, if round < 180 { More::Yes } else { More::No }))
}

#[interrupt_before(role = "director", edit = false, when = draft.cents > 100)]
#[node(Job, writes = log, effect)]
async fn wire(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&format!("wire by {}", draft.signer()), cx.idempotency_key()).await?])
}

#[node(Job, writes = log)]
async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![rejection.note.clone()])
}

graph! {
    pub Jobs<Job, World> {
        start -> propose -> hold -> count -> match more { More::Yes => count, More::No => wire };
        wire -> end;
        hold { reject -> refuse }
        wire { reject -> refuse }
        refuse -> end;
    }
}

/// Returns the journal of a thread that a person has approved, up to its first snapshot, which is as an older version
/// wrote it.
async fn older() -> MemoryStore {
    let store = MemoryStore::new();
    let agent = Jobs::new(World::default(), store.clone()).step_limit(1_000);
    let JobsTurn::Hold(review) = agent.start("t", JobInput { cents: 90 }).await.unwrap() else { panic!() };
    let _ = review.approve(&clerk()).await.unwrap();
    let mut records: Vec<Record> = journal(&store).await;
    let last = records.iter().position(|record| record.snapshot).unwrap();
    records.truncate(last + 1);
    let mut before = records[last - 1].hash;
    for record in &mut records[last..] {
        let text = String::from_utf8(record.body.clone()).unwrap();
        let older = text.replace(r#","asks":true"#, "").replace(r#","asked":{"draft":2}"#, "");
        assert!(text.len() - older.len() > 25, "{text}");
        record.body = older.into_bytes();
        record.hash = Digest::of(&[&before.as_bytes()[..], &record.body].concat());
        before = record.hash;
    }
    stored(records).await
}

#[tokio::test]
async fn a_thread_with_an_older_snapshot_goes_on_and_is_sound() {
    let (store, world) = (older().await, World::default());
    let later = ManualClock::at(Timestamp::from_millis(4_000_000_000_000));
    let agent = Jobs::new(world.clone(), store.clone()).step_limit(1_000).clock(later);
    agent.verify("t").await.unwrap();
    // Whether a person was asked about the draft is not known.
    let JobsTurn::Wire(review) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!((world.calls(), review.when().map(|when| when.value)), (0, Some(false)));
    agent.verify("t").await.unwrap();
    let snapshots = journal(&store).await.iter().filter(|record| record.snapshot).count();
    assert!(snapshots > 1, "{snapshots}");
    let _ = review.approve(&director()).await.unwrap();
    assert_eq!(world.called(), ["wire by dora"]);
    agent.verify("t").await.unwrap();
}
