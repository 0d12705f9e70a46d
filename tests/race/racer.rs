//! One who races, and what came of it.

use hitl::{Agent, Digest, Error, Graph, Operator, Reason, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a racer does to each review, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Move {
    Approve,
    Edit,
    Reject,
    Ask,
    /// Approves after the deadline.
    ApproveLate,
    /// Takes the thread up after the deadline, which writes down that it is over.
    Expire,
    /// Takes the thread up in time, which must change nothing.
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

/// What a racer was told of one review.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    Won,
    Lost {
        by: String,
        verdict: String,
        at_ms: u64,
    },
    /// Nobody decided in time.
    Expired,
    /// It asked for nothing.
    Looked,
    /// What nobody should be told.
    Failed(String),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Racer {
    pub number: usize,
    pub does: Move,
}

impl Racer {
    /// One of each move.
    pub fn field(moves: &[Move]) -> Vec<Self> {
        (0..).zip(moves).map(|(number, does)| Self { number, does: *does }).collect()
    }

    pub fn name(self) -> String {
        format!("racer-{}", self.number)
    }

    /// Does to each review what it does, in its own order, and says what it was told, in theirs.
    pub async fn race<G: Graph>(self, agent: &Agent<G>, thread: &str, reviews: &[Digest]) -> Vec<Answer> {
        let mut order: Vec<usize> = (0..reviews.len()).collect();
        order.rotate_left(self.number % reviews.len());
        let mut answers = vec![Answer::Looked; reviews.len()];
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
                .map_or_else(|error| Answer::Failed(error.to_string()), |_| Answer::Looked);
        };
        let operator = Operator::new(self.name()).role("clerk");
        match agent.decide(thread, review, &operator, verdict).await {
            Ok(_) => Answer::Won,
            Err(Error::AlreadyDecided { by, verdict, at_ms, .. }) => Answer::Lost { by, verdict, at_ms },
            Err(Error::Expired { .. }) => Answer::Expired,
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}
