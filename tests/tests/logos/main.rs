//! Logos Core: its modules are seen, counted and reported, beside a stand-in for `liblogos_core` that has its faults.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod core;
mod deaths;
mod door;
mod metrics;
mod module;
mod public;
mod reader;
