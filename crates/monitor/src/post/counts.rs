//! How many reports were sent, and how many a server refused for good: for all posts that ever worked in a state
//! directory.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::state_file;

const FILE: &str = "delivered.json";

/// Reports by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// A server took them.
    pub(crate) sent: u64,
    /// They were set aside.
    pub(crate) dropped: u64,
}

/// What is on record; zeros where nothing is.
///
/// # Errors
/// Where it cannot be read: that is not the same as zeros.
pub(crate) fn counts(state_dir: &Path) -> Result<Counts, Error> {
    state_file::read_or_default(&path(state_dir))
}

/// Adds these.
///
/// # Errors
/// Where the file cannot be written.
pub(super) fn count(state_dir: &Path, more: Counts) -> Result<(), Error> {
    state_file::change(&path(state_dir), |counts: &mut Counts| {
        counts.sent = counts.sent.saturating_add(more.sent);
        counts.dropped = counts.dropped.saturating_add(more.dropped);
        true
    })
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}
