//! The measures that are taken of every side.

use std::{fmt, str::FromStr, time::Duration};

/// The result type of the benches. Any error ends them.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The number of steps in one run of the loop.
pub const STEPS: u64 = 1_000;

/// A part of a thread's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A new thread, until it waits for a person.
    Start,
    /// From there to its end, with the draft unchanged.
    Approve,
    /// A new thread to its end, with an edited amount.
    Edit,
    /// One step of a loop of [`STEPS`].
    Step,
}

impl Measure {
    pub const ALL: [Self; 4] = [Self::Start, Self::Approve, Self::Edit, Self::Step];

    /// Returns the name of the measure in the protocol between two processes.
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

/// The two graphs on one engine.
pub trait Side {
    /// Returns the average time over `times` new threads. For a step, it is the share of one step in a whole loop.
    fn run(&mut self, measure: Measure, times: u64) -> impl Future<Output = Outcome<Duration>>;
}

/// Returns the average of `times` runs; for a loop, of all its steps.
pub fn share(spent: Duration, measure: Measure, times: u64) -> Duration {
    let parts = if measure == Measure::Step { times * STEPS } else { times };
    Duration::from_secs_f64(spent.as_secs_f64() / parts as f64)
}
