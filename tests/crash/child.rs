//! The orders to a child process, and their execution.

use std::{os::unix::process::ExitStatusExt as _, path::PathBuf};

use hitl::{
    Digest, Error, Graph, Place, Scope, ThreadId, Verdict,
    journal::{Settlement, StopKind},
};
use hitl_testkit::child::{ChildProcess, orders};
use serde::{Deserialize, Serialize};

use crate::{
    kill_points::Point,
    operator::{LEASE, finish, verdict},
    process::Process,
    refund_agent::{AtLeastOnce, AtMostOnce, Ticket, World, mara, message},
};

pub const THREAD: &str = "ticket-A-9133";
pub const COPY: &str = "ticket-A-9133-again";

/// The graph to run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum TestGraph {
    AtMostOnce,
    AtLeastOnce,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum Work {
    /// Runs the thread from its start to its end; the letter is decided while its sibling branch is running.
    Run,
    /// Runs the thread from its start until a person must decide.
    Start,
    /// Starts the thread if there is none, and finishes it as an operator would.
    Finish,
    /// Forks the thread if there is no fork yet, and finishes the fork.
    FinishFork {
        place: Place,
    },
    Decide {
        digest: Digest,
        verdict: Verdict,
    },
    /// Records a verdict in a front, which has neither the ledger nor any other dependency.
    Record {
        digest: Digest,
        verdict: Verdict,
    },
    /// Continues the thread, as a runner that a front wakes.
    Resume,
    Settle {
        key: String,
        how: Settlement,
    },
    /// Records in a front how an effect ended.
    RecordSettlement {
        key: String,
        how: Settlement,
    },
    Fork {
        place: Place,
    },
    /// Pauses the thread or its graph, or cancels it, in a front.
    Stop {
        all: bool,
        kind: StopKind,
    },
    /// Lifts the stop of the thread, or of its graph.
    Unpause {
        all: bool,
    },
    /// Repeats work of which the caller does not know whether it is done.
    Again(Box<Work>),
    /// Takes the thread over once the dead runner's lease has expired.
    TakeOver,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Orders {
    pub dir: PathBuf,
    pub graph: TestGraph,
    pub work: Work,
    pub kill: Option<Point>,
}

impl Orders {
    /// Runs the child process, and returns whether it was killed before it was done.
    ///
    /// # Panics
    /// If it ended in any other way.
    pub fn is_killed(&self) -> bool {
        let (_, status) = ChildProcess::start("child", self).finish();
        match status.signal() {
            Some(9) => true,
            _ if status.success() => false,
            _ => panic!("{self:?}: {status}; its output is above"),
        }
    }
}

/// Does the work that the parent process orders. In a process without such a parent it does nothing.
pub fn run_child() {
    let Some(orders) = orders::<Orders>() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match orders.graph {
            TestGraph::AtMostOnce => work::<AtMostOnce>(orders).await,
            TestGraph::AtLeastOnce => work::<AtLeastOnce>(orders).await,
        }
    });
}

async fn work<G: Graph<State = Ticket, Deps = World>>(orders: Orders) {
    let process = Process::<G>::open(&orders.dir, orders.kill).await;
    process.kill_switch.count_awaits(async { process.work(orders.work).await.unwrap() }).await;
}

fn scope(all: bool) -> Result<Scope, Error> {
    if all { Ok(Scope::Graph) } else { Scope::thread(THREAD) }
}

impl<G: Graph<State = Ticket, Deps = World>> Process<G> {
    async fn work(&self, work: Work) -> Result<(), Error> {
        let Self { agent, front, clock, .. } = self;
        if !matches!(work, Work::Run) {
            // Only `Work::Run` decides a review while `score` waits.
            let _ = self.scored.set(());
        }
        match work {
            Work::Run => self.run().await,
            Work::Start => agent.start(THREAD, message()).await.map(drop),
            Work::Finish => {
                drop(agent.start(THREAD, message()).await?);
                self.finish(THREAD).await
            }
            Work::FinishFork { place } => {
                if agent.turn(COPY).await.is_err() {
                    drop(agent.fork(&ThreadId::new(THREAD)?, place, COPY).await?);
                }
                self.finish(COPY).await
            }
            Work::Decide { digest, verdict } => {
                agent.decide(THREAD, digest, &mara(), verdict).await.map(drop)
            }
            Work::Record { digest, verdict } => {
                front.record(THREAD, digest, &mara(), verdict).await.map(drop)
            }
            Work::Resume => agent.resume(THREAD).await.map(drop),
            Work::Settle { key, how } => {
                let doubt = self.doubt(&key).await?;
                agent.settle(THREAD, doubt, &mara(), how).await.map(drop)
            }
            Work::RecordSettlement { key, how } => {
                let doubt = self.doubt(&key).await?;
                front.settle(THREAD, doubt, &mara(), how).await.map(drop)
            }
            Work::Fork { place } => agent.fork(&ThreadId::new(THREAD)?, place, COPY).await.map(drop),
            Work::Stop { all, kind } => match kind {
                StopKind::Pause => front.pause(scope(all)?, &mara(), "wait").await,
                _ => front.cancel(scope(all)?, &mara(), "enough").await.map(drop),
            },
            Work::Unpause { all } => front.unpause(scope(all)?, &mara(), "go on").await,
            Work::Again(work) => match Box::pin(self.work(*work)).await {
                Err(Error::AlreadyDecided { by, .. }) if by == mara().name() => Ok(()),
                Err(Error::NotInDoubt { .. } | Error::Cancelled { .. } | Error::NotPaused { .. }) => Ok(()),
                other => other,
            },
            Work::TakeOver => {
                clock.advance(2 * LEASE);
                agent.resume(THREAD).await.map(drop)
            }
        }
    }

    /// Returns the doubt with this idempotency key, as `show` reports it once the dead process's lease has expired.
    async fn doubt(&self, key: &str) -> Result<Digest, Error> {
        self.clock.advance(2 * LEASE);
        let doubt = self.front.view(THREAD).await?.in_doubt.filter(|doubt| doubt.key == key);
        doubt.map(|doubt| doubt.digest).ok_or(Error::NotInDoubt { thread: ThreadId::new(THREAD)? })
    }

    async fn run(&self) -> Result<(), Error> {
        let decide = async {
            self.opened.wait().await;
            let view = self.agent.view(THREAD).await?;
            let review = view.reviews.first().expect("a review was opened");
            let turn = self.agent.decide(THREAD, review.digest, &mara(), verdict(&review.node)).await;
            self.scored.set(()).unwrap();
            turn
        };
        let (started, decided) = tokio::join!(self.agent.start(THREAD, message()), decide);
        drop((started?, decided?));
        self.finish(THREAD).await
    }

    async fn finish(&self, thread: &str) -> Result<(), Error> {
        finish(&self.agent, &self.clock, &self.ledger, thread).await
    }
}
