//! The graphs, mocks and operators that several tests use. A graph whose shape or text is the subject of a test is in
//! the file of that test.

// Each test binary uses a part of this.
#![allow(dead_code)]

pub mod operators;
pub mod payment;
pub mod refund;
pub mod world;
