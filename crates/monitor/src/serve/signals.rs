//! SIGTERM is a question here, not an order: a service manager sends it to all processes of a service at once, and the
//! next life of our node sends it to take the address over.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

const ASKED: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

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

    /// Whether somebody asked us to leave since the last look.
    pub(super) fn take(&self) -> bool {
        let mut buffer = [0_u8; size_of::<libc::signalfd_siginfo>() * 4];
        matches!(rustix::io::read(&self.0, &mut buffer), Ok(1..))
    }
}
