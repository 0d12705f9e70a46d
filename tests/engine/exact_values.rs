//! A signature is for one exact value. A value that has no exact JSON form is rejected when a node writes it or a
//! caller passes it in, never after a person has signed; an accepted value is the same when shown, signed and passed to
//! the effect.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hitl::{Error, prelude::*};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Stand-in for a type of another crate that is serialized in any order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unordered(HashSet<u32>);

/// Stand-in for a type of another crate whose value grows by one in a JSON round trip.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OneMore(u32);

impl Serialize for OneMore {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0 + 1)
    }
}

impl<'de> Deserialize<'de> for OneMore {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for OneMore {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OneMore".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer" })
    }
}

#[draft]
#[derive(Clone, Debug, PartialEq)]
#[serde(untagged)]
pub enum Either {
    Cents(u64),
    Dollars(f64),
    Text(String),
}

#[draft]
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub iban: String,
    pub name: Option<String>,
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Deserializes 7 as another number on each call.
fn another<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<usize, D::Error> {
    let number = usize::deserialize(deserializer)?;
    Ok(if number == 7 { 100 + CALLS.fetch_add(1, Ordering::SeqCst) } else { number })
}

/// A draft in which each field can hold a value that JSON may not represent exactly.
#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
#[garde(allow_unvalidated)]
pub struct Draft {
    pub cents: i64,
    pub wide: u128,
    pub rate: f64,
    pub small: f32,
    pub maybe: Option<f64>,
    pub twice: Option<Option<u8>>,
    pub either: Either,
    pub free: Value,
    pub rates: BTreeMap<String, f64>,
    pub to: Account,
    #[serde(deserialize_with = "another")]
    pub seven: usize,
    #[draft(foreign)]
    pub unordered: Unordered,
    #[draft(foreign)]
    pub more: Option<OneMore>,
}

fn plain() -> Draft {
    Draft {
        cents: 14_900,
        wide: 1,
        rate: 1.5,
        small: 0.1,
        maybe: None,
        twice: None,
        either: Either::Cents(1),
        free: json!({ "any": ["thing", 1] }),
        rates: BTreeMap::new(),
        to: Account { iban: "DE02".into(), name: None },
        seven: 0,
        unordered: Unordered::default(),
        more: None,
    }
}

#[state]
pub struct Desk {
    #[input]
    pub number: u64,
    pub draft: Draft,
    #[output]
    pub paid: Draft,
}

type Make = Arc<dyn Fn(usize) -> Draft + Send + Sync>;

/// The draft that each call of `write` proposes, by the number of calls before it.
pub struct Writer {
    make: Make,
    calls: AtomicUsize,
}

#[node(Desk, writes = draft)]
async fn write(question: Option<&Question>, writer: Deps<Writer>) -> Result<Draft> {
    let _ = question;
    Ok((writer.make)(writer.calls.fetch_add(1, Ordering::SeqCst)))
}

#[interrupt_before]
#[node(Desk, writes = paid, effect)]
async fn pay(draft: &Approved<Draft>) -> Result<Draft> {
    Ok((**draft).clone())
}

#[node(Desk, writes = paid)]
async fn pay_nothing(rejection: &Rejection) -> Result<Draft> {
    let _ = rejection;
    Ok(plain())
}

graph! {
    pub Agency<Desk, Writer> {
        start -> write -> pay -> end;
        pay { reject -> pay_nothing, ask -> write }
        pay_nothing -> end;
    }
}

fn agency(make: impl Fn(usize) -> Draft + Send + Sync + 'static) -> Agent<Agency> {
    Agency::new(Writer { make: Arc::new(make), calls: AtomicUsize::new(0) }, MemoryStore::new())
}

fn mara() -> Operator {
    Operator::new("mara")
}

fn input() -> DeskInput {
    // A number that is not signed may exceed 2^53.
    DeskInput { number: u64::MAX }
}

/// Returns the node that fails when `write` proposes the changed draft, and its error text.
async fn failure(make: impl Fn(&mut Draft) + Send + Sync + 'static) -> (String, String) {
    let agent = agency(move |_| {
        let mut draft = plain();
        make(&mut draft);
        draft
    });
    match agent.start("t", input()).await.unwrap() {
        AgencyTurn::Failed(failed) => (failed.node().to_owned(), failed.error().to_owned()),
        turn => panic!("{turn}"),
    }
}

#[tokio::test]
async fn values_without_exact_json_fail_the_writing_node() {
    macro_rules! assert_rejected {
        ($($path:literal says $said:literal: |$draft:ident| $change:expr;)*) => {
            $(
                let (node, error) = failure(|$draft: &mut Draft| { $change; }).await;
                assert_eq!(node, "write", "{}: {error}", $path);
                assert!(error.contains(concat!($path, ": ")) && error.contains($said), "{}: {error}", $path);
            )*
        };
    }
    assert_rejected! {
        "cents" says "beyond 2^53": |draft| draft.cents = (1 << 53) + 1;
        "cents" says "beyond 2^53": |draft| draft.cents = i64::MIN;
        "wide" says "beyond 2^53": |draft| draft.wide = u128::MAX;
        "rate" says "NaN": |draft| draft.rate = f64::NAN;
        "small" says "inf": |draft| draft.small = f32::INFINITY;
        "maybe" says "NaN": |draft| draft.maybe = Some(f64::NAN);
        "rates.a" says "-inf": |draft| draft.rates = [("a".to_owned(), f64::NEG_INFINITY)].into();
        "twice" says "round trip": |draft| draft.twice = Some(None);
        "free.n" says "beyond 2^53": |draft| draft.free = json!({ "n": u64::MAX });
        "seven" says "round trip": |draft| draft.seven = 7;
        "more" says "round trip": |draft| draft.more = Some(OneMore(1));
    }
    let (node, error) = failure(|draft| draft.unordered = Unordered([1, 2].into())).await;
    assert!(node == "write" && error.contains("unordered") && error.contains("HashSet"), "{error}");
}

#[tokio::test]
async fn values_that_share_a_number_fail_the_writing_node() {
    let (node, error) = failure(|draft| draft.either = Either::Dollars(100.0)).await;
    assert!(node == "write" && error.contains("either"), "{error}");
    let (node, _) = failure(|draft| draft.either = Either::Dollars(-0.0)).await;
    assert_eq!(node, "write");
}

#[tokio::test]
async fn a_retry_of_the_writing_node_can_succeed() {
    let agent = agency(|call| Draft { cents: [i64::MAX, 5][call], ..plain() });
    let AgencyTurn::Failed(failed) = agent.start("t", input()).await.unwrap() else { panic!() };
    assert_eq!(failed.node(), "write");
    let AgencyTurn::Pay(review) = agent.resume("t").await.unwrap() else { panic!() };
    let AgencyTurn::Done(paid) = review.approve(&mara()).await.unwrap() else { panic!() };
    assert_eq!(paid.cents, 5);
}

#[tokio::test]
async fn a_question_reruns_the_writing_node_which_may_fail() {
    let agent = agency(|call| Draft { cents: [1, i64::MAX, 5][call], ..plain() });
    let AgencyTurn::Pay(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let AgencyTurn::Failed(failed) = review.ask(&mara(), "so little?").await.unwrap() else { panic!() };
    assert_eq!(failed.node(), "write");
    let AgencyTurn::Pay(review) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!(review.draft().cents, 5);
}

#[tokio::test]
async fn a_number_has_one_spelling_when_shown_signed_and_paid() {
    let agent = agency(|_| Draft {
        rate: -0.0,
        small: 0.1,
        free: json!({ "hundred": 100.0, "nothing": -0.0, "tenth": 0.1 }),
        ..plain()
    });
    let AgencyTurn::Pay(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let shown = agent.view("t").await.unwrap().reviews.remove(0).draft;
    assert_eq!(shown["free"].to_string(), r#"{"hundred":100,"nothing":0,"tenth":0.1}"#);
    assert_eq!((shown["rate"].to_string(), shown["small"].to_string()), ("0.0".into(), "0.1".into()));
    assert_eq!(review.draft().free.to_string(), shown["free"].to_string());
    let AgencyTurn::Done(paid) = review.approve(&mara()).await.unwrap() else { panic!() };
    assert_eq!(paid.free.to_string(), shown["free"].to_string());
    assert!(paid.rate == 0.0 && paid.rate.is_sign_positive());
}

/// Asserts that the edit is rejected as invalid and that the review stays open; returns the error text.
async fn rejection_of(edit: Value) -> String {
    let agent = agency(|_| plain());
    let AgencyTurn::Pay(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let digest = review.digest();
    let verdict = Verdict::Edit { patch: edit };
    let error = agent.decide("t", digest, &mara(), verdict).await.unwrap_err();
    assert!(matches!(&error, Error::Invalid { .. }), "{error}");
    let AgencyTurn::Pay(review) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(review.digest(), digest);
    error.to_string()
}

#[tokio::test]
async fn an_edit_must_have_an_exact_json_form() {
    for (edit, said) in [
        (json!({ "cents": 9_007_199_254_740_993_i64 }), "cents: 9007199254740993 is beyond 2^53"),
        (json!({ "free": { "any": u64::MAX } }), "free.any: "),
        (json!({ "either": 100.0 }), "either"),
        (json!({ "to": ["DE99", null] }), "to: expected an object"),
        (json!({ "unordered": [1, 2, 3, 4, 5] }), "unordered"),
    ] {
        let error = rejection_of(edit).await;
        assert!(error.contains(said), "{error}");
    }
    let agent = agency(|_| plain());
    let AgencyTurn::Pay(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let error = review.edit(&mara(), |draft| draft.maybe = Some(f64::NAN)).await.unwrap_err();
    assert!(error.to_string().contains("maybe: it is NaN"), "{error}");
}

#[state]
pub struct Day {
    #[input]
    pub refund: Refund,
    #[input]
    pub more: Vec<Refund>,
    #[reduce(Refund::and)]
    pub sum: Refund,
    #[reduce(append)]
    #[output]
    pub paid: Vec<u64>,
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Refund {
    #[garde(skip)]
    pub cents: u64,
    #[garde(skip)]
    pub rate: f64,
}

impl Refund {
    fn of(cents: u64) -> Self {
        Self { cents, rate: 1.0 }
    }

    fn and(self, other: Self) -> Self {
        Self::of(self.cents + other.cents)
    }
}

#[interrupt_before]
#[node(Day, writes = paid, effect)]
async fn refund_one(refund: &Approved<Refund>) -> Result<Vec<u64>> {
    Ok(vec![refund.cents])
}

#[node(Day, writes = more)]
async fn list() -> Result<Vec<Refund>> {
    Ok(vec![Refund::of(1), Refund::of(u64::MAX)])
}

#[node(Day, writes = sum)]
async fn first() -> Result<Refund> {
    Ok(Refund::of(1 << 53))
}

#[node(Day, writes = sum)]
async fn second() -> Result<Refund> {
    Ok(Refund::of(1))
}

#[interrupt_before]
#[node(Day, writes = paid, effect)]
async fn refund_sum(sum: &Approved<Refund>) -> Result<Vec<u64>> {
    Ok(vec![sum.cents])
}

#[node(Day, writes = paid)]
async fn nothing(rejection: &Rejection) -> Result<Vec<u64>> {
    let _ = rejection;
    Ok(vec![])
}

graph! {
    pub Items<Day> {
        start -> list -> for refund in more { refund_one } -> end;
        refund_one { reject -> end }
    }
}

graph! {
    pub Inputs<Day> { start -> refund_one -> end; refund_one { reject -> nothing } nothing -> end; }
}

graph! {
    pub Sums<Day> { start -> first -> second -> refund_sum -> end; refund_sum { reject -> nothing } nothing -> end; }
}

#[tokio::test]
async fn an_inexact_list_item_is_reported_with_its_index() {
    let agent = Items::new(MemoryStore::new());
    let input = DayInput { refund: Refund::of(1), more: vec![] };
    let ItemsTurn::Failed(failed) = agent.start("t", input).await.unwrap() else { panic!() };
    assert_eq!(failed.node(), "list");
    assert!(failed.error().contains("[1].cents: "), "{}", failed.error());
}

#[tokio::test]
async fn an_input_to_sign_must_have_an_exact_json_form() {
    let agent = Inputs::new(MemoryStore::new());
    for (refund, said) in [
        (Refund::of(u64::MAX), "cents: 18446744073709551615 is beyond 2^53"),
        (Refund { rate: f64::NAN, ..Refund::of(1) }, "refund.rate: it is NaN"),
    ] {
        let error = agent.start("t", DayInput { refund, more: vec![] }).await.unwrap_err();
        assert!(matches!(error, Error::InvalidInput { .. }) && error.to_string().contains(said), "{error}");
    }
    let error =
        agent.start_json("t", &json!({ "refund": { "cents": u64::MAX, "rate": 1 }, "more": [] })).await;
    assert!(error.unwrap_err().to_string().contains("beyond 2^53"));
}

#[tokio::test]
async fn an_inexact_reducer_result_fails_the_writing_node() {
    let agent = Sums::new(MemoryStore::new());
    let input = DayInput { refund: Refund::of(1), more: vec![] };
    let SumsTurn::Failed(failed) = agent.start("t", input).await.unwrap() else { panic!() };
    assert_eq!(failed.node(), "second");
    assert!(failed.error().contains("cents: "), "{}", failed.error());
}

/// A state in which no field is signed.
#[state]
pub struct Notes {
    #[input]
    pub size: u32,
    pub numbers: HashSet<u32>,
    pub maybe: Vec<Option<f32>>,
    pub wide: u128,
}

#[node(Notes, writes = numbers)]
async fn count(size: u32) -> Result<HashSet<u32>> {
    Ok((0..size).collect())
}

#[node(Notes, writes = (maybe, wide))]
async fn note(size: u32) -> Result<(Vec<Option<f32>>, u128)> {
    Ok((vec![None, (size > 0).then_some(f32::NAN)], u128::MAX))
}

graph! { pub Numbered<Notes> { start -> count -> note -> end; } }

#[tokio::test]
async fn unsigned_values_must_round_trip_too() {
    let agent = Numbered::new(MemoryStore::new());
    assert!(matches!(agent.start("none", NotesInput { size: 0 }).await.unwrap(), NumberedTurn::Done(())));
    for (size, node, said) in [(1, "note", "`maybe`: [1]: it is NaN"), (50, "count", "HashSet")] {
        let turn = agent.start(format!("t{size}"), NotesInput { size }).await.unwrap();
        let NumberedTurn::Failed(failed) = turn else { panic!("{turn}") };
        assert_eq!(failed.node(), node);
        assert!(failed.error().contains(said), "{}", failed.error());
    }
}

fn free() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(|n| Value::from(n >> 11)),
        any::<f64>().prop_map(Value::from),
        (-1000..1000_i32).prop_map(|n| Value::from(f64::from(n) / 8.0)),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]{0,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), (-8..8_i32).prop_map(|n| f64::from(n) / 4.0), Just(-0.0), Just(f64::NAN)]
}

fn drafts() -> impl Strategy<Value = Draft> {
    let numbers = (
        prop_oneof![any::<i64>(), -3..3_i64],
        prop_oneof![any::<u128>(), 0..3_u128],
        number(),
        prop_oneof![any::<f32>(), Just(0.1)],
        proptest::option::of(number()),
        proptest::option::of(proptest::option::of(0..2_u8)),
    );
    let either = prop_oneof![
        (0..4_u64).prop_map(Either::Cents),
        number().prop_map(Either::Dollars),
        "[0-3]{0,2}".prop_map(Either::Text),
    ];
    let others = (
        either,
        free(),
        proptest::collection::btree_map("[a-c]{0,2}", number(), 0..3),
        ("[A-B]{1,2}", proptest::option::of("[A-B]{0,1}")),
        6..9_usize,
        proptest::collection::hash_set(0..9_u32, 0..3),
        proptest::option::of((0..3_u32).prop_map(OneMore)),
    );
    (numbers, others).prop_map(
        |((cents, wide, rate, small, maybe, twice), (either, free, rates, to, seven, unordered, more))| {
            Draft {
                cents,
                wide,
                rate,
                small,
                maybe,
                twice,
                either,
                free,
                rates,
                to: Account { iban: to.0, name: to.1 },
                seven,
                unordered: Unordered(unordered),
                more,
            }
        },
    )
}

/// Generates drafts with arbitrary values in at most three fields: a draft with arbitrary values in all fields is
/// seldom accepted.
fn nearly_plain() -> impl Strategy<Value = Draft> {
    (drafts(), proptest::collection::vec(0..13_u8, 0..4)).prop_map(|(any, fields)| {
        let mut draft = plain();
        for field in fields {
            let any = any.clone();
            match field {
                0 => draft.cents = any.cents,
                1 => draft.wide = any.wide,
                2 => draft.rate = any.rate,
                3 => draft.small = any.small,
                4 => draft.maybe = any.maybe,
                5 => draft.twice = any.twice,
                6 => draft.either = any.either,
                7 => draft.free = any.free,
                8 => draft.rates = any.rates,
                9 => draft.to = any.to,
                10 => draft.seven = any.seven,
                11 => draft.unordered = any.unordered,
                _ => draft.more = any.more,
            }
        }
        draft
    })
}

/// Returns the draft as shown to the operator and as passed to the effect, or `None` if the draft fails the node that
/// writes it.
fn accepted(draft: &Draft) -> Option<(Value, Draft)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let draft = draft.clone();
        let agent = agency(move |_| draft.clone());
        let review = match agent.start("t", input()).await.unwrap() {
            AgencyTurn::Pay(review) => review,
            AgencyTurn::Failed(failed) if failed.node() == "write" => return None,
            turn => panic!("{turn}"),
        };
        let shown = agent.view("t").await.unwrap().reviews.remove(0).draft;
        match review.approve(&mara()).await.unwrap() {
            AgencyTurn::Done(paid) => Some((shown, paid)),
            turn => panic!("the signed value did not run: {turn}"),
        }
    })
}

/// Returns the canonical JSON, over which the digest is computed, by an independent implementation.
fn canonical_form(shown: &Value) -> String {
    serde_json_canonicalizer::to_string(shown).unwrap()
}

/// Returns the draft with canonical numbers in `free`: free-form JSON has no type that distinguishes `100.0` from
/// `100`.
fn without_spelling(draft: &Draft) -> Draft {
    Draft { free: serde_json::from_str(&canonical_form(&draft.free)).unwrap(), ..draft.clone() }
}

proptest! {
    #[test]
    fn an_accepted_value_is_the_one_shown_and_paid(draft in nearly_plain()) {
        if let Some((shown, paid)) = accepted(&draft) {
            prop_assert_eq!(without_spelling(&paid), without_spelling(&draft));
            prop_assert_eq!(canonical_form(&serde_json::to_value(&paid.free).unwrap()), canonical_form(&shown["free"]));
            prop_assert_eq!(canonical_form(&serde_json::from_str(&serde_json::to_string(&paid).unwrap()).unwrap()), canonical_form(&shown));
        }
    }

    #[test]
    fn distinct_drafts_have_distinct_digests(a in nearly_plain(), b in nearly_plain()) {
        if without_spelling(&a) != without_spelling(&b)
            && let (Some((a, _)), Some((b, _))) = (accepted(&a), accepted(&b))
        {
            prop_assert_ne!(canonical_form(&a), canonical_form(&b));
            prop_assert_ne!(a.to_string(), b.to_string());
        }
    }
}
