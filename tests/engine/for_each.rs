//! `for`: one concurrent branch per item of a list.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hitl::{Error, ManualClock, SqliteStore, Timestamp, prelude::*};
use tokio::sync::{Barrier, Semaphore, watch};

#[draft]
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    pub id: u32,
    pub text: String,
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Refund {
    #[garde(range(max = 500))]
    pub dollars: u32,
}

#[state]
pub struct Batch {
    #[input]
    pub orders: Vec<Order>,
    pub order: Order,
    pub draft: Refund,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

/// Mock dependencies: records of the node runs, and controls for the bank and the drafts.
#[derive(Clone)]
pub struct Shop {
    /// The orders that `after_the_next` has finished.
    done: Arc<watch::Sender<BTreeSet<u32>>>,
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    /// A barrier that opens once as many `together` nodes are in flight as `Shop::new` was given.
    together: Arc<Barrier>,
    pub drafted: Arc<Mutex<Vec<u32>>>,
    pub paid: Arc<Mutex<Vec<(u32, String)>>>,
    /// The orders whose refund the bank refuses.
    closed: Arc<Mutex<BTreeSet<u32>>>,
    /// The orders whose draft never finishes; `begun` gets a permit for each of them that has started.
    stuck: Arc<Mutex<BTreeSet<u32>>>,
    begun: Arc<Semaphore>,
}

impl Shop {
    fn new(together: usize) -> Self {
        Self {
            done: Arc::new(watch::Sender::new(BTreeSet::new())),
            running: Arc::default(),
            most: Arc::default(),
            together: Arc::new(Barrier::new(together)),
            drafted: Arc::default(),
            paid: Arc::default(),
            closed: Arc::default(),
            stuck: Arc::default(),
            begun: Arc::new(Semaphore::new(0)),
        }
    }

    fn drafted(&self) -> Vec<u32> {
        self.drafted.lock().unwrap().clone()
    }

    fn paid(&self) -> Vec<u32> {
        self.paid.lock().unwrap().iter().map(|(order, _)| *order).collect()
    }
}

pub fn orders(count: u32) -> BatchInput {
    BatchInput { orders: (0..count).map(|id| Order { id, text: format!("order {id}") }).collect() }
}

pub fn mara() -> Operator {
    Operator::new("mara")
}

/// Finishes only after the next order has finished.
#[node(Batch, writes = log)]
async fn after_the_next(order: &Order, orders: &[Order], shop: Deps<Shop>) -> Result<Vec<String>> {
    let mut done = shop.done.subscribe();
    let next = order.id + 1;
    let _ = done.wait_for(|done| next as usize == orders.len() || done.contains(&next)).await?;
    shop.done.send_if_modified(|done| done.insert(order.id));
    Ok(vec![order.text.clone()])
}

graph! {
    pub Backwards<Batch, Shop> { start -> for order in orders { after_the_next } -> end; }
}

#[tokio::test]
async fn results_are_in_the_order_of_the_items() {
    let shop = Shop::new(1);
    let agent = Backwards::new(shop.clone(), MemoryStore::new());
    let BackwardsTurn::Done(log) = agent.start("t", orders(8)).await.unwrap() else { panic!() };
    assert_eq!(log, (0..8).map(|id| format!("order {id}")).collect::<Vec<_>>());
    // The journal holds the runs in the order in which they finished.
    let entries = agent.history("t", 0, 100).await.unwrap();
    let lanes = entries.iter().filter_map(|entry| match &entry.event {
        hitl::journal::Event::Ran { lane, .. } => Some(*lane),
        _ => None,
    });
    assert_eq!(lanes.collect::<Vec<_>>(), [8, 7, 6, 5, 4, 3, 2, 1]);
}

#[node(Batch, writes = log)]
async fn together(order: &Order, shop: Deps<Shop>) -> Result<Vec<String>> {
    let running = shop.running.fetch_add(1, Ordering::SeqCst) + 1;
    shop.most.fetch_max(running, Ordering::SeqCst);
    let _ = shop.together.wait().await;
    shop.running.fetch_sub(1, Ordering::SeqCst);
    Ok(vec![order.text.clone()])
}

graph! {
    pub Threes<Batch, Shop> { start -> for order in orders, at_most = 3 { together -> again } -> end; }
}

#[node(Batch, writes = log)]
async fn again(order: &Order, shop: Deps<Shop>) -> Result<Vec<String>> {
    together(order, shop).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_number_of_concurrent_items_is_limited() {
    let shop = Shop::new(3);
    let agent = Threes::new(shop.clone(), MemoryStore::new());
    let ThreesTurn::Done(log) = agent.start("t", orders(21)).await.unwrap() else { panic!() };
    assert_eq!(log.len(), 42);
    assert_eq!(shop.most.load(Ordering::SeqCst), 3);
}

#[node(Batch, writes = draft)]
async fn draft(order: &Order, question: Option<&Question>, shop: Deps<Shop>) -> Result<Refund> {
    shop.drafted.lock().unwrap().push(order.id);
    if shop.stuck.lock().unwrap().contains(&order.id) {
        shop.begun.add_permits(1);
        std::future::pending::<()>().await;
    }
    Ok(Refund { dollars: order.id + if question.is_some() { 100 } else { 0 } })
}

#[interrupt_before(show = (order))]
#[node(Batch, writes = log, effect)]
async fn refund(draft: &Approved<Refund>, order: &Order, shop: Deps<Shop>, cx: &Cx) -> Result<Vec<String>> {
    if shop.closed.lock().unwrap().contains(&order.id) {
        return Err(NodeError::not_done("the bank is closed"));
    }
    shop.paid.lock().unwrap().push((order.id, cx.idempotency_key().to_owned()));
    Ok(vec![format!("{} dollars for {}, signed by {}", draft.dollars, order.text, draft.signer())])
}

#[node(Batch, writes = log)]
async fn skip(rejection: &Rejection, order: &Order) -> Result<Vec<String>> {
    Ok(vec![format!("nothing for {}: {}", order.text, rejection.reason)])
}

#[node(Batch, writes = log)]
async fn close(log: &[String]) -> Result<Vec<String>> {
    Ok(vec![format!("{} in all", log.len())])
}

graph! {
    pub Refunds<Batch, Shop> {
        start -> for order in orders, at_most = 1 { draft -> refund } -> close -> end;
        refund { reject -> skip, ask -> draft }
        skip -> close;
    }
}

/// Returns the open reviews of thread `t`, sorted by the dollars of their drafts, which initially equal the orders'
/// IDs.
pub async fn open(agent: &Agent<Refunds>) -> Vec<hitl::Review<Refunds, Refund, hitl::CanAsk>> {
    let mut open = match agent.turn("t").await.unwrap() {
        RefundsTurn::Refund(review) => vec![review],
        RefundsTurn::Several(reviews) => {
            reviews.into_iter().map(|RefundsReview::Refund(review)| review).collect()
        }
        _ => Vec::new(),
    };
    open.sort_by_key(|review| review.draft().dollars);
    open
}

#[tokio::test]
async fn reviews_of_items_are_decided_in_any_order() {
    let shop = Shop::new(1);
    let agent = Refunds::new(shop.clone(), MemoryStore::new());
    let RefundsTurn::Several(all) = agent.start("t", orders(5)).await.unwrap() else { panic!() };
    // An item that waits for a review does not count toward `at_most`: all five are drafted although `at_most = 1`.
    assert_eq!((all.len(), shop.drafted()), (5, vec![0, 1, 2, 3, 4]));
    let mut reviews = open(&agent).await;
    let digests: BTreeSet<_> = reviews.iter().map(hitl::Review::digest).collect();
    assert_eq!(digests.len(), 5);
    let (fourth, third, second) = (reviews.remove(4), reviews.remove(3), reviews.remove(2));
    let (first, zeroth) = (reviews.remove(1), reviews.remove(0));

    let _ = third.approve(&mara()).await.unwrap();
    let error = fourth.edit(&mara(), |draft| draft.dollars = 501).await.unwrap_err();
    assert_eq!(error.code(), "invalid");
    let _ = zeroth.edit(&Operator::new("noor"), |draft| draft.dollars = 50).await.unwrap();
    let _ = second.reject(&mara(), Reason::BadPlan, "").await.unwrap();
    let asked = first.digest();
    let _ = first.ask(&mara(), "Is there a photo?").await.unwrap();
    let error = agent.decide("t", asked, &mara(), Verdict::Approve).await.unwrap_err();
    assert!(matches!(&error, Error::AlreadyDecided { by, .. } if by == "mara"), "{error}");
    let mut reviews = open(&agent).await;
    assert_eq!(reviews.iter().map(|review| review.draft().dollars).collect::<Vec<_>>(), [4, 101]);
    let _ = reviews.remove(0).approve(&mara()).await.unwrap();
    let RefundsTurn::Done(log) = reviews.remove(0).approve(&mara()).await.unwrap() else { panic!() };
    assert_eq!(
        log,
        [
            "50 dollars for order 0, signed by noor",
            "101 dollars for order 1, signed by mara",
            "nothing for order 2: bad_plan",
            "3 dollars for order 3, signed by mara",
            "4 dollars for order 4, signed by mara",
            "5 in all",
        ]
    );
    assert_eq!(shop.paid(), [3, 0, 4, 1]);
    agent.verify("t").await.unwrap();
}

#[tokio::test]
async fn a_finished_item_is_not_rerun_when_a_sibling_fails() {
    let shop = Shop::new(1);
    shop.closed.lock().unwrap().insert(1);
    let agent = Refunds::new(shop.clone(), MemoryStore::new());
    let _ = agent.start("t", orders(4)).await.unwrap();
    for review in open(&agent).await {
        let _ = review.approve(&mara()).await.unwrap();
    }
    let RefundsTurn::Failed(failed) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!((failed.node(), failed.error()), ("refund", "the bank is closed"));
    assert_eq!(shop.paid(), [0, 2, 3]);
    shop.closed.lock().unwrap().clear();
    let RefundsTurn::Done(log) = failed.resume().await.unwrap() else { panic!() };
    assert_eq!(log.len(), 5);
    assert_eq!((shop.drafted(), shop.paid()), (vec![0, 1, 2, 3], vec![0, 2, 3, 1]));
}

/// The process dies while the drafts of two of five orders are in flight.
#[tokio::test]
async fn a_finished_item_is_not_rerun_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("batch.db");
    let (shop, clock) = (Shop::new(1), ManualClock::at(Timestamp::from_millis(1_000_000)));
    shop.stuck.lock().unwrap().extend([2, 3]);
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (its_shop, its_clock, its_file) = (shop.clone(), clock.clone(), file.clone());
    let _running = doomed.spawn(async move {
        let store = SqliteStore::open(its_file).await.unwrap();
        Pairs::new(its_shop, store).clock(its_clock).start("t", orders(5)).await
    });
    let _ = shop.begun.acquire_many(2).await.unwrap();
    doomed.shutdown_background();
    assert_eq!(shop.drafted(), [0, 1, 2, 3]);

    shop.stuck.lock().unwrap().clear();
    clock.advance(Duration::from_secs(31));
    let agent = Pairs::new(shop.clone(), SqliteStore::open(&file).await.unwrap()).clock(clock.clone());
    let PairsTurn::Several(reviews) = agent.resume("t").await.unwrap() else { panic!() };
    assert_eq!((reviews.len(), shop.drafted()), (5, vec![0, 1, 2, 3, 2, 3, 4]));
    for PairsReview::Refund(review) in reviews {
        let _ = review.approve(&mara()).await.unwrap();
    }
    let PairsTurn::Done(log) = agent.turn("t").await.unwrap() else { panic!() };
    assert_eq!((log.len(), shop.paid()), (5, vec![0, 1, 2, 3, 4]));
    agent.verify("t").await.unwrap();
}

graph! {
    pub Pairs<Batch, Shop> {
        start -> for order in orders, at_most = 2 { draft -> refund } -> end;
        refund { reject -> end, ask -> draft }
    }
}

#[tokio::test]
async fn an_empty_list_skips_the_for_and_gives_an_empty_list() {
    let shop = Shop::new(1);
    let agent = Refunds::new(shop.clone(), MemoryStore::new());
    let RefundsTurn::Done(log) = agent.start("t", orders(0)).await.unwrap() else { panic!() };
    assert_eq!(log, ["0 in all"]);
    let agent = Pairs::new(shop.clone(), MemoryStore::new());
    let PairsTurn::Done(log) = agent.start("t", orders(0)).await.unwrap() else { panic!() };
    assert!(log.is_empty() && shop.drafted().is_empty());
}
