//! `exit()` and the return of main: the monitor is asked to hold on, so that it learns the exact status.

use core::sync::atomic::Ordering;

use lifeboat_recorder::StopKind;

use crate::bell::{monitor_lives, ring, wait_until};
use crate::{state, sys};

/// How long the node waits until the monitor holds the exiting thread. It takes 50 to 90 microseconds.
const EXIT_TIMEOUT_NS: u64 = 200_000_000;

/// Runs from `.fini_array`, after the program's own atexit handlers, on glibc and musl alike.
pub extern "C" fn on_exit() {
    let Some((page, recorder)) = state::recorder() else { return };
    let control = recorder.control();
    let clean = control.stop_kind.load(Ordering::Acquire) == StopKind::Clean as u32;
    if clean || page.pid.load(Ordering::Relaxed) != sys::getpid() || !monitor_lives(recorder) {
        return;
    }
    sys::allow_tracer(control.monitor_pid.load(Ordering::Relaxed));
    control.exit_tid.store(sys::gettid(), Ordering::SeqCst);
    // A thread that has just let the monitor in for another reason may have withdrawn it before it could see this.
    sys::allow_tracer(control.monitor_pid.load(Ordering::Relaxed));
    ring(recorder);
    wait_until(&control.exit_ack, 1, EXIT_TIMEOUT_NS);
}
