//! A side in a process of its own: each input line requests a measure, and a line of JSON is the response.

use std::{
    io::{BufRead, BufReader, Write, stdin},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::measure::{Measure, Outcome, Side};

/// Serves requests until standard input ends. A line is a measure and a count: `edit 100`.
pub async fn serve(mut side: impl Side) -> Outcome<()> {
    for line in stdin().lock().lines() {
        let line = line?;
        let (measure, times) = line.split_once(' ').ok_or("a line is a measure and how often")?;
        let took = side.run(measure.parse()?, times.parse()?).await?;
        println!("{}", json!({ "measure": measure, "seconds": took.as_secs_f64() }));
    }
    Ok(())
}

/// The client of a side in another process.
pub struct ChildSide {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    child: Child,
}

impl ChildSide {
    /// Starts the program.
    pub fn spawn(program: &Path, file: &Path) -> Outcome<Self> {
        let mut child =
            Command::new(program).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        Ok(Self { input, output, child })
    }
}

impl Side for ChildSide {
    async fn run(&mut self, measure: Measure, times: u64) -> Outcome<Duration> {
        writeln!(self.input, "{} {times}", measure.word())?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        Ok(Duration::from_secs_f64(answer["seconds"].as_f64().ok_or("no seconds")?))
    }
}

impl Drop for ChildSide {
    fn drop(&mut self) {
        // Fails if the process has already ended, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
