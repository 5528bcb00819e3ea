//! Starts the role `serve`, with nothing but what it may read, and starts it again where it ends before its time.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{hygiene, serve};

use super::link::is_sealed;
use super::{end, roles};

/// How long until it is started again, each time that it ended; the last holds for all that follow.
const PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(10), Duration::from_secs(60)];
/// One that worked for so long has not failed to start.
const WORKED: Duration = Duration::from_secs(10 * 60);
/// How long one that closed its socket has to end.
const END_PATIENCE: Duration = Duration::from_secs(1);
/// How long `serve` may leave an answer unread, or a question half said.
const PATIENCE: Duration = Duration::from_secs(1);

/// What `serve` reads of one node.
pub(crate) struct Shown<'a> {
    /// The node's process id, for people.
    pub(crate) pid: u32,
    /// The state directory.
    pub(crate) state_dir: &'a Path,
    /// The recorder.
    pub(crate) recorder: &'a File,
    /// The node.
    pub(crate) pidfd: BorrowedFd<'a>,
    /// What the node counts into.
    pub(crate) metrics: Option<&'a File>,
}

/// The role at work for one node.
pub(crate) struct Serving {
    pid: u32,
    state_dir: PathBuf,
    recorder: OwnedFd,
    pidfd: OwnedFd,
    metrics: Option<OwnedFd>,
    current: Mutex<Current>,
}

/// The process that serves, or that is to.
#[derive(Default)]
struct Current {
    process: Option<Child>,
    /// Our end of the socket between us.
    stream: Option<Arc<UnixStream>>,
    started: Option<Instant>,
    /// How often it ended too early.
    failures: usize,
    /// When to start the next one.
    due: Option<Instant>,
    /// The node's end is told: none follows.
    is_over: bool,
}

/// Starts it, where somebody asked for it.
pub(crate) fn start(shown: &Shown<'_>) -> Option<Arc<Serving>> {
    let serving = Serving::of(shown).ok().filter(|_| serve::is_wanted())?;
    serving.begin(&mut serving.current()).ok()?;
    Some(Arc::new(serving))
}

impl Serving {
    fn of(shown: &Shown<'_>) -> io::Result<Self> {
        Ok(Self {
            pid: shown.pid,
            state_dir: shown.state_dir.to_path_buf(),
            recorder: shown.recorder.as_fd().try_clone_to_owned()?,
            pidfd: shown.pidfd.try_clone_to_owned()?,
            metrics: shown.metrics.map(|metrics| metrics.as_fd().try_clone_to_owned()).transpose()?,
            current: Mutex::default(),
        })
    }

    /// The way to the one that serves.
    pub(crate) fn stream(&self) -> Option<Arc<UnixStream>> {
        self.current().stream.clone()
    }

    /// Starts no more of them, since the node's end is about to be told to this one.
    pub(crate) fn finish(&self) -> Option<Arc<UnixStream>> {
        let mut current = self.current();
        current.is_over = true;
        current.stream.clone()
    }

    /// Its socket is closed: sees it end. One that left because nobody needs it is not replaced.
    pub(crate) fn has_gone(&self) {
        let (process, is_over) = {
            let mut current = self.current();
            current.stream = None;
            (current.process.take(), current.is_over)
        };
        let Some(mut process) = process else { return };
        if !is_over && !end::comes_within(process.id(), END_PATIENCE) {
            // Two could not serve at one address.
            let _ = process.kill();
        }
        if process.wait().is_ok_and(|status| status.success()) {
            return;
        }
        let mut current = self.current();
        if current.started.is_some_and(|started| started.elapsed() >= WORKED) {
            current.failures = 0;
        }
        current.wait();
    }

    /// How long until the next one is to be started.
    pub(crate) fn until_due(&self) -> Option<Duration> {
        let current = self.current();
        let due = current.due.filter(|_| !current.is_over);
        due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Starts the next one, if it is time for that; whether it did.
    pub(crate) fn go_on(&self) -> bool {
        let mut current = self.current();
        if current.is_over || current.due.is_none_or(|due| due > Instant::now()) {
            return false;
        }
        current.due = None;
        let is_begun = self.begin(&mut current).is_ok();
        if !is_begun {
            current.wait();
        }
        is_begun
    }

    fn begin(&self, current: &mut Current) -> io::Result<()> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_write_timeout(Some(PATIENCE))?;
        ours.set_read_timeout(Some(PATIENCE))?;
        let mut descriptors = vec![
            ("--recorder", hygiene::inheritable(read_only(&self.recorder)?.as_fd())?),
            ("--pidfd", hygiene::inheritable(self.pidfd.as_fd())?),
            ("--watch", hygiene::inheritable(theirs.as_fd())?),
        ];
        if let Some(metrics) = &self.metrics {
            descriptors.push(("--metrics", hygiene::inheritable(read_only(metrics)?.as_fd())?));
        }
        let mut role = roles::command("serve");
        role.arg("--node").arg(self.pid.to_string()).arg("--state-dir").arg(&self.state_dir);
        for (name, descriptor) in &descriptors {
            role.arg(name).arg(descriptor.as_raw_fd().to_string());
        }
        role.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        current.process = Some(role.spawn()?);
        (current.stream, current.started) = (Some(Arc::new(ours)), Some(Instant::now()));
        Ok(())
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    /// Waits before the next start, the longer the more have failed.
    fn wait(&mut self) {
        let last = PAUSES.len() - 1;
        let pause = PAUSES.get(self.failures.min(last)).copied().unwrap_or_default();
        self.failures += 1;
        self.due = Some(Instant::now() + pause);
    }
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
