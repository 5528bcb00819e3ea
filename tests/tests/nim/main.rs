//! What Lifeboat is for a node in Nim: with Nim 1.6 and 2, both kinds of memory management, debug and release.
//!
//! Programs are compiled by the Nim that `LIFEBOAT_TEST_NIM` and `LIFEBOAT_TEST_NIM2` name; `scripts/setup nim` brings both.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod build;
mod deaths;
mod examples;
mod flags;
mod hooks;
mod library;
mod metrics;
mod places;
mod public;
