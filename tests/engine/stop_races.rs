//! Stops that come at a bad moment: beside another operator, a start, a running branch, a dead runner or new code.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use hitl::{
    Error, Front, ManualClock, Place, Scope, Store, ThreadEvent, ThreadId, Timestamp,
    journal::{JournalKey, JournalKeys, StopKind},
    prelude::*,
    store::{Append, BoxFuture, LayeredStore, Page, Record, StoreError, StoreLayer, ThreadStatus},
};
use tokio::sync::Semaphore;

use crate::{
    kit::{
        operators::{both, clerk, director},
        payment::{CaseInput, Draft, Payer},
        refund::{Refunds, done, mara, message, open, review},
        world::{Behavior, World},
    },
    stops::HeldAppends,
};

fn thread() -> Scope {
    Scope::thread("t").unwrap()
}

/// The call of a store at which something else happens.
#[derive(Clone, Copy, PartialEq)]
enum At {
    /// Before the first entry of a thread.
    FirstEntry,
    /// After an entry of the journal of stops.
    Stop,
    /// Before a list of threads.
    List,
}

type Hook = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// A store in which something else happens once, during a call.
struct Meanwhile(At, Mutex<Option<Hook>>);

impl Meanwhile {
    fn new<F>(at: At, hook: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(at, Mutex::new(Some(Box::new(move || Box::pin(hook())))))
    }

    async fn reach(&self, at: At) {
        let hook = if self.0 == at { self.1.lock().unwrap().take() } else { None };
        if let Some(hook) = hook {
            hook().await;
        }
    }
}

impl StoreLayer for Meanwhile {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let is_stop = append.thread.is_reserved();
            if append.records[0].place == Place::START && !is_stop {
                self.reach(At::FirstEntry).await;
            }
            store.append(append).await?;
            if is_stop {
                self.reach(At::Stop).await;
            }
            Ok(())
        })
    }

    fn threads<'a>(
        &'a self,
        store: &'a dyn Store,
        standing: Option<ThreadStatus>,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page<(ThreadId, ThreadStatus)>, StoreError>> {
        Box::pin(async move {
            self.reach(At::List).await;
            store.threads(standing, after, limit).await
        })
    }
}

/// Another operator pauses the graph between the entry of a cancellation and its threads.
#[tokio::test]
async fn a_pause_does_not_weaken_a_cancellation() {
    let (world, store) = (World::default(), MemoryStore::new());
    let runner = Refunds::new(world.clone(), store.clone());
    let digest = open(&runner, "t").await.digest();
    let other = Front::<Refunds>::new(store.clone());
    let pauses = other.clone();
    let meanwhile = Meanwhile::new(At::Stop, move || async move {
        pauses.pause(Scope::Graph, &mara(), "me too").await.unwrap();
    });
    let front = Front::<Refunds>::new(LayeredStore::new(store, meanwhile));
    assert_eq!(front.cancel(Scope::Graph, &mara(), "fraud").await.unwrap().cancelled, 1);
    assert_eq!(other.stops().await.unwrap()[0].kind, StopKind::Cancel);
    other.pause(Scope::Store, &mara(), "").await.unwrap();
    other.unpause(Scope::Graph, &mara(), "").await.unwrap();
    other.unpause(Scope::Store, &mara(), "").await.unwrap();
    let late = runner.decide("t", digest, &mara(), Verdict::Approve).await.unwrap_err();
    assert_eq!((late.code(), world.calls()), ("cancelled", 0));
}

/// A thread whose start was allowed before its graph was cancelled, and whose first entry came after it.
#[tokio::test]
async fn a_late_start_is_cancelled_with_its_graph() {
    let (world, store) = (World::default(), MemoryStore::new());
    let front = Front::<Refunds>::new(store.clone());
    let cancels = front.clone();
    let meanwhile = Meanwhile::new(At::FirstEntry, move || async move {
        assert_eq!(cancels.cancel(Scope::Graph, &mara(), "fraud").await.unwrap().cancelled, 0);
    });
    let runner = Refunds::new(world.clone(), LayeredStore::new(store, meanwhile));
    let turn = runner.start("t", message()).await.unwrap();
    assert!(turn.to_string().contains("was cancelled by mara: fraud"), "{turn}");
    assert!(front.inbox(None, 10).await.unwrap().items.is_empty());
    front.unpause(Scope::Graph, &mara(), "").await.unwrap();
    assert!(front.view("t").await.unwrap().failure.unwrap().stopped);
    assert_eq!(world.calls(), 0);
}

/// The process of a cancellation died before its threads. They are cancelled before the stop is lifted.
#[tokio::test]
async fn what_a_cancellation_left_is_cancelled_before_it_is_lifted() {
    let (world, store) = (World::default(), MemoryStore::new());
    let runner = Refunds::new(world.clone(), store.clone());
    let (first, second) = (open(&runner, "t").await, open(&runner, "u").await);
    let dies = Meanwhile::new(At::List, std::future::pending);
    let dying = Front::<Refunds>::new(LayeredStore::new(store.clone(), dies));
    let order = tokio::spawn(async move { dying.cancel(Scope::Graph, &mara(), "fraud").await });
    let front = Front::<Refunds>::new(store);
    while front.stops().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    order.abort();
    let told = first.approve(&mara()).await.unwrap_err();
    assert_eq!(told.code(), "cancelled");
    front.unpause(Scope::Graph, &mara(), "").await.unwrap();
    assert_eq!(second.approve(&mara()).await.unwrap_err().code(), "cancelled");
    for thread in ["t", "u"] {
        assert!(front.view(thread).await.unwrap().failure.unwrap().stopped);
    }
    assert_eq!(world.calls(), 0);
}

/// The stop is lifted, and a thread starts, while the cancellation still looks for its threads.
#[tokio::test]
async fn a_thread_that_starts_after_the_lift_is_not_cancelled() {
    let (world, store) = (World::default(), MemoryStore::new());
    let runner = Refunds::new(world, store.clone());
    let other = Front::<Refunds>::new(store.clone());
    let lifts = other.clone();
    let meanwhile = Meanwhile::new(At::List, move || async move {
        lifts.unpause(Scope::Graph, &mara(), "new keys").await.unwrap();
        let _ = review(runner.start("t", message()).await.unwrap());
    });
    let front = Front::<Refunds>::new(LayeredStore::new(store, meanwhile));
    let report = front.cancel(Scope::Graph, &mara(), "stolen keys").await.unwrap();
    assert!(report.was_lifted && report.cancelled == 0, "{report:?}");
    assert!(other.view("t").await.unwrap().stop.is_none());
}

/// A restored backup, or a deletion: the journal of stops ends before what this process has read of it.
#[tokio::test]
async fn a_journal_of_stops_that_got_shorter_stops_its_readers() {
    let (world, store) = (World::default(), MemoryStore::new());
    let runner = Refunds::new(world.clone(), store.clone());
    let front = runner.front();
    let digest = open(&runner, "t").await.digest();
    front.pause(Scope::Store, &mara(), "").await.unwrap();
    front.unpause(Scope::Store, &mara(), "").await.unwrap();
    store.delete(&ThreadId::existing("hitl:stops").unwrap()).await.unwrap();
    let other = Front::<Refunds>::new(store.clone());
    other.pause(Scope::Store, &mara(), "stolen keys").await.unwrap();
    let error = runner.decide("t", digest, &mara(), Verdict::Approve).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(matches!(front.pause(Scope::Store, &mara(), "").await, Err(Error::Damaged { .. })));
    assert_eq!(world.calls(), 0);
}

/// An operator of one graph in a store may pause the store, but neither lift the stop of others, nor cancel their threads.
#[tokio::test]
async fn a_stop_of_the_store_is_lifted_in_the_role_in_which_it_was_given() {
    let store = MemoryStore::new();
    let (refunds, payments) = (Front::<Refunds>::new(store.clone()), Front::<Payer>::new(store.clone()));
    refunds.pause(Scope::Store, &mara(), "fraud").await.unwrap();
    for error in [
        refunds.unpause(Scope::Store, &clerk(), "").await,
        payments.unpause(Scope::Store, &clerk(), "").await,
    ] {
        assert_eq!(error.unwrap_err().code(), "may_not_stop");
    }
    let error = payments.cancel(Scope::Store, &clerk(), "").await.unwrap_err();
    assert!(matches!(&error, Error::NotSetUp { problem } if problem.contains("stop_role")), "{error}");
    let operations = payments.stop_role("operations");
    assert_eq!(operations.cancel(Scope::Store, &clerk(), "").await.unwrap_err().code(), "may_not_stop");
    let olga = Operator::new("olga").role("operations");
    operations.unpause(Scope::Store, &olga, "").await.unwrap();
    operations.cancel(Scope::Store, &olga, "").await.unwrap();
    assert_eq!(refunds.unpause(Scope::Store, &mara(), "").await.unwrap_err().code(), "may_not_stop");
}

/// A stop in several roles is lifted in all of them, in any order.
#[tokio::test]
async fn a_stop_in_two_roles_is_lifted_in_both() {
    let store = MemoryStore::new();
    let payer = Payer::new(World::default(), store.clone());
    let _ = payer.start("t", CaseInput { cents: 5 }).await.unwrap();
    let front = Front::<Payer>::new(store);
    for (first, second) in [(clerk(), director()), (director(), clerk())] {
        for scope in [thread(), Scope::Graph] {
            front.pause(scope.clone(), &first, "first").await.unwrap();
            front.pause(scope.clone(), &second, "second").await.unwrap();
            for one in [&first, &second] {
                assert_eq!(front.unpause(scope.clone(), one, "").await.unwrap_err().code(), "may_not_stop");
            }
            front.unpause(scope, &both(), "").await.unwrap();
        }
    }
    front.pause(Scope::Graph, &clerk(), "").await.unwrap();
    assert_eq!(front.cancel(Scope::Graph, &director(), "stolen keys").await.unwrap().cancelled, 1);
    assert_eq!(front.unpause(Scope::Graph, &clerk(), "").await.unwrap_err().code(), "may_not_stop");
    front.unpause(Scope::Graph, &both(), "").await.unwrap();
    assert!(front.stops().await.unwrap().is_empty());
    front.audit("t", None).await.unwrap().sound().unwrap();
}

/// A director stops the graph once more while a clerk, who may lift the clerk's stop, lifts it.
#[tokio::test]
async fn a_lift_is_of_the_stop_that_was_checked() {
    let store = MemoryStore::new();
    let payer = Payer::new(World::default(), store.clone());
    let front = Front::<Payer>::new(store.clone());
    front.cancel(Scope::Graph, &clerk(), "a mistake").await.unwrap();
    let director_front = front.clone();
    let meanwhile = Meanwhile::new(At::List, move || async move {
        director_front.cancel(Scope::Graph, &director(), "stolen keys").await.unwrap();
    });
    let lifting = Front::<Payer>::new(LayeredStore::new(store, meanwhile));
    assert_eq!(lifting.unpause(Scope::Graph, &clerk(), "").await.unwrap_err().code(), "may_not_stop");
    assert_eq!(payer.start("t", CaseInput { cents: 5 }).await.unwrap_err().code(), "stopped");
}

/// A store whose journal of stops cannot be read once an effect has begun, until it is repaired.
#[derive(Clone, Default)]
struct Unreadable(Arc<AtomicBool>, Arc<AtomicBool>);

impl StoreLayer for Unreadable {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        let Self(begun, is_repaired) = self;
        let begins =
            append.records.iter().any(|record| record.body.windows(7).any(|word| word == b"\"began\""));
        begun.store(begins && !is_repaired.load(SeqCst) || begun.load(SeqCst), SeqCst);
        store.append(append)
    }

    fn entries<'a>(
        &'a self,
        store: &'a dyn Store,
        thread: &'a ThreadId,
        from: Place,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, StoreError>> {
        let is_broken = thread.is_reserved() && self.0.load(SeqCst) && !self.1.load(SeqCst);
        let problem = "the disk is gone".to_owned();
        match is_broken {
            true => Box::pin(async {
                Err(StoreError::Failed { location: "a disk".to_owned(), problem, source: None })
            }),
            false => store.entries(thread, from, limit),
        }
    }
}

/// An effect is not called if whether it is stopped cannot be read. Nothing has failed, and it is called later.
#[tokio::test(start_paused = true)]
async fn an_effect_waits_until_the_stops_can_be_read() {
    let (world, layer) = (World::default(), Unreadable::default());
    let runner = Refunds::new(world.clone(), LayeredStore::new(MemoryStore::new(), layer.clone()));
    let error = open(&runner, "t").await.approve(&mara()).await.unwrap_err();
    assert!(error.to_string().contains("the disk is gone"), "{error}");
    assert_eq!(world.calls(), 0);
    let Unreadable(_, is_repaired) = layer;
    is_repaired.store(true, SeqCst);
    let view = runner.view("t").await.unwrap();
    assert!(view.standing == ThreadStatus::Running && view.failure.is_none(), "{view:?}");
    assert_eq!(done(runner.continue_thread("t").await.unwrap()), "did A-9133 149 by mara");
    assert_eq!(world.calls(), 1);
    runner.audit("t", None).await.unwrap().sound().unwrap();
}

/// More stops than a page has entries, all of them without keys, are adopted at once.
#[tokio::test]
async fn hundreds_of_stops_are_adopted() {
    let store = MemoryStore::new();
    let before = Front::<Refunds>::new(store.clone());
    for _ in 0..300 {
        before.pause(Scope::Graph, &mara(), "").await.unwrap();
    }
    before.unpause(Scope::Graph, &mara(), "").await.unwrap();
    let keys = JournalKeys::new(JournalKey::new([7; 32]).unwrap());
    let runner = Refunds::new(World::default(), store).journal_keys(keys);
    let stops = ThreadId::existing("hitl:stops").unwrap();
    runner.front().adopt(&stops, &mara(), None).await.unwrap();
    let _ = open(&runner, "t").await;
}

mod versions {
    use super::*;

    #[state]
    pub struct Transfer {
        #[input]
        pub memo: String,
        pub draft: Draft,
        #[output]
        #[reduce(append)]
        pub receipts: Vec<String>,
    }

    #[node(Transfer, writes = draft)]
    pub async fn propose() -> Result<Draft> {
        Ok(Draft { cents: 5 })
    }

    #[node(Transfer, writes = receipts)]
    pub async fn refuse(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![rejection.note.clone()])
    }

    macro_rules! version {
        ($module:ident, $rule:meta) => {
            pub mod $module {
                use super::{Draft, Transfer, World, propose, refuse};
                use hitl::prelude::*;

                #[$rule]
                #[node(Transfer, writes = receipts, effect)]
                async fn hold(
                    draft: &Approved<Draft>,
                    memo: &str,
                    world: Deps<World>,
                    cx: &Cx,
                ) -> Result<Vec<String>> {
                    Ok(vec![world.call(&format!("{}: {memo}", draft.cents), cx.idempotency_key()).await?])
                }

                graph! {
                    pub Transfers<Transfer, World> {
                        start -> propose -> hold -> end;
                        hold { reject -> refuse }
                        refuse -> end;
                    }
                }
            }
        };
    }
    version!(before, interrupt_before(unsigned(memo)));
    version!(after, interrupt_before(show = memo));
}

/// The review of a paused thread is opened again by new code that shows more in it.
#[tokio::test]
async fn a_paused_thread_is_decided_under_new_code() {
    use versions::{TransferInput, after, before};
    let (world, store) = (World::default(), MemoryStore::new());
    let old = before::Transfers::new(world.clone(), store.clone());
    let _ = old.start("t", TransferInput { memo: "lunch".into() }).await.unwrap();
    let mara = Operator::new("mara");
    old.front().pause(thread(), &mara, "").await.unwrap();
    let new = after::Transfers::new(world.clone(), store);
    let after::TransfersTurn::Hold(review) = new.turn("t").await.unwrap() else { panic!("no review") };
    let _ = review.approve(&mara).await.unwrap();
    assert_eq!(world.calls(), 0);
    new.audit("t", None).await.unwrap().sound().unwrap();
    new.front().unpause(thread(), &mara, "").await.unwrap();
    new.sweep().await.unwrap();
    assert_eq!(world.calls(), 1);
    new.audit("t", None).await.unwrap().sound().unwrap();
}

/// The nodes `a1` and `b1`, each with a gate that it waits for.
#[derive(Clone)]
pub struct Gates {
    a: Arc<Semaphore>,
    b: Arc<Semaphore>,
    reached: Arc<Semaphore>,
}

impl Gates {
    fn closed() -> Self {
        let closed = || Arc::new(Semaphore::new(0));
        Self { a: closed(), b: closed(), reached: closed() }
    }

    async fn pass(&self, gate: &Semaphore) {
        self.reached.add_permits(1);
        gate.acquire().await.unwrap().forget();
    }

    /// Waits until both nodes run.
    async fn both_reached(&self) {
        self.reached.acquire_many(2).await.unwrap().forget();
    }
}

#[state]
pub struct Job {
    #[input]
    pub name: String,
    pub list: Vec<u32>,
    pub n: u32,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

#[node(Job, writes = list)]
async fn first(name: &str) -> Result<Vec<u32>> {
    Ok(vec![u32::try_from(name.len()).unwrap()])
}

#[node(Job, writes = log)]
async fn a1(n: u32, gates: Deps<Gates>) -> Result<Vec<String>> {
    gates.pass(&gates.a).await;
    Ok(vec![format!("a1 {n}")])
}

#[node(Job, writes = log)]
async fn a2() -> Result<Vec<String>> {
    Ok(vec!["a2".into()])
}

#[node(Job, writes = log)]
async fn b1(gates: Deps<Gates>) -> Result<Vec<String>> {
    gates.pass(&gates.b).await;
    Ok(vec!["b1".into()])
}

#[node(Job, writes = log)]
async fn last() -> Result<Vec<String>> {
    Ok(vec!["last".into()])
}

graph! {
    pub Nester<Job, Gates> {
        start -> (first -> for n in list { a1 -> a2 } -> last, b1) -> end;
    }
}

fn job() -> JobInput {
    JobInput { name: "x".into() }
}

/// The graph is paused when the node of one branch ends, and released when that of another one does.
#[tokio::test]
async fn a_branch_that_stood_during_a_pause_goes_on() {
    let gates = Gates::closed();
    let runner = Nester::new(gates.clone(), MemoryStore::new());
    let (front, mut events) = (runner.front(), runner.listen("t").unwrap());
    let run = tokio::spawn(async move { runner.start("t", job()).await });
    gates.both_reached().await;
    let mara = Operator::new("mara");
    front.pause(Scope::Graph, &mara, "").await.unwrap();
    gates.a.add_permits(1);
    while !matches!(events.next().await, ThreadEvent::Entry(entry) if entry.event.node() == Some("a1")) {}
    front.unpause(Scope::Graph, &mara, "").await.unwrap();
    gates.b.add_permits(1);
    let turn = run.await.unwrap().unwrap();
    assert!(matches!(turn, NesterTurn::Done(_)), "{turn}");
}

/// A pause that is lifted while nodes run: their results are kept, and their runner goes on.
#[tokio::test]
async fn a_short_pause_takes_no_thread_from_its_runner() {
    let (gates, store) = (Gates::closed(), MemoryStore::new());
    let runner = Nester::new(gates.clone(), store.clone());
    let front = Front::<Nester>::new(store);
    let run = tokio::spawn(async move { runner.start("t", job()).await });
    gates.both_reached().await;
    let mara = Operator::new("mara");
    front.pause(thread(), &mara, "").await.unwrap();
    front.unpause(thread(), &mara, "").await.unwrap();
    gates.a.add_permits(1);
    gates.b.add_permits(1);
    let turn = run.await.unwrap().unwrap();
    assert!(matches!(turn, NesterTurn::Done(_)), "{turn}");
    front.audit("t", None).await.unwrap().sound().unwrap();
}

mod retried {
    use super::*;

    #[state]
    pub struct Wish {
        #[input]
        pub wish: String,
        #[output]
        pub receipt: String,
    }

    #[node(Wish, writes = receipt, effect, idempotent, risk = low, retries = 1, backoff = "1ms")]
    async fn put(wish: &str, world: Deps<World>, cx: &Cx) -> Result<String> {
        world.call(wish, cx.idempotency_key()).await
    }

    graph! { pub Putter<Wish, World> { start -> put -> end; } }
}

/// An effect that was withheld has as many retries as before.
#[tokio::test]
async fn a_pause_uses_up_no_retry() {
    let world = World::new([Behavior::Fails]);
    let held = HeldAppends::default();
    let store = MemoryStore::new();
    let runner = retried::Putter::new(world.clone(), LayeredStore::new(store.clone(), held.clone()));
    let (front, mara) = (Front::<retried::Putter>::new(store), Operator::new("mara"));
    let starts = runner.clone();
    let run =
        tokio::spawn(
            async move { starts.start("t", retried::WishInput { wish: "w".into() }).await.map(drop) },
        );
    held.began.notified().await;
    front.pause(thread(), &mara, "").await.unwrap();
    held.go.add_permits(1);
    run.await.unwrap().unwrap();
    assert_eq!(world.calls(), 0);
    front.unpause(thread(), &mara, "").await.unwrap();
    held.go.add_permits(100);
    drop(runner.resume("t").await.unwrap());
    let view = front.view("t").await.unwrap();
    assert_eq!((view.standing, world.calls()), (ThreadStatus::Ended, 2), "{view:?}");
    assert_eq!(world.keys().len(), 1);
    front.audit("t", None).await.unwrap().sound().unwrap();
}

/// An effect whose runner died may have happened, also if it may be repeated: a cancellation asks, after a pause too.
#[tokio::test]
async fn a_pause_hides_no_doubt_from_a_cancellation() {
    for pauses in [false, true] {
        let world = World::new([Behavior::Hangs]);
        let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
        let runner = retried::Putter::new(world.clone(), store.clone()).clock(clock.clone());
        let front = Front::<retried::Putter>::new(store.clone()).clock(clock.clone());
        let mara = Operator::new("mara");
        drop(tokio::spawn(async move { runner.start("t", retried::WishInput { wish: "w".into() }).await }));
        world.reached.notified().await;
        clock.advance(Duration::from_secs(60));
        let successor = retried::Putter::new(world.clone(), store).clock(clock);
        if pauses {
            front.pause(thread(), &mara, "").await.unwrap();
            let before = front.history("t", 0, 100).await.unwrap().len();
            for _ in 0..3 {
                successor.sweep().await.unwrap();
            }
            assert_eq!(
                front.history("t", 0, 100).await.unwrap().len(),
                before,
                "sweeps of a paused thread write"
            );
        }
        front.cancel(thread(), &mara, "").await.unwrap();
        successor.sweep().await.unwrap();
        assert_eq!(front.view("t").await.unwrap().standing, ThreadStatus::InDoubt, "{pauses}");
        assert_eq!(world.calls(), 1);
    }
}

#[tokio::test]
async fn listeners_hear_of_a_stop() {
    let runner = Refunds::new(World::default(), MemoryStore::new());
    let _ = open(&runner, "t").await;
    let mut events = runner.listen("t").unwrap();
    runner.front().cancel(thread(), &mara(), "fraud").await.unwrap();
    assert!(matches!(events.next().await, ThreadEvent::Entry(entry) if entry.event.name() == "stopped"));
}

#[tokio::test]
async fn a_reason_is_of_a_limited_size() {
    let runner = Refunds::new(World::default(), MemoryStore::new());
    let _ = open(&runner, "t").await;
    for scope in [thread(), Scope::Graph] {
        let long = "\u{1b}\u{202e}".repeat(1025);
        let error = runner.front().pause(scope.clone(), &mara(), long).await.unwrap_err();
        assert_eq!(error.code(), "invalid_input");
        runner.front().pause(scope, &mara(), "\u{1b}[2J".repeat(1024)).await.unwrap();
    }
    let shown = runner.view("t").await.unwrap().stop.unwrap().to_string();
    assert!(shown.starts_with("the thread was paused by mara: \\u{1b}[2J"), "{shown}");
    runner.audit("t", None).await.unwrap().sound().unwrap();
}
