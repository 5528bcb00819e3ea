//! How a process ended, asked of the kernel by somebody who is not its parent.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::capture::End;

/// `PIDFD_GET_INFO`, Linux 6.15: `_IOWR(0xFF, 11, struct pidfd_info)` with the 64 bytes of its first version.
const PIDFD_GET_INFO: libc::Ioctl = 0xC040_FF0B;
const PIDFD_INFO_EXIT: u64 = 1 << 3;
/// While the process is a zombie only /proc knows, and not for everybody; when its parent has reaped it only the pidfd
/// does. So long a parent may take.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(64);
/// `exit_code` is the last of the 52 fields of /proc/PID/stat; the name in field 2 may hold anything.
const FIELDS_AFTER_NAME: usize = 50;

/// The head of `struct pidfd_info`.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// Waits until the process has ended.
pub(crate) fn wait(pidfd: BorrowedFd<'_>) {
    let mut polled = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    while poll(&mut polled, None) == Err(rustix::io::Errno::INTR) {}
}

/// Whether a child of ours ends within this time. Where nobody can say we take it that it will.
pub(crate) fn comes_within(child: u32, patience: Duration) -> bool {
    let pid = Pid::from_raw(child.cast_signed());
    let Some(Ok(pidfd)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { return true };
    let until = Instant::now() + patience;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            ended => return ended.is_ok_and(|ended| ended > 0),
        }
    }
}

/// How the process behind this pidfd ended, once it has.
pub(crate) fn of(pidfd: BorrowedFd<'_>, pid: u32) -> End {
    let from = Instant::now();
    let mut pause = PAUSE;
    loop {
        if let Some(end) = by_pidfd(pidfd).or_else(|| by_proc(pidfd, pid)) {
            return end;
        }
        if from.elapsed() >= PATIENCE {
            return End::Unknown;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// What a wait status says.
pub(crate) fn from_status(status: i32) -> End {
    if libc::WIFSIGNALED(status) {
        End::Signaled(libc::WTERMSIG(status))
    } else {
        End::Exited(libc::WEXITSTATUS(status))
    }
}

fn by_pidfd(pidfd: BorrowedFd<'_>) -> Option<End> {
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the kernel writes at most the 64 bytes that the request's number names.
    let answer = unsafe { libc::ioctl(pidfd.as_fd().as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
    (answer == 0 && info.mask & PIDFD_INFO_EXIT != 0).then(|| from_status(info.exit_code))
}

fn by_proc(pidfd: BorrowedFd<'_>, pid: u32) -> Option<End> {
    // Who may not trace the process is told a status of 0: a zombie has no program, but only who may look learns that.
    let program = fs::read_link(format!("/proc/{pid}/exe"));
    if program.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        return None;
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let is_zombie = fields.next()? == "Z";
    let status = fields.nth(FIELDS_AFTER_NAME - 2)?.parse().ok()?;
    // The number is the node's as long as its zombie is there.
    (is_zombie && is_ours(pidfd)).then(|| from_status(status))
}

/// Whether the process behind the pidfd has not been reaped.
fn is_ours(pidfd: BorrowedFd<'_>) -> bool {
    // SAFETY: signal 0 and no siginfo: the call only asks.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            0,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    answer == 0
}
