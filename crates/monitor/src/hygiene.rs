//! What a process does that was cloned out of somebody else's: gives up all that it did not ask for.

use std::os::fd::BorrowedFd;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Signals to the default, none blocked; the root as folder; nobody but root may look into our memory, which
/// holds copies of the node's stacks.
pub(crate) fn settle() {
    reset_signals();
    stand_apart();
}

/// The root as folder, and a closed memory.
pub(crate) fn stand_apart() {
    // The node's folder may be unmounted while we live. Where / cannot be entered nothing is lost.
    let _ = rustix::process::chdir("/");
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Closes whatever lies above the descriptors that this role was given.
pub(crate) fn close_above(last: i32) {
    // SAFETY: a plain number range; nothing of this process has been opened above it yet.
    let closed = unsafe { libc::close_range(last as u32 + 1, u32::MAX, 0) };
    if closed == 0 {
        return;
    }
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let open = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for number in open.filter(|number| *number > last).collect::<Vec<_>>() {
        // SAFETY: as above; closing the listing's own descriptor twice answers EBADF.
        unsafe { libc::close(number) };
    }
}

/// Closes whatever this role was not given: neither standard input and output, nor one of these. Others of our roles may
/// have been started at the same time, and what was open for one of them came along.
pub fn close_all_but(given: &[i32]) {
    let mut given: Vec<_> = given.iter().copied().filter(|number| *number > libc::STDERR_FILENO).collect();
    given.sort_unstable();
    let ends = given.iter().map(|number| number - 1).chain([i32::MAX]);
    let starts = [libc::STDERR_FILENO].iter().chain(&given).map(|number| number.saturating_add(1));
    for (start, end) in starts.zip(ends).filter(|(start, end)| start <= end) {
        // SAFETY: plain numbers; this process has opened nothing of its own yet. An old kernel refuses, and all stays.
        let _ = unsafe { libc::close_range(start.cast_unsigned(), end.cast_unsigned(), 0) };
    }
}

fn reset_signals() {
    const SIGNALS: i32 = 64;
    for signal in 1..=SIGNALS {
        // SAFETY: the default action is no code of ours; numbers that cannot be set are refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // A write to a closed pipe is an error to handle, not a death. And who asks all of a service's processes to stop
    // when the node has died (systemd does) must wait for the report: we leave by ourselves.
    for signal in [libc::SIGPIPE, libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: ignoring is no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is ours and is made whole by this call.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was initialised above; the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) };
}

/// Duplicates a descriptor so that it survives exec.
pub(crate) fn inheritable(fd: BorrowedFd<'_>) -> std::io::Result<std::os::fd::OwnedFd> {
    Ok(rustix::io::dup(fd)?)
}
