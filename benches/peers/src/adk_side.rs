//! adk-graph 2.3.0. It stores a copy of the whole state after each step, as JSON values under string keys. The last
//! writer wins; it does not record who approved what, and it accepts an edit under any key and of any type.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use adk_graph::{
    checkpoint::Checkpointer,
    edge::{END, START},
    error::GraphError,
    graph::{CompiledGraph, StateGraph},
    node::{ExecutionConfig, NodeOutput},
    state::State,
};
use serde_json::{Value, json};

use crate::measure::{Measure, Outcome, STEPS, Side, share};

pub struct Adk {
    checkpointer: Box<dyn Fn() -> Arc<dyn Checkpointer>>,
    threads: u64,
}

impl Adk {
    /// Creates a side. `checkpointer` returns the one for a batch: a new one in memory, the same one on a file.
    pub fn on(checkpointer: impl Fn() -> Arc<dyn Checkpointer> + 'static) -> Self {
        Self { checkpointer: Box::new(checkpointer), threads: 0 }
    }

    fn name(&mut self) -> String {
        self.threads += 1;
        format!("ticket-{}", self.threads)
    }
}

impl Side for Adk {
    async fn run(&mut self, measure: Measure, times: u64) -> Outcome<Duration> {
        let refund = refund((self.checkpointer)())?;
        let count = count((self.checkpointer)())?;
        let names: Vec<_> = (0..times).map(|_| self.name()).collect();
        if measure == Measure::Approve {
            for name in &names {
                suspended(&refund, name).await?;
            }
        }
        let start = Instant::now();
        for name in &names {
            match measure {
                Measure::Start => suspended(&refund, name).await?,
                Measure::Approve => finished(&refund, name).await?,
                Measure::Edit => {
                    suspended(&refund, name).await?;
                    let draft = json!({ "order_id": "A-9133", "amount": 99.0, "reason": "half of it" });
                    refund.update_state(name, [("draft".to_owned(), draft)]).await?;
                    finished(&refund, name).await?;
                }
                Measure::Step => {
                    let state = count.invoke(State::new(), limited(name)).await?;
                    assert_eq!(state.get("count").and_then(Value::as_u64), Some(STEPS));
                }
            }
        }
        Ok(share(start.elapsed(), measure, times))
    }
}

fn refund(checkpointer: Arc<dyn Checkpointer>) -> Outcome<CompiledGraph> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let graph = StateGraph::with_channels(&["message", "plan", "draft", "outcome"])
        .add_node_fn("plan", move |cx| async move {
            let plan = format!("look the order up: {}", text(cx.get("message")));
            Ok(NodeOutput::new().with_update("plan", plan))
        })
        .add_node_fn("draft", move |cx| async move {
            let draft = json!({ "order_id": "A-9133", "amount": 149.0, "reason": text(cx.get("plan")) });
            Ok(NodeOutput::new().with_update("draft", draft))
        })
        .add_node_fn("execute", move |cx| async move {
            let draft = cx.get("draft").cloned().unwrap_or_default();
            let (amount, order) = (draft["amount"].as_f64().unwrap_or_default(), text(draft.get("order_id")));
            Ok(NodeOutput::new().with_update("outcome", format!("{amount} dollars for {order}")))
        })
        .add_edge(START, "plan")
        .add_edge("plan", "draft")
        .add_edge("draft", "execute")
        .add_edge("execute", END)
        .compile()?;
    Ok(graph.with_checkpointer_arc(checkpointer).with_interrupt_before(&["execute"]))
}

fn count(checkpointer: Arc<dyn Checkpointer>) -> Outcome<CompiledGraph> {
    let count = |state: &State| state.get("count").and_then(Value::as_u64).unwrap_or(0);
    let graph = StateGraph::with_channels(&["count"])
        .add_node_fn("add", move |cx| async move {
            Ok(NodeOutput::new().with_update("count", count(&cx.state) + 1))
        })
        .add_edge(START, "add")
        .add_conditional_edges(
            "add",
            move |state| if count(state) < STEPS { "add".to_owned() } else { END.to_owned() },
            [("add", "add"), (END, END)],
        )
        .compile()?;
    Ok(graph.with_checkpointer_arc(checkpointer).with_recursion_limit(STEPS as usize + 1))
}

fn limited(thread: &str) -> ExecutionConfig {
    ExecutionConfig::new(thread).with_recursion_limit(STEPS as usize + 1)
}

async fn suspended(graph: &CompiledGraph, thread: &str) -> Outcome<()> {
    let mut input = State::new();
    input.insert("message".to_owned(), json!("Order A-9133 arrived broken."));
    match graph.invoke(input, ExecutionConfig::new(thread)).await {
        Err(GraphError::Interrupted(_)) => Ok(()),
        Ok(_) => Err("it waits for nobody".into()),
        Err(error) => Err(error.into()),
    }
}

async fn finished(graph: &CompiledGraph, thread: &str) -> Outcome<()> {
    let state = graph.invoke(State::new(), ExecutionConfig::new(thread)).await?;
    match state.get("outcome") {
        Some(_) => Ok(()),
        None => Err("it has not ended".into()),
    }
}
