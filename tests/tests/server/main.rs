//! What a real server makes of our reports: a Bugsink of the tests' own takes them from nodes that die, and its API says
//! what a person would see.
//!
//! Each test has a project of its own. A node in another language needs a file here that builds it and says what its
//! issues are called: see `c_node.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod c_node;
mod fleet;
mod issues;
mod languages;
