//! The program as it is used: arguments and keystrokes in, text and exit codes out.

mod desk;
mod harness;
mod people;
mod programs;
