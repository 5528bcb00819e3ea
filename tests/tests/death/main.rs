//! What a death is like with Lifeboat: reported once, and for everybody else as it would have been without.
//!
//! Every case is a process of its own that dies; most die twice, with a reporter and without, and both must end alike.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod bench;
mod content;
mod delivery;
mod ends;
mod first_process;
mod handlers;
mod hang;
mod health;
mod metrics;
mod metrics_odd;
mod metrics_truth;
mod monitor;
mod odd_lives;
mod own;
mod sample;
mod signals;
mod systemd;
mod terminate;
mod threads;
mod titles;
