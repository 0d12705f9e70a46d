//! Handles to threads that do not wait for a review: in doubt, failed, or running.

use std::fmt;

use super::{Agent, Graph};
use crate::{
    Digest, Error, Operator, ThreadId, Timestamp,
    engine::{DoubtTurn, FailureTurn, RunningTurn},
    journal::{Settlement, Stop, Values},
};

/// An effect that may or may not have happened. A person must find out how it ended, and record it.
///
/// An effect is in doubt if it returned an error (other than [`not_done`](crate::NodeError::not_done)), panicked,
/// exceeded its `timeout`, or ran in a process that died. An effect that is `idempotent` is never in doubt: it may run
/// again.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// /// Looks up an idempotency key in the bank's records.
/// async fn at_the_bank(key: &str) -> Option<String> {
/// #   let _ = key;
///     None
/// }
///
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let mara = mara();
/// # let _ = in_doubt(&agent).await?;
/// if let RefundAgentTurn::InDoubt(doubt) = agent.turn("ticket-A-0000").await? {
///     println!("{doubt}, for {:?}", agent.now().saturating_since(doubt.since()));
///     let turn = match at_the_bank(doubt.idempotency_key()).await {
///         Some(json) => doubt.happened(&mara, serde_json::from_str(&json)?).await?,
///         None => doubt.run_again(&mara).await?,
///     };
///     assert!(matches!(turn, RefundAgentTurn::Done(_)));
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a person must find out whether the effect happened"]
pub struct InDoubt<G: Graph> {
    pub(super) agent: Agent<G>,
    pub(super) turn: Box<DoubtTurn>,
}

impl<G: Graph> InDoubt<G> {
    /// Returns the name of the thread.
    pub fn thread(&self) -> &ThreadId {
        &self.turn.thread
    }

    /// Returns the effect's node.
    pub fn node(&self) -> &str {
        &self.turn.doubt.activation.node
    }

    /// Returns the idempotency key that the effect began with: look for it in the external system.
    pub fn idempotency_key(&self) -> &str {
        &self.turn.doubt.key
    }

    /// Returns the digest that identifies this doubt for [`Agent::settle`].
    pub fn digest(&self) -> Digest {
        self.turn.doubt.digest
    }

    /// Returns the reason for the doubt: the effect's error, or that its runner lost its lease.
    pub fn error(&self) -> &str {
        &self.turn.doubt.error
    }

    /// Returns the time since which the effect is in doubt.
    pub fn since(&self) -> Timestamp {
        self.turn.doubt.since
    }

    /// Settles the effect as happened. `wrote` holds, by field, the values that the node would have written.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, doubt) = (mara(), in_doubt(&agent).await?);
    /// let wrote = serde_json::from_str(r#"{"outcome": "paid: the bank's statement has it"}"#)?;
    /// let turn = doubt.happened(&mara, wrote).await?;
    /// assert!(matches!(turn, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::settle`].
    pub async fn happened(self, operator: &Operator, wrote: Values) -> Result<G::Turn, Error> {
        self.settle(operator, Settlement::Happened { wrote }).await
    }

    /// Settles the effect as not happened, and runs it again with the same idempotency key. Its runner must be known to
    /// be dead.
    ///
    /// A runner that is suspended for longer than its lease looks like a dead one, and continues with the effect when
    /// it wakes. Then only the idempotency key, if the external system honors it, prevents the effect from happening
    /// twice.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, doubt) = (mara(), in_doubt(&agent).await?);
    /// assert!(matches!(doubt.run_again(&mara).await?, RefundAgentTurn::Done(_)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::settle`].
    pub async fn run_again(self, operator: &Operator) -> Result<G::Turn, Error> {
        self.settle(operator, Settlement::RunAgain).await
    }

    /// Settles the effect by stopping the thread, and leaves open whether it happened. No further node begins.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = RefundAgent::new(MemoryStore::new());
    /// # let (mara, doubt) = (mara(), in_doubt(&agent).await?);
    /// let turn = doubt.stop(&mara, "the customer has been called").await?;
    /// assert!(matches!(turn, RefundAgentTurn::Failed(failed) if failed.is_stopped()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Agent::settle`].
    pub async fn stop(self, operator: &Operator, note: impl Into<String>) -> Result<G::Turn, Error> {
        self.settle(operator, Settlement::Stop { note: note.into() }).await
    }

    async fn settle(self, operator: &Operator, how: Settlement) -> Result<G::Turn, Error> {
        self.agent.settle(self.turn.thread, self.turn.doubt.digest, operator, how).await
    }
}

impl<G: Graph> fmt::Display for InDoubt<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is in doubt: the outcome of `{}` is unknown ({})",
            self.turn.thread,
            self.node(),
            self.error()
        )
    }
}

impl<G: Graph> fmt::Debug for InDoubt<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A thread with a failed node, or that a person stopped.
///
/// A node has failed if it has used up its `retries`, if an effect returned [`not_done`](crate::NodeError::not_done),
/// or if the thread exceeded its [step limit](Agent::step_limit).
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// let message = "it arrived broken".to_owned();
/// if let RefundAgentTurn::Failed(failed) = agent.start("ticket-1", TicketInput { message }).await? {
///     assert_eq!((failed.node(), failed.error()), ("draft", "the message names no order"));
///     assert!(!failed.is_stopped());
///     // Once the cause has been fixed:
///     let turn = failed.resume().await?;
/// #   drop(turn);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "the thread does not continue until it is resumed"]
pub struct Failed<G: Graph> {
    pub(super) agent: Agent<G>,
    pub(super) turn: Box<FailureTurn>,
}

impl<G: Graph> Failed<G> {
    /// Returns the name of the thread.
    pub fn thread(&self) -> &ThreadId {
        &self.turn.thread
    }

    /// Returns the node that failed.
    pub fn node(&self) -> &str {
        &self.turn.node
    }

    /// Returns the error of the node.
    pub fn error(&self) -> &str {
        &self.turn.error
    }

    /// Returns whether a person stopped the thread, so that it cannot be resumed.
    pub fn is_stopped(&self) -> bool {
        self.turn.stopped
    }

    /// Retries the node.
    ///
    /// # Errors
    /// As [`Agent::resume`].
    pub async fn resume(self) -> Result<G::Turn, Error> {
        self.agent.resume(self.turn.thread).await
    }
}

impl<G: Graph> fmt::Display for Failed<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed in `{}`: {}", self.turn.thread, self.turn.node, self.turn.error)
    }
}

impl<G: Graph> fmt::Debug for Failed<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A thread that a runner holds, or held when it died.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/refunds.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = RefundAgent::new(MemoryStore::new());
/// # let _ = waiting(&agent, "A-9133").await?;
/// if let RefundAgentTurn::Running(running) = agent.turn("ticket-A-9133").await? {
///     println!("{} is at {}", running.thread(), running.node());
///     if running.is_stalled() {
///         println!("{}", running.resume().await?);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "the thread is still running"]
pub struct Running<G: Graph> {
    pub(super) agent: Agent<G>,
    pub(super) turn: Box<RunningTurn>,
}

impl<G: Graph> Running<G> {
    /// Returns the name of the thread.
    pub fn thread(&self) -> &ThreadId {
        &self.turn.thread
    }

    /// Returns a node that runs or runs next.
    pub fn node(&self) -> &str {
        &self.turn.node
    }

    /// Returns the stop of the thread, its graph or its store because of which it does not run; that of a graph or a store as
    /// this process has last read it.
    pub fn stop(&self) -> Option<&Stop> {
        self.turn.stop.as_ref()
    }

    /// Returns whether the runner's lease has run out, or there is none, so that `resume` of an agent takes the thread
    /// over.
    pub fn is_stalled(&self) -> bool {
        self.turn.stop.is_none() && self.turn.until.is_none_or(|until| until <= self.agent.now())
    }

    /// Takes the thread over and continues it, if it is stalled.
    ///
    /// # Errors
    /// As [`Agent::resume`].
    pub async fn resume(self) -> Result<G::Turn, Error> {
        self.agent.resume(self.turn.thread).await
    }
}

impl<G: Graph> fmt::Display for Running<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stop) = &self.turn.stop {
            return write!(f, "`{}` waits at `{}`: {stop}", self.turn.thread, self.turn.node);
        }
        let how = match self.turn.until {
            None => "waits for a runner",
            Some(_) if self.is_stalled() => "is stalled",
            Some(_) => "is running",
        };
        write!(f, "`{}` {how} at `{}`", self.turn.thread, self.turn.node)
    }
}

impl<G: Graph> fmt::Debug for Running<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
