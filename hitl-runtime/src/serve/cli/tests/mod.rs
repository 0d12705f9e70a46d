//! End-to-end tests of the command line: arguments and keystrokes in, text and exit codes out.

mod fixture;
mod harness;
#[cfg(feature = "agentcore")]
mod health;
mod interactive;
mod noninteractive;
mod upgrade;
