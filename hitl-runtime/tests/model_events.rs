//! The text and the usage of a node's model, as the listeners of the thread and its journal get them.
#![allow(clippy::unwrap_used, missing_docs)]

use hitl::{
    Subscription, ThreadEvent, ThreadId,
    model::{Completion, FinishReason, ModelError},
    prelude::*,
    testkit::{MockModel, MockResponse},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Amount {
    #[garde(range(min = 1, max = 500))]
    pub dollars: u32,
}

#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub plan: String,
    #[output]
    pub amount: Amount,
}

#[node(Ticket, writes = plan)]
async fn plan(message: &str, model: Deps<MockModel>) -> Result<String> {
    Ok(model.text(message).await?)
}

#[node(Ticket, writes = amount)]
async fn estimate(plan: &str, model: Deps<MockModel>) -> Result<Amount> {
    Ok(model.structured(plan).await?)
}

graph! {
    Desk<Ticket, MockModel> {
        start -> plan -> estimate -> end;
    }
}

fn costing(text: &str, output_tokens: u64) -> Completion {
    let mut completion = Completion::from(text.to_owned());
    completion.output_tokens = Some(output_tokens);
    completion
}

/// Returns the streamed text until the end of this node is stored.
async fn said(listener: &mut Subscription, until: &str) -> Vec<String> {
    let mut words = Vec::new();
    loop {
        match listener.next().await {
            ThreadEvent::ModelOutput { text, .. } => words.push(text),
            ThreadEvent::Entry(entry) if entry.event.node() == Some(until) => return words,
            ThreadEvent::Entry(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn text_is_streamed_and_every_attempt_is_recorded_as_usage() {
    let model = MockModel::new([MockResponse::chunks(["Refund ", "it."])])
        .then(costing(r#"{"dollars":900}"#, 20))
        .then(costing(r#"{"dollars":149}"#, 30));
    let desk = Desk::new(model, MemoryStore::new());
    let thread = ThreadId::new("ticket-A-9133").unwrap();
    let mut listener = desk.listen(&thread).unwrap();
    let turn = desk.start("ticket-A-9133", TicketInput { message: "It broke.".into() }).await.unwrap();
    assert!(matches!(turn, DeskTurn::Done(Amount { dollars: 149 })), "{turn}");

    assert_eq!(said(&mut listener, "plan").await, ["Refund ", "it."]);
    // Structured output is not streamed: it is of use only once it is whole and valid.
    assert_eq!(said(&mut listener, "estimate").await, [""; 0]);
    let history = desk.history(&thread, 0, 100).await.unwrap();
    let estimate = history.iter().find(|entry| entry.event.node() == Some("estimate")).unwrap();
    let tokens: Vec<_> = estimate.spent.iter().map(|usage| usage.output_tokens).collect();
    assert_eq!(tokens, [Some(20), Some(30)]);
    assert!(estimate.spent.iter().all(|usage| usage.model == "MockModel"));
}

#[tokio::test]
async fn the_usage_of_a_cut_off_response_is_recorded() {
    let model = MockModel::new([costing("Refund ord", 8).with_finish_reason(FinishReason::MaxTokens)]);
    let desk = Desk::new(model, MemoryStore::new());
    let thread = ThreadId::new("ticket-A-9133").unwrap();
    let turn = desk.start("ticket-A-9133", TicketInput { message: "It broke.".into() }).await.unwrap();
    let DeskTurn::Failed(failed) = turn else { panic!("{turn}") };
    let cut = ModelError::CutOff { text: "Refund ord".into(), advice: "raise `Request::max_tokens`" };
    assert!(failed.to_string().contains(&cut.to_string()), "{failed}");
    let history = desk.history(&thread, 0, 100).await.unwrap();
    assert!(
        history.iter().any(|entry| entry.spent.iter().any(|usage| usage.output_tokens == Some(8))),
        "{history:?}"
    );
}
