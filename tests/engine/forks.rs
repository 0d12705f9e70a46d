//! Forks: concurrent branches.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use hitl::{Error, prelude::*};
use tokio::sync::Barrier;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Letter {
    #[garde(length(chars, min = 1))]
    pub text: String,
}

#[state]
pub struct Case {
    #[input]
    pub name: String,
    pub to_customer: Letter,
    pub to_bank: Letter,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

#[derive(Clone)]
pub struct Office {
    /// A barrier that opens only while both writers run.
    pub both: Arc<Barrier>,
    pub bank_down: Arc<AtomicU32>,
    pub written: Arc<AtomicU32>,
}

impl Office {
    fn new() -> Self {
        Self { both: Arc::new(Barrier::new(2)), bank_down: Arc::default(), written: Arc::default() }
    }
}

#[node(Case, writes = log)]
async fn open(name: &str) -> Result<Vec<String>> {
    Ok(vec![format!("open {name}")])
}

#[node(Case, writes = (to_customer, log))]
async fn write_customer(log: &[String], office: Deps<Office>) -> Result<(Letter, Vec<String>)> {
    office.written.fetch_add(1, Ordering::SeqCst);
    office.both.wait().await;
    Ok((Letter { text: "dear customer".into() }, vec![format!("customer saw {}", log.len())]))
}

#[node(Case, writes = (to_bank, log))]
async fn write_bank(log: &[String], office: Deps<Office>) -> Result<(Letter, Vec<String>)> {
    office.written.fetch_add(1, Ordering::SeqCst);
    office.both.wait().await;
    Ok((Letter { text: "dear bank".into() }, vec![format!("bank saw {}", log.len())]))
}

#[interrupt_before]
#[node(Case, writes = log, effect)]
async fn send_customer(to_customer: &Approved<Letter>) -> Result<Vec<String>> {
    Ok(vec![format!("sent `{}`, signed by {}", to_customer.text, to_customer.signer())])
}

#[interrupt_before]
#[node(Case, writes = log, effect)]
async fn send_bank(to_bank: &Approved<Letter>, office: Deps<Office>) -> Result<Vec<String>> {
    if office.bank_down.load(Ordering::SeqCst) > 0 {
        return Err(NodeError::not_done("the bank is closed"));
    }
    Ok(vec![format!("sent `{}`, signed by {}", to_bank.text, to_bank.signer())])
}

#[node(Case, writes = log)]
async fn drop_bank(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![format!("no letter to the bank: {}", rejection.reason)])
}

#[node(Case, writes = log)]
async fn drop_customer(rejection: &Rejection) -> Result<Vec<String>> {
    Ok(vec![format!("no letter to the customer: {}", rejection.reason)])
}

#[interrupt_before(edit = false)]
#[node(Case, writes = log, effect, idempotent)]
async fn archive(to_customer: &Approved<Letter>) -> Result<Vec<String>> {
    Ok(vec![format!("archived `{}`", to_customer.text)])
}

graph! {
    pub Letters<Case, Office> {
        start -> open -> (write_customer -> send_customer, write_bank -> send_bank) -> archive -> end;
        send_customer { reject -> drop_customer }
        send_bank { reject -> drop_bank }
        drop_customer -> archive;
        drop_bank -> archive;
        archive { reject -> end }
    }
}

fn input() -> CaseInput {
    CaseInput { name: "A-9133".into() }
}

async fn both(agent: &Agent<Letters>) -> (hitl::Review<Letters, Letter>, hitl::Review<Letters, Letter>) {
    let LettersTurn::Several(reviews) = agent.turn("t").await.unwrap() else {
        panic!("two reviews are open")
    };
    let (mut customer, mut bank) = (None, None);
    for review in reviews {
        match review {
            LettersReview::SendCustomer(review) => customer = Some(review),
            LettersReview::SendBank(review) => bank = Some(review),
            LettersReview::Archive(_) => panic!("`archive` must not be open yet"),
        }
    }
    (customer.unwrap(), bank.unwrap())
}

#[tokio::test]
async fn branches_are_decided_in_any_order_and_merge_in_their_own() {
    let mara = Operator::new("mara");
    let agent = Letters::new(Office::new(), MemoryStore::new());
    assert!(
        matches!(agent.start("t", input()).await.unwrap(), LettersTurn::Several(reviews) if reviews.len() == 2)
    );
    let (customer, bank) = both(&agent).await;
    // Decide the second branch first.
    let LettersTurn::SendCustomer(_) = bank.approve(&mara).await.unwrap() else {
        panic!("expected the other review")
    };
    let LettersTurn::Archive(archive) =
        customer.edit(&Operator::new("noor"), |letter| letter.text = "hello".into()).await.unwrap()
    else {
        panic!("expected the review after the join")
    };
    let LettersTurn::Done(log) = archive.approve(&mara).await.unwrap() else { panic!("expected the end") };
    assert_eq!(
        log,
        [
            "open A-9133",
            // Neither branch sees what the other one wrote.
            "customer saw 1",
            "sent `hello`, signed by noor",
            "bank saw 1",
            "sent `dear bank`, signed by mara",
            "archived `hello`",
        ]
    );
}

#[tokio::test]
async fn a_rejection_affects_only_its_branch() {
    let mara = Operator::new("mara");
    let agent = Letters::new(Office::new(), MemoryStore::new());
    let _ = agent.start("t", input()).await.unwrap();
    let (customer, bank) = both(&agent).await;
    let _ = bank.reject(&mara, Reason::BadPlan, "").await.unwrap();
    let LettersTurn::Archive(archive) = customer.approve(&mara).await.unwrap() else { panic!() };
    let LettersTurn::Done(log) = archive.reject(&mara, Reason::Other, "").await.unwrap() else { panic!() };
    assert_eq!(log.last().unwrap(), "no letter to the bank: bad_plan");
}

#[tokio::test]
async fn a_finished_branch_is_not_rerun_when_a_sibling_fails() {
    let mara = Operator::new("mara");
    let office = Office::new();
    office.bank_down.store(1, Ordering::SeqCst);
    let agent = Letters::new(office.clone(), MemoryStore::new());
    let _ = agent.start("t", input()).await.unwrap();
    let (customer, bank) = both(&agent).await;
    let _ = bank.approve(&mara).await.unwrap();
    let LettersTurn::Failed(failed) = customer.approve(&mara).await.unwrap() else { panic!() };
    assert_eq!(failed.node(), "send_bank");
    office.bank_down.store(0, Ordering::SeqCst);
    let LettersTurn::Archive(_) = failed.resume().await.unwrap() else { panic!() };
    assert_eq!(office.written.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_verdicts_on_two_reviews_both_count() {
    for trial in 0..50 {
        let store = MemoryStore::new();
        let (one, two) = (Letters::new(Office::new(), store.clone()), Letters::new(Office::new(), store));
        let _ = one.start("t", input()).await.unwrap();
        let (customer, bank) = both(&one).await;
        let (customer, bank) = (customer.digest(), bank.digest());
        let decide = |agent: Agent<Letters>, digest, name: &'static str| {
            tokio::spawn(
                async move { agent.decide("t", digest, &Operator::new(name), Verdict::Approve).await },
            )
        };
        let (a, b) = (decide(one.clone(), customer, "mara"), decide(two.clone(), bank, "noor"));
        let _ = a.await.unwrap().unwrap();
        let _ = b.await.unwrap().unwrap();
        // The process that holds the lease runs on with both verdicts.
        let turn = loop {
            match one.turn("t").await.unwrap() {
                LettersTurn::Running(_) => tokio::task::yield_now().await,
                turn => break turn,
            }
        };
        assert!(matches!(turn, LettersTurn::Archive(_)), "trial {trial}: {turn}");
        let stale = one.decide("t", bank, &Operator::new("eve"), Verdict::Approve).await.unwrap_err();
        assert!(matches!(&stale, Error::AlreadyDecided { by, .. } if by == "noor"), "{stale}");
    }
}
