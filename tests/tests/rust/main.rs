//! Nodes in Rust: built by cargo as their users build them, and dead in Rust's ways.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod deaths;
mod features;
mod loader;
mod metrics;
mod node;
mod public;
mod sentry;
