//! Starts the role `serve`, with nothing but what it may read.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{hygiene, serve};

use super::roles::OURSELVES;

/// What `serve` reads of one node.
pub(crate) struct Shown<'a> {
    /// The state directory.
    pub(crate) state_dir: &'a Path,
    /// The recorder.
    pub(crate) recorder: &'a File,
    /// The node.
    pub(crate) pidfd: BorrowedFd<'a>,
    /// What the node counts into.
    pub(crate) metrics: Option<&'a File>,
}

/// Starts it, where somebody asked for it; answers our end of the socket between us.
pub(crate) fn start(shown: &Shown<'_>) -> Option<UnixStream> {
    if serve::is_wanted() { begin(shown).ok() } else { None }
}

fn begin(shown: &Shown<'_>) -> io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut descriptors = vec![
        ("--recorder", read_only(shown.recorder)?),
        ("--pidfd", hygiene::inheritable(shown.pidfd)?),
        ("--watch", hygiene::inheritable(theirs.as_fd())?),
    ];
    if let Some(metrics) = shown.metrics {
        descriptors.push(("--metrics", read_only(metrics)?));
    }
    let mut role = Command::new(OURSELVES);
    role.arg("serve").arg("--state-dir").arg(shown.state_dir);
    for (name, descriptor) in &descriptors {
        role.arg(name).arg(descriptor.as_raw_fd().to_string());
    }
    role.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut serve = role.spawn()?;
    // Who leaves before us would stay a zombie.
    let reaper = std::thread::Builder::new().name("serve".into()).stack_size(64 * 1024);
    reaper.spawn(move || serve.wait())?;
    Ok(ours)
}

/// The same memory, opened so that nobody can write it.
pub(super) fn read_only(file: &impl AsRawFd) -> io::Result<OwnedFd> {
    let again = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    hygiene::inheritable(again.as_fd())
}
