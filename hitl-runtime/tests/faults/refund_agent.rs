//! A refund agent with a ledger, on a store that the test chooses.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use hitl::{
    Error, ManualClock, Store, StoreError, ThreadId, ThreadView, Timestamp, journal::Settlement, prelude::*,
};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Refund {
    #[garde(range(min = 1, max = 1_000_000))]
    pub cents: u64,
}

#[state]
pub struct Ticket {
    #[input]
    pub message: String,
    pub draft: Refund,
    #[output]
    pub outcome: String,
}

/// The dependencies of the nodes.
pub struct World {
    ledger: PathBuf,
    /// Called after a payment is in the ledger and before the journal says so: breaks the disk.
    after_payment: Box<dyn Fn() + Send + Sync>,
}

#[node(Ticket, writes = draft)]
async fn draft(message: &str) -> Result<Refund> {
    Ok(Refund { cents: 100 * message.len() as u64 })
}

#[interrupt_before]
#[node(Ticket, writes = outcome, effect)]
async fn pay(draft: &Approved<Refund>, world: Deps<World>, cx: &Cx) -> Result<String> {
    let mut ledger = OpenOptions::new().create(true).append(true).open(&world.ledger)?;
    ledger.write_all(format!("{}\n", cx.idempotency_key()).as_bytes())?;
    (world.after_payment)();
    Ok(format!("{} cents", draft.cents))
}

#[node(Ticket, writes = outcome)]
async fn cancel(rejection: &Rejection) -> Result<String> {
    Ok(rejection.reason.to_string())
}

graph! {
    pub Refunds<Ticket, World> {
        start -> draft -> pay -> end;
        pay { reject -> cancel }
        cancel -> end;
    }
}

pub const THREAD: &str = "ticket-A-9133";
const LEASE: Duration = Duration::from_secs(3600);

/// The agent, clock and ledger of one process.
pub struct Process {
    pub agent: Agent<Refunds>,
    clock: ManualClock,
    ledger: PathBuf,
}

impl Process {
    /// Creates an agent whose ledger is in this directory.
    pub fn new(dir: &Path, store: impl Store) -> Self {
        Self::with(dir, store, || ())
    }

    /// Creates an agent with a function that is called while a refund is in flight.
    pub fn with(dir: &Path, store: impl Store, after_payment: impl Fn() + Send + Sync + 'static) -> Self {
        let (clock, ledger) =
            (ManualClock::at(Timestamp::from_millis(1_763_800_000_000)), dir.join("ledger"));
        let world = World { ledger: ledger.clone(), after_payment: Box::new(after_payment) };
        Self { agent: Refunds::new(world, store).clock(clock.clone()).lease(LEASE), clock, ledger }
    }

    /// Opens an agent on the file `threads.db` in this directory.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        Ok(Self::new(dir, SqliteStore::open(dir.join("threads.db")).await?))
    }

    pub async fn start(&self) -> Result<RefundsTurn, Error> {
        self.agent.start(THREAD, TicketInput { message: "it arrived broken".into() }).await
    }

    /// Starts a ticket, and asserts that it waits for its signature.
    pub async fn started(self) -> Self {
        let turn = self.start().await.unwrap();
        assert!(matches!(turn, RefundsTurn::Pay(_)), "{turn}");
        self
    }

    pub async fn approve(&self) -> Result<RefundsTurn, Error> {
        let view = self.agent.view(THREAD).await?;
        let review = view.reviews.first().unwrap_or_else(|| panic!("no review is open: {view:?}"));
        self.agent.decide(THREAD, review.digest, &Operator::new("mara"), Verdict::Approve).await
    }

    pub async fn view(&self) -> ThreadView {
        self.agent.view(THREAD).await.unwrap()
    }

    /// Verifies the journal, and returns the names of its events.
    pub async fn history(&self) -> Vec<&'static str> {
        let thread = ThreadId::new(THREAD).unwrap();
        self.agent.verify(&thread).await.unwrap();
        let history = self.agent.history(&thread, 0, 100).await.unwrap();
        history.iter().map(|entry| entry.event.name()).collect()
    }

    /// Returns the number of payments in the ledger.
    pub fn refunds(&self) -> usize {
        fs::read_to_string(&self.ledger).unwrap_or_default().lines().count()
    }

    /// Takes the thread over after the lease of its runner, which is dead or does not respond.
    pub async fn take_over(&self) -> RefundsTurn {
        self.clock.advance(LEASE);
        self.agent.resume(THREAD).await.unwrap()
    }

    /// Continues the ticket from any state to its end after the lease of its runner, and asserts that it was paid once.
    pub async fn assert_completes(&self) {
        let mut turn = self.take_over().await;
        if let RefundsTurn::InDoubt(doubt) = turn {
            let how = if self.refunds() > 0 { happened() } else { Settlement::RunAgain };
            turn = self.agent.settle(THREAD, doubt.digest(), &Operator::new("mara"), how).await.unwrap();
        }
        if let RefundsTurn::Pay(review) = turn {
            turn = review.approve(&Operator::new("mara")).await.unwrap();
        }
        assert!(matches!(&turn, RefundsTurn::Done(outcome) if outcome == "1700 cents"), "{turn}");
        let history = self.history().await;
        assert_eq!(history.iter().filter(|event| **event == "decided").count(), 1, "{history:?}");
        assert_eq!(self.refunds(), 1);
    }
}

fn happened() -> Settlement {
    let wrote = serde_json::from_str(r#"{ "outcome": "1700 cents" }"#).unwrap();
    Settlement::Happened { wrote }
}

/// Returns the text of a [`StoreError::Failed`], and panics at any other outcome.
#[track_caller]
pub fn error_text<T>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Store(error @ StoreError::Failed { .. })) => error.to_string(),
        Err(error) => panic!("unexpected error: {error}"),
        Ok(_) => panic!("the call did not fail"),
    }
}
