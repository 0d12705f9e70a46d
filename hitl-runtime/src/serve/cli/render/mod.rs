//! What people read. Every function here gives text with styles in it; the screen takes them out where they are not
//! wanted.

pub(super) mod diff;
pub(super) mod lists;
pub(super) mod refusal;
pub(super) mod style;
pub(super) mod table;
pub(super) mod thread;
pub(super) mod value;
