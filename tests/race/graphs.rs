//! The graphs of the races: a refund that waits for its signature, and two letters that do so side by side.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use hitl::{Front, Graph, ManualClock, Store, Timestamp, prelude::*};

#[draft]
#[derive(Clone, Debug, PartialEq, Validate)]
pub struct Draft {
    #[garde(length(chars, min = 1, max = 200))]
    pub text: String,
    #[garde(range(min = 1, max = 1_000_000))]
    pub cents: u64,
}

/// The world: a file with one line for each effect.
#[derive(Clone)]
pub struct World {
    ledger: PathBuf,
    hangs: bool,
}

impl World {
    pub fn in_dir(dir: &Path) -> Self {
        Self { ledger: dir.join("ledger"), hangs: false }
    }

    /// Returns a world in which the node `draft` never ends.
    pub fn hanging(self) -> Self {
        Self { hangs: true, ..self }
    }

    /// Appends a line. One write in append mode is one line, even if other processes write at the same time.
    fn record_effect(&self, cx: &Cx) -> Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.ledger)?;
        Ok(file.write_all(format!("{} {} {}\n", cx.thread(), cx.node(), cx.idempotency_key()).as_bytes())?)
    }

    /// Returns the thread and the node of each line.
    pub fn lines(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(&self.ledger).unwrap_or_default();
        let words = text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        words.map(|words| (words[0].clone(), words[1].clone())).collect()
    }
}

pub mod refund {
    //! A graph with one review, which allows every verdict.
    use hitl::prelude::*;

    use super::{Draft, World};

    #[state]
    pub struct Ticket {
        #[input]
        pub message: String,
        pub draft: Draft,
        #[output]
        pub outcome: String,
    }

    #[node(Ticket, writes = draft)]
    async fn draft(message: &str, question: Option<&Question>, world: Deps<World>) -> Result<Draft> {
        if world.hangs {
            std::future::pending::<()>().await;
        }
        let text = question.map_or(message, |question| &question.text);
        Ok(Draft { text: text.to_owned(), cents: 14_900 })
    }

    #[interrupt_before(role = "clerk", expires = "24h")]
    #[node(Ticket, writes = outcome, effect)]
    async fn pay(draft: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<String> {
        tokio::task::yield_now().await;
        world.record_effect(cx)?;
        tokio::task::yield_now().await;
        Ok(format!("{} cents, signed by {}", draft.cents, draft.signer()))
    }

    #[node(Ticket, writes = outcome)]
    async fn cancel(rejection: &Rejection) -> Result<String> {
        Ok(format!("{} by {}", rejection.reason, rejection.operator))
    }

    graph! {
        pub Refunds<Ticket, World> {
            start -> draft -> pay -> end;
            pay { reject -> cancel, ask -> draft }
            cancel -> end;
        }
    }
}

pub mod letters {
    //! A graph with two reviews that are open at once.
    use hitl::prelude::*;

    use super::{Draft, World};

    #[state]
    pub struct Case {
        #[input]
        pub message: String,
        pub to_bank: Draft,
        pub to_customer: Draft,
        #[reduce(append)]
        #[output]
        pub log: Vec<String>,
    }

    #[node(Case, writes = (to_bank, to_customer))]
    async fn write(message: &str) -> Result<(Draft, Draft)> {
        let letter = Draft { text: message.to_owned(), cents: 1 };
        Ok((letter.clone(), letter))
    }

    #[interrupt_before(role = "clerk", expires = "24h")]
    #[node(Case, writes = log, effect)]
    async fn send_bank(to_bank: &Approved<Draft>, world: Deps<World>, cx: &Cx) -> Result<Vec<String>> {
        tokio::task::yield_now().await;
        world.record_effect(cx)?;
        Ok(vec![format!("the bank's, signed by {}", to_bank.signer())])
    }

    #[interrupt_before(role = "clerk", expires = "24h")]
    #[node(Case, writes = log, effect)]
    async fn send_customer(
        to_customer: &Approved<Draft>,
        world: Deps<World>,
        cx: &Cx,
    ) -> Result<Vec<String>> {
        world.record_effect(cx)?;
        tokio::task::yield_now().await;
        Ok(vec![format!("the customer's, signed by {}", to_customer.signer())])
    }

    #[node(Case, writes = log)]
    async fn keep_bank(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![format!("none to the bank: {}", rejection.reason)])
    }

    #[node(Case, writes = log)]
    async fn keep_customer(rejection: &Rejection) -> Result<Vec<String>> {
        Ok(vec![format!("none to the customer: {}", rejection.reason)])
    }

    #[node(Case, writes = log)]
    async fn close(log: &[String]) -> Result<Vec<String>> {
        Ok(vec![format!("closed after {}", log.len())])
    }

    graph! {
        pub Letters<Case, World> {
            start -> write -> (send_bank, send_customer) -> close -> end;
            send_bank { reject -> keep_bank }
            send_customer { reject -> keep_customer }
            keep_bank -> close;
            keep_customer -> close;
        }
    }
}

const MORNING_MS: u64 = 1_763_800_000_000;

const LEASE: Duration = Duration::from_secs(100 * 3600);

/// Returns an agent on this store. The clock of a late one is past every deadline, but not past the lease.
pub fn agent<G: Graph<Deps = World>>(store: impl Store, world: &World, is_late: bool) -> Agent<G> {
    Agent::new(world.clone(), store).clock(clock(is_late)).lease(LEASE)
}

/// Returns a front on this store, which has no world.
pub fn front<G: Graph>(store: impl Store, is_late: bool) -> Front<G> {
    Front::new(store).clock(clock(is_late))
}

fn clock(is_late: bool) -> ManualClock {
    let clock = ManualClock::at(Timestamp::from_millis(MORNING_MS));
    if is_late {
        clock.advance(Duration::from_secs(25 * 3600));
    }
    clock
}

/// Returns an agent whose clock is past every lease.
pub fn successor<G: Graph<Deps = World>>(store: impl Store, world: &World) -> Agent<G> {
    let clock = ManualClock::at(Timestamp::from_millis(MORNING_MS));
    clock.advance(2 * LEASE);
    Agent::new(world.clone(), store).clock(clock).lease(LEASE)
}
