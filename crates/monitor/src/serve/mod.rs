//! Serves `/metrics` and `/health` of one node, whatever the node is doing, and tells of its death until its next life.

mod config;

use std::os::fd::AsFd;

pub use config::Config;
pub(crate) use config::is_wanted;

use crate::Error;
use crate::talk::{self, Question};
use crate::watch::end;

/// Serves until nobody needs it any more.
///
/// # Errors
/// When the address cannot be had.
pub fn run(config: Config) -> Result<(), Error> {
    let _ = talk::send(&config.watch, &Question::Sample);
    end::wait(config.pidfd.as_fd());
    Ok(())
}
