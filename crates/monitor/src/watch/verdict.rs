//! Whether an end is worth a report: a death is, a stop that somebody asked for is not.

use lifeboat_recorder::{ControlView, StopKind};

use crate::capture::End;

/// What shells and programs answer for "a signal asked me to stop".
const REQUESTED_STATUSES: [i32; 3] = [128 + libc::SIGHUP, 128 + libc::SIGINT, 128 + libc::SIGTERM];
const REQUESTED_SIGNALS: [i32; 3] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM];

/// A supervisor that asked for a stop and waited so long kills.
const STOP_TO_KILL_NS: u64 = 30_000_000_000;
/// A node that was asked to stop may take so long for it.
pub(crate) const STOP_TO_EXIT_NS: u64 = 600_000_000_000;

/// What is known beside the end itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// The recorder's control block.
    pub(crate) control: ControlView,
    /// Whether the node had last words.
    pub(crate) has_last_words: bool,
    /// Now, nanoseconds since boot.
    pub(crate) boottime_ns: u64,
}

/// Whether the process died of itself. A recorded fault has been judged before this is asked.
pub(crate) fn is_death(about: &Circumstances, end: End) -> bool {
    let control = &about.control;
    if control.stop_kind == StopKind::Clean as u32 {
        return false;
    }
    let since_ns = about.boottime_ns.saturating_sub(control.stop_boottime_ns);
    let requested = |within_ns| control.stop_kind == StopKind::Requested as u32 && since_ns <= within_ns;
    match end {
        End::Exited(0) => false,
        End::Exited(status) => !requested(STOP_TO_EXIT_NS) && !REQUESTED_STATUSES.contains(&status),
        // A stop that took too long and was forced is the operator's doing too.
        End::Signaled(libc::SIGKILL) => !requested(STOP_TO_KILL_NS),
        End::Signaled(signal) => !REQUESTED_SIGNALS.contains(&signal),
        // It called `exit`, with a status that nobody could read. Most that do leave with 0.
        End::Unknown if control.exit_tid != 0 => about.has_last_words,
        End::Unknown | End::StillAlive => !requested(STOP_TO_EXIT_NS),
    }
}

/// Of what kind a stop was: `clean` by the node itself, `requested` by somebody else, `hard` where it was then forced.
pub(crate) fn stop_kind(control: &ControlView, end: End) -> &'static str {
    let was_requested = control.stop_kind == StopKind::Requested as u32;
    match end {
        _ if control.stop_kind == StopKind::Clean as u32 => "clean",
        End::Signaled(libc::SIGKILL) => "hard",
        End::Signaled(_) => "requested",
        End::Exited(status) if REQUESTED_STATUSES.contains(&status) => "requested",
        _ if was_requested => "requested",
        _ => "clean",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn after(stop: StopKind, seconds: u64) -> Circumstances {
        let control = ControlView {
            pid: 7,
            stop_kind: stop as u32,
            stop_signal: 0,
            exit_tid: 0,
            capture_timeout_ms: 0,
            start_realtime_ns: 0,
            start_boottime_ns: 0,
            stop_boottime_ns: 100 * SECOND,
            breadcrumbs_next: 0,
            errors_next: 0,
            errors_taken: 0,
            dropped: 0,
            panics_next: 0,
        };
        Circumstances { control, has_last_words: false, boottime_ns: (100 + seconds) * SECOND }
    }

    #[test]
    fn a_deploy_pages_nobody() {
        let cases = [
            (StopKind::None, 0, End::Exited(0), false),
            (StopKind::None, 0, End::Exited(1), true),
            (StopKind::None, 0, End::Exited(143), false),
            (StopKind::None, 0, End::Signaled(libc::SIGTERM), false),
            (StopKind::None, 0, End::Signaled(libc::SIGKILL), true),
            (StopKind::None, 0, End::Signaled(libc::SIGSEGV), true),
            (StopKind::None, 0, End::Unknown, true),
            (StopKind::Requested, 5, End::Exited(1), false),
            (StopKind::Requested, 601, End::Exited(1), true),
            (StopKind::Requested, 29, End::Signaled(libc::SIGKILL), false),
            (StopKind::Requested, 31, End::Signaled(libc::SIGKILL), true),
            (StopKind::Requested, 5, End::Signaled(libc::SIGABRT), true),
            (StopKind::Clean, 5, End::Exited(1), false),
            (StopKind::Clean, 5, End::Signaled(libc::SIGSEGV), false),
        ];
        for (stop, seconds, end, expected) in cases {
            assert_eq!(is_death(&after(stop, seconds), end), expected, "{stop:?} {seconds} {end:?}");
        }
    }

    #[test]
    fn a_stop_is_of_the_kind_that_ended_it() {
        let cases = [
            (StopKind::None, End::Exited(0), "clean"),
            (StopKind::None, End::Exited(143), "requested"),
            (StopKind::None, End::Signaled(libc::SIGTERM), "requested"),
            (StopKind::None, End::Unknown, "clean"),
            (StopKind::Requested, End::Exited(0), "requested"),
            (StopKind::Requested, End::Exited(1), "requested"),
            (StopKind::Requested, End::Signaled(libc::SIGKILL), "hard"),
            (StopKind::Clean, End::Signaled(libc::SIGKILL), "clean"),
            (StopKind::Clean, End::StillAlive, "clean"),
        ];
        for (stop, end, expected) in cases {
            assert_eq!(stop_kind(&after(stop, 5).control, end), expected, "{stop:?} {end:?}");
        }
    }

    #[test]
    fn unreadable_status_of_an_exit_is_a_death_only_with_last_words() {
        let mut about = after(StopKind::None, 0);
        about.control.exit_tid = 7;
        assert!(!is_death(&about, End::Unknown));
        about.has_last_words = true;
        assert!(is_death(&about, End::Unknown));
    }
}
