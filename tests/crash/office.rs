//! The parts of one process: an agent on the real store, a clock, and the world.

use std::{path::Path, sync::Arc};

use hitl::{Agent, Graph, ManualClock};
use tokio::sync::SetOnce;

use crate::{
    desk::{Ticket, World},
    doom::{Doom, Mortal, Point},
    ledger::Ledger,
    operator::LEASE,
};

pub struct Office<G: Graph> {
    pub agent: Agent<G>,
    pub clock: ManualClock,
    pub ledger: Ledger,
    pub doom: Arc<Doom>,
    /// Set once a review is open.
    pub opened: Arc<SetOnce<()>>,
    /// To be set before the score is known.
    pub scored: Arc<SetOnce<()>>,
}

impl<G: Graph<State = Ticket, Deps = World>> Office<G> {
    pub async fn open(dir: &Path, kill: Option<Point>) -> Self {
        let doom = Doom::at(kill);
        let store = Mortal::open(dir, Arc::clone(&doom)).await;
        let (opened, scored) = (store.opened(), Arc::new(SetOnce::new()));
        let world =
            World { ledger: Ledger::in_dir(dir), doom: Arc::clone(&doom), scored: Arc::clone(&scored) };
        let clock = ManualClock::at_ms(1_763_800_000_000);
        let agent = Agent::new(world, store).clock(clock.clone()).lease(LEASE);
        Self { agent, clock, ledger: Ledger::in_dir(dir), doom, opened, scored }
    }
}
