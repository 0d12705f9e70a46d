//! Panics in user code outside nodes: reducers, serializers, deserializers, validators, guards, error messages,
//! closures of edits, destructors. Only the thread concerned fails; other threads keep running.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hitl::{Agent, ManualClock, MemoryStore, SweepEvent, ThreadStatus, Timestamp, prelude::*};
use tokio::sync::Semaphore;

/// The code that panics, by place and thread tag, with the number of calls that succeed before. Tests run concurrently,
/// so each uses its own tags.
static ARMED: Mutex<BTreeMap<(PanicSite, String), u32>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PanicSite {
    Reducer,
    NotANumber,
    Serializer,
    Deserializer,
    DraftSerializer,
    DraftDeserializer,
    Validator,
    Guard,
    Schema,
    Destructor,
    ErrorText,
    Clone,
    Hangs,
}

fn armed() -> std::sync::MutexGuard<'static, BTreeMap<(PanicSite, String), u32>> {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_armed(place: PanicSite, tag: &str) -> bool {
    armed().contains_key(&(place, tag.to_owned()))
}

fn arm(place: PanicSite, tag: &str) {
    arm_after(0, place, tag);
}

/// Lets the first `calls` calls succeed and makes each later one panic.
fn arm_after(calls: u32, place: PanicSite, tag: &str) {
    armed().insert((place, tag.to_owned()), calls);
}

/// Stops the panics, and returns how many more calls would have succeeded.
fn disarm(place: PanicSite, tag: &str) -> Option<u32> {
    armed().remove(&(place, tag.to_owned()))
}

fn panic_if_armed(place: PanicSite, tag: &str) {
    let left =
        armed().get_mut(&(place, tag.to_owned())).map(|left| left.checked_sub(1).map(|fewer| *left = fewer));
    assert!(left != Some(None), "boom");
}

/// A sum whose trait implementations panic on demand, tagged with its thread.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    tag: String,
    value: f64,
}

impl Serialize for Sum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        panic_if_armed(PanicSite::Serializer, &self.tag);
        (&self.tag, self.value).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let (tag, value) = <(String, f64)>::deserialize(deserializer)?;
        panic_if_armed(PanicSite::Deserializer, &tag);
        Ok(Self { tag, value })
    }
}

impl Drop for Sum {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_if_armed(PanicSite::Destructor, &self.tag);
        }
    }
}

fn add(old: Sum, new: Sum) -> Sum {
    panic_if_armed(PanicSite::Reducer, &new.tag);
    let value = if is_armed(PanicSite::NotANumber, &new.tag) { f64::NAN } else { old.value + new.value };
    Sum { tag: new.tag.clone(), value }
}

/// The draft that is signed.
#[draft]
#[derive(Clone, Debug, PartialEq)]
pub struct Letter(#[draft(foreign)] Words);

/// Stand-in for a type of another crate.
#[derive(Debug, PartialEq)]
pub struct Words {
    tag: String,
    text: String,
}

impl Clone for Words {
    fn clone(&self) -> Self {
        panic_if_armed(PanicSite::Clone, &self.tag);
        Self { tag: self.tag.clone(), text: self.text.clone() }
    }
}

impl Serialize for Words {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        panic_if_armed(PanicSite::DraftSerializer, &self.tag);
        (&self.tag, &self.text).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let (tag, text): (String, String) = Deserialize::deserialize(deserializer)?;
        panic_if_armed(PanicSite::DraftDeserializer, &tag);
        Ok(Self { tag, text })
    }
}

impl Validate for Letter {
    type Context = ();

    fn validate_into(&self, (): &(), _: &mut dyn FnMut() -> garde::Path, _: &mut garde::Report) {
        panic_if_armed(PanicSite::Validator, &self.0.tag);
    }
}

impl JsonSchema for Words {
    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        panic_if_armed(PanicSite::Schema, "everywhere");
        <(String, String)>::json_schema(generator)
    }
}

#[state]
pub struct Ledger {
    #[input]
    pub tag: String,
    #[reduce(add)]
    pub sum: Sum,
    pub letter: Letter,
    #[output]
    pub outcome: String,
}

#[derive(Debug)]
struct PanickingError(String);

impl std::fmt::Display for PanickingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic_if_armed(PanicSite::ErrorText, &self.0);
        f.write_str("no words")
    }
}

impl std::error::Error for PanickingError {}

#[node(Ledger, writes = sum)]
async fn count(tag: &str) -> Result<Sum> {
    Ok(Sum { tag: tag.to_owned(), value: 1.0 })
}

#[node(Ledger, writes = sum)]
async fn count_again(tag: &str) -> Result<Sum> {
    if is_armed(PanicSite::ErrorText, tag) {
        return Err(PanickingError(tag.to_owned()).into());
    }
    Ok(Sum { tag: tag.to_owned(), value: 1.0 })
}

#[node(Ledger, writes = letter)]
async fn write(tag: &str) -> Result<Letter> {
    Ok(Letter(Words { tag: tag.to_owned(), text: "Dear Ada".into() }))
}

fn is_large(sum: &Sum) -> bool {
    panic_if_armed(PanicSite::Guard, &sum.tag);
    sum.value > 100.0
}

#[interrupt_before(role = "clerk", expires = "24h")]
#[node(Ledger, writes = outcome, effect)]
async fn send(letter: &Approved<Letter>) -> Result<String> {
    Ok(letter.0.text.clone())
}

#[node(Ledger, writes = outcome)]
async fn discard(_rejection: Option<&Rejection>) -> Result<String> {
    Ok("discarded".into())
}

graph! {
    pub Hostile<Ledger> {
        start -> count -> count_again -> match sum {
            sum if is_large(sum) => discard,
            _ => write,
        };
        write -> send -> end;
        send { reject -> discard }
        discard -> end;
    }
}

fn mara() -> Operator {
    Operator::new("mara").role("clerk")
}

fn input(tag: &str) -> LedgerInput {
    LedgerInput { tag: tag.to_owned() }
}

/// Starts a thread and asserts that it waits for a signature.
async fn waits(agent: &Agent<Hostile>, tag: &str) {
    let turn = agent.start(tag, input(tag)).await.unwrap();
    assert!(matches!(turn, HostileTurn::Send(_)), "{turn}");
}

/// Asserts that another thread on the same store can be started, viewed and approved.
async fn assert_neighbor_works(agent: &Agent<Hostile>, tag: &str) {
    let tag: &str = &format!("{tag}-neighbor");
    let HostileTurn::Send(review) = agent.start(tag, input(tag)).await.unwrap() else { panic!() };
    assert_eq!(agent.view(tag).await.unwrap().reviews.len(), 1);
    let turn = review.approve(&mara()).await.unwrap();
    assert!(matches!(turn, HostileTurn::Done(_)), "{turn}");
}

#[tokio::test]
async fn a_panic_on_a_write_fails_the_node() {
    for (place, node, words) in [
        (PanicSite::Reducer, "count_again", "the reducer of `sum` panicked: boom"),
        (PanicSite::NotANumber, "count_again", "the reducer of `sum` failed: it produced a value"),
        (PanicSite::Serializer, "count", "boom"),
        (PanicSite::Deserializer, "count", "the deserializer of `sum` panicked: boom"),
        (PanicSite::DraftDeserializer, "write", "the deserializer of `letter` panicked: boom"),
        (PanicSite::Validator, "write", "the validator of the draft panicked: boom"),
        (PanicSite::Guard, "count_again", "the match on `sum` after `count_again` panicked: boom"),
        (PanicSite::ErrorText, "count_again", "`Display` of the node's error panicked: boom"),
    ] {
        let tag: &str = &format!("write-{place:?}");
        let agent = Hostile::new(MemoryStore::new());
        arm(place, tag);
        let turn = agent.start(tag, input(tag)).await.unwrap();
        let HostileTurn::Failed(failed) = turn else { panic!("{place:?}: {turn}") };
        assert!(failed.node() == node && failed.error().contains(words), "{place:?}: {failed}");
        assert_neighbor_works(&agent, tag).await;
        // With the code fixed the thread continues, and no entry holds the value that made it panic.
        disarm(place, tag);
        let turn = agent.resume(tag).await.unwrap();
        assert!(matches!(turn, HostileTurn::Send(_)), "{place:?}: {turn}");
        let id = hitl::ThreadId::new(tag).unwrap();
        assert_eq!(agent.snapshot(&id).await.unwrap().fields.sum.as_ref().unwrap().value, 2.0, "{place:?}");
    }
}

#[tokio::test]
async fn a_panic_on_a_read_is_an_error_of_that_call() {
    for (place, words) in [
        (PanicSite::Serializer, "the serializer of `sum` panicked: boom"),
        (PanicSite::Deserializer, "the deserializer of `sum` panicked: boom"),
        (PanicSite::DraftSerializer, "the serializer of `letter` panicked: boom"),
        (PanicSite::DraftDeserializer, "the deserializer of `letter` panicked: boom"),
        (PanicSite::Validator, "the validator of the draft panicked: boom"),
        (PanicSite::Reducer, "the reducer of `sum` panicked: boom"),
    ] {
        let tag: &str = &format!("read-{place:?}");
        let agent = Hostile::new(MemoryStore::new());
        waits(&agent, tag).await;
        let digest = agent.view(tag).await.unwrap().reviews[0].digest;
        arm(place, tag);
        // The inbox does not read the threads' journals.
        assert_eq!(agent.inbox(None, 10).await.unwrap().items.len(), 1);
        let said = |error: hitl::Error| {
            assert!(["user_code_failed", "invalid"].contains(&error.code()), "{place:?}: {error:?}");
            error.to_string()
        };
        // `view` returns what it can with the reason, or fails with the reason.
        match agent.view(tag).await {
            Ok(view) => assert!(view.differences.iter().any(|d| d.to_string().contains(words)), "{view:?}"),
            Err(error) => assert!(said(error).contains(words), "{place:?}"),
        }
        if place != PanicSite::Serializer {
            let decided = agent.decide(tag, digest, &mara(), Verdict::Approve).await;
            assert!(said(decided.unwrap_err()).contains(words), "{place:?}");
            assert!(said(agent.turn(tag).await.unwrap_err()).contains(words), "{place:?}");
            assert!(agent.check(tag).await.is_err() || !agent.check(tag).await.unwrap().can_go_on());
        }
        assert_neighbor_works(&agent, tag).await;
        disarm(place, tag);
        let turn = agent.decide(tag, digest, &mara(), Verdict::Approve).await.unwrap();
        assert!(matches!(turn, HostileTurn::Done(_)), "{place:?}: {turn}");
    }
}

#[tokio::test]
async fn a_panicking_edit_closure_changes_nothing() {
    let agent = Hostile::new(MemoryStore::new());
    waits(&agent, "edit").await;
    let HostileTurn::Send(review) = agent.turn("edit").await.unwrap() else { panic!() };
    let error = review.edit(&mara(), |_| panic!("boom")).await.unwrap_err();
    assert_eq!(error.code(), "user_code_failed");
    assert!(error.to_string().contains("the edit of `letter` panicked: boom"), "{error}");
    let HostileTurn::Send(review) = agent.turn("edit").await.unwrap() else { panic!() };
    let turn = review.edit(&mara(), |letter| letter.0.text = "Dear Noor".into()).await.unwrap();
    assert!(matches!(turn, HostileTurn::Done(text) if text == "Dear Noor"));
}

#[tokio::test]
async fn a_panicking_destructor_is_contained() {
    let agent = Hostile::new(MemoryStore::new());
    waits(&agent, "drop").await;
    arm(PanicSite::Destructor, "drop");
    for _ in 0..3 {
        let seen = agent.view("drop").await.map(drop).map_err(|error| error.code());
        assert!(matches!(seen, Ok(()) | Err("user_code_failed")), "{seen:?}");
    }
    assert_neighbor_works(&agent, "drop").await;
    disarm(PanicSite::Destructor, "drop");
    let HostileTurn::Send(review) = agent.turn("drop").await.unwrap() else { panic!() };
    assert!(matches!(review.approve(&mara()).await.unwrap(), HostileTurn::Done(_)));
}

/// Repeats the calls, with one more destructor that succeeds each time, until none of them panics.
#[tokio::test]
async fn no_panicking_destructor_reaches_the_caller() {
    let agent = Hostile::new(MemoryStore::new());
    waits(&agent, "waits").await;
    waits(&agent, "done").await;
    let HostileTurn::Send(review) = agent.turn("done").await.unwrap() else { panic!() };
    assert!(matches!(review.approve(&mara()).await.unwrap(), HostileTurn::Done(_)));
    for tag in ["waits", "done"] {
        let mut calls = 0;
        loop {
            arm_after(calls, PanicSite::Destructor, tag);
            for end in [
                agent.turn(tag).await,
                agent.resume(tag).await,
                agent.resume_as(&mara(), tag).await,
                agent.start_as(&mara(), tag, input(tag)).await,
            ] {
                match end.map_err(|error| error.code()) {
                    // The caller owns the values of a turn; dropping them here would panic.
                    Ok(turn) => std::mem::forget(turn),
                    Err(code) => assert!(["user_code_failed", "thread_exists"].contains(&code), "{code}"),
                }
            }
            // The calls ran fewer destructors than were allowed to succeed, so all have been tried.
            if disarm(PanicSite::Destructor, tag).is_some_and(|left| left > 0) {
                break;
            }
            calls += 1;
        }
        assert!(calls > 3, "{tag}: {calls}");
    }
}

/// A gate that never opens: a run that waits for it stands for a runner that has died.
static GATE: Semaphore = Semaphore::const_new(0);

#[node(Ledger, writes = sum)]
async fn count_slowly(tag: &str) -> Result<Sum> {
    if is_armed(PanicSite::Hangs, tag) {
        drop(GATE.acquire().await?);
    }
    Ok(Sum { tag: tag.to_owned(), value: 1.0 })
}

#[node(Ledger, writes = outcome)]
async fn finish(sum: &Sum) -> Result<String> {
    Ok(sum.value.to_string())
}

graph! {
    pub Abandoned<Ledger> { start -> count -> count_slowly -> finish -> end; }
}

#[tokio::test]
async fn a_sweep_fails_the_unreadable_thread_only() {
    for place in [PanicSite::Deserializer, PanicSite::Reducer] {
        let tag: &str = &format!("sweep-{place:?}");
        let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
        let dead = Abandoned::new(store.clone()).clock(clock.clone());
        let neighbor = format!("{tag}-neighbor");
        for tag in [tag, &neighbor] {
            arm(PanicSite::Hangs, tag);
            let dead = dead.clone();
            let tag = tag.to_owned();
            tokio::spawn(async move { dead.start(tag.as_str(), input(&tag)).await });
        }
        while dead.store().threads(Some(ThreadStatus::Running), None, 10).await.unwrap().items.len() < 2 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(31));
        for tag in [tag, &neighbor] {
            disarm(PanicSite::Hangs, tag);
        }
        arm(place, tag);
        let agent = Abandoned::new(store).clock(clock);
        let mut swept = agent.sweep().await.unwrap();
        swept.sort_by_key(|noticed| {
            matches!(noticed, SweepEvent::Moved { standing: ThreadStatus::Failed, .. })
        });
        assert!(
            matches!(
                swept.as_slice(),
                [
                    SweepEvent::Moved { standing: ThreadStatus::Ended, .. },
                    SweepEvent::Moved { standing: ThreadStatus::Failed, thread, .. }
                ] if thread.as_str() == tag
            ),
            "{place:?}: {swept:?}"
        );
        assert!(agent.sweep().await.unwrap().is_empty(), "a failed thread was retried");
        disarm(place, tag);
        assert!(agent.view(tag).await.unwrap().failure.unwrap().error.contains("panicked: boom"));
        let turn = agent.resume(tag).await.unwrap();
        assert!(matches!(&turn, AbandonedTurn::Done(sum) if sum == "2"), "{turn}");
    }
}

/// The entry that replaces a node's write when user code fails on its values has a MAC and is linked to the entries
/// before it, like any other entry.
#[tokio::test]
async fn an_entry_that_replaces_a_panicked_write_is_authenticated() {
    use hitl::journal::{JournalKey, JournalKeys};

    let keys = || JournalKeys::new(JournalKey::new([7; 32]).unwrap());
    // The running process rolls back the write.
    for place in [PanicSite::Reducer, PanicSite::NotANumber, PanicSite::Guard] {
        let tag: &str = &format!("keyed-{place:?}");
        let agent = Hostile::new(MemoryStore::new()).journal_keys(keys());
        arm(place, tag);
        let turn = agent.start(tag, input(tag)).await.unwrap();
        assert!(matches!(turn, HostileTurn::Failed(_)), "{place:?}: {turn}");
        disarm(place, tag);
        let id = hitl::ThreadId::new(tag).unwrap();
        agent.verify(&id).await.unwrap();
        let HostileTurn::Send(review) = agent.resume(tag).await.unwrap() else { panic!("{place:?}") };
        let turn = review.approve(&mara()).await.unwrap();
        assert!(matches!(turn, HostileTurn::Done(_)), "{place:?}: {turn}");
        agent.verify(&id).await.unwrap();
    }
    // A sweep that cannot read the thread fails it.
    let (tag, store, clock) =
        ("keyed-sweep", MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let dead = Abandoned::new(store.clone()).clock(clock.clone()).journal_keys(keys());
    arm(PanicSite::Hangs, tag);
    tokio::spawn(async move { dead.start(tag, input(tag)).await });
    let agent = Abandoned::new(store.clone()).clock(clock.clone()).journal_keys(keys());
    while agent.store().threads(Some(ThreadStatus::Running), None, 10).await.unwrap().items.is_empty() {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(31));
    disarm(PanicSite::Hangs, tag);
    arm(PanicSite::Reducer, tag);
    let swept = agent.sweep().await.unwrap();
    assert!(matches!(&swept[..], [SweepEvent::Moved { standing: ThreadStatus::Failed, .. }]), "{swept:?}");
    disarm(PanicSite::Reducer, tag);
    let id = hitl::ThreadId::new(tag).unwrap();
    agent.verify(&id).await.unwrap();
    let turn = agent.resume(tag).await.unwrap();
    assert!(matches!(&turn, AbandonedTurn::Done(sum) if sum == "2"), "{turn}");
    agent.verify(&id).await.unwrap();
}

#[cfg(feature = "cli")]
mod command_line {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use hitl::cli::{Cli, Exit, Io};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Runs a command, and returns its exit code and its whole output.
    async fn run<G: hitl::Graph>(agent: &Agent<G>, command: &str) -> (Exit, String) {
        let captured = Captured::default();
        let mut io = Io::process();
        io.stdin = Box::new(io::empty());
        io.stdout = Box::new(captured.clone());
        io.stderr = Box::new(captured.clone());
        io.stdin_is_terminal = false;
        io.stdout_is_terminal = false;
        io.width = None;
        io.colors = (false, false);
        let args = std::iter::once("agent").chain(command.split_whitespace()).map(Into::into);
        let exit = Cli::new(agent.clone()).run_on(args, false, io).await;
        let said = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        // The output is wrapped to the terminal's width; join its lines.
        (exit, said.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    async fn a_command_reports_the_panic_with_an_exit_code() {
        for (place, words) in [
            (PanicSite::Reducer, "the reducer of `sum` panicked: boom"),
            (PanicSite::NotANumber, "the reducer of `sum` failed"),
            (PanicSite::Deserializer, "the deserializer of `sum` panicked: boom"),
            (PanicSite::Validator, "the validator of the draft panicked: boom"),
            (PanicSite::Guard, "the match on `sum` after `count_again` panicked: boom"),
        ] {
            let tag: &str = &format!("shell-{place:?}");
            let agent = Hostile::new(MemoryStore::new());
            waits(&agent, &format!("{tag}-before")).await;
            arm(place, tag);
            let (exit, said) = run(&agent, &format!("start --thread {tag} {tag}")).await;
            assert!(exit == Exit::Failed && said.contains(words), "{place:?}: {exit:?} {said}");
            let (exit, said) = run(&agent, &format!("show {tag}-before")).await;
            assert_eq!(exit, Exit::Done, "{said}");
            disarm(place, tag);
            let (exit, said) = run(&agent, &format!("resume {tag}")).await;
            assert_eq!(exit, Exit::Waiting, "{place:?}: {said}");
        }
    }

    #[tokio::test]
    async fn viewing_a_broken_thread_reports_the_panic() {
        for (place, words) in [
            (PanicSite::Serializer, "the serializer of `sum` panicked: boom"),
            (PanicSite::DraftDeserializer, "the deserializer of `letter` panicked: boom"),
            (PanicSite::DraftSerializer, "the serializer of `letter` panicked: boom"),
        ] {
            let tag: &str = &format!("look-{place:?}");
            let agent = Hostile::new(MemoryStore::new());
            for tag in [tag, &format!("{tag}-neighbor")] {
                waits(&agent, tag).await;
            }
            arm(place, tag);
            let (exit, said) = run(&agent, &format!("show {tag}")).await;
            assert!([Exit::Failed, Exit::Done].contains(&exit) && said.contains(words), "{exit:?} {said}");
            let (exit, said) = run(&agent, "inbox").await;
            assert!(exit == Exit::Done && said.contains("2"), "{said}");
            let approve = format!("approve {tag}-neighbor --operator mara --role clerk --yes");
            let (exit, said) = run(&agent, &approve).await;
            assert_eq!(exit, Exit::Done, "{said}");
            disarm(place, tag);
        }
    }

    #[tokio::test]
    async fn a_sweep_with_failed_threads_has_its_own_exit_code() {
        let tag = "cli-sweep";
        let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
        let agent = Hostile::new(store).clock(clock.clone());
        for tag in [tag, "cli-sweep-neighbor"] {
            waits(&agent, tag).await;
        }
        assert_eq!(run(&agent, "sweep").await.0, Exit::Done);
        clock.advance(Duration::from_secs(24 * 60 * 60));
        arm(PanicSite::Deserializer, tag);
        let (exit, said) = run(&agent, "sweep").await;
        assert!(exit == Exit::Failed && said.contains("the deserializer of `sum` panicked: boom"), "{said}");
        assert!(matches!(agent.turn("cli-sweep-neighbor").await.unwrap(), HostileTurn::Done(_)));
        disarm(PanicSite::Deserializer, tag);
        assert_eq!(run(&agent, "sweep").await.0, Exit::Done);
        assert!(matches!(agent.turn(tag).await.unwrap(), HostileTurn::Done(_)));
    }
}

#[cfg(feature = "agentcore")]
mod over_http {
    use hitl::agentcore::{AgentCore, OperatorAuth};
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broken_thread_does_not_stop_the_server() {
        let agent = Hostile::new(MemoryStore::new());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/invocations", listener.local_addr().unwrap());
        let served = AgentCore::new(agent.clone()).operators(OperatorAuth::claimed());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(served.serve_until(listener, async move { drop(stopped.await) }));
        let client = reqwest::Client::new();
        let ask = async |payload: Value| {
            let answer = client.post(&url).json(&payload).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        for (place, words) in [
            (PanicSite::Reducer, "the reducer of `sum` panicked: boom"),
            (PanicSite::Guard, "the match on `sum` after `count_again` panicked: boom"),
            (PanicSite::Validator, "the validator of the draft panicked: boom"),
        ] {
            let tag: &str = &format!("http-{place:?}");
            arm(place, tag);
            let (status, said) = ask(json!({ "action": "start", "thread_id": tag, "tag": tag })).await;
            assert!(status == 200 && said.contains(words), "{place:?}: {status} {said}");
            assert_neighbor_works(&agent, tag).await;
        }
        waits(&agent, "http-read").await;
        let digest = agent.view("http-read").await.unwrap().reviews[0].digest;
        arm(PanicSite::DraftDeserializer, "http-read");
        let approve = json!({ "action": "approve", "thread_id": "http-read", "digest": digest,
            "operator": "mara", "roles": ["clerk"] });
        let (status, said) = ask(approve.clone()).await;
        assert!(status == 409 && said.contains("user_code_failed"), "{status} {said}");
        let (status, said) = ask(json!({ "action": "get", "thread_id": "http-read-neighbor" })).await;
        assert_eq!(status, 404, "{said}");
        disarm(PanicSite::DraftDeserializer, "http-read");
        let (status, said) = ask(approve).await;
        assert!(status == 200 && said.contains("Dear Ada"), "{status} {said}");
        drop(stop);
        serving.await.unwrap().unwrap();
    }
}
