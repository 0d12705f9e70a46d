//! A `match`, a `for` and a fork where no node is before them: in an arm, at the beginning of a body, after a join.

use std::sync::{Arc, Mutex};

use hitl::{journal::Event, prelude::*};

#[draft]
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    Broken,
    Late,
}

#[draft]
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    pub id: u32,
    pub fault: Fault,
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Refund {
    #[garde(range(max = 500))]
    pub dollars: u32,
}

#[state]
pub struct Day {
    #[input]
    pub parcels: Vec<Parcel>,
    pub parcel: Parcel,
    pub refund: Refund,
    #[reduce(append)]
    #[output]
    pub log: Vec<String>,
}

/// A mock bank: the refunds that it made.
#[derive(Clone, Default)]
pub struct Bank(Arc<Mutex<Vec<u32>>>);

#[node(Day, writes = refund)]
async fn draft(parcel: &Parcel) -> Result<Refund> {
    Ok(Refund { dollars: parcel.id * 10 })
}

#[interrupt_before(show = (parcel))]
#[node(Day, writes = log, effect)]
async fn pay(refund: &Approved<Refund>, parcel: &Parcel, bank: Deps<Bank>) -> Result<Vec<String>> {
    bank.0.lock().unwrap().push(refund.dollars);
    Ok(vec![format!("paid for {}", parcel.id)])
}

#[node(Day, writes = log)]
async fn apologize(parcel: &Parcel) -> Result<Vec<String>> {
    Ok(vec![format!("sorry for {}", parcel.id)])
}

#[node(Day, writes = log)]
async fn note(parcel: &Parcel) -> Result<Vec<String>> {
    Ok(vec![format!("noted {}", parcel.id)])
}

#[node(Day, writes = log)]
async fn tally(parcel: &Parcel) -> Result<Vec<String>> {
    Ok(vec![format!("tallied {}", parcel.id)])
}

#[node(Day, writes = log)]
async fn count(log: &[String]) -> Result<Vec<String>> {
    Ok(vec![format!("{} lines", log.len())])
}

#[node(Day, writes = log)]
async fn open() -> Result<Vec<String>> {
    Ok(vec!["open".into()])
}

#[node(Day, writes = log)]
async fn close() -> Result<Vec<String>> {
    Ok(vec!["closed".into()])
}

#[node(Day, writes = log)]
async fn nothing() -> Result<Vec<String>> {
    Ok(vec!["nothing".into()])
}

graph! {
    /// Every place without a node: a body that begins with a `match`, an arm that is a fork, a `match` after a `for`, an
    /// arm that is a fork of a `for`, and a body that ends in a `for`.
    pub Claims<Day, Bank> {
        start -> for parcel in parcels {
            match parcel.fault {
                Fault::Broken => draft -> pay -> continue,
                Fault::Late => (apologize, note) -> continue,
            }
        } -> match log.len() {
            0 => nothing -> end,
            _ => (for parcel in parcels { tally }, count) -> close -> end,
        };
        pay { reject -> continue }
    }
}

fn mara() -> Operator {
    Operator::new("mara")
}

fn day(faults: &[Fault]) -> DayInput {
    let parcel = |(id, fault): (u32, &Fault)| Parcel { id, fault: fault.clone() };
    DayInput { parcels: (1..).zip(faults).map(parcel).collect() }
}

async fn reviews(agent: &Agent<Claims>) -> Vec<ClaimsReview> {
    match agent.turn("monday").await.unwrap() {
        ClaimsTurn::Pay(review) => vec![ClaimsReview::Pay(review)],
        ClaimsTurn::Several(reviews) => reviews,
        turn => panic!("{turn}"),
    }
}

#[tokio::test]
async fn every_place_without_a_node_runs() {
    let (store, bank) = (MemoryStore::new(), Bank::default());
    // A process of its own for each move.
    let agent = || Claims::new(bank.clone(), store.clone());
    let input = day(&[Fault::Broken, Fault::Late, Fault::Broken]);
    let ClaimsTurn::Several(open) = agent().start("monday", input).await.unwrap() else {
        panic!("two parcels are broken")
    };
    let [ClaimsReview::Pay(first), ClaimsReview::Pay(_)] = <[_; 2]>::try_from(open).unwrap();
    let _ = first.reject(&mara(), Reason::Other, "not broken").await.unwrap();
    let ClaimsReview::Pay(second) = reviews(&agent()).await.pop().unwrap();
    let ClaimsTurn::Done(log) = second.approve(&mara()).await.unwrap() else { panic!("all is decided") };
    assert_eq!(*bank.0.lock().unwrap(), [30]);
    // Of the items in their order, then of the branches in theirs.
    assert_eq!(
        log,
        ["sorry for 2", "noted 2", "paid for 3", "tallied 1", "tallied 2", "tallied 3", "3 lines", "closed"]
    );
    let _ = agent().verify("monday").await.unwrap();
}

#[tokio::test]
async fn an_empty_list_is_skipped_to_the_match_after_it() {
    let agent = Claims::new(Bank::default(), MemoryStore::new());
    let turn = agent.start("monday", day(&[])).await.unwrap();
    assert!(matches!(turn, ClaimsTurn::Done(log) if log == ["nothing"]));
}

graph! {
    /// A `for` after a fork, in an arm, after a `for`, and at the end of a branch: each in a transition that the journal
    /// keeps, with reviews after it.
    pub Loops<Day, Bank> {
        start -> (open, close) -> for parcel in parcels {
            draft -> pay
        } -> for parcel in parcels {
            match parcel.fault {
                Fault::Broken => apologize -> continue,
                Fault::Late => (note, tally) -> continue,
            }
        } -> nothing -> match log.len() {
            0..=3 => end,
            _ => for parcel in parcels { again -> pay_again } -> end,
        };
        pay { reject -> continue }
        pay_again { reject -> continue }
    }
}

#[node(Day, writes = refund)]
async fn again(parcel: &Parcel) -> Result<Refund> {
    Ok(Refund { dollars: parcel.id })
}

#[interrupt_before(show = (parcel))]
#[node(Day, writes = log, effect)]
async fn pay_again(refund: &Approved<Refund>, parcel: &Parcel, bank: Deps<Bank>) -> Result<Vec<String>> {
    bank.0.lock().unwrap().push(refund.dollars);
    Ok(vec![format!("paid again for {}", parcel.id)])
}

/// Each move is made by a process of its own, which reads all that those before it wrote.
#[tokio::test]
async fn every_for_without_a_node_before_it_is_read_back() {
    let (store, bank) = (MemoryStore::new(), Bank::default());
    let agent = || Loops::new(bank.clone(), store.clone());
    let _ = agent().start("monday", day(&[Fault::Broken, Fault::Late])).await.unwrap();
    let mut decided = 0;
    let log = loop {
        let _ = agent().verify("monday").await.unwrap();
        let review = match agent().turn("monday").await.unwrap() {
            LoopsTurn::Several(mut reviews) => reviews.pop().unwrap(),
            LoopsTurn::Pay(review) => LoopsReview::Pay(review),
            LoopsTurn::PayAgain(review) => LoopsReview::PayAgain(review),
            LoopsTurn::Done(log) => break log,
            turn => panic!("{turn}"),
        };
        decided += 1;
        let _ = match review {
            LoopsReview::Pay(review) => review.approve(&mara()).await.unwrap(),
            LoopsReview::PayAgain(review) => review.approve(&mara()).await.unwrap(),
        };
    };
    assert_eq!((decided, bank.0.lock().unwrap().clone()), (4, vec![20, 10, 2, 1]));
    assert_eq!(log.len(), 10, "{log:?}");
}

/// The node that wrote the list fails, as it does directly before a `for`, so that a mended node can run again.
#[tokio::test]
async fn a_list_that_is_too_long_for_an_arm_is_not_recorded() {
    let parcels = vec![Parcel { id: 1, fault: Fault::Late }; hitl::MAX_ITEMS + 1];
    let agent = Straight::new(MemoryStore::new());
    let StraightTurn::Failed(failed) = agent.start("monday", DayInput { parcels }).await.unwrap() else {
        panic!("the list is too long")
    };
    assert_eq!(failed.node(), "open");
    assert!(failed.error().contains("10001 items"), "{}", failed.error());
}

graph! {
    pub Straight<Day> {
        start -> open -> match log.len() {
            0 => end,
            _ => for parcel in parcels { note } -> end,
        };
    }
}

#[state]
pub struct Letter {
    #[input]
    pub urgent: bool,
    #[input]
    pub dollars: u32,
    pub refund: Refund,
    #[output]
    pub outcome: String,
}

#[node(Letter, writes = refund)]
async fn propose(dollars: u32) -> Result<Refund> {
    Ok(Refund { dollars })
}

#[interrupt_before(role = "desk")]
#[node(Letter, writes = outcome, effect)]
async fn pay_little(refund: &Approved<Refund>) -> Result<String> {
    Ok(format!("little: {}", refund.dollars))
}

#[interrupt_before(role = "director")]
#[node(Letter, writes = outcome, effect)]
async fn pay_much(refund: &Approved<Refund>) -> Result<String> {
    Ok(format!("much: {}", refund.dollars))
}

#[node(Letter, writes = outcome)]
async fn wait(rejection: Option<&Rejection>) -> Result<String> {
    Ok(rejection.map_or("later", |_| "refused").into())
}

graph! {
    pub Limits<Letter> {
        start -> propose -> match urgent {
            true => match refund.dollars {
                0..=100 => pay_little -> end,
                _ => pay_much -> end,
            },
            false => wait -> end,
        };
        pay_little { reject -> wait }
        pay_much { reject -> wait }
    }
}

/// An edit follows both `match`es, so it cannot lead a large refund past the director.
#[tokio::test]
async fn an_edit_follows_a_match_in_an_arm() {
    let store = MemoryStore::new();
    let agent = Limits::new(store.clone());
    let input = LetterInput { urgent: true, dollars: 50 };
    let LimitsTurn::PayLittle(review) = agent.start("letter", input).await.unwrap() else {
        panic!("50 is little")
    };
    let clerk = Operator::new("cleo").role("desk");
    let turn = review.edit(&clerk, |refund| refund.dollars = 300).await.unwrap();
    let LimitsTurn::PayMuch(review) = turn else { panic!("300 is much") };
    assert!(review.approve(&clerk).await.is_err());
    let LimitsTurn::PayMuch(review) = agent.turn("letter").await.unwrap() else { panic!("it waits") };
    let director = Operator::new("dana").role("director");
    let turn = review.approve(&director).await.unwrap();
    assert!(matches!(turn, LimitsTurn::Done(outcome) if outcome == "much: 300"));
    // The two are evaluated at once: no entry stands between them.
    let history = agent.history("letter", 0, 100).await.unwrap();
    let ran: Vec<_> = history
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Ran { node, .. } => Some(node.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(ran, ["propose", "pay_much"]);
}
