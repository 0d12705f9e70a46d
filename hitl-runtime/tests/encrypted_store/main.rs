//! Encrypted stores: the underlying store has only ciphertext, and a read returns either what was written or an error
//! that says why not.
//!
//! | | is |
//! |---|---|
//! | `vault` | data keys in this process, for tests that do not depend on KMS |
//! | `moto` | a third-party KMS, which detects a changed data key and another context |
//! | `ministack` | another one, which refuses disabled and deleted keys |
//! | `server` | responses that neither of them gives: throttling, denial, none at all |
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
mod kms_client;
mod ministack;
mod moto;
#[path = "../model/server.rs"]
#[allow(dead_code)]
mod server;
mod tampering;
mod vault;
