//! What a process does that was cloned out of somebody else's: gives up all that it did not ask for.

use std::os::fd::BorrowedFd;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Signals to the default, none blocked; the root as folder; nobody but root may look into our memory, which
/// holds copies of the node's stacks.
pub(crate) fn settle() {
    reset_signals();
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

fn reset_signals() {
    const SIGNALS: i32 = 64;
    for signal in 1..=SIGNALS {
        // SAFETY: the default action is no code of ours; numbers that cannot be set are refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // A write to a closed pipe is an error to handle, not a death.
    // SAFETY: ignoring is no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is ours and is made whole by this call.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was initialised above; the old mask is not asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) };
}

/// Gives back what a piece of work left behind, before a long sleep: free heap, and the pages of our own program,
/// which stay in the page cache and are mapped again when they are needed.
pub(crate) fn rest() {
    // SAFETY: the allocator may be called from any thread; blocks in use stay where they are.
    unsafe { libc::malloc_trim(0) };
    let ours = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for line in maps.lines().filter(|line| ours.to_str().is_some_and(|ours| line.ends_with(ours))) {
        let Some((start, bytes)) = clean_range(line) else { continue };
        // SAFETY: a private mapping of a file that nobody can have written to: the same bytes are read again.
        unsafe { libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_DONTNEED) };
    }
}

/// Start and size of a mapping (`7f00-7f80 r-xp …`) that holds nothing but the file's own pages.
fn clean_range(line: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let number = |address| usize::from_str_radix(address, 16).ok();
    // Code, and constants from the file's start on. `.data.rel.ro`, read-only too, was written by the relocations.
    let is_clean = rest.starts_with("r-xp ") || rest.starts_with("r--p 00000000 ");
    is_clean.then_some((number(start)?, number(end)?.checked_sub(number(start)?)?))
}

/// Duplicates a descriptor so that it survives exec.
pub(crate) fn inheritable(fd: BorrowedFd<'_>) -> std::io::Result<std::os::fd::OwnedFd> {
    Ok(rustix::io::dup(fd)?)
}
