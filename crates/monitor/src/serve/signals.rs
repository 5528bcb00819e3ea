//! SIGTERM is a question here, not an order: a service manager sends it to all processes of a service at once. The next
//! life of our node asks by SIGUSR1, and that counts only for as long as it lives itself.

use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

const ASKED: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1];

/// Who asked.
#[derive(Debug)]
pub(super) enum Asked {
    /// A service manager, or a person.
    ByManager,
    /// Another `serve`, which waits for the address.
    BySuccessor(OwnedFd),
}

/// Where the question arrives.
#[derive(Debug)]
pub(super) struct Signals(OwnedFd);

impl Signals {
    /// To be called before there is another thread.
    pub(super) fn new() -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the set is ours and is made whole by this call.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        for signal in ASKED {
            // SAFETY: as above; the numbers are signals.
            unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
        }
        // SAFETY: the set was initialised above; the old mask is not asked for.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut()) };
        // SAFETY: as above; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        for signal in ASKED {
            // SAFETY: the default action is no code of ours; what is ignored would never arrive.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        // SAFETY: the kernel has just made it for us.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// To be waited for.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Who asked us to leave since the last look, one after the other.
    pub(super) fn take(&self) -> Option<Asked> {
        loop {
            let mut bytes = [0_u8; size_of::<libc::signalfd_siginfo>()];
            if !matches!(rustix::io::read(&self.0, &mut bytes), Ok(1..)) {
                return None;
            }
            if number(&bytes, offset_of!(libc::signalfd_siginfo, ssi_signo)) != libc::SIGUSR1 {
                return Some(Asked::ByManager);
            }
            let sender = Pid::from_raw(number(&bytes, offset_of!(libc::signalfd_siginfo, ssi_pid)));
            // One that has gone since, or that is in another PID namespace, waits for nothing.
            let sender = sender.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
            if let Some(sender) = sender {
                return Some(Asked::BySuccessor(sender));
            }
        }
    }
}

/// Whether a process lives.
pub(super) fn lives(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    !matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1..))
}

fn number(bytes: &[u8], at: usize) -> i32 {
    let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, i32::from_ne_bytes)
}
