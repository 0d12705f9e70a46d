//! Sealed stores: what a store holds is ciphertext, and what comes back is what went in or an error that says why.
//!
//! | | is |
//! |---|---|
//! | `vault` | data keys in this process, for what is not about KMS |
//! | `moto` | a KMS that we did not write, which finds a changed data key and another context |
//! | `ministack` | another one, which refuses disabled and deleted keys |
//! | `server` | what neither of them says: throttling, denial, silence |
#![cfg(all(feature = "kms", feature = "sqlite"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[allow(dead_code)]
mod agent;
mod conformance;
#[path = "../model/emulator.rs"]
mod emulator;
mod journal;
mod keys;
mod kms;
mod ministack;
mod moto;
#[path = "../model/server.rs"]
#[allow(dead_code)]
mod server;
mod tampering;
mod vault;
