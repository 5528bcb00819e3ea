//! Serves `/metrics` and `/health` of one node, whatever the node is doing, and tells of its death until its next life.
//!
//! One thread, which waits for nobody: what it reads is memory and the kernel's word, and what `watch` says in time. Another
//! one writes where we are found, and where the node has an endpoint of its own a third one reads that.

mod address;
mod cache;
mod config;
mod endpoint;
mod facts;
mod families;
mod health;
pub mod http;
mod joined;
mod kin;
mod node;
mod own;
mod pages;
mod role;
mod sandbox;
pub mod scrape;
mod sign;
mod signals;
mod watch;

pub use address::{Address, METRICS_VARIABLE};
pub use config::Config;
pub(crate) use config::{is_shown, is_wanted};
pub use endpoint::Endpoint;
pub use role::run;
