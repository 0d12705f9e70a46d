//! The program as it is used: arguments and keystrokes in, text and exit codes out.

mod desk;
mod harness;
mod new_code;
mod people;
mod programs;
