//! `match`, loops, reducers and the step limit.

use hitl::prelude::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Next {
    Again,
    Enough { why: String },
}

#[state]
pub struct Chat {
    #[input]
    pub rounds: u32,
    #[reduce(append)]
    #[output]
    pub said: Vec<String>,
    #[reduce(u32::max)]
    pub loudest: u32,
    pub next: Next,
}

#[node(Chat, writes = (said, loudest))]
async fn say(said: Option<&Vec<String>>) -> Result<(Vec<String>, u32)> {
    let round = said.map_or(0, Vec::len);
    Ok((vec![format!("round {round}")], if round == 1 { 9 } else { 3 }))
}

#[node(Chat, writes = next)]
async fn judge(rounds: u32, said: &[String]) -> Result<Next> {
    let enough = said.len() as u32 >= rounds;
    Ok(if enough { Next::Enough { why: format!("{} rounds", said.len()) } } else { Next::Again })
}

graph! {
    pub Talk<Chat> {
        start -> say -> judge -> match next {
            Next::Again => say,
            Next::Enough { why } if why.is_empty() => say,
            Next::Enough { .. } => end,
        };
    }
}

#[tokio::test]
async fn a_loop_runs_until_its_match_ends_it_and_reducers_merge() {
    let agent = Talk::new(MemoryStore::new());
    match agent.start("t", ChatInput { rounds: 3 }).await.unwrap() {
        TalkTurn::Done(said) => assert_eq!(said, ["round 0", "round 1", "round 2"]),
        other => panic!("{other}"),
    }
    assert_eq!(agent.snapshot("t").await.unwrap().fields.loudest, Some(9));
}

#[tokio::test]
async fn an_endless_loop_stops_at_the_step_limit_until_resumed() {
    let agent = Talk::new(MemoryStore::new()).step_limit(10);
    let TalkTurn::Failed(failed) = agent.start("t", ChatInput { rounds: 8 }).await.unwrap() else { panic!() };
    assert!(failed.error().contains("10 nodes"), "{}", failed.error());
    assert!(matches!(failed.resume().await.unwrap(), TalkTurn::Done(said) if said.len() == 8));
}

/// A long loop writes many snapshots; a thread read from the last one has the same state.
#[tokio::test]
async fn a_long_thread_is_resumed_from_its_last_snapshot() {
    let store = MemoryStore::new();
    let agent = Talk::new(store.clone()).step_limit(100);
    let TalkTurn::Failed(_) = agent.start("t", ChatInput { rounds: 400 }).await.unwrap() else { panic!() };
    let other = Talk::new(store.clone()).step_limit(100_000);
    let TalkTurn::Done(said) = other.resume("t").await.unwrap() else { panic!() };
    assert_eq!(said.len(), 400);
    let thread = "t".parse().unwrap();
    let tail = hitl::Store::tail(&store, &thread).await.unwrap().unwrap();
    let head = other.verify(&thread).await.unwrap().place;
    assert!(
        tail.records[0].snapshot && (tail.records.len() as u64) < head.get() / 2,
        "{} of {head}",
        tail.records.len()
    );
    assert_eq!(other.snapshot(&thread).await.unwrap().fields.said.unwrap().len(), 400);
}
