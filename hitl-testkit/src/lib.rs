//! Tests of agents that are declared with `hitl`, and of crates that extend it.
//!
//! Programs with an agent reach it as `hitl::testkit`, with the feature `testkit` of the crate `hitl`; a crate with a
//! store or a model of its own depends on it directly, beside `hitl-core`.
//!
//! | item | purpose |
//! |---|---|
//! | [`conformance`] | the checks that every [`Store`](hitl_core::store::Store) passes |
//! | [`FailingStore`] | a store with scripted failures |
//! | [`child`] | the test binary, started again as a child process that a test can kill |
//! | [`MockModel`] | a model with scripted responses |
//! | [`Recorder`], [`Replay`] | recording of real exchanges with a model into a file, and replay from it |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, missing_debug_implementations)]

pub mod child;
pub mod conformance;
mod faults;
mod model;

pub use faults::{CallOutcome, FailingStore, Faults};
pub use model::{
    mock::{MockModel, MockResponse},
    record_replay::{Recorder, Replay},
};
