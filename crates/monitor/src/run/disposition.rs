//! What becomes of a signal in a process: what its default action is, and what `/proc` says of its handlers.

use std::fs;

/// What a process does with a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    Default,
    Ignored,
    Handled,
    /// Nobody can say: the thread has gone meanwhile, or no descriptor is left to read of it.
    Unknown,
}

impl Disposition {
    /// That of the process that this thread belongs to, for this signal.
    pub(super) fn of(tid: u32, signal: i32) -> Self {
        let Ok(status) = fs::read_to_string(format!("/proc/{tid}/status")) else { return Self::Unknown };
        if has(&status, "SigCgt:", signal) {
            Self::Handled
        } else if has(&status, "SigIgn:", signal) {
            Self::Ignored
        } else {
            Self::Default
        }
    }
}

/// Whether this thread has blocked this signal.
pub(super) fn is_blocked(tid: u32, signal: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
    has(&status, "SigBlk:", signal)
}

/// A set of signals behind a label, in hexadecimal; the lowest bit is signal 1.
fn has(status: &str, label: &str, signal: i32) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix(label));
    let set = line.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).ok().and_then(|bit| set.checked_shr(bit)).is_some_and(|rest| rest & 1 != 0)
}

/// Whether the default action of this signal ends the process. See signal(7).
pub(super) const fn may_end(signal: i32) -> bool {
    !matches!(
        signal,
        libc::SIGCHLD
            | libc::SIGURG
            | libc::SIGWINCH
            | libc::SIGCONT
            | libc::SIGSTOP
            | libc::SIGTSTP
            | libc::SIGTTIN
            | libc::SIGTTOU
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_who_is_gone_nothing_is_known() {
        let nobody = i32::MAX.cast_unsigned();
        assert_eq!(Disposition::of(nobody, libc::SIGSEGV), Disposition::Unknown);
        assert_eq!(Disposition::of(std::process::id(), libc::SIGWINCH), Disposition::Default);
        assert!(!is_blocked(nobody, libc::SIGSEGV));
    }

    #[test]
    fn sets_of_signals_are_read() {
        let status = "Name:\tx\nSigIgn:\t0000000000001000\nSigCgt:\t8000000000000400\n";
        assert!(has(status, "SigIgn:", libc::SIGPIPE) && !has(status, "SigIgn:", libc::SIGSEGV));
        assert!(
            has(status, "SigCgt:", libc::SIGSEGV) && has(status, "SigCgt:", 64) && !has("", "SigCgt:", 1)
        );
    }
}
