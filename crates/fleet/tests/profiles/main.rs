//! Our profiles: every query gives the signal's number, every name is one that a program exports, and all are of one style.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod facts;
mod metering;
mod names;
mod pages;
mod promql;
mod queries;
mod signals;
mod style;
