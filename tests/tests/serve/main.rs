//! What a scraper, a health check and a stranger get from a node's endpoint, whatever the node is doing.
//!
//! Every node is a process of its own, with a `serve` of its own on a port of its own.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bench;
mod hostile;
mod hung;
mod lives;
mod pages;
mod prometheus;
mod replaced;
mod scrape;
mod truth;
