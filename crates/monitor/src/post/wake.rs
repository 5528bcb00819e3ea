//! What ends a rest: a new report in the spool, the end of a process that is served, or the time that is due.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;

use crate::error::Error;
use crate::spool::{Spool, State};

/// A look at the spool that no event asked for: file systems exist whose events do not arrive.
const SLOW_POLL: Duration = Duration::from_secs(60);
/// The same where the kernel gave no inotify descriptor (the user's limit is reached).
const FAST_POLL: Duration = Duration::from_secs(2);

/// The events that `post` waits for.
#[derive(Debug)]
pub(super) struct Wake {
    spool: Option<OwnedFd>,
    serves: Vec<OwnedFd>,
    all_ended_at: Option<Instant>,
}

impl Wake {
    pub(super) fn new(spool: &Spool, serves: Vec<OwnedFd>) -> Result<Self, Error> {
        let mut wake = Self { spool: watch(spool).ok(), serves, all_ended_at: None };
        wake.look_who_lives();
        Ok(wake)
    }

    /// Whether every process that is served has ended.
    pub(super) fn all_ended(&self) -> bool {
        self.all_ended_at.is_some()
    }

    /// How long that is ago.
    pub(super) fn lingered(&self) -> Duration {
        self.all_ended_at.map(|ended| ended.elapsed()).unwrap_or_default()
    }

    /// Rests until something happens, at the latest until `next`.
    pub(super) fn wait(&mut self, next: Option<Instant>) -> Result<(), Error> {
        let poll_after = if self.spool.is_some() { SLOW_POLL } else { FAST_POLL };
        let due = next.map_or(poll_after, |next| next.saturating_duration_since(Instant::now()));
        match self.poll(due.min(poll_after)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Error::system("cannot wait for events", error)),
        }
        self.drain();
        self.look_who_lives();
        Ok(())
    }

    fn poll(&self, timeout: Duration) -> Result<usize, Errno> {
        let fds = self.spool.iter().chain(&self.serves);
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        poll(&mut fds, Timespec::try_from(timeout).ok().as_ref())
    }

    fn drain(&self) {
        let mut buffer = [0_u8; 1024];
        let Some(spool) = &self.spool else { return };
        while matches!(rustix::io::read(spool, &mut buffer), Ok(1..)) {}
    }

    fn look_who_lives(&mut self) {
        self.serves.retain(|pidfd| !has_ended(pidfd));
        if self.serves.is_empty() && self.all_ended_at.is_none() {
            self.all_ended_at = Some(Instant::now());
        }
    }
}

/// SIGTERM ends the process, whatever it inherited: a post holds nothing that could be lost.
pub(super) fn default_signals() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: SIG_DFL is a valid disposition for both, and no handler of this process is replaced.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: all bytes zero is a valid sigset_t on Linux: the empty set.
    let none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `none` outlives the call, and a null third argument is allowed.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut()) };
}

fn watch(spool: &Spool) -> Result<OwnedFd, Errno> {
    let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
    // A report appears by rename and in no other way.
    inotify::add_watch(&fd, spool.folder(State::Pending), inotify::WatchFlags::MOVED_TO)?;
    Ok(fd)
}

fn has_ended(pidfd: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1..))
}
