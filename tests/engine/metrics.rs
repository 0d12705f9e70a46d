//! The numbers of the reviews: those that the store keeps equal those of the journals.

use std::time::Duration;

use hitl::{
    ManualClock, SqliteStore, Store, StoreError, Timestamp,
    journal::Evidence,
    metrics::{AlarmKind, AlarmLimits, By, Metrics},
    prelude::*,
    store::{Append, BoxFuture, LayeredStore, StoreLayer},
};
use proptest::{prelude::*, sample::select};

use crate::kit::refund::{Refunds, RefundsTurn, World, mara, open, review};

/// Writes as an older program did: without tallies.
struct Uncounted;

impl StoreLayer for Uncounted {
    fn append<'a>(&'a self, store: &'a dyn Store, append: Append) -> BoxFuture<'a, Result<(), StoreError>> {
        store.append(append.with_tallies(None))
    }
}

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
    assert_eq!(metrics.by(By::Node).into_keys().collect::<Vec<_>>(), ["Refunds.execute"]);
    assert_eq!(metrics.by(By::Operator)["mara"].decisions(), 2);
    // Two operators decided in the same hour.
    assert_eq!(total.decisions_per_operator_hour(), Some(2.0));
}

#[tokio::test]
async fn alarms_need_a_minimum_of_decisions() {
    let limits = AlarmLimits::default();
    let kinds =
        |metrics: Metrics| metrics.alarms(&limits).into_iter().map(|alarm| alarm.kind).collect::<Vec<_>>();
    assert_eq!(kinds(decided([(Step::Approve, 1); 19]).await), []);
    assert_eq!(kinds(decided([(Step::Approve, 1); 20]).await), [AlarmKind::Unread]);
    assert_eq!(kinds(decided([(Step::Approve, 5); 20]).await), []);
    let mixed =
        |rejected| (0..20).map(move |i| (if i < rejected { Step::Reject } else { Step::Approve }, 60));
    assert_eq!(kinds(decided(mixed(8)).await), []);
    assert_eq!(kinds(decided(mixed(9)).await), [AlarmKind::Rejected]);
}

#[tokio::test]
async fn a_store_without_tallies_is_read_completely() {
    /// Hides the tallies of a store.
    struct Plain;
    impl StoreLayer for Plain {
        fn tallies<'a>(
            &'a self,
            _: &'a dyn Store,
            _: &'a str,
            _: Option<&'a str>,
            _: usize,
        ) -> BoxFuture<'a, Result<Option<hitl::store::Page<hitl::store::Tally>>, StoreError>> {
            Box::pin(async { Ok(None) })
        }
    }
    let agent = Refunds::new(World::default(), LayeredStore::new(MemoryStore::new(), Plain));
    let _ = review(agent.start("ticket", crate::kit::refund::message()).await.unwrap())
        .approve(&mara())
        .await
        .unwrap();
    assert_eq!(agent.metrics(None).await.unwrap().total().approved, 1);
}

#[tokio::test]
async fn prometheus_text_can_be_parsed() {
    let text =
        decided([(Step::Approve, 10), (Step::Reject, 100), (Step::ApproveShown, 4)]).await.to_prometheus();
    let parsed = prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    let value = |name: &str, label: (&str, &str)| {
        let mut found = parsed
            .samples
            .iter()
            .filter(|sample| sample.metric == name && sample.labels.get(label.0) == Some(label.1));
        found.next().unwrap_or_else(|| panic!("no {name}")).value.clone()
    };
    assert_eq!(value("hitl_decisions_total", ("verdict", "approve")), prometheus_parse::Value::Counter(2.0));
    assert_eq!(value("hitl_decisions_total", ("reason", "bad_plan")), prometheus_parse::Value::Counter(1.0));
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
