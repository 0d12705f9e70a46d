//! A racer, and the answers to it.

use hitl::{Agent, Digest, Error, Front, Graph, Operator, Reason, Scope, Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The action of a racer on each review of each thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Move {
    Approve,
    Edit,
    Reject,
    Ask,
    /// Approves after the deadline.
    ApproveLate,
    /// Resumes the thread after the deadline, which records the expiry.
    Expire,
    /// Resumes the thread before the deadline, which must change nothing.
    Resume,
    /// Cancels the thread.
    Cancel,
}

impl Move {
    pub fn is_late(self) -> bool {
        matches!(self, Self::ApproveLate | Self::Expire)
    }

    fn verdict(self) -> Option<Verdict> {
        Some(match self {
            Self::Approve | Self::ApproveLate => Verdict::Approve,
            Self::Edit => Verdict::Edit { patch: json!({ "cents": 9_900 }) },
            Self::Reject => Verdict::Reject { reason: Reason::BadPlan, note: String::new() },
            Self::Ask => Verdict::Ask { question: "Is there a photo?".into() },
            Self::Expire | Self::Resume | Self::Cancel => return None,
        })
    }
}

/// The answer to a racer about one review.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    Won,
    Lost {
        by: String,
        verdict: String,
        at: Timestamp,
    },
    /// The deadline passed without a verdict.
    Expired,
    /// An operator has cancelled the thread.
    Cancelled {
        by: String,
    },
    /// The thread had ended before it could be cancelled.
    Ended,
    /// The racer gave no verdict.
    NoVerdict,
    /// An error that no racer should get.
    Failed(String),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Racer {
    pub number: usize,
    pub does: Move,
    /// `true` if it acts through a front, which runs nothing.
    pub in_front: bool,
}

/// The agent or the front through which a racer acts.
pub enum Handle<G: Graph> {
    Agent(Agent<G>),
    Front(Front<G>),
}

impl Racer {
    /// Returns one racer for each move.
    pub fn one_per_move(moves: &[Move]) -> Vec<Self> {
        (0..).zip(moves).map(|(number, does)| Self { number, does: *does, in_front: false }).collect()
    }

    /// Returns one racer for each move, and one more in a front for each move that is a verdict or a stop.
    pub fn with_fronts(moves: &[Move]) -> Vec<Self> {
        let is_a_persons = |does: &Move| does.verdict().is_some() || *does == Move::Cancel;
        let verdicts: Vec<Move> = moves.iter().copied().filter(is_a_persons).collect();
        let fronts =
            (moves.len()..).zip(verdicts).map(|(number, does)| Self { number, does, in_front: true });
        Self::one_per_move(moves).into_iter().chain(fronts).collect()
    }

    pub fn name(self) -> String {
        format!("racer-{}", self.number)
    }

    /// Acts on each review, in an order of its own, and returns the answers in the order of `reviews`.
    pub async fn race<G: Graph>(self, handle: &Handle<G>, thread: &str, reviews: &[Digest]) -> Vec<Answer> {
        let mut order: Vec<usize> = (0..reviews.len()).collect();
        order.rotate_left(self.number % reviews.len());
        let mut answers = vec![Answer::NoVerdict; reviews.len()];
        for review in order {
            answers[review] = self.answer(handle, thread, reviews[review]).await;
        }
        answers
    }

    async fn answer<G: Graph>(self, handle: &Handle<G>, thread: &str, review: Digest) -> Answer {
        let operator = Operator::new(self.name()).role("clerk");
        if self.does == Move::Cancel {
            let front = match handle {
                Handle::Agent(agent) => &agent.front(),
                Handle::Front(front) => front,
            };
            let scope = Scope::thread(thread).unwrap();
            return match front.cancel(scope, &operator, "a race").await {
                Ok(_) => Answer::Cancelled { by: self.name() },
                Err(Error::Cancelled { by, .. }) => Answer::Cancelled { by },
                Err(Error::ThreadEnded { .. }) => Answer::Ended,
                Err(error) => Answer::Failed(error.to_string()),
            };
        }
        let turn = match (handle, self.does.verdict()) {
            (Handle::Agent(agent), Some(verdict)) => agent.decide(thread, review, &operator, verdict).await,
            (Handle::Front(front), Some(verdict)) => front.record(thread, review, &operator, verdict).await,
            (Handle::Agent(agent), None) => agent.resume(thread).await,
            (Handle::Front(front), None) => front.turn(thread).await,
        };
        match turn {
            Ok(_) if self.does.verdict().is_none() => Answer::NoVerdict,
            Ok(_) => Answer::Won,
            Err(Error::AlreadyDecided { by, verdict, at, .. }) => Answer::Lost { by, verdict, at },
            Err(Error::Expired { .. }) => Answer::Expired,
            Err(Error::Cancelled { by, .. }) => Answer::Cancelled { by },
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}
