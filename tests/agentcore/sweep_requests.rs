//! Tests that a node which hangs blocks neither a requested sweep nor a later one, and that a schedule sees a failure.

use std::{sync::Arc, time::Duration};

use hitl::{
    ManualClock, Timestamp,
    agentcore::{Limits, OperatorAuth},
    prelude::*,
};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::inbox::Server;

/// A gate at which the node waits that runs after the deadline.
#[derive(Clone)]
pub struct Gate {
    /// A permit for each node that has come to the gate.
    reached: Arc<Semaphore>,
    /// A permit for each node that may pass.
    open: Arc<Semaphore>,
}

impl Gate {
    fn closed() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        Self { reached: none(), open: none() }
    }

    async fn wait_for_node(&self) {
        self.reached.acquire().await.unwrap().forget();
    }
}

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Note {
    #[garde(length(min = 1))]
    text: String,
}

#[state]
struct Desk {
    #[input]
    text: String,
    note: Note,
    #[output]
    sent: String,
}

#[node(Desk, writes = note)]
async fn write(text: &str) -> Result<Note> {
    Ok(Note { text: text.to_owned() })
}

#[interrupt_before(expires = "24h")]
#[node(Desk, writes = sent, effect)]
async fn send(note: &Approved<Note>) -> Result<String> {
    Ok(note.text.clone())
}

#[node(Desk, writes = sent)]
async fn discard(rejection: &Rejection, gate: Deps<Gate>) -> Result<String> {
    gate.reached.add_permits(1);
    gate.open.acquire().await?.forget();
    Ok(rejection.reason.to_string())
}

graph! {
    Sender<Desk, Gate> {
        start -> write -> send -> end;
        send { reject -> discard }
        discard -> end;
    }
}

/// Returns an agent with one thread that is due.
async fn due(gate: &Gate) -> hitl::Agent<Sender> {
    let clock = ManualClock::at(Timestamp::from_millis(1_000_000));
    let agent = Sender::new(gate.clone(), MemoryStore::new()).clock(clock.clone());
    let _ = agent.start("t", DeskInput { text: "Dear all".into() }).await.unwrap();
    clock.advance(Duration::from_secs(24 * 60 * 60));
    agent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sweep_is_refused_while_one_runs() {
    let gate = Gate::closed();
    let agent = due(&gate).await;
    let served = Server::with_settings(agent.clone(), |served| {
        served.operators(OperatorAuth::claimed()).behind_service()
    });
    let sweep = || json!({ "action": "sweep" });
    let second = async {
        gate.wait_for_node().await;
        // A schedule reads the status, so it is that of the error even behind the service.
        let (status, body) = served.ask(None, sweep()).await;
        assert_eq!((status, &body["code"]), (409, &json!("sweep_running")), "{body}");
        gate.open.add_permits(1);
    };
    let ((status, first), ()) = tokio::join!(served.ask(None, sweep()), second);
    assert_eq!((status, &first["sweep"]["moved"], &first["sweep"]["more"]), (200, &json!(1), &json!(null)));
    assert_eq!(served.ask(None, sweep()).await.0, 200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_node_does_not_block_later_sweeps() {
    let gate = Gate::closed();
    let agent = due(&gate).await;
    let served = Server::with_settings(agent.clone(), |served| {
        let limits = Limits::default().sweep(Duration::from_millis(100));
        served.operators(OperatorAuth::claimed()).limits(limits)
    });
    let (status, body) = served.ask(None, json!({ "action": "sweep" })).await;
    assert_eq!((status, &body["sweep"]["moved"], &body["sweep"]["more"]), (200, &json!(0), &json!(true)));
    // On a busy machine the first sweep may end before it has reached the node.
    while gate.reached.available_permits() == 0 {
        assert_eq!(served.ask(None, json!({ "action": "sweep" })).await.0, 200);
    }
    assert_eq!(served.ask(None, json!({ "action": "sweep" })).await.0, 200);
    // The run goes on.
    gate.open.add_permits(1);
    agent.wait_idle().await;
    assert_eq!(agent.view("t").await.unwrap().standing.as_str(), "ended");
    served.stop().await;
}
