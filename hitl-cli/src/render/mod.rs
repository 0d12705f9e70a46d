//! Rendering for people. Every function here returns text with ANSI styles; the screen strips them where they are not
//! wanted.

pub(super) mod diff;
pub(super) mod error;
pub(super) mod lists;
pub(super) mod style;
pub(super) mod table;
pub(super) mod thread;
pub(super) mod value;
