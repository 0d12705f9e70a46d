//! Models over HTTP: the real SDK and the real client, against third-party emulators, and against a small server of
//! these tests for what the emulators do not support.
//!
//! | | covers |
//! |---|---|
//! | `ministack` | guardrails, Converse, ConverseStream with their frames and errors |
//! | `aimock` | forced tools, OpenAI's chat completions |
//! | `server` | `outputConfig`, faults in mid-stream, throttling, missing responses |
#![cfg(all(feature = "bedrock", feature = "openai"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod aimock;
mod bedrock;
mod bedrock_errors;
mod bedrock_streams;
mod draft;
mod emulator;
mod ministack;
mod openai;
mod openai_streams;
mod server;
