//! The interfaces of `hitl` that other crates implement: [`store::Store`], in which threads are kept, and
//! [`model::Model`], which a node asks. An implementation depends on this crate alone, and on `hitl-testkit` for its
//! tests.
//!
//! Programs with an agent depend on the crate `hitl`, which re-exports everything here: `hitl::store` is [`store`],
//! `hitl::model` contains [`model`], and [`ThreadId`], [`IntoThreadId`], [`Digest`], [`Place`] and [`Timestamp`] are at its
//! root. The examples on these pages are written for it.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs, missing_debug_implementations)]

mod digest;
#[doc(hidden)]
pub mod env;
#[doc(hidden)]
pub mod millis;
pub mod model;
mod place;
pub mod store;
#[doc(hidden)]
pub mod text;
mod thread_id;
mod timestamp;
#[doc(hidden)]
pub mod unicode;

#[doc(hidden)]
pub use digest::from_text;
pub use digest::{Digest, ParseDigestError};
pub use place::Place;
pub use thread_id::{IntoThreadId, InvalidThreadId, ThreadId};
pub use timestamp::Timestamp;
