//! Whether an end is worth a report: a death is, a stop that somebody asked for is not.

use lifeboat_recorder::{ControlView, StopKind};

use crate::capture::End;

/// What shells and programs answer for "a signal asked me to stop".
const REQUESTED_STATUSES: [i32; 3] = [128 + libc::SIGHUP, 128 + libc::SIGINT, 128 + libc::SIGTERM];
const REQUESTED_SIGNALS: [i32; 3] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM];

/// Whether the process died of itself. A recorded fault has been judged before this is asked.
pub(crate) fn is_death(control: &ControlView, end: End) -> bool {
    if control.stop_kind == StopKind::Clean as u32 {
        return false;
    }
    let requested = control.stop_kind == StopKind::Requested as u32;
    match end {
        End::Exited(0) => false,
        End::Exited(status) => !requested && !REQUESTED_STATUSES.contains(&status),
        // A stop that took too long and was forced is the operator's doing too.
        End::Signaled(libc::SIGKILL) => !requested,
        End::Signaled(signal) => !REQUESTED_SIGNALS.contains(&signal),
        End::Unknown | End::StillAlive => !requested,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(stop: StopKind) -> ControlView {
        ControlView {
            pid: 7,
            stop_kind: stop as u32,
            stop_signal: 0,
            exit_tid: 0,
            capture_timeout_ms: 0,
            start_realtime_ns: 0,
            start_boottime_ns: 0,
            stop_boottime_ns: 0,
            breadcrumbs_next: 0,
            errors_next: 0,
            errors_taken: 0,
            dropped: 0,
        }
    }

    #[test]
    fn a_deploy_pages_nobody() {
        let cases = [
            (StopKind::None, End::Exited(0), false),
            (StopKind::None, End::Exited(1), true),
            (StopKind::None, End::Exited(143), false),
            (StopKind::None, End::Signaled(libc::SIGTERM), false),
            (StopKind::None, End::Signaled(libc::SIGKILL), true),
            (StopKind::None, End::Signaled(libc::SIGSEGV), true),
            (StopKind::None, End::Unknown, true),
            (StopKind::Requested, End::Exited(1), false),
            (StopKind::Requested, End::Signaled(libc::SIGKILL), false),
            (StopKind::Requested, End::Signaled(libc::SIGABRT), true),
            (StopKind::Clean, End::Exited(1), false),
            (StopKind::Clean, End::Signaled(libc::SIGSEGV), false),
        ];
        for (stop, end, expected) in cases {
            assert_eq!(is_death(&control(stop), end), expected, "{stop:?} {end:?}");
        }
    }
}
