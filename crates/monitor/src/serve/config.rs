//! What `serve` is told: descriptors by its arguments, the rest by the node's environment.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::Error;

use super::address::METRICS_VARIABLE;

/// A node's own endpoint.
pub(super) const SCRAPE_VARIABLE: &str = "LIFEBOAT_SCRAPE";

/// Whether anybody asked for this role.
pub(crate) fn is_wanted() -> bool {
    [METRICS_VARIABLE, SCRAPE_VARIABLE]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty()))
}

/// Whether what is known is shown to anybody.
pub(crate) fn is_shown() -> bool {
    std::env::var_os(METRICS_VARIABLE).is_some_and(|it| !it.is_empty())
}

/// What `serve` is to do.
#[derive(Debug)]
pub struct Config {
    /// The state directory.
    pub state_dir: PathBuf,
    /// The node's recorder, read-only.
    pub recorder: File,
    /// The node.
    pub pidfd: OwnedFd,
    /// What the node counts into, read-only; a program that carries nothing of ours has none.
    pub metrics: Option<File>,
    /// The way to `watch`.
    pub watch: UnixStream,
}

impl Config {
    /// Reads `--state-dir DIR --recorder FD --pidfd FD --watch FD [--metrics FD] [--node PID]`; each descriptor is inherited.
    ///
    /// # Errors
    /// `is_usage()` where an argument is not known or missing.
    pub fn from_arguments(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let (mut state_dir, mut recorder, mut pidfd, mut metrics, mut watch) = (None, None, None, None, None);
        let mut taken = Vec::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut descriptor = || inherited(arguments.next(), &mut taken).map(Some);
            match argument.to_str() {
                Some("--recorder") => recorder = descriptor()?,
                Some("--pidfd") => pidfd = descriptor()?,
                Some("--metrics") => metrics = descriptor()?,
                Some("--watch") => watch = descriptor()?,
                // For people who look through a list of processes.
                Some("--node") => drop(arguments.next()),
                Some("--state-dir") => state_dir = arguments.next().map(PathBuf::from),
                _ => return Err(Error::usage(format!("serve does not know {}", argument.display()))),
            }
        }
        let missing = |what| move || Error::usage(format!("serve needs {what}; `watch` starts it"));
        Ok(Self {
            state_dir: state_dir.filter(|it| it.is_absolute()).ok_or_else(missing("--state-dir"))?,
            recorder: recorder.map(File::from).ok_or_else(missing("--recorder"))?,
            pidfd: pidfd.ok_or_else(missing("--pidfd"))?,
            metrics: metrics.map(File::from),
            watch: watch.map(UnixStream::from).ok_or_else(missing("--watch"))?,
        })
    }
}

fn inherited(argument: Option<OsString>, taken: &mut Vec<i32>) -> Result<OwnedFd, Error> {
    let number = argument.and_then(|argument| argument.to_str()?.parse().ok()).unwrap_or(-1);
    // SAFETY: the number is only looked up, and an invalid one is answered with EBADF.
    let flags = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    if number <= 2 || flags < 0 || taken.contains(&number) {
        return Err(Error::usage(format!("{number} is not an inherited descriptor")));
    }
    taken.push(number);
    // SAFETY: it is open, and whoever started this process handed it over under this number for `serve` alone.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
