//! One process of a role at a time. The lock is a record lock: the kernel itself names its holder, and the lock is gone
//! with the process, however that ends. Who comes later may ask the holder to leave.

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

const TAKE_OVER_MAX: Duration = Duration::from_secs(10);
/// How long a holder has for SIGTERM before SIGKILL: something else, a debugger say, may hold it up.
const TERM_MAX: Duration = Duration::from_secs(2);

/// What a lock is for, and who may hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `post`, which leaves at once.
    Post,
    /// `serve`, which leaves once its node has ended.
    Serve,
}

impl Role {
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Post => b"post",
            Self::Serve => b"serve",
        }
    }
}

/// How firmly a holder is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Firmness {
    /// By SIGUSR1, which says who asks; it leaves when it has nothing to tell any more.
    Ask,
    /// By SIGKILL where it does not follow.
    Insist,
}

/// A lock's file.
#[derive(Debug)]
pub(crate) struct Lock {
    // Record locks end when any descriptor of the file is closed in this process: it is opened here alone.
    file: File,
    path: PathBuf,
    role: Role,
}

impl Lock {
    /// Takes the lock; `None` where another holds it and is not to leave, or does not.
    pub(crate) fn acquire(path: PathBuf, role: Role, take_over: bool) -> Result<Option<Self>, Error> {
        let lock = Self::open(path, role, OFlags::CREATE)?;
        let started = Instant::now();
        loop {
            if lock.try_again()? {
                return Ok(Some(lock));
            }
            if !take_over || started.elapsed() > TAKE_OVER_MAX {
                return Ok(None);
            }
            lock.ask_holder_to_leave(Firmness::Insist)?;
        }
    }

    /// Opens the file of a lock that others may hold; it must not be one of this process's own.
    pub(crate) fn look(path: &Path, role: Role) -> Result<Self, Error> {
        Self::open(path.to_path_buf(), role, OFlags::empty())
    }

    fn open(path: PathBuf, role: Role, more: OFlags) -> Result<Self, Error> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | more;
        let fd = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| Error::at("cannot open", &path, error))?;
        Ok(Self { file: File::from(fd), path, role })
    }

    /// Takes the lock, or takes it again after [`Lock::release`]; whether it could.
    pub(crate) fn try_again(&self) -> Result<bool, Error> {
        match fcntl_lock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(false),
            Err(error) => return Err(Error::at("cannot lock", &self.path, error)),
        }
        // The number is for people; nothing trusts it.
        self.write(format!("{}\n", std::process::id()).as_bytes()).map(|()| true)
    }

    /// Replaces what the file says.
    pub(crate) fn write(&self, text: &[u8]) -> Result<(), Error> {
        // Whoever reads meanwhile finds the new text with the old one's tail, and looks again.
        let written = self.file.write_all_at(text, 0).and_then(|()| self.file.set_len(text.len() as u64));
        written.map_err(|error| Error::at("cannot write", &self.path, error))
    }

    /// Whether nobody can find the file any more.
    pub(crate) fn is_removed(&self) -> bool {
        rustix::fs::fstat(&self.file).is_ok_and(|about| about.st_nlink == 0)
    }

    /// Gives the lock back.
    pub(crate) fn release(&self) -> Result<(), Error> {
        fcntl_lock(&self.file, FlockOperation::Unlock)
            .map_err(|error| Error::at("cannot unlock", &self.path, error))
    }

    /// Asks whoever holds the lock to leave; where that is to be at once, waits a while for it.
    pub(crate) fn ask_holder_to_leave(&self, firmness: Firmness) -> Result<(), Error> {
        let Some(pid) = self.holder()? else { return pause() };
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return pause() };
        // Asked again with the pidfd in hand: now the number cannot have passed to another process.
        if self.holder()? != Some(pid) || !is_role(pid, self.role) {
            return pause();
        }
        if firmness == Firmness::Ask {
            let _ = pidfd_send_signal(&pidfd, Signal::USR1);
            return Ok(());
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
        Ok(self.conflict()?.and_then(|held| held.pid))
    }

    fn conflict(&self) -> Result<Option<Flock>, Error> {
        fcntl_getlk(&self.file, &Flock::from(FlockType::WriteLock))
            .map_err(|error| Error::at("cannot look at the lock of", &self.path, error))
    }
}

/// Whether another process holds the lock of this file, which is only read: for whoever looks.
pub(crate) fn is_held(file: &File) -> bool {
    fcntl_getlk(file, &Flock::from(FlockType::WriteLock)).is_ok_and(|held| held.is_some())
}

/// The lock lies in a folder that only this user and root can enter, and the kernel named its holder; this
/// keeps apart a program that locked the file for reasons of its own. Without /proc the lock is believed.
fn is_role(pid: Pid, role: Role) -> bool {
    let Ok(command) = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) else { return true };
    let mut arguments = command.split(|byte| *byte == 0);
    let program = arguments.next().and_then(|path| path.rsplit(|byte| *byte == b'/').next());
    program.is_some_and(|name| name.starts_with(b"lifeboat-monitor"))
        || arguments.any(|word| word == role.word())
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
        let is = is_role(Pid::from_raw(i32::try_from(sleeper.id()).unwrap()).unwrap(), Role::Post);
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        assert!(!is);
    }
}
