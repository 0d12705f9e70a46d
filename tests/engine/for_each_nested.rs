//! Nested `for`s and forks, the limit of list lengths, idempotency keys of items, snapshots, and new code.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use hitl::{Digest, MAX_ITEMS, ThreadId, journal::Event, prelude::*};
use tokio::sync::Semaphore;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Line {
    #[garde(length(min = 1))]
    pub text: String,
}

#[state]
pub struct Book {
    #[input]
    pub pages: u32,
    #[input]
    pub lines: u32,
    pub numbers: Vec<u32>,
    pub page: u32,
    pub texts: Vec<Line>,
    pub line: Line,
    pub note: String,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

/// A mock that records the effects' calls and can block them.
#[derive(Clone)]
pub struct World {
    /// The node, the page and the idempotency key of each call.
    calls: Arc<Mutex<Vec<(String, u32, String)>>>,
    /// `true` if calls block forever; `held` gets a permit for each blocked call.
    holds: Arc<AtomicBool>,
    held: Arc<Semaphore>,
}

impl World {
    fn new() -> Self {
        Self { calls: Arc::default(), holds: Arc::default(), held: Arc::new(Semaphore::new(0)) }
    }

    async fn call(&self, page: u32, cx: &Cx) {
        if self.holds.load(Ordering::SeqCst) {
            self.held.add_permits(1);
            std::future::pending::<()>().await;
        }
        let call = (cx.node().to_owned(), page, cx.idempotency_key().to_owned());
        self.calls.lock().unwrap().push(call);
    }

    fn calls(&self) -> Vec<(String, u32, String)> {
        self.calls.lock().unwrap().clone()
    }

    fn keys(&self) -> BTreeSet<String> {
        self.calls().into_iter().map(|(_, _, key)| key).collect()
    }
}

fn book(pages: u32, lines: u32) -> BookInput {
    BookInput { pages, lines }
}

fn id(name: &str) -> ThreadId {
    name.parse().unwrap()
}

fn mara() -> Operator {
    Operator::new("mara")
}

#[node(Book, writes = numbers)]
async fn leaf(pages: u32) -> Result<Vec<u32>> {
    Ok((0..pages).collect())
}

#[node(Book, writes = (texts, note))]
async fn read(page: u32, lines: u32) -> Result<(Vec<Line>, String)> {
    let line = |line| Line { text: format!("{page}.{line}") };
    Ok(((0..lines).map(line).collect(), format!("page {page}")))
}

#[interrupt_before(show = (note))]
#[node(Book, writes = log, effect)]
async fn print(line: &Approved<Line>, note: &str) -> Result<Vec<String>> {
    Ok(vec![format!("{} of {note}", line.text)])
}

#[node(Book, writes = log)]
async fn bind(note: &str, texts: &[Line], log: &[String]) -> Result<Vec<String>> {
    Ok(vec![format!("{note}: {} lines, {} seen", texts.len(), log.len())])
}

#[node(Book, writes = (note, log))]
async fn cover() -> Result<(String, Vec<String>)> {
    Ok(("cover".into(), vec!["a cover".into()]))
}

#[node(Book, writes = log)]
async fn shelve(log: &[String], note: &str) -> Result<Vec<String>> {
    Ok(vec![format!("{} lines in all, {note}", log.len())])
}

#[node(Book, writes = log)]
async fn glue() -> Result<Vec<String>> {
    Ok(vec!["glue".into()])
}

graph! {
    /// A `for` inside a `for` inside a branch. Both branches write `note` without a conflict, as an item's write stays
    /// with the item.
    pub Press<Book> {
        start -> (leaf -> for page in numbers {
            read -> for line in texts { print } -> bind
        } -> glue, cover) -> shelve -> end;
        print { reject -> bind }
    }
}

#[tokio::test]
async fn fors_nest_and_run_inside_branches() {
    let agent = Press::new(MemoryStore::new());
    let PressTurn::Several(reviews) = agent.start("t", book(2, 2)).await.unwrap() else { panic!() };
    let mut reviews: Vec<_> = reviews.into_iter().map(|PressReview::Print(review)| review).collect();
    reviews.sort_by(|a, b| a.draft().text.cmp(&b.draft().text));
    let drafts: Vec<_> = reviews.iter().map(|review| review.draft().text.clone()).collect();
    assert_eq!(drafts, ["0.0", "0.1", "1.0", "1.1"]);
    // Decide in reverse order, reject line 0.1 and edit the others.
    for review in reviews.into_iter().rev() {
        let _ = if review.draft().text == "0.1" {
            review.reject(&mara(), Reason::Other, "").await.unwrap()
        } else {
            review.edit(&mara(), |line| line.text.push('!')).await.unwrap()
        };
    }
    let PressTurn::Done(log) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(
        log,
        [
            "0.0! of page 0",
            "page 0: 2 lines, 1 seen",
            "1.0! of page 1",
            "1.1! of page 1",
            "page 1: 2 lines, 2 seen",
            "glue",
            "a cover",
            "7 lines in all, cover",
        ]
    );
    assert!(matches!(agent.start("none", book(0, 2)).await.unwrap(), PressTurn::Done(log) if log.len() == 3));
    assert!(
        matches!(agent.start("blank", book(2, 0)).await.unwrap(), PressTurn::Done(log) if log.len() == 5)
    );
}

graph! {
    pub Teller<Book> { start -> turn -> leaf -> for page in numbers { read } -> tell -> end; }
}

#[node(Book, writes = log)]
async fn tell(page: u32, note: Option<&str>, texts: Option<&[Line]>) -> Result<Vec<String>> {
    Ok(vec![format!("page {page}, {note:?}, {texts:?}")])
}

#[tokio::test]
async fn fields_without_append_are_local_to_an_item() {
    let agent = Teller::new(MemoryStore::new());
    let TellerTurn::Done(log) = agent.start("t", book(7, 3)).await.unwrap() else { panic!() };
    assert_eq!(log, ["page 7, None, None"]);
}

#[node(Book, writes = log, effect, idempotent, risk = low)]
async fn stamp(page: u32, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    world.call(page, cx).await;
    Ok(vec![format!("stamped {page}")])
}

#[node(Book, writes = log, effect, idempotent, risk = low)]
async fn seal(page: u32, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    world.call(page, cx).await;
    Ok(vec![format!("sealed {page}")])
}

#[node(Book, writes = log)]
async fn meet(page: u32) -> Result<Vec<String>> {
    Ok(vec![format!("both of {page}")])
}

graph! {
    pub Stamper<Book, World> { start -> leaf -> for page in numbers { stamp } -> end; }
}

graph! {
    /// A fork inside a `for`.
    pub Office<Book, World> {
        start -> leaf -> for page in numbers { open -> (stamp, seal) -> meet } -> end;
    }
}

#[node(Book)]
async fn open(page: u32) -> Result<()> {
    let _ = page;
    Ok(())
}

#[tokio::test]
async fn a_fork_runs_inside_a_for() {
    let world = World::new();
    let agent = Office::new(world.clone(), MemoryStore::new());
    let OfficeTurn::Done(log) = agent.start("t", book(3, 0)).await.unwrap() else { panic!() };
    let of = |page| [format!("stamped {page}"), format!("sealed {page}"), format!("both of {page}")];
    assert_eq!(log, [of(0), of(1), of(2)].concat());
    assert_eq!((world.calls().len(), world.keys().len()), (6, 6));
}

#[tokio::test]
async fn each_item_has_a_stable_unique_idempotency_key() {
    let world = World::new();
    let store = MemoryStore::new();
    let agent = Stamper::new(world.clone(), store);
    let StamperTurn::Done(_) = agent.start("t", book(9, 0)).await.unwrap() else { panic!() };
    assert_eq!((world.calls().len(), world.keys().len()), (9, 9));
    // The effects get the keys that the journal records.
    let entries = agent.history(&id("t"), 0, 100).await.unwrap();
    let began = entries.iter().filter_map(|entry| match &entry.event {
        Event::Began { key, .. } => Some(key.clone()),
        _ => None,
    });
    assert_eq!(began.collect::<BTreeSet<_>>(), world.keys());
}

graph! {
    pub Plain<Book, World> { start -> turn -> stamp -> end; }
}

#[node(Book, writes = page)]
async fn turn(pages: u32) -> Result<u32> {
    Ok(pages)
}

/// Keys of nodes outside a `for` must be stable across releases: a bank may remember a key for longer than one release.
#[tokio::test]
async fn idempotency_keys_outside_a_for_are_stable() {
    let world = World::new();
    let agent = Plain::new(world.clone(), MemoryStore::new());
    let PlainTurn::Done(_) = agent.start("t", book(7, 0)).await.unwrap() else { panic!() };
    let entries = agent.history(&id("t"), 0, 100).await.unwrap();
    let Event::Started { id, .. } = &entries[0].event else { panic!() };
    // The thread's name, its unique ID, the node, and the place of the entry that led to the node.
    let key = Digest::of(format!("t\0{id}\0stamp\01").as_bytes()).to_string();
    assert_eq!(world.calls(), [("stamp".to_owned(), 7, key)]);
}

/// All branches of a forked thread start at place 0, so the keys must differ by the item's branch.
#[tokio::test]
async fn a_fork_in_the_middle_of_a_for_has_distinct_keys() {
    let world = World::new();
    world.holds.store(true, Ordering::SeqCst);
    let agent = Office::new(world.clone(), MemoryStore::new());
    let running = tokio::spawn({
        let agent = agent.clone();
        async move { agent.start("t", book(2, 0)).await }
    });
    let _ = world.held.acquire_many(4).await.unwrap();
    world.holds.store(false, Ordering::SeqCst);
    let entries = agent.history(&id("t"), 0, 100).await.unwrap();
    // At the entry before the first `began` all items are at their first effect.
    let began = entries.iter().find(|entry| matches!(entry.event, Event::Began { .. })).unwrap().place;
    let OfficeTurn::Done(log) = agent.fork(&id("t"), began - 1, "f").await.unwrap() else { panic!() };
    running.abort();
    assert_eq!((log.len(), world.calls().len(), world.keys().len()), (6, 4, 4));
}

#[tokio::test]
async fn a_list_may_have_at_most_ten_thousand_items() {
    let world = World::new();
    let agent = Stamper::new(world.clone(), MemoryStore::new());
    let most = u32::try_from(MAX_ITEMS).unwrap();
    let StamperTurn::Done(log) = agent.start("t", book(most, 0)).await.unwrap() else { panic!() };
    assert_eq!(log, (0..most).map(|page| format!("stamped {page}")).collect::<Vec<_>>());
    assert_eq!(world.keys().len(), MAX_ITEMS);

    let StamperTurn::Failed(failed) = agent.start("long", book(most + 1, 0)).await.unwrap() else { panic!() };
    assert_eq!(failed.node(), "leaf");
    assert!(failed.error().contains("`numbers`: it has 10001 items, but a `for` accepts at most 10000"));
    assert_eq!(world.calls().len(), MAX_ITEMS);
}

#[state]
pub struct List {
    #[input]
    pub all: Vec<u32>,
    pub one: u32,
    #[reduce(append)]
    pub more: Vec<u32>,
    #[reduce(append)]
    #[output]
    pub log: Vec<u32>,
}

#[node(List, writes = log)]
async fn keep(one: u32) -> Result<Vec<u32>> {
    Ok(vec![one])
}

#[node(List, writes = more, effect, risk = low)]
async fn order(all: &[u32], more: Option<&[u32]>) -> Result<Vec<u32>> {
    Ok(all[more.map_or(0, <[u32]>::len)..].to_vec())
}

graph! {
    pub Keeper<List> { start -> for one in all { keep } -> end; }
}

graph! {
    pub Orderer<List> { start -> order -> order_again -> for one in more { keep } -> end; }
}

#[node(List, writes = more, effect, risk = low)]
async fn order_again(all: &[u32]) -> Result<Vec<u32>> {
    order(all, None).await
}

#[tokio::test]
async fn a_too_long_list_is_invalid_input_or_an_effect_in_doubt() {
    let list = |length: u32| ListInput { all: (0..length).collect() };
    let agent = Keeper::new(MemoryStore::new());
    assert_eq!(agent.start("t", list(10_001)).await.unwrap_err().code(), "invalid_input");
    assert_eq!(agent.turn("t").await.unwrap_err().code(), "unknown_thread");
    assert!(matches!(agent.start("t", list(3)).await.unwrap(), KeeperTurn::Done(log) if log == [0, 1, 2]));

    // Two writes of 6,000 items each exceed the limit only together.
    let agent = Orderer::new(MemoryStore::new());
    let OrdererTurn::InDoubt(doubt) = agent.start("t", list(6_000)).await.unwrap() else { panic!() };
    assert_eq!(doubt.node(), "order_again");
    assert!(doubt.error().contains("`more`: it has 12000 items"), "{}", doubt.error());
    let digest = doubt.digest();
    let happened = |length: u32| hitl::journal::Settlement::Happened {
        wrote: serde_json::from_value(serde_json::json!({ "more": (0..length).collect::<Vec<_>>() }))
            .unwrap(),
    };
    let error = agent.settle("t", digest, &mara(), happened(4_001)).await.unwrap_err();
    assert_eq!(error.code(), "invalid");
    let OrdererTurn::Done(log) = agent.settle("t", digest, &mara(), happened(4_000)).await.unwrap() else {
        panic!()
    };
    assert_eq!(log.len(), 10_000);
}

/// Snapshots in the middle of a `for` store its list once, and a new process resumes from them.
#[tokio::test]
async fn a_new_process_resumes_in_the_middle_of_a_for() {
    let store = MemoryStore::new();
    let agent = Press::new(store.clone());
    let PressTurn::Several(reviews) = agent.start("t", book(12, 10)).await.unwrap() else { panic!() };
    assert_eq!(reviews.len(), 120);
    for review in reviews {
        let PressReview::Print(review) = review;
        let (digest, text) = (review.digest(), review.draft().text.clone());
        // Each verdict comes from a new agent; the lines of pages 10 and 11 are edited.
        let desk = Press::new(store.clone());
        let verdict = if text.len() > 3 {
            Verdict::Edit { patch: serde_json::json!({ "text": format!("{text}!") }) }
        } else {
            Verdict::Approve
        };
        let _ = desk.decide("t", digest, &mara(), verdict).await.unwrap();
    }
    let PressTurn::Done(log) = Press::new(store.clone()).turn("t").await.unwrap() else { panic!() };
    assert_eq!(log.len(), 120 + 12 + 3);
    assert_eq!((log[0].as_str(), log[11].as_str()), ("0.0 of page 0", "1.0 of page 1"));
    assert_eq!(log[131], "page 11: 10 lines, 10 seen");
    assert_eq!(log[130], "11.9! of page 11");
    let records = agent.store().entries(&id("t"), 0.into(), 10_000).await.unwrap();
    assert!(records.iter().filter(|record| record.snapshot).count() >= 3);
    // `get_at` reads the journal from the first entry, not from a snapshot.
    assert!(agent.snapshot_at(&id("t"), records.last().unwrap().place).await.is_ok());
    agent.verify(&id("t")).await.unwrap();
}

#[tokio::test]
async fn snapshots_grow_linearly_with_the_items() {
    let mut sizes = Vec::new();
    for pages in [100, 200, 400] {
        let agent = Stamper::new(World::new(), MemoryStore::new());
        let _ = agent.start("t", book(pages, 0)).await.unwrap();
        let records = agent.store().entries(&id("t"), 0.into(), 10_000).await.unwrap();
        sizes.push(
            records.iter().filter(|record| record.snapshot).map(|record| record.body.len()).max().unwrap(),
        );
    }
    assert!(sizes[2] < 5 * sizes[0], "{sizes:?}");
}

mod changed {
    //! Other graphs with the same name and node names.
    macro_rules! stamper {
        ($name:ident, $($graph:tt)*) => {
            pub mod $name {
                use super::super::*;

                graph! { pub Stamper<Book, World> { $($graph)* } }

                #[allow(dead_code)]
                #[node(Book, writes = log)]
                async fn look(numbers: &[u32]) -> Result<Vec<String>> {
                    Ok(vec![numbers.len().to_string()])
                }

                #[allow(dead_code)]
                #[node(Book, writes = (page, line, texts))]
                async fn fill() -> Result<(u32, Line, Vec<Line>)> {
                    Ok((0, Line { text: "x".into() }, Vec::new()))
                }
            }
        };
    }

    stamper!(no_for, start -> leaf -> fill -> stamp -> look -> end;);
    stamper!(in_a_fork, start -> leaf -> fill -> (stamp, look) -> end;);
    stamper!(another_list, start -> leaf -> fill -> look -> for line in texts { stamp } -> end;);
    stamper!(reads_the_list, start -> leaf -> for page in numbers { stamp -> look } -> end;);
    stamper!(more_at_once, start -> leaf -> for page in numbers, at_most = 1 { stamp -> open } -> end;);
}

#[tokio::test]
async fn a_for_changed_by_new_code_is_reported_before_it_runs() {
    let world = World::new();
    world.holds.store(true, Ordering::SeqCst);
    let store = MemoryStore::new();
    let agent = Stamper::new(world.clone(), store.clone());
    let running = tokio::spawn({
        let agent = agent.clone();
        async move { agent.start("t", book(3, 0)).await }
    });
    let _ = world.held.acquire_many(3).await.unwrap();
    running.abort();

    // All items are at the same node, so the incompatibility is reported once.
    let told = |error: hitl::Error, words: &str| {
        let hitl::Error::GraphChanged { differences, .. } = &error else { panic!("{error}") };
        assert!(differences.len() == 1 && error.to_string().contains(words), "{error}");
    };
    let new = world.clone();
    let no_for = changed::no_for::Stamper::new(new.clone(), store.clone());
    told(no_for.turn("t").await.unwrap_err(), "`stamp` is in no branch of a fork, but was in one");
    let in_a_fork = changed::in_a_fork::Stamper::new(new.clone(), store.clone());
    told(
        in_a_fork.turn("t").await.unwrap_err(),
        "`stamp` runs once in a branch, but ran for each `page` of `numbers` when the thread arrived at it",
    );
    let another = changed::another_list::Stamper::new(new.clone(), store.clone());
    told(
        another.turn("t").await.unwrap_err(),
        "`stamp` runs for each `line` of `texts`, but ran for each `page` of `numbers` when the thread arrived at it",
    );
    let reads = changed::reads_the_list::Stamper::new(new.clone(), store.clone());
    told(reads.turn("t").await.unwrap_err(), "`look` reads `numbers`");
    let fine = changed::more_at_once::Stamper::new(new, store);
    assert!(matches!(fine.turn("t").await.unwrap(), changed::more_at_once::StamperTurn::Running(_)));
}
