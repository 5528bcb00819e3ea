//! Starts the role `serve`, with nothing but what it may read.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{hygiene, serve};

use super::link::is_sealed;
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
        ("--recorder", hygiene::inheritable(read_only(shown.recorder)?.as_fd())?),
        ("--pidfd", hygiene::inheritable(shown.pidfd)?),
        ("--watch", hygiene::inheritable(theirs.as_fd())?),
    ];
    if let Some(metrics) = shown.metrics {
        descriptors.push(("--metrics", hygiene::inheritable(read_only(metrics)?.as_fd())?));
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

/// The same memory, opened so that nobody can write it. Anything else is not opened: that alone may wait, or do something.
pub(super) fn read_only(memory: &(impl AsRawFd + AsFd)) -> io::Result<OwnedFd> {
    if !is_sealed(memory) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    Ok(options.open(format!("/proc/self/fd/{}", memory.as_raw_fd()))?.into())
}

#[cfg(test)]
mod tests {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    use rustix::io::{FdFlags, fcntl_getfd};

    use super::*;

    #[test]
    fn only_memory_that_cannot_go_is_opened_again() {
        let (pipe, _writer) = io::pipe().unwrap();
        assert!(read_only(&pipe).is_err());
        assert!(read_only(&File::open("/proc/self/exe").unwrap()).is_err());
        let memory = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        assert!(read_only(&memory).is_err(), "it can shrink");
        fcntl_add_seals(&memory, SealFlags::SHRINK).unwrap();
        let again = read_only(&memory).unwrap();
        assert!(fcntl_getfd(&again).unwrap().contains(FdFlags::CLOEXEC), "no other role inherits it");
        assert!(rustix::io::write(&again, b"x").is_err());
    }
}
