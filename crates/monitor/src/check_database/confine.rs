//! What the process gives up before it opens the database: all that it could write, and its share of the machine.

use std::time::Duration;

use landlock::{ABI, AccessFs, Ruleset, RulesetAttr, RulesetError};
use rustix::process::{Resource, Rlimit};

use crate::{Error, report};

/// Most memory, bytes: SQLite's own cache is bounded to much less.
const MEMORY_MAX: u64 = 256 << 20;
const NICE_MAX: i32 = 19;
/// `IOPRIO_WHO_PROCESS`, and the class of those who wait until nobody else reads. See
/// <https://man7.org/linux/man-pages/man2/ioprio_set.2.html>.
const IOPRIO_WHO_PROCESS: i32 = 1;
const IOPRIO_CLASS_IDLE: i32 = 3 << 13;

/// Confines this process for good, and has the kernel end it after this time.
pub(super) fn confine(time_max: Duration) -> Result<(), Error> {
    report::confine()?;
    for (resource, most) in [(Resource::Data, MEMORY_MAX), (Resource::Fsize, 0)] {
        // Where the limit stands lower already, that is as good.
        let _ = rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    }
    // A kernel without Landlock still has the limit of no byte.
    let _ = forbid_writing();
    // Who may not is not nice, and as slow as it is.
    let _ = rustix::process::setpriority_process(None, NICE_MAX);
    // SAFETY: plain numbers; 0 is this process.
    unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_CLASS_IDLE) };
    let seconds = u32::try_from(time_max.as_secs()).unwrap_or(u32::MAX);
    // SAFETY: it has no preconditions; the signal's default action ends this process. A write beyond the limit is to be
    // an error instead.
    unsafe { libc::signal(libc::SIGALRM, libc::SIG_DFL) };
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    // SAFETY: as above.
    unsafe { libc::alarm(seconds) };
    Ok(())
}

fn forbid_writing() -> Result<(), RulesetError> {
    Ruleset::default().handle_access(AccessFs::from_write(ABI::V1))?.create()?.restrict_self().map(drop)
}
