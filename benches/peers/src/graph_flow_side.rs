//! graph-flow 0.8.1. It stores a session: the values under string keys and the next task. It saves the session when a
//! run stops, and not between its steps; in memory, all holders of a session share its values. It does not record who
//! approved what. `ContinueAndExecute` is its fastest way from one task to the next.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use graph_flow::{
    Context, ExecutionStatus, FlowRunner, Graph, GraphBuilder, InMemorySessionStorage, NextAction, Session,
    SessionStorage, Task, TaskResult,
};
use serde_json::{Value, json};

use crate::measure::{Measure, Outcome, STEPS, Side, share};

#[derive(Default)]
pub struct GraphFlow {
    threads: u64,
}

impl GraphFlow {
    fn name(&mut self) -> String {
        self.threads += 1;
        format!("ticket-{}", self.threads)
    }
}

impl Side for GraphFlow {
    async fn run(&mut self, measure: Measure, times: u64) -> Outcome<Duration> {
        let storage = Arc::new(InMemorySessionStorage::new());
        let refund = FlowRunner::new(Arc::new(refund()?), Arc::<InMemorySessionStorage>::clone(&storage));
        let count = FlowRunner::new(Arc::new(count()?), Arc::<InMemorySessionStorage>::clone(&storage));
        let names: Vec<_> = (0..times).map(|_| self.name()).collect();
        if measure == Measure::Approve {
            for name in &names {
                suspended(&refund, &*storage, name).await?;
            }
        }
        let start = Instant::now();
        for name in &names {
            match measure {
                Measure::Start => suspended(&refund, &*storage, name).await?,
                Measure::Approve => finished(&refund, &*storage, name, None).await?,
                Measure::Edit => {
                    suspended(&refund, &*storage, name).await?;
                    let draft = json!({ "order_id": "A-9133", "amount": 99.0, "reason": "half of it" });
                    finished(&refund, &*storage, name, Some(draft)).await?;
                }
                Measure::Step => {
                    storage.save(Session::new_from_task(name.clone(), "add")).await?;
                    let status = count.run(name).await?.status;
                    assert!(matches!(status, ExecutionStatus::Completed));
                }
            }
        }
        Ok(share(start.elapsed(), measure, times))
    }
}

struct Plan;
struct Draft;
struct Execute;
struct Add;

#[async_trait]
impl Task for Plan {
    fn id(&self) -> &str {
        "plan"
    }

    async fn run(&self, context: Context) -> graph_flow::Result<TaskResult> {
        let message: String = context.get("message").unwrap_or_default();
        context.set("plan", format!("look the order up: {message}"))?;
        Ok(TaskResult::move_to_next_direct())
    }
}

#[async_trait]
impl Task for Draft {
    fn id(&self) -> &str {
        "draft"
    }

    async fn run(&self, context: Context) -> graph_flow::Result<TaskResult> {
        let plan: String = context.get("plan").unwrap_or_default();
        context.set("draft", json!({ "order_id": "A-9133", "amount": 149.0, "reason": plan }))?;
        Ok(TaskResult::move_to_next_direct())
    }
}

#[async_trait]
impl Task for Execute {
    fn id(&self) -> &str {
        "execute"
    }

    async fn run(&self, context: Context) -> graph_flow::Result<TaskResult> {
        if context.get::<bool>("approved") != Some(true) {
            return Ok(TaskResult::new(None, NextAction::WaitForInput));
        }
        let draft: Value = context.get("draft").unwrap_or_default();
        let amount = draft["amount"].as_f64().unwrap_or_default();
        let order = draft["order_id"].as_str().unwrap_or_default();
        context.set("outcome", format!("{amount} dollars for {order}"))?;
        Ok(TaskResult::new(None, NextAction::End))
    }
}

#[async_trait]
impl Task for Add {
    fn id(&self) -> &str {
        "add"
    }

    async fn run(&self, context: Context) -> graph_flow::Result<TaskResult> {
        let count = context.get::<u64>("count").unwrap_or(0) + 1;
        context.set("count", count)?;
        let next = if count < STEPS { NextAction::ContinueAndExecute } else { NextAction::End };
        Ok(TaskResult::new(None, next))
    }
}

fn refund() -> Outcome<Graph> {
    let graph = GraphBuilder::new("refund")
        .add_task(Arc::new(Plan))
        .add_task(Arc::new(Draft))
        .add_task(Arc::new(Execute))
        .add_edge("plan", "draft")
        .add_edge("draft", "execute");
    Ok(graph.build()?)
}

fn count() -> Outcome<Graph> {
    Ok(GraphBuilder::new("count").add_task(Arc::new(Add)).add_edge("add", "add").build()?)
}

async fn suspended(runner: &FlowRunner, storage: &InMemorySessionStorage, thread: &str) -> Outcome<()> {
    let session = Session::new_from_task(thread.to_owned(), "plan");
    session.context.set("message", "Order A-9133 arrived broken.")?;
    storage.save(session).await?;
    match runner.run(thread).await?.status {
        ExecutionStatus::WaitingForInput => Ok(()),
        status => Err(format!("it waits for nobody: {status:?}").into()),
    }
}

async fn finished(
    runner: &FlowRunner,
    storage: &InMemorySessionStorage,
    thread: &str,
    edited: Option<Value>,
) -> Outcome<()> {
    let session = storage.get(thread).await?.ok_or("no such session")?;
    if let Some(draft) = edited {
        session.context.set("draft", draft)?;
    }
    session.context.set("approved", true)?;
    storage.save(session).await?;
    match runner.run(thread).await?.status {
        ExecutionStatus::Completed => Ok(()),
        status => Err(format!("it has not ended: {status:?}").into()),
    }
}
