//! End-to-end tests of the command line: arguments and keystrokes in, text and exit codes out.

mod desk;
mod harness;
#[cfg(feature = "agentcore")]
mod health;
mod new_code;
mod people;
mod programs;
