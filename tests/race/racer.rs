//! A racer, and the answers to it.

use hitl::{Agent, Digest, Error, Graph, Operator, Reason, Timestamp, Verdict};
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
            Self::Expire | Self::Resume => return None,
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
    /// The racer gave no verdict.
    NoVerdict,
    /// An error that no racer should get.
    Failed(String),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Racer {
    pub number: usize,
    pub does: Move,
}

impl Racer {
    /// Returns one racer for each move.
    pub fn one_per_move(moves: &[Move]) -> Vec<Self> {
        (0..).zip(moves).map(|(number, does)| Self { number, does: *does }).collect()
    }

    pub fn name(self) -> String {
        format!("racer-{}", self.number)
    }

    /// Acts on each review, in an order of its own, and returns the answers in the order of `reviews`.
    pub async fn race<G: Graph>(self, agent: &Agent<G>, thread: &str, reviews: &[Digest]) -> Vec<Answer> {
        let mut order: Vec<usize> = (0..reviews.len()).collect();
        order.rotate_left(self.number % reviews.len());
        let mut answers = vec![Answer::NoVerdict; reviews.len()];
        for review in order {
            answers[review] = self.answer(agent, thread, reviews[review]).await;
        }
        answers
    }

    async fn answer<G: Graph>(self, agent: &Agent<G>, thread: &str, review: Digest) -> Answer {
        let Some(verdict) = self.does.verdict() else {
            return agent
                .resume(thread)
                .await
                .map_or_else(|error| Answer::Failed(error.to_string()), |_| Answer::NoVerdict);
        };
        let operator = Operator::new(self.name()).role("clerk");
        match agent.decide(thread, review, &operator, verdict).await {
            Ok(_) => Answer::Won,
            Err(Error::AlreadyDecided { by, verdict, at, .. }) => Answer::Lost { by, verdict, at },
            Err(Error::Expired { .. }) => Answer::Expired,
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}
