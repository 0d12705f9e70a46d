//! Values that reach nodes, and values that the journal cannot hold.

use hitl::prelude::*;

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Notes {
    #[garde(skip)]
    pub lines: Vec<String>,
}

fn join(mut old: Notes, new: Notes) -> Notes {
    old.lines.extend(new.lines);
    old
}

fn notes(line: &str) -> Notes {
    Notes { lines: vec![line.to_owned()] }
}

#[state]
pub struct Paper {
    #[input]
    pub title: String,
    #[reduce(join)]
    #[output]
    pub notes: Notes,
    pub number: f64,
}

#[node(Paper, writes = notes)]
async fn open(title: &str) -> Result<Notes> {
    Ok(notes(title))
}

#[node(Paper, writes = notes)]
async fn add() -> Result<Notes> {
    Ok(notes("added"))
}

#[interrupt_before]
#[node(Paper, effect)]
async fn publish(notes: &Approved<Notes>) -> Result<()> {
    assert!(!notes.lines.is_empty());
    Ok(())
}

/// Reads the rejection that led to it, although a person signs between that rejection and the run.
#[interrupt_before(unsigned(rejection))]
#[node(Paper, writes = notes, effect)]
async fn escalate(notes: &Approved<Notes>, rejection: &Rejection) -> Result<Notes> {
    assert_eq!(notes.lines.len(), 1);
    Ok(super::node_values::notes(&rejection.note))
}

graph! {
    pub Side<Paper> {
        start -> open -> (add, publish) -> close -> end;
        publish { reject -> close }
    }
}

graph! {
    pub Escalation<Paper> {
        start -> open -> publish -> end;
        publish { reject -> escalate }
        escalate { reject -> end }
        escalate -> end;
    }
}

#[node(Paper)]
async fn close(_rejection: Option<&Rejection>) -> Result<()> {
    Ok(())
}

#[node(Paper, writes = number)]
async fn count() -> Result<f64> {
    Ok(f64::NAN)
}

graph! { pub Counter<Paper> { start -> open -> count -> end; } }

fn input() -> PaperInput {
    PaperInput { title: "title".into() }
}

#[tokio::test]
async fn an_edit_in_one_branch_keeps_the_writes_of_its_sibling() {
    let agent = Side::new(MemoryStore::new());
    let SideTurn::Publish(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let turn =
        review.edit(&Operator::new("mara"), |notes| notes.lines = vec!["edited".into()]).await.unwrap();
    let SideTurn::Done(notes) = turn else { panic!("{turn}") };
    assert_eq!(notes.lines, ["edited", "added"]);
}

#[tokio::test]
async fn a_rejection_can_lead_to_a_reviewed_node() {
    let mara = Operator::new("mara");
    let agent = Escalation::new(MemoryStore::new());
    let EscalationTurn::Publish(review) = agent.start("t", input()).await.unwrap() else { panic!() };
    let turn = review.reject(&mara, Reason::Other, "too early").await.unwrap();
    let EscalationTurn::Escalate(review) = turn else { panic!("{turn}") };
    let turn = review.approve(&mara).await.unwrap();
    let EscalationTurn::Done(notes) = turn else { panic!("{turn}") };
    assert_eq!(notes.lines, ["title", "too early"]);
}

#[tokio::test]
async fn a_value_that_does_not_round_trip_fails_its_node() {
    let agent = Counter::new(MemoryStore::new());
    let CounterTurn::Failed(failed) = agent.start("t", input()).await.unwrap() else { panic!() };
    assert_eq!(failed.node(), "count");
    assert!(failed.error().contains("number"), "{}", failed.error());
}
