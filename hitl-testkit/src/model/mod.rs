//! Models for tests.

pub(crate) mod mock;
pub(crate) mod record_replay;
