//! What is measured of every side.

use std::{fmt, str::FromStr, time::Duration};

/// Anything that goes wrong here ends the bench.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Steps in one run of the loop.
pub const STEPS: u64 = 1_000;

/// One part of what a thread goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A new thread, to where it waits for a person.
    Start,
    /// From there to its end, as it was drafted.
    Approve,
    /// A new thread to its end, by way of another amount.
    Edit,
    /// One step of a loop of [`STEPS`].
    Step,
}

impl Measure {
    pub const ALL: [Self; 4] = [Self::Start, Self::Approve, Self::Edit, Self::Step];

    /// The word for it between two processes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Approve => "approve",
            Self::Edit => "edit",
            Self::Step => "step",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Start => "start to suspended",
            Self::Approve => "approve to done",
            Self::Edit => "suspend, edit, resume",
            Self::Step => "one step of a loop",
        })
    }
}

impl FromStr for Measure {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|measure| measure.word() == word);
        found.ok_or_else(|| format!("`{word}` is no measure: start, approve, edit or step"))
    }
}

/// A program of the two graphs, on one engine.
pub trait Side {
    /// How long it takes, on average over `times` threads that nobody has had before. A step is a whole loop's share.
    fn run(&mut self, measure: Measure, times: u64) -> impl Future<Output = Outcome<Duration>>;
}

/// The average of so many times; a loop's, of so many steps.
pub fn share(spent: Duration, measure: Measure, times: u64) -> Duration {
    let parts = if measure == Measure::Step { times * STEPS } else { times };
    Duration::from_secs_f64(spent.as_secs_f64() / parts as f64)
}
