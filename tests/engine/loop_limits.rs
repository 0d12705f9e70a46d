//! Loops whose guards count the runs of a node.

use hitl::{
    Store,
    journal::{Entry, Event, Settlement},
    prelude::*,
};

use super::kit::world::{Behavior, World};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Reply {
    #[garde(skip)]
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Found {
    Nothing,
    Something,
}

#[state]
pub struct Question {
    #[input]
    pub topics: Vec<String>,
    pub topic: String,
    pub found: Found,
    pub reply: Reply,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

fn about(topics: &[&str]) -> QuestionInput {
    QuestionInput { topics: topics.iter().map(|&topic| topic.to_owned()).collect() }
}

fn mara() -> Operator {
    Operator::new("mara")
}

/// Finds nothing, as often as it is asked.
#[node(Question, writes = (found, log))]
async fn research() -> Result<(Found, Vec<String>)> {
    Ok((Found::Nothing, vec!["searched".into()]))
}

#[node(Question, writes = log)]
async fn give_up() -> Result<Vec<String>> {
    Ok(vec!["gave up".into()])
}

graph! {
    pub Researcher<Question> {
        start -> research -> match found {
            Found::Nothing if runs(research) < 200 => research,
            Found::Nothing => give_up -> end,
            Found::Something => end,
        };
    }
}

/// The numbers of the runs of a node, as the history has them.
async fn runs<G: hitl::Graph>(agent: &hitl::Agent<G>, of: &str) -> Vec<Option<u32>> {
    let history = agent.history("t", 0, 1_000).await.unwrap();
    let runs = history.iter().filter_map(|entry| match &entry.event {
        Event::Ran { node, run, .. } if node == of => Some(*run),
        _ => None,
    });
    runs.collect()
}

/// Asserts that every entry is one that this program can have written.
async fn assert_sound<G: hitl::Graph>(agent: &hitl::Agent<G>) {
    let audit = agent.audit("t", None).await.unwrap();
    assert!(audit.findings.is_empty() && audit.unchecked.is_empty(), "{audit:?}");
}

#[tokio::test]
async fn a_loop_ends_at_its_limit() {
    let agent = Researcher::new(MemoryStore::new());
    let ResearcherTurn::Done(log) = agent.start("t", about(&[])).await.unwrap() else { panic!() };
    assert_eq!((log.len(), log.last().unwrap().as_str()), (201, "gave up"));
    assert_eq!(runs(&agent, "research").await, (1..=200).map(Some).collect::<Vec<_>>());
    assert_eq!(runs(&agent, "give_up").await, [None]);
    assert_sound(&agent).await;
}

#[node(Question, writes = (reply, log))]
async fn draft(rejection: Option<&Rejection>) -> Result<(Reply, Vec<String>)> {
    let text = rejection.map_or("first", |rejection| rejection.note.as_str()).to_owned();
    Ok((Reply { text: text.clone() }, vec![text]))
}

#[interrupt_before]
#[node(Question, writes = log, effect)]
async fn send(reply: &Approved<Reply>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call(&reply.text, cx.idempotency_key()).await?])
}

graph! {
    pub Writer<Question, World> {
        start -> draft -> match topics.len() {
            _ if runs(draft) > 80 => give_up -> end,
            _ => send -> end,
        };
        send { reject -> draft }
    }
}

/// Each rejection is handled by a process of its own. The thread's tail is read from a snapshot of the counts.
#[tokio::test]
async fn rejections_are_counted_across_processes() {
    let store = MemoryStore::new();
    let agent = || Writer::new(World::default(), store.clone());
    let mut turn = agent().start("t", about(&[])).await.unwrap();
    let mut rejected = 0;
    let log = loop {
        turn = match turn {
            WriterTurn::Send(_) => {
                let WriterTurn::Send(review) = agent().turn("t").await.unwrap() else { panic!() };
                rejected += 1;
                review.reject(&mara(), Reason::Other, "again").await.unwrap()
            }
            WriterTurn::Done(log) => break log,
            turn => panic!("{turn}"),
        };
    };
    assert_eq!((rejected, log.len()), (80, 82));
    let records = store.entries(&"t".parse().unwrap(), 0.into(), 1_000).await.unwrap();
    let is_snapshot = |body: &[u8]| serde_json::from_slice::<Entry>(body).unwrap().snapshot.is_some();
    assert!(records.iter().any(|record| is_snapshot(&record.body)));
    assert_sound(&agent()).await;
}

/// Rings. Each run is an effect.
#[node(Question, writes = log, effect, risk = low)]
async fn ring(world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    Ok(vec![world.call("ring", cx.idempotency_key()).await?])
}

graph! {
    pub Caller<Question, World> {
        start -> ring -> match log.len() {
            0..=99 if runs(ring) < 3 => ring,
            _ => give_up -> end,
        };
    }
}

mod renamed {
    use super::{Question, World, give_up};
    use hitl::prelude::*;

    #[node(Question, writes = log, effect, risk = low)]
    async fn call(world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![world.call("call", cx.idempotency_key()).await?])
    }

    graph! {
        pub Caller<Question, World> {
            start -> call -> match log.len() {
                0..=99 if runs(call) < 3 => call,
                _ => give_up -> end,
            };
            renamed ring -> call;
        }
    }
}

/// The settled run counts like the others, and the count follows the node to its new name.
#[tokio::test]
async fn a_settled_run_counts_under_a_new_name() {
    let (store, world) = (MemoryStore::new(), World::new([Behavior::Works, Behavior::Fails]));
    let agent = Caller::new(world.clone(), store.clone());
    let CallerTurn::InDoubt(doubt) = agent.start("t", about(&[])).await.unwrap() else { panic!() };
    let wrote = serde_json::from_str(r#"{"log": ["nobody answered"]}"#).unwrap();
    let new = renamed::Caller::new(world.clone(), store);
    let how = Settlement::Happened { wrote };
    let renamed::CallerTurn::Done(log) = new.settle("t", doubt.digest(), &mara(), how).await.unwrap() else {
        panic!()
    };
    assert_eq!(log, ["did ring", "nobody answered", "did call", "gave up"]);
    assert_eq!(world.calls(), 3);
    assert_eq!(runs(&new, "call").await, [Some(3)]);
    let audit = new.audit("t", None).await.unwrap();
    assert!(audit.findings.is_empty(), "{audit:?}");
}

mod raised {
    use super::{Question, World, give_up, ring};
    use hitl::prelude::*;

    graph! {
        pub Caller<Question, World> {
            start -> ring -> match log.len() {
                0..=99 if runs(ring) < 5 => ring,
                _ => give_up -> end,
            };
        }
    }
}

/// Another limit is other code: the entries of a running thread are not checked against it, and the thread goes on.
#[tokio::test]
async fn a_limit_may_change_while_threads_run() {
    let (store, world) =
        (MemoryStore::new(), World::new([Behavior::Works, Behavior::Works, Behavior::Fails]));
    let agent = Caller::new(world.clone(), store.clone());
    let CallerTurn::InDoubt(_) = agent.start("t", about(&[])).await.unwrap() else { panic!() };
    let new = raised::Caller::new(world, store);
    let audit = new.audit("t", None).await.unwrap();
    assert!(audit.findings.is_empty() && !audit.unchecked.is_empty(), "{audit:?}");
    let raised::CallerTurn::InDoubt(doubt) = new.turn("t").await.unwrap() else { panic!() };
    let raised::CallerTurn::Done(log) = doubt.run_again(&mara()).await.unwrap() else { panic!() };
    assert_eq!(log.len(), 6);
    assert_eq!(runs(&new, "ring").await, [1, 2, 3, 4, 5].map(Some));
    assert!(new.audit("t", None).await.unwrap().findings.is_empty());
}

#[state]
pub struct Letter {
    #[input]
    pub reply: Reply,
    pub screened: bool,
    #[output]
    pub outcome: String,
}

#[node(Letter, writes = screened)]
async fn screen() -> Result<bool> {
    Ok(true)
}

#[interrupt_before]
#[node(Letter, writes = outcome, effect)]
async fn post(reply: &Approved<Reply>) -> Result<String> {
    Ok(format!("posted {}", reply.text))
}

#[node(Letter, writes = outcome)]
async fn discard(rejection: Option<&Rejection>) -> Result<String> {
    Ok(rejection.map_or("discarded", |_| "rejected").into())
}

graph! {
    pub Screener<Letter> {
        start -> match reply.text.len() {
            _ if runs(screen) > 0 => discard -> end,
            _ => screen -> post -> end,
        };
        post { reject -> discard }
    }
}

/// An edit of an input leads back to the start, where the guard sees that the letter was screened.
#[tokio::test]
async fn a_guard_after_the_start_counts_for_an_edit() {
    let agent = Screener::new(MemoryStore::new());
    let reply = Reply { text: "first".into() };
    let ScreenerTurn::Post(review) = agent.start("t", LetterInput { reply }).await.unwrap() else { panic!() };
    let turn = review.edit(&mara(), |reply| reply.text = "second".into()).await.unwrap();
    assert!(matches!(turn, ScreenerTurn::Done(outcome) if outcome == "discarded"));
    assert_sound(&agent).await;
}

#[node(Question, writes = log)]
async fn look_up(topic: &str) -> Result<Vec<String>> {
    Ok(vec![topic.to_owned()])
}

graph! {
    pub Clerk<Question> {
        start -> research -> for topic in topics {
            look_up -> match topic.as_str() {
                _ if runs(look_up) < 3 => look_up,
                _ => continue,
            }
        } -> match found {
            _ if runs(research) < 2 => research,
            _ => end,
        };
    }
}

/// Each item counts its own runs, and begins at none when the thread enters the `for` again.
#[tokio::test]
async fn an_item_counts_its_own_runs() {
    let agent = Clerk::new(MemoryStore::new());
    let ClerkTurn::Done(log) = agent.start("t", about(&["a", "b"])).await.unwrap() else { panic!() };
    let round = ["searched", "a", "a", "a", "b", "b", "b"];
    assert_eq!(log, [round, round].concat());
    assert_sound(&agent).await;
}
