//! The numbers of reviews in a graph with items, a condition, routes and an unreliable effect: each count is exact, in
//! each group, and equals that of the journals after each step.

use std::{collections::BTreeMap, time::Duration};

use hitl::{
    Digest, ManualClock, SqliteStore, Store, Timestamp,
    journal::Settlement,
    metrics::{By, Metrics, Summary},
    prelude::*,
    store::LayeredStore,
};
use serde_json::json;

use crate::{
    kit::{
        operators::{both, clerk, director},
        world::World,
    },
    metrics::{Appends, Uncounted},
};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Payment {
    #[garde(range(max = 1_000_000))]
    pub cents: u32,
    /// `true` if the bank does not answer.
    #[garde(skip)]
    pub fails: bool,
}

#[state]
pub struct Payday {
    #[input]
    pub payments: Vec<Payment>,
    pub payment: Payment,
    #[output]
    #[reduce(append)]
    pub receipts: Vec<String>,
}

#[node(Payday)]
async fn screen(payment: &Payment, question: Option<&Question>) -> Result<()> {
    let _ = (payment, question);
    Ok(())
}

async fn pay(payment: &Approved<Payment>, world: &World, cx: &Cx) -> Result<Vec<String>> {
    if payment.fails {
        return Err(NodeError::msg("the bank does not answer"));
    }
    let call = format!("{} by {}", payment.cents, payment.signer());
    Ok(vec![world.call(&call, cx.idempotency_key()).await?])
}

#[interrupt_before(role = "clerk", expires = "24h", when = payment.cents > 100)]
#[node(Payday, writes = receipts, effect)]
async fn pay_small(payment: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    pay(payment, &world, cx).await
}

#[interrupt_before(role = "director", expires = "48h")]
#[node(Payday, writes = receipts, effect)]
async fn pay_large(payment: &Approved<Payment>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
    pay(payment, &world, cx).await
}

#[node(Payday, writes = receipts)]
async fn skip(rejection: &Rejection) -> Result<Vec<String>> {
    let _ = rejection;
    Ok(vec![])
}

graph! {
    pub Paydays<Payday, World> {
        start -> for payment in payments {
            screen -> match payment {
                Payment { cents: ..=1_000, .. } => pay_small,
                Payment { .. } => pay_large,
            }
        } -> end;
        pay_small -> end;
        pay_large -> end;
        pay_small { reject -> skip, ask -> screen }
        pay_large { reject -> skip, ask -> screen }
        skip -> end;
    }
}

const RULE: &str = "payment.cents > 100";
const SMALL: &str = "Paydays.pay_small";
const LARGE: &str = "Paydays.pay_large";

/// 8:26:40 of a day in UTC.
const MORNING: u64 = 1_763_800_000_000;
const DAY_1: u64 = 1_763_769_600_000;
const DAY_2: u64 = DAY_1 + 86_400_000;

fn payments(cents: impl IntoIterator<Item = u32>) -> PaydayInput {
    PaydayInput { payments: cents.into_iter().map(|cents| Payment { cents, fails: false }).collect() }
}

/// Returns the digest of the open review of this amount.
async fn digest(agent: &Agent<Paydays>, thread: &str, cents: u32) -> Digest {
    let view = agent.view(thread).await.unwrap();
    let mut of_amount = view.reviews.iter().filter(|review| review.draft["cents"] == cents);
    of_amount.next().unwrap_or_else(|| panic!("no review of {cents}")).digest
}

async fn decide(agent: &Agent<Paydays>, cents: u32, operator: &Operator, verdict: Verdict) {
    let digest = digest(agent, "t", cents).await;
    let _ = agent.decide("t", digest, operator, verdict).await.unwrap();
}

fn edit(cents: u32) -> Verdict {
    Verdict::Edit { patch: json!({ "cents": cents }) }
}

fn ask() -> Verdict {
    Verdict::Ask { question: "why?".into() }
}

fn reject(reason: Reason) -> Verdict {
    Verdict::Reject { reason, note: String::new() }
}

/// The counts of a summary, without its times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    approved: u64,
    edited: u64,
    rejected: &'static [(&'static str, u64)],
    asked: u64,
    expired: u64,
    rule_signed: u64,
    in_doubt: u64,
}

impl PartialEq<Summary> for Counts {
    fn eq(&self, other: &Summary) -> bool {
        let numbers = [self.approved, self.edited, self.asked, self.expired, self.rule_signed, self.in_doubt];
        let rejected: BTreeMap<_, _> =
            self.rejected.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect();
        let others =
            [other.approved, other.edited, other.asked, other.expired, other.rule_signed, other.in_doubt];
        numbers == others && rejected == other.rejected
    }
}

/// Asserts the total counts, and that the report equals that of the journals.
#[track_caller]
fn assert_counts(agent: &Agent<Paydays>, expected: Counts) -> impl Future<Output = Metrics> {
    let agent = agent.clone();
    let at = std::panic::Location::caller();
    async move {
        let metrics = agent.metrics(None).await.unwrap();
        assert_eq!(expected, metrics.total(), "{at}");
        assert_eq!(metrics, agent.recomputed_metrics(None).await.unwrap(), "{at}");
        metrics
    }
}

#[track_caller]
fn assert_groups<const N: usize>(metrics: &Metrics, by: By, expected: [(Option<&str>, Counts); N]) {
    let found = metrics.by(by);
    assert_eq!(found.len(), N, "{found:?}");
    for (name, counts) in expected {
        assert_eq!(counts, found[&name.map(str::to_owned)], "{by:?} {name:?}");
    }
}

/// Nine payments over two days, of which each has another end. Returns the final report.
async fn two_days(store: impl Store) -> Metrics {
    let clock = ManualClock::at(Timestamp::from_millis(MORNING));
    let agent = Paydays::new(World::default(), store).clock(clock.clone());
    let mut expected = Counts::default();
    assert_counts(&agent, expected).await;

    let mut input = payments([50, 60, 200, 300, 400, 900, 5_000, 7_000, 8_000]);
    input.payments[1].fails = true;
    let _ = agent.start("t", input).await.unwrap();
    expected = Counts { rule_signed: 2, in_doubt: 1, ..expected };
    assert_counts(&agent, expected).await;

    let seconds = |seconds| clock.advance(Duration::from_secs(seconds));
    seconds(10);
    decide(&agent, 200, &clerk(), Verdict::Approve).await;
    expected.approved += 1;
    assert_counts(&agent, expected).await;

    // The question opens a second review.
    seconds(10);
    decide(&agent, 300, &clerk(), ask()).await;
    expected.asked += 1;
    assert_counts(&agent, expected).await;

    // The edit proposes again, to a review of which the director may not decide.
    seconds(10);
    decide(&agent, 5_000, &director(), edit(500)).await;
    expected.edited += 1;
    assert_counts(&agent, expected).await;
    seconds(10);
    decide(&agent, 500, &clerk(), Verdict::Approve).await;
    expected.approved += 1;
    assert_counts(&agent, expected).await;

    // The rule signs what the edit proposes again.
    seconds(10);
    decide(&agent, 7_000, &director(), edit(70)).await;
    (expected.edited, expected.rule_signed) = (expected.edited + 1, expected.rule_signed + 1);
    assert_counts(&agent, expected).await;

    // The edit proposes again, and signs the review that it leads back to: one decision.
    seconds(10);
    decide(&agent, 900, &clerk(), edit(800)).await;
    expected.edited += 1;
    assert_counts(&agent, expected).await;

    // A day after the start, to the second.
    seconds(86_400 - 60);
    let _ = agent.sweep().await.unwrap();
    expected.expired += 1;
    assert_counts(&agent, expected).await;

    seconds(5);
    decide(&agent, 300, &both(), reject(Reason::WrongTool)).await;
    expected.rejected = &[("wrong_tool", 1)];
    assert_counts(&agent, expected).await;
    decide(&agent, 8_000, &director(), reject(Reason::BadPlan)).await;
    expected.rejected = &[("bad_plan", 1), ("wrong_tool", 1)];
    assert_counts(&agent, expected).await;

    // A settlement is no decision of a review.
    let doubt = agent.view("t").await.unwrap().in_doubt.unwrap().digest;
    let happened = Settlement::Happened { wrote: serde_json::from_str(r#"{"receipts": []}"#).unwrap() };
    let turn = agent.settle("t", doubt, &clerk(), happened).await.unwrap();
    assert!(matches!(turn, PaydaysTurn::Done(_)), "{turn}");
    let all = Counts {
        approved: 2,
        edited: 3,
        rejected: &[("bad_plan", 1), ("wrong_tool", 1)],
        asked: 1,
        expired: 1,
        rule_signed: 3,
        in_doubt: 1,
    };
    let metrics = assert_counts(&agent, all).await;
    let second_day = agent.metrics(Some(Timestamp::from_millis(DAY_2))).await.unwrap();
    assert_eq!(second_day, metrics.since(Timestamp::from_millis(DAY_2)));
    assert_eq!(Counts { rejected: all.rejected, expired: 1, ..Counts::default() }, second_day.total());
    agent.verify("t").await.unwrap();
    metrics
}

fn assert_all_groups(metrics: &Metrics) {
    let none = Counts::default();
    let (bad_plan, wrong_tool): (&[_], &[_]) = (&[("bad_plan", 1)], &[("wrong_tool", 1)]);
    let small = Counts { approved: 2, edited: 1, rejected: wrong_tool, asked: 1, expired: 1, ..none };
    let large = Counts { edited: 2, rejected: bad_plan, ..none };
    let by_node = [(Some(SMALL), Counts { rule_signed: 3, in_doubt: 1, ..small }), (Some(LARGE), large)];
    assert_groups(metrics, By::Node, by_node);
    let by_rule = [
        (Some(RULE), Counts { rule_signed: 3, ..small }),
        // An effect in doubt has no review, and so no condition.
        (None, Counts { in_doubt: 1, ..large }),
    ];
    assert_groups(metrics, By::Rule, by_rule);
    let by_operator = [
        (Some("carl"), Counts { approved: 2, edited: 1, asked: 1, ..none }),
        (Some("dora"), Counts { edited: 2, rejected: bad_plan, ..none }),
        (Some("bea"), Counts { rejected: wrong_tool, ..none }),
        (None, Counts { expired: 1, rule_signed: 3, in_doubt: 1, ..none }),
    ];
    assert_groups(metrics, By::Operator, by_operator);
    let first = Counts { approved: 2, edited: 3, asked: 1, rule_signed: 3, in_doubt: 1, ..none };
    let second = Counts { rejected: &[("bad_plan", 1), ("wrong_tool", 1)], expired: 1, ..none };
    let days = [DAY_1.to_string(), DAY_2.to_string()];
    assert_groups(metrics, By::Day, [(Some(&days[0]), first), (Some(&days[1]), second)]);

    // Each item has its own opening. The two times of a day are 86,385 s and 86,405 s, and both are counted as 86,016
    // s.
    let mut times = hitl::metrics::Histogram::default();
    for seconds in [10, 20, 30, 10, 50, 60, 86_385, 86_405] {
        times.record(seconds, 1);
    }
    assert_eq!(metrics.total().opened, times);
}

#[tokio::test]
async fn counts_in_memory_are_exact_in_each_group() {
    let metrics = two_days(MemoryStore::new()).await;
    assert!(!metrics.is_from_journals());
    assert_all_groups(&metrics);
}

#[tokio::test]
async fn counts_in_sqlite_are_exact_in_each_group() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = two_days(SqliteStore::open(dir.path().join("threads.db")).await.unwrap()).await;
    assert!(!metrics.is_from_journals());
    assert_all_groups(&metrics);
}

/// A program that does not count has written the whole journal.
#[tokio::test]
async fn counts_of_an_uncounted_journal_are_exact_in_each_group() {
    let store = MemoryStore::new();
    let metrics = two_days(LayeredStore::new(store.clone(), Uncounted)).await;
    assert!(metrics.is_from_journals());
    assert_all_groups(&metrics);
    let backfilled = Paydays::new(World::default(), store).metrics(None).await.unwrap();
    assert!(!backfilled.is_from_journals());
    assert_all_groups(&backfilled);
}

/// An effect that a rule signed runs again and is in doubt again.
#[tokio::test]
async fn each_doubt_about_an_effect_is_counted() {
    let agent = Paydays::new(World::default(), MemoryStore::new());
    let mut input = payments([60]);
    input.payments[0].fails = true;
    let PaydaysTurn::InDoubt(doubt) = agent.start("t", input).await.unwrap() else { panic!() };
    let once = Counts { rule_signed: 1, in_doubt: 1, ..Counts::default() };
    assert_counts(&agent, once).await;
    let turn = doubt.run_again(&clerk()).await.unwrap();
    assert!(matches!(turn, PaydaysTurn::InDoubt(_)), "{turn}");
    assert_counts(&agent, Counts { in_doubt: 2, ..once }).await;
}

/// A fork opens its reviews again: the times are those from there, and not from the openings in its origin.
#[tokio::test]
async fn decisions_in_a_fork_are_counted_from_its_own_openings() {
    let clock = ManualClock::at(Timestamp::from_millis(MORNING));
    let agent = Paydays::new(World::default(), MemoryStore::new()).clock(clock.clone());
    let _ = agent.start("t", payments([5_000, 6_000, 7_000])).await.unwrap();
    clock.advance(Duration::from_secs(100));
    decide(&agent, 6_000, &director(), reject(Reason::BadPlan)).await;
    let last = agent.history("t", 0, 100).await.unwrap().last().unwrap().place;
    let _ = agent.fork("t", last, "fork").await.unwrap();
    clock.advance(Duration::from_secs(7));
    for cents in [5_000, 7_000] {
        let digest = digest(&agent, "fork", cents).await;
        let _ = agent.decide("fork", digest, &director(), Verdict::Approve).await.unwrap();
    }
    let expected = Counts { approved: 2, rejected: &[("bad_plan", 1)], ..Counts::default() };
    let total = assert_counts(&agent, expected).await.total();
    let mut times = hitl::metrics::Histogram::default();
    times.record(100, 1);
    times.record(7, 2);
    assert_eq!(total.opened, times);
}

#[tokio::test]
async fn decisions_of_one_group_in_one_append_have_one_tally() {
    let (clock, appends) = (ManualClock::at(Timestamp::from_millis(MORNING)), Appends::default());
    let store = LayeredStore::new(MemoryStore::new(), appends.clone());
    let agent = Paydays::new(World::default(), store).clock(clock.clone());
    let _ = agent.start("t", payments([200, 5_000, 6_000])).await.unwrap();
    clock.advance(Duration::from_secs(9));
    let mut verdicts = Vec::new();
    for cents in [200, 5_000, 6_000] {
        verdicts.push((digest(&agent, "t", cents).await, Verdict::Approve));
    }
    appends.take();
    let _ = agent.decide_all("t", &both(), verdicts).await.unwrap();
    let decided = appends.take().remove(0);
    let is_decided = |record: &&hitl::store::Record| {
        let entry: hitl::journal::Entry = serde_json::from_slice(&record.body).unwrap();
        entry.event.name() == "decided"
    };
    assert_eq!(decided.records.iter().filter(is_decided).count(), 3);
    let counts = |tally: &hitl::store::Tally| (tally.counts["approve"], tally.counts["opened:9"]);
    // One for each node.
    let counts: Vec<_> = decided.tallies.unwrap().iter().map(counts).collect();
    assert_eq!(counts, [(2, 2), (1, 1)]);
    assert_counts(&agent, Counts { approved: 3, ..Counts::default() }).await;
}
