//! What a Rust node links: it tells why the node died. Two lines adopt it.
//!
//! ```toml
//! lifeboat = { version = "0.1", features = ["load"] }
//! ```
//!
//! ```
//! lifeboat::start!(); // The first line of main.
//! ```
//!
//! That is enough for a report of every death: faults, panics that end the process, exits with a status that
//! is not 0. What else a report should tell, the node says as it goes:
//!
//! ```
//! use lifeboat::Level;
//!
//! let peers = 48;
//! lifeboat::tag!("role", "store");
//! lifeboat::context!("node", "peers", peers);
//! lifeboat::breadcrumb!(Level::Info, "peer", "connected to {peers} peers");
//! let worker = std::thread::spawn(|| lifeboat::thread_attach("gossip"));
//! # worker.join().unwrap();
//! if let Err(why) = std::fs::read("/missing/database") {
//!     lifeboat::error!(Level::Error, "DatabaseError", "cannot read the database: {why}");
//! }
//! ```
//!
//! What it counts is told with its death, and served while it lives:
//!
//! ```
//! use lifeboat::{Counter, Gauge, Histogram};
//!
//! static MESSAGES: Counter = Counter::new("gossip", "messages", "Messages received.");
//! static PEERS: Gauge = Gauge::new("gossip", "peers", "Connected peers.");
//! static DELAY: Histogram = Histogram::new("gossip", "delay", "Of a message.").unit("seconds");
//!
//! MESSAGES.increment();
//! PEERS.set(48.0);
//! DELAY.observe(0.25);
//! ```
//!
//! | Feature | The reporter is | Turned on by |
//! |---|---|---|
//! | `load` | a file beside the program, loaded at start | `LIFEBOAT_REPORTER=/absolute/liblifeboat_reporter.so` |
//! | `link` | compiled in | `LIFEBOAT=on` |
//! | neither | not there: the public build | – |
//!
//! In the public build every call is nothing: macros evaluate no argument, functions are empty, types have no
//! size, and this crate has no dependency. A built-in Lifeboat that nobody turned on costs one look at the
//! environment at start and one predictable branch a call. `LIFEBOAT=off` wins over everything.
//!
//! Calls answer with a [`Status`], which may be ignored: no call prints, ends the process or panics. Texts are
//! copied before a call returns, and cut with a mark where they are too long.
//!
//! # Panics
//!
//! [`start()`] installs a panic hook that keeps message, place and stack of a panic, then calls the hook that
//! was there before. A panic that ends the process is the title of its report. One that is caught makes none,
//! unless [`Options::report_caught_panics`] asked for it; it leaves a breadcrumb. A hook that is set later and
//! does not call the one before it leaves us out: then an abort is told by its signal and its stack.
//!
//! # Features for programs that have these already
//!
//! `tracing`: the `tracing` module has a layer that turns events into breadcrumbs. `sentry`: the `sentry`
//! module has a transport that hands the SDK's envelopes to Lifeboat's durable spool. `metrics-facade`: the
//! `metrics_facade` module has a recorder for the facade `metrics`. `prometheus-client`: the `prometheus_client` module has
//! a collector for a node's own registry.

mod calls;
mod level;
mod macros;
pub mod metrics_facade;
pub mod prometheus_client;
pub mod sentry;
pub mod tracing;

pub use calls::*;
pub use level::Level;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
