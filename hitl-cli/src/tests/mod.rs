//! End-to-end tests of the command line: arguments and keystrokes in, text and exit codes out.

mod fixture;
mod harness;
mod interactive;
mod noninteractive;
mod upgrade;
