//! `match` on the amount: a clerk signs small payments, a director signs large ones.

use std::time::Duration;

use std::sync::{Arc, Mutex};

use hitl::{Error, ManualClock, MemoryStore, SqliteStore, Store, Timestamp, prelude::*};
use serde_json::json;

use super::summary;
use crate::kit::operators::{both, clerk, director};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Payment {
    #[garde(range(max = 1_000_000))]
    pub cents: u64,
    #[garde(skip)]
    pub to: String,
}

#[state]
pub struct Order {
    #[input]
    pub cents: u64,
    pub draft: Payment,
    #[output]
    pub outcome: String,
}

#[derive(Clone, Default)]
pub struct Bank {
    pub paid: Arc<Mutex<Vec<(u64, String, String)>>>,
}

impl Bank {
    pub fn paid(&self) -> Vec<(u64, String, String)> {
        self.paid.lock().unwrap().clone()
    }

    fn pay(&self, draft: &Payment, by: &str, till: &str) -> String {
        self.paid.lock().unwrap().push((draft.cents, by.to_owned(), till.to_owned()));
        format!("{} by {by} at {till}", draft.cents)
    }
}

#[node(Order, writes = draft)]
pub async fn draft(cents: u64, question: Option<&Question>) -> Result<Payment> {
    Ok(Payment { cents, to: question.map(|question| question.text.clone()).unwrap_or_default() })
}

#[interrupt_before(role = "clerk", expires = "24h")]
#[node(Order, writes = outcome, effect)]
pub async fn pay_small(draft: &Approved<Payment>, bank: Deps<Bank>) -> Result<String> {
    Ok(bank.pay(draft, &draft.signer().to_string(), "small"))
}

#[interrupt_before(role = "director", expires = "48h")]
#[node(Order, writes = outcome, effect)]
pub async fn pay_large(draft: &Approved<Payment>, bank: Deps<Bank>) -> Result<String> {
    Ok(bank.pay(draft, &draft.signer().to_string(), "large"))
}

#[node(Order, writes = outcome)]
pub async fn nothing() -> Result<String> {
    Ok("nothing to pay".into())
}

#[node(Order, writes = outcome)]
pub async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(format!("rejected by {}", rejection.operator))
}

graph! {
    /// Pays after a signature by the role that the amount requires.
    pub Till<Order, Bank> {
        start -> draft -> match draft {
            Payment { cents: 0, .. } => nothing,
            Payment { cents: ..=500_00, .. } => pay_small,
            Payment { .. } => pay_large,
        };
        nothing -> end;
        pay_small -> end;
        pay_large -> end;
        pay_small { reject -> cancel, ask -> draft }
        pay_large { reject -> cancel, ask -> draft }
        cancel -> end;
    }
}

async fn small(agent: &hitl::Agent<Till>, thread: &str) -> hitl::Review<Till, Payment, hitl::CanAsk> {
    match agent.start(thread, OrderInput { cents: 100 }).await.unwrap() {
        TillTurn::PaySmall(review) => review,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_clerk_cannot_pay_what_a_director_must_sign() {
    let (bank, clock) = (Bank::default(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let agent = Till::new(bank.clone(), MemoryStore::new()).clock(clock.clone());
    let first = small(&agent, "t").await;
    let (digest, opened) = (first.digest(), first.deadline().unwrap());
    clock.advance(std::time::Duration::from_secs(60));
    let turn = first.edit(&clerk(), |draft| draft.cents = 999_999).await.unwrap();
    let TillTurn::PayLarge(review) = turn else { panic!("{turn}") };
    assert!(bank.paid().is_empty());
    assert_eq!((review.draft().cents, review.role()), (999_999, Some("director")));
    assert_eq!(review.proposed_by(), Some("carl"));
    assert_ne!(review.digest(), digest);
    assert_eq!(
        review.deadline().unwrap().saturating_since(opened),
        Duration::from_hours(24) + Duration::from_mins(1),
        "expected the deadline of the new review"
    );
    // The clerk can sign neither this review nor the old digest; the error for the latter names the edit.
    let (again, large) = (agent.clone(), review.digest());
    let error = review.approve(&clerk()).await.unwrap_err();
    assert!(matches!(&error, Error::RoleMissing { role, .. } if role == "director"), "{error}");
    let error = again.decide("t", digest, &clerk(), Verdict::Approve).await.unwrap_err();
    assert!(
        matches!(&error, Error::AlreadyDecided { by, verdict, .. } if by == "carl" && verdict == "edit"),
        "{error}"
    );
    let turn = again.decide("t", large, &director(), Verdict::Approve).await.unwrap();
    assert!(matches!(turn, TillTurn::Done(_)));
    assert_eq!(bank.paid(), [(999_999, "dora".into(), "large".into())]);
    assert_eq!(
        summary(&agent, "t").await,
        [
            "ran draft",
            "paused pay_small for clerk",
            "carl edit pay_small from `draft` to pay_large",
            "paused pay_large for director, proposed by carl",
            "dora approve pay_large",
            "began pay_large",
            "ran pay_large",
        ]
    );
    agent.verify("t").await.unwrap();
}

#[tokio::test]
async fn one_verdict_signs_the_next_review_if_permitted() {
    let bank = Bank::default();
    let agent = Till::new(bank.clone(), MemoryStore::new());
    let turn = small(&agent, "t").await.edit(&both(), |draft| draft.cents = 999_999).await.unwrap();
    assert!(matches!(turn, TillTurn::Done(outcome) if outcome == "999999 by bea at large"));
    assert_eq!(bank.paid().len(), 1);
    assert_eq!(
        summary(&agent, "t").await[2..5],
        [
            "bea edit pay_small from `draft` to pay_large",
            "paused pay_large for director, proposed by bea",
            "bea approve pay_large by the edit",
        ]
    );
    agent.verify("t").await.unwrap();
}

#[tokio::test]
async fn an_edit_within_its_arm_signs_the_open_review() {
    let bank = Bank::default();
    let agent = Till::new(bank.clone(), MemoryStore::new());
    let turn = small(&agent, "t").await.edit(&clerk(), |draft| draft.cents = 200).await.unwrap();
    assert!(matches!(turn, TillTurn::Done(outcome) if outcome == "200 by carl at small"));
    assert_eq!(summary(&agent, "t").await[2], "carl edit pay_small");
}

#[tokio::test]
async fn an_edit_may_lead_to_no_review_at_all() {
    let bank = Bank::default();
    let agent = Till::new(bank.clone(), MemoryStore::new());
    let review = small(&agent, "t").await;
    let edit = Verdict::Edit { patch: json!({ "cents": 0 }) };
    let preview = agent.preview("t", review.digest(), &clerk(), edit).await.unwrap();
    let again = preview.again.unwrap();
    assert_eq!((again.to.to_string().as_str(), again.opens.as_ref()), ("nothing", None));
    assert_eq!(
        again.to_string(),
        "the edit is a new proposal of `draft`: the thread returns to `draft` and continues to `nothing`, and \
         a later review requires a signature of its own, unless it is the one before `pay_small` again"
    );
    let turn = review.edit(&clerk(), |draft| draft.cents = 0).await.unwrap();
    assert!(matches!(turn, TillTurn::Done(outcome) if outcome == "nothing to pay"));
    assert!(bank.paid().is_empty());
}

#[tokio::test]
async fn a_preview_reports_the_review_that_an_edit_opens() {
    let agent = Till::new(Bank::default(), MemoryStore::new());
    let digest = small(&agent, "t").await.digest();
    let preview = async |operator: Operator, cents: u64| {
        let edit = Verdict::Edit { patch: json!({ "cents": cents }) };
        agent.preview("t", digest, &operator, edit).await.unwrap()
    };
    assert_eq!(preview(clerk(), 200).await.again, None);
    let stays = preview(clerk(), 999_999).await;
    assert_eq!(stays.draft, Some(json!({ "cents": 999_999, "to": "" })));
    assert_eq!(
        serde_json::to_value(stays.again.as_ref().unwrap()).unwrap(),
        json!({
            "field": "draft", "from": { "after": "draft" }, "to": "pay_large",
            "opens": { "node": "pay_large", "role": "director", "signs": false },
        })
    );
    assert_eq!(
        stays.again.unwrap().to_string(),
        "the edit is a new proposal of `draft`: the thread returns to `draft` and continues to `pay_large`, where the review before `pay_large` \
         waits for a signature of role `director`"
    );
    assert!(preview(both(), 999_999).await.again.unwrap().opens.unwrap().signs);
    assert_eq!(summary(&agent, "t").await.len(), 2, "the preview changed the thread");
}

#[tokio::test]
async fn a_draft_may_be_edited_repeatedly_between_tiers() {
    let bank = Bank::default();
    let agent = Till::new(bank.clone(), MemoryStore::new());
    let turn = small(&agent, "t").await.edit(&clerk(), |draft| draft.cents = 999_999).await.unwrap();
    let TillTurn::PayLarge(review) = turn else { panic!("{turn}") };
    // The director does not hold the clerk's role, so an edit to a small amount waits for a clerk.
    let turn = review.edit(&director(), |draft| draft.cents = 50).await.unwrap();
    let TillTurn::PaySmall(review) = turn else { panic!("{turn}") };
    assert_eq!(review.proposed_by(), Some("dora"));
    let turn = review.edit(&clerk(), |draft| draft.cents = 60).await.unwrap();
    assert!(matches!(turn, TillTurn::Done(outcome) if outcome == "60 by carl at small"));
    assert_eq!(bank.paid().len(), 1);
}

#[tokio::test]
async fn a_question_discards_the_signature_of_an_edit() {
    let bank = Bank::default();
    let agent = Till::new(bank.clone(), MemoryStore::new());
    let turn = small(&agent, "t").await.edit(&clerk(), |draft| draft.cents = 999_999).await.unwrap();
    let TillTurn::PayLarge(review) = turn else { panic!("{turn}") };
    // The node writes `draft` again, so no operator is recorded as the proposer.
    let turn = review.ask(&director(), "to whom?").await.unwrap();
    let TillTurn::PaySmall(review) = turn else { panic!("{turn}") };
    assert_eq!((review.draft().to.as_str(), review.proposed_by()), ("to whom?", None));
    assert!(bank.paid().is_empty());
}

#[tokio::test]
async fn the_review_that_an_edit_opens_has_its_own_deadline() {
    let (bank, clock) = (Bank::default(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let agent = Till::new(bank.clone(), MemoryStore::new()).clock(clock.clone());
    let turn = small(&agent, "t").await.edit(&clerk(), |draft| draft.cents = 999_999).await.unwrap();
    assert!(matches!(turn, TillTurn::PayLarge(_)));
    clock.advance(std::time::Duration::from_secs(25 * 3_600));
    assert!(
        agent.sweep().await.unwrap().is_empty(),
        "the edited review is closed, so its deadline must not apply"
    );
    clock.advance(std::time::Duration::from_secs(24 * 3_600));
    assert_eq!(agent.sweep().await.unwrap().len(), 1);
    let TillTurn::Done(outcome) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!(outcome, "rejected by hitl");
    assert!(bank.paid().is_empty());
}

/// The process dies between the edit's entry and the review that the edit leads to: another process continues the edit.
#[tokio::test]
async fn a_pending_edit_continues_in_another_process() {
    for (operator, paid) in [(clerk(), 0), (both(), 1)] {
        let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
        let first = Till::new(Bank::default(), store.clone()).clock(clock.clone());
        let review = small(&first, "t").await;
        let opened = first.history("t", 0, 100).await.unwrap().len();
        let _ = review.edit(&operator, |draft| draft.cents = 999_999).await.unwrap();
        // The journal of a process that died there ends with the edit's own entry.
        let cut = MemoryStore::new();
        copy(&cut, "t", store.entries(&"t".parse().unwrap(), 0.into(), opened + 1).await.unwrap()).await;
        let bank = Bank::default();
        clock.advance(std::time::Duration::from_secs(60));
        let second = Till::new(bank.clone(), cut).clock(clock);
        let turn = second.resume("t").await.unwrap();
        if paid == 0 {
            assert!(matches!(turn, TillTurn::PayLarge(review) if review.proposed_by() == Some("carl")));
        } else {
            assert!(matches!(turn, TillTurn::Done(_)));
        }
        assert_eq!(bank.paid().len(), paid);
    }
}

/// Appends the records to another store, as the whole journal of a running thread.
pub async fn copy(store: &impl Store, thread: &str, records: Vec<hitl::store::Record>) {
    let append = hitl::store::Append::new(thread.parse().unwrap(), records, hitl::ThreadStatus::Running)
        .with_reviews(Vec::new());
    store.append(append).await.unwrap();
}

/// A snapshot keeps the origin of an edited field and who proposed it.
#[tokio::test]
async fn a_snapshot_keeps_the_origin_of_an_edit() {
    let dir = tempfile::tempdir().unwrap();
    let bank = Bank::default();
    let agent = Till::new(bank.clone(), SqliteStore::open(dir.path().join("t.db")).await.unwrap());
    let mut review = small(&agent, "t").await;
    for _ in 0..40 {
        let TillTurn::PayLarge(large) = review.edit(&clerk(), |draft| draft.cents = 999_999).await.unwrap()
        else {
            panic!()
        };
        let turn = large.edit(&director(), |draft| draft.cents = 50).await.unwrap();
        let TillTurn::PaySmall(small) = turn else { panic!("{turn}") };
        review = small;
    }
    assert_eq!(review.proposed_by(), Some("dora"));
    let turn = review.edit(&both(), |draft| draft.cents = 999_999).await.unwrap();
    assert!(matches!(turn, TillTurn::Done(_)));
    assert_eq!(bank.paid(), [(999_999, "bea".into(), "large".into())]);
    agent.verify("t").await.unwrap();
}

/// An entry that signs by an edit is rejected if it names another operator, if the edit's operator did not hold the
/// role, or if the entry that it refers to is not an edit.
#[tokio::test]
async fn a_forged_signature_by_an_edit_is_rejected() {
    let (store, clock) = (MemoryStore::new(), ManualClock::at(Timestamp::from_millis(1_000_000)));
    let agent = Till::new(Bank::default(), store.clone()).clock(clock.clone());
    let turn = small(&agent, "t").await.edit(&both(), |draft| draft.cents = 999_999).await.unwrap();
    assert!(matches!(turn, TillTurn::Done(_)));
    clock.advance(std::time::Duration::from_secs(60));
    let records = store.entries(&"t".parse().unwrap(), 0.into(), 100).await.unwrap();
    let text = |at: usize| String::from_utf8(records[at].body.clone()).unwrap();
    for (place, from, to) in [
        (3, r#""roles":["clerk","director"]"#, r#""roles":["clerk"]"#),
        (5, r#""operator":"bea""#, r#""operator":"carl""#),
        (5, r#"{"edit":3}"#, r#"{"edit":2}"#),
        // 25 hours later, and the edited review was open for 24.
        (5, r#""at":1000000"#, r#""at":91000000"#),
    ] {
        assert!(text(place).contains(from), "{}", text(place));
        let mut forged: Vec<hitl::store::Record> = Vec::new();
        let mut hash = None;
        for (at, record) in records.iter().enumerate().take(6) {
            let body = if at == place { text(at).replace(from, to) } else { text(at) };
            let mut record = record.clone();
            record.body = body.into_bytes();
            record.hash = linked(hash, "t", &record.body);
            hash = Some(record.hash);
            forged.push(record);
        }
        let other = MemoryStore::new();
        copy(&other, "t", forged).await;
        let bank = Bank::default();
        let error = Till::new(bank.clone(), other).clock(clock.clone()).resume("t").await.unwrap_err();
        assert!(matches!(&error, Error::Damaged { place, .. } if *place == 5), "{error}");
        assert!(bank.paid().is_empty());
    }
}

/// Returns the hash of an entry: the SHA-256 of the hash before it and of its bytes.
fn linked(before: Option<hitl::Digest>, thread: &str, body: &[u8]) -> hitl::Digest {
    let genesis = hitl::Digest::of(&[b"hitl journal 1\0", thread.as_bytes()].concat());
    let hex = before.unwrap_or(genesis).to_string();
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    hitl::Digest::of(&bytes.chain(body.iter().copied()).collect::<Vec<_>>())
}
