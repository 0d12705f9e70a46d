//! The parts of one process: an agent on the real store, a clock, and the world.

use std::{path::Path, sync::Arc};

use hitl::{Agent, Front, Graph, ManualClock, Timestamp};
use tokio::sync::SetOnce;

use crate::{
    kill_points::{KillPoints, KillSwitch, Point},
    ledger::Ledger,
    operator::LEASE,
    refund_agent::{Ticket, World},
};

pub struct Process<G: Graph> {
    pub agent: Agent<G>,
    /// A front on the same files, with a store handle of its own.
    pub front: Front<G>,
    pub clock: ManualClock,
    pub ledger: Ledger,
    pub kill_switch: Arc<KillSwitch>,
    /// Set once a review is open.
    pub opened: Arc<SetOnce<()>>,
    /// To be set before the score is known.
    pub scored: Arc<SetOnce<()>>,
}

impl<G: Graph<State = Ticket, Deps = World>> Process<G> {
    pub async fn open(dir: &Path, kill: Option<Point>) -> Self {
        let kill_switch = KillSwitch::at(kill);
        let store = KillPoints::open(dir, Arc::clone(&kill_switch)).await;
        let (opened, scored) = (store.layer().opened(), Arc::new(SetOnce::new()));
        let world = World {
            ledger: Ledger::in_dir(dir),
            kill_switch: Arc::clone(&kill_switch),
            scored: Arc::clone(&scored),
        };
        let clock = ManualClock::at(Timestamp::from_millis(1_763_800_000_000));
        let agent = Agent::new(world, store).clock(clock.clone()).lease(LEASE);
        let store = KillPoints::open(dir, Arc::clone(&kill_switch)).await;
        let front = Front::new(store).clock(clock.clone());
        Self { agent, front, clock, ledger: Ledger::in_dir(dir), kill_switch, opened, scored }
    }
}
