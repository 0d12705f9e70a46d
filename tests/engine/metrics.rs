//! The numbers of the reviews: those that the store keeps equal those of the journals.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use hitl::{
    Front, ManualClock, SqliteStore, Store, StoreError, Timestamp,
    journal::Evidence,
    metrics::{AlarmKind, AlarmLimits, By, Metrics},
    prelude::*,
    store::{Append, BoxFuture, LayeredStore, Record, StoreLayer},
};
use proptest::{prelude::*, sample::select};

use crate::kit::refund::{Refunds, RefundsTurn, World, mara, open};

/// Writes as an older program did, without tallies: a layer hides them by default.
#[derive(Clone)]
pub struct Uncounted;

impl StoreLayer for Uncounted {}

#[derive(Clone, Copy, Debug)]
enum Step {
    Approve,
    ApproveShown,
    Edit,
    Reject,
    Ask,
    Expire,
    Fork,
}

/// Returns a clock in November 2025.
fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(1_763_800_000_000))
}

async fn take(agent: &Agent<Refunds>, clock: &ManualClock, thread: &str, step: Step, wait: u64) {
    let RefundsTurn::Execute(open) = agent.turn(thread).await.unwrap() else { return };
    let shown = agent.now();
    clock.advance(Duration::from_secs(wait));
    let carl = Operator::new("carl").role("approver");
    match step {
        Step::Approve => drop(open.approve(&mara()).await),
        Step::ApproveShown => {
            let evidence = Evidence::through("test").with_shown_at(Some(shown));
            drop(open.approve(&carl.with_evidence(evidence)).await);
        }
        Step::Edit => drop(open.edit(&carl, |draft| draft.dollars = 7).await),
        Step::Reject => drop(open.reject(&mara(), Reason::BadPlan, "no").await),
        Step::Ask => drop(open.ask(&carl, "why?").await),
        Step::Expire => {
            clock.advance(Duration::from_hours(25));
            drop(agent.sweep().await);
        }
        Step::Fork => drop(agent.fork(thread, 2, format!("{thread} {wait}").as_str()).await),
    }
}

fn steps() -> impl Strategy<Value = Vec<(Step, u64, usize, bool)>> {
    let all =
        [Step::Approve, Step::ApproveShown, Step::Edit, Step::Reject, Step::Ask, Step::Expire, Step::Fork];
    proptest::collection::vec((select(all.to_vec()), 0..90_000u64, 0..4usize, any::<bool>()), 1..16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn kept_numbers_equal_recomputed_ones(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(dir.path().join("threads.db")).await.unwrap();
            let clock = clock();
            let world = World::default();
            let new = Refunds::new(world.clone(), store.clone()).clock(clock.clone());
            let old = Refunds::new(world, LayeredStore::new(store, Uncounted)).clock(clock.clone());
            for thread in 0..4 {
                drop(new.start(format!("{thread}").as_str(), crate::kit::refund::message()).await.unwrap());
            }
            for (step, wait, thread, is_old) in steps {
                let agent = if is_old { &old } else { &new };
                take(agent, &clock, &thread.to_string(), step, wait).await;
                if wait % 5 == 0 {
                    new.metrics(None).await.unwrap();
                }
            }
            let since = Some(Timestamp::from_millis(1_763_800_000_000 + 2 * 86_400_000));
            for since in [None, since] {
                let kept = new.metrics(since).await.unwrap();
                assert!(!kept.is_from_journals());
                assert_eq!(kept, new.recomputed_metrics(since).await.unwrap());
                assert_eq!(kept.by(By::Operator).values().map(|of| of.decisions()).sum::<u64>(), kept.total().decisions());
            }
        });
    }
}

async fn decided(decisions: impl IntoIterator<Item = (Step, u64)>) -> Metrics {
    let clock = clock();
    let agent = Refunds::new(World::default(), MemoryStore::new()).clock(clock.clone());
    for (number, (step, wait)) in decisions.into_iter().enumerate() {
        let thread = format!("ticket {number}");
        drop(open(&agent, &thread).await);
        take(&agent, &clock, &thread, step, wait).await;
    }
    agent.metrics(None).await.unwrap()
}

#[tokio::test]
async fn rates_and_times_are_those_of_the_decisions() {
    let decisions = [
        (Step::Approve, 10),
        (Step::ApproveShown, 2),
        (Step::Edit, 30),
        (Step::Reject, 100),
        (Step::Expire, 0),
    ];
    let metrics = decided(decisions).await;
    let total = metrics.total();
    assert_eq!((total.decisions(), total.expired, total.rejected["bad_plan"]), (4, 1, 1));
    assert_eq!(
        (total.approval_rate(), total.edit_rate(), total.rejection_rate()),
        (Some(0.5), Some(0.25), Some(0.25))
    );
    assert_eq!((total.opened.quantile(0.5), total.opened.quantile(0.95)), (Some(10), Some(100)));
    assert_eq!((total.shown.count(), total.faster_than(3), total.faster_than(2)), (1, Some(1.0), Some(0.0)));
    assert_eq!(metrics.by(By::Node).into_keys().collect::<Vec<_>>(), [Some("Refunds.execute".to_owned())]);
    assert_eq!(metrics.by(By::Operator)[&Some("mara".to_owned())].decisions(), 2);
    assert_eq!(metrics.by(By::Operator)[&None].expired, 1);
    // Two operators decided in the same hour.
    assert_eq!(total.decisions_per_operator_hour(), Some(2.0));
}

/// The time of the last decision of [`decided`], within a day.
fn now() -> Timestamp {
    Timestamp::from_millis(1_763_800_000_000)
}

#[tokio::test]
async fn alarms_need_a_minimum_of_decisions() {
    let limits = AlarmLimits { window: Duration::from_hours(24 * 400), ..AlarmLimits::default() };
    let kinds = |metrics: Metrics| {
        metrics.alarms(&limits, now()).into_iter().map(|alarm| alarm.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(decided([(Step::ApproveShown, 1); 19]).await), []);
    assert_eq!(kinds(decided([(Step::ApproveShown, 1); 20]).await), [AlarmKind::Unread]);
    assert_eq!(kinds(decided([(Step::ApproveShown, 5); 20]).await), []);
    let mixed =
        |rejected| (0..20).map(move |i| (if i < rejected { Step::Reject } else { Step::Approve }, 60));
    assert_eq!(kinds(decided(mixed(8)).await), []);
    assert_eq!(kinds(decided(mixed(9)).await), [AlarmKind::Rejected]);
}

#[tokio::test]
async fn approvals_of_unknown_time_do_not_hide_an_alarm() {
    let shown = [(Step::ApproveShown, 1); 20];
    let unknown = [(Step::Approve, 300); 30];
    let metrics = decided(shown.into_iter().chain(unknown)).await;
    let alarms = metrics.alarms(&AlarmLimits::default(), now());
    assert_eq!((alarms[0].kind, alarms[0].decisions), (AlarmKind::Unread, 20));
    assert_eq!((alarms[0].approvals_of_unknown_time, metrics.total().approvals_of_unknown_time()), (30, 30));
    assert!(alarms[0].to_string().contains("(30 of unknown time are not counted)"), "{}", alarms[0]);
    // Without any known time, speed says nothing.
    assert_eq!(decided([(Step::Approve, 1); 30]).await.alarms(&AlarmLimits::default(), now()), []);
}

#[tokio::test]
async fn alarms_are_those_of_the_last_week() {
    let metrics = decided([(Step::ApproveShown, 1); 20]).await;
    let limits = AlarmLimits::default();
    let days = |days: u64| Timestamp::from_millis(now().as_millis() + days * 86_400_000);
    assert_eq!(metrics.alarms(&limits, days(7)).len(), 1);
    assert_eq!(metrics.alarms(&limits, days(8)), []);
}

#[tokio::test]
async fn times_that_contradict_the_clock_are_unknown() {
    let clock = clock();
    let agent = Refunds::new(World::default(), MemoryStore::new()).clock(clock.clone());
    let review = open(&agent, "later").await;
    let later = Timestamp::from_millis(now().as_millis() + 60_000);
    let evidence = Evidence::through("test").with_shown_at(Some(later));
    let _ = review.approve(&mara().with_evidence(evidence)).await.unwrap();
    let total = agent.metrics(None).await.unwrap().total();
    assert_eq!((total.shown.count(), total.opened.count(), total.approvals_of_unknown_time()), (0, 1, 1));
}

async fn approved(agent: &Agent<Refunds>, thread: &str) {
    let _ = open(agent, thread).await.approve(&mara()).await.unwrap();
}

#[tokio::test]
async fn a_layer_hides_tallies_by_default() {
    let store = MemoryStore::new();
    let counted = Refunds::new(World::default(), store.clone()).clock(clock());
    approved(&counted, "counted").await;
    let layered = LayeredStore::new(store.clone(), Uncounted);
    assert!(layered.tallies("", None, 10).await.unwrap().is_none());
    let agent = Refunds::new(World::default(), layered.clone()).clock(clock());
    approved(&agent, "hidden").await;
    let uncounted = store.uncounted(None, 10).await.unwrap().items;
    assert_eq!(uncounted.iter().map(|it| it.thread.as_str()).collect::<Vec<_>>(), ["hidden"]);
    assert!(layered.uncounted(None, 10).await.unwrap().items.is_empty());
    let metrics = agent.metrics(None).await.unwrap();
    assert!(metrics.is_from_journals());
    assert_eq!((metrics.total().approved, counted.metrics(None).await.unwrap().total().approved), (2, 2));
}

#[tokio::test]
async fn an_unreadable_entry_stays_uncounted() {
    let store = MemoryStore::new();
    let old = Refunds::new(World::default(), LayeredStore::new(store.clone(), Uncounted)).clock(clock());
    approved(&old, "ticket").await;
    let thread: hitl::ThreadId = "ticket".parse().unwrap();
    let last = store.tail(&thread).await.unwrap().unwrap().records.last().unwrap().clone();
    let newer = br#"{"at":1,"is":{"of_a_newer_version":{}}}"#.to_vec();
    let newer = Record::new(last.place.saturating_add(1), hitl::Digest::of(&newer), newer);
    let place = newer.place;
    let append = Append::new(thread, vec![newer], hitl::ThreadStatus::Ended).with_after(Some(last.hash));
    store.append(append).await.unwrap();
    let agent = Refunds::new(World::default(), store.clone()).clock(clock());
    for _ in 0..2 {
        let metrics = agent.metrics(None).await.unwrap();
        assert_eq!((metrics.total().approved, metrics.unreadable()), (1, 1));
        let uncounted = store.uncounted(None, 10).await.unwrap().items;
        assert_eq!((uncounted.len(), uncounted[0].from), (1, place));
    }
    assert_eq!(agent.recomputed_metrics(None).await.unwrap(), agent.metrics(None).await.unwrap());
}

#[tokio::test]
async fn a_deleted_thread_stays_counted_until_tallies_are_deleted() {
    let store = MemoryStore::new();
    let agent = Refunds::new(World::default(), store.clone()).clock(clock());
    approved(&agent, "one").await;
    approved(&agent, "other").await;
    store.delete(&"one".parse().unwrap()).await.unwrap();
    let (kept, recomputed) =
        (agent.metrics(None).await.unwrap(), agent.recomputed_metrics(None).await.unwrap());
    assert_eq!((kept.total().approved, recomputed.total().approved), (2, 1));
    assert!(kept.exceeds(&recomputed) && !recomputed.exceeds(&kept));
    agent.delete_metrics(now()).await.unwrap();
    assert_eq!(agent.metrics(None).await.unwrap(), kept);
    agent.delete_metrics(Timestamp::from_millis(now().as_millis() + 86_400_000)).await.unwrap();
    assert_eq!(agent.metrics(None).await.unwrap().total().decisions(), 0);
}

#[tokio::test]
async fn a_damaged_tally_blocks_no_append_and_is_counted_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("threads.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let agent = Refunds::new(World::default(), store.clone()).clock(clock());
    approved(&agent, "one").await;
    for damage in ["counts = 'approve'", "counts = CAST(x'ff7b' AS TEXT)", "counts = '{\"approve\": -1}'"] {
        let other = rusqlite::Connection::open(&path).unwrap();
        assert!(other.execute(&format!("UPDATE hitl_tallies SET {damage}"), ()).unwrap() > 0);
        approved(&agent, damage).await;
        let reports = [agent.metrics(None).await.unwrap(), agent.metrics(None).await.unwrap()];
        assert!(reports[0].is_from_journals() && !reports[1].is_from_journals());
        assert_eq!(reports[0], reports[1]);
        assert_eq!(reports[1], agent.recomputed_metrics(None).await.unwrap());
    }
    assert_eq!(agent.metrics(None).await.unwrap().total().approved, 4);
}

/// A file of schema version 3, whose program did not count: the old decisions are counted too, and once.
#[tokio::test]
async fn decisions_in_a_file_of_schema_3_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("threads.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let old = Refunds::new(World::default(), store.clone()).clock(clock());
    approved(&old, "one").await;
    let _ = open(&old, "other").await.edit(&mara(), |draft| draft.dollars = 7).await.unwrap();
    let open = open(&old, "waiting").await.digest();
    drop((old, store));
    let file = rusqlite::Connection::open(&path).unwrap();
    let version = || file.query_row("PRAGMA user_version", (), |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(version(), 4);
    let removed = "DROP TABLE hitl_tallies; DROP INDEX hitl_threads_uncounted;
                   ALTER TABLE hitl_threads DROP COLUMN uncounted; PRAGMA user_version = 3";
    file.execute_batch(removed).unwrap();

    let agent = Refunds::new(World::default(), SqliteStore::open(&path).await.unwrap()).clock(clock());
    assert_eq!(version(), 4);
    let uncounted = agent.store().uncounted(None, 10).await.unwrap().items;
    assert_eq!(uncounted.iter().map(|it| it.from.get()).collect::<Vec<_>>(), [0, 0, 0]);
    // Decisions of the new program before its first report: in a journal of the old program, and in a new one.
    let _ = agent.decide("waiting", open, &mara(), Verdict::Approve).await.unwrap();
    approved(&agent, "new").await;
    for _ in 0..2 {
        let metrics = agent.metrics(None).await.unwrap();
        assert!(!metrics.is_from_journals());
        assert_eq!((metrics.total().approved, metrics.total().edited), (3, 1));
        assert_eq!(metrics, agent.recomputed_metrics(None).await.unwrap());
    }
    assert!(agent.store().uncounted(None, 10).await.unwrap().items.is_empty());
}

/// Records the appends.
#[derive(Clone, Default)]
pub struct Appends(Arc<Mutex<Vec<Append>>>);

impl Appends {
    /// Returns the appends so far, and forgets them.
    pub fn take(&self) -> Vec<Append> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl StoreLayer for Appends {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.lock().unwrap().push(append.clone());
        store.append(append)
    }

    fn passes_tallies(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn every_append_is_counted() {
    let (store, appends) = (MemoryStore::new(), Appends::default());
    let layered = LayeredStore::new(store.clone(), appends.clone());
    let agent = Refunds::new(World::default(), layered.clone()).clock(clock());
    approved(&agent, "ticket").await;
    let front = Front::<Refunds>::new(layered).stop_role("operations");
    front.pause(hitl::Scope::Store, &mara().role("operations"), "wait").await.unwrap();
    assert!(appends.take().iter().all(|append| append.tallies.is_some()));
    assert!(store.uncounted(None, 10).await.unwrap().items.is_empty());
}

#[test]
fn sums_saturate() {
    let mut times = hitl::metrics::Histogram::default();
    times.record(1, u64::MAX);
    times.record(2, u64::MAX);
    assert_eq!((times.count(), times.below(9), times.quantile(1.0)), (u64::MAX, u64::MAX, Some(1)));
}

fn samples(text: &str) -> prometheus_parse::Scrape {
    prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap()
}

#[tokio::test]
async fn prometheus_text_can_be_parsed() {
    let metrics = decided([(Step::Approve, 10), (Step::Reject, 100), (Step::ApproveShown, 4)]).await;
    let limits = AlarmLimits { rejected: 0.2, minimum: 3, ..AlarmLimits::default() };
    let parsed = samples(&metrics.to_prometheus(&limits, now()));
    let value = |name: &str, label: (&str, &str)| {
        let mut found = parsed
            .samples
            .iter()
            .filter(|sample| sample.metric == name && sample.labels.get(label.0) == Some(label.1));
        found.next().unwrap_or_else(|| panic!("no {name}")).value.clone()
    };
    assert_eq!(value("hitl_decisions_total", ("verdict", "approve")), prometheus_parse::Value::Counter(2.0));
    assert_eq!(value("hitl_decisions_total", ("reason", "bad_plan")), prometheus_parse::Value::Counter(1.0));
    assert_eq!(value("hitl_alarm", ("alarm", "rejected")), prometheus_parse::Value::Gauge(1.0));
    assert_eq!(value("hitl_alarm", ("alarm", "unread")), prometheus_parse::Value::Gauge(0.0));
    let prometheus_parse::Value::Histogram(buckets) = value("hitl_decision_seconds", ("node", "execute"))
    else {
        panic!("no histogram");
    };
    let counts: Vec<_> = buckets.iter().map(|bucket| (bucket.less_than, bucket.count)).collect();
    assert!(
        counts.contains(&(5.0, 1.0))
            && counts.contains(&(30.0, 2.0))
            && counts.contains(&(f64::INFINITY, 3.0))
    );
}

#[tokio::test]
async fn numbers_that_may_decrease_are_gauges() {
    let agent = Refunds::new(World::default(), LayeredStore::new(MemoryStore::new(), Uncounted));
    approved(&agent, "ticket").await;
    let text = agent.metrics(None).await.unwrap().to_prometheus(&AlarmLimits::default(), agent.now());
    let parsed = samples(&text);
    assert!(parsed.samples.iter().any(|sample| sample.metric == "hitl_decisions"));
    for sample in parsed.samples {
        assert!(matches!(sample.value, prometheus_parse::Value::Gauge(_)), "{sample:?}");
    }
}
