//! One post for each state directory. The lock is a record lock: the kernel itself names its holder, and the
//! lock is gone with the process, however that ends.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{
    Flock, FlockType, Pid, PidfdFlags, Signal, fcntl_getlk, pidfd_open, pidfd_send_signal,
};

use crate::error::Error;

const FILE: &str = "post.lock";
const TAKE_OVER_MAX: Duration = Duration::from_secs(10);
/// How long a holder has for SIGTERM before SIGKILL: something else, a debugger say, may hold it up.
const TERM_MAX: Duration = Duration::from_secs(2);

/// The right to deliver from one state directory.
#[derive(Debug)]
pub(super) struct Lock {
    // Record locks end when any descriptor of the file is closed in this process: it is opened here alone.
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock; `None` where another holds it and is not to leave, or does not.
    pub(super) fn acquire(state_dir: &Path, take_over: bool) -> Result<Option<Self>, Error> {
        let path = state_dir.join(FILE);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| Error::at("cannot open", &path, error))?;
        let lock = Self { file: File::from(fd), path };
        let started = Instant::now();
        loop {
            if lock.try_again()? {
                return Ok(Some(lock));
            }
            if !take_over || started.elapsed() > TAKE_OVER_MAX {
                return Ok(None);
            }
            lock.ask_holder_to_leave()?;
        }
    }

    /// Takes the lock again after [`Lock::release`]; whether it could.
    pub(super) fn try_again(&self) -> Result<bool, Error> {
        match fcntl_lock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(false),
            Err(error) => return Err(Error::at("cannot lock", &self.path, error)),
        }
        // The number is for people; nothing trusts it.
        let pid = format!("{}\n", std::process::id());
        let written = self.file.set_len(0).and_then(|()| self.file.write_all_at(pid.as_bytes(), 0));
        written.map(|()| true).map_err(|error| Error::at("cannot write", &self.path, error))
    }

    /// Gives the lock back.
    pub(super) fn release(&self) -> Result<(), Error> {
        fcntl_lock(&self.file, FlockOperation::Unlock)
            .map_err(|error| Error::at("cannot unlock", &self.path, error))
    }

    fn ask_holder_to_leave(&self) -> Result<(), Error> {
        let Some(pid) = self.holder()? else { return pause() };
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return pause() };
        // Asked again with the pidfd in hand: now the number cannot have passed to another process.
        if self.holder()? != Some(pid) || !is_post(pid) {
            return pause();
        }
        for signal in [Signal::TERM, Signal::KILL] {
            if pidfd_send_signal(&pidfd, signal).is_err() || has_ended(&pidfd, TERM_MAX) {
                break;
            }
        }
        Ok(())
    }

    /// Who holds the lock; unknown where that process lives in another PID namespace.
    fn holder(&self) -> Result<Option<Pid>, Error> {
        let held = fcntl_getlk(&self.file, &Flock::from(FlockType::WriteLock))
            .map_err(|error| Error::at("cannot look at the lock of", &self.path, error))?;
        Ok(held.and_then(|held| held.pid))
    }
}

/// The lock lies in a folder that only this user and root can enter, and the kernel named its holder; this
/// keeps apart a program that locked the file for reasons of its own. Without /proc the lock is believed.
fn is_post(pid: Pid) -> bool {
    let Ok(command) = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) else { return true };
    let mut arguments = command.split(|byte| *byte == 0);
    let program = arguments.next().and_then(|path| path.rsplit(|byte| *byte == b'/').next());
    program.is_some_and(|name| name.starts_with(b"lifeboat-monitor")) || arguments.any(|word| word == b"post")
}

fn has_ended(pidfd: &OwnedFd, within: Duration) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    let timeout = Timespec::try_from(within).ok();
    matches!(poll(&mut fds, timeout.as_ref()), Ok(1..))
}

/// A holder that came or went between two looks: look again soon.
fn pause() -> Result<(), Error> {
    std::thread::sleep(Duration::from_millis(20));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_post_is_left_alone() {
        let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let is = is_post(Pid::from_raw(i32::try_from(sleeper.id()).unwrap()).unwrap());
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        assert!(!is);
    }
}
