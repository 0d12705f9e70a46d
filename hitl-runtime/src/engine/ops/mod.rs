//! Operations on threads: what a caller, an operator or a sweep changes.

mod adopt;
mod deadlines;
mod decide;
mod due_thread;
mod fork;
mod preview;
mod previews;
mod recover;
mod settle;
mod start;
mod stop;
mod sweep;
mod sweep_event;
mod sweeper;

pub(super) use self::previews::Previews;
pub use self::sweep_event::SweepEvent;
pub use self::{
    decide::{GivenVerdict, VerdictInput},
    start::{Starter, is_same_owner},
    stop::{CancelReport, Scope},
};
