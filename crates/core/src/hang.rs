//! Lets the monitor look at a node that hangs, where the system forbids it to trace who is not its child: asked by one
//! reserved signal, the node allows it, waits until it has looked, and goes on.
//!
//! # Signal safety
//! The handler takes no lock, allocates nothing, leaves errno alone, and waits for at most half a second.

use core::ffi::c_void;
use core::sync::atomic::{AtomicU32, Ordering, fence};

use lifeboat_recorder::Recorder;

use crate::action::{Action, InfoHandler, SA_ONSTACK, SA_RESTART};
use crate::bell::wait_until;
use crate::settings::Settings;
use crate::{signals, state, sys};

/// `SIGRTMIN+14` as glibc counts: no runtime and no debugger uses it by habit. The first three real-time signals are the C
/// libraries' own, .NET takes the next, Valgrind the last.
const SIGNAL: u32 = 48;
/// The lowest that may be chosen: those below have a meaning, or are the C libraries'.
const SIGNAL_MIN: u32 = 35;
const SIGNAL_MAX: u32 = 64;
/// How long the node waits for the monitor's look.
const LOOK_TIMEOUT_NS: u64 = 500_000_000;

/// The thread that waits for the monitor's look, or 0.
static LETTING_IN: AtomicU32 = AtomicU32::new(0);

/// Installs the handler, where nobody has one for this signal.
pub(crate) fn arm(recorder: Recorder, settings: &Settings) {
    let environ = settings.environ;
    let range = u64::from(SIGNAL_MIN)..=u64::from(SIGNAL_MAX);
    let signal = match environ.number("LIFEBOAT_HANG_SIGNAL") {
        Some(signal) if range.contains(&signal) => signal as u32,
        None if environ.get("LIFEBOAT_HANG_SIGNAL").is_none() => SIGNAL,
        _ => return,
    };
    // A fork may have come while another thread let the monitor in.
    LETTING_IN.store(0, Ordering::Relaxed);
    let control = recorder.control();
    control.hang_signal.store(signal, Ordering::Relaxed);
    let is_free = Action::current(signal).is_some_and(|action| action.is_default() || is_ours(&action));
    let ours = Action::ours(on_hang_signal, SA_ONSTACK | SA_RESTART, signals::all_but_faults());
    if is_free && ours.install(signal) {
        control.hang_armed.store(1, Ordering::Release);
    }
}

/// Takes note of a handler of the program's own, which came after ours and must not hear the monitor's signal.
pub(crate) fn look_again(recorder: Recorder) {
    let control = recorder.control();
    let signal = control.hang_signal.load(Ordering::Relaxed);
    let is_armed = control.hang_armed.load(Ordering::Relaxed) != 0;
    if is_armed && Action::current(signal).is_some_and(|action| !is_ours(&action)) {
        control.hang_armed.store(0, Ordering::SeqCst);
    }
}

/// Gives the signal back, unless one may be on its way: it would end the process.
pub(crate) fn disarm(recorder: Recorder) {
    let control = recorder.control();
    let signal = control.hang_signal.load(Ordering::Relaxed);
    if control.hang_armed.swap(0, Ordering::SeqCst) == 0 {
        return;
    }
    // The monitor writes its request, then looks whether the handler stands: one of the two sees the other's.
    fence(Ordering::SeqCst);
    let is_asked = control.hang_request.load(Ordering::SeqCst) != control.hang_done.load(Ordering::SeqCst);
    if !is_asked && Action::current(signal).is_some_and(|action| is_ours(&action)) {
        // A signal that some thread has blocked until now is thrown away by this, and would kill by the default.
        Action::IGNORED.install(signal);
        Action::DEFAULT.install(signal);
    }
}

fn is_ours(action: &Action) -> bool {
    action.handler == on_hang_signal as InfoHandler as *const () as u64
}

extern "C" fn on_hang_signal(_: i32, _: *mut c_void, context: *mut c_void) {
    let Some((page, recorder)) = state::recorder() else { return };
    // A vfork's child runs this on its parent's memory.
    if page.pid.load(Ordering::Relaxed) != sys::getpid() {
        return;
    }
    let control = recorder.control();
    let asked = control.hang_request.load(Ordering::Acquire);
    let tid = sys::gettid();
    let is_first = LETTING_IN.compare_exchange(0, tid, Ordering::AcqRel, Ordering::Relaxed).is_ok();
    if !is_first {
        return;
    }
    if asked != control.hang_done.load(Ordering::Acquire) {
        sys::allow_tracer(control.monitor_pid.load(Ordering::Relaxed));
        control.hang_tid.store(tid, Ordering::Relaxed);
        control.hang_context.store(context as u64, Ordering::Relaxed);
        control.hang_allowed.store(asked, Ordering::Release);
        sys::futex_wake(&control.hang_allowed);
        wait_until(&control.hang_done, asked, LOOK_TIMEOUT_NS);
        // Who dies or leaves meanwhile lets the monitor in, too, and withdraws that by itself.
        let is_ending =
            || page.entered.load(Ordering::SeqCst) != 0 || control.exit_tid.load(Ordering::SeqCst) != 0;
        if !is_ending() {
            sys::allow_tracer(0);
            // It may have begun in between: then this took its right away.
            if is_ending() {
                sys::allow_tracer(control.monitor_pid.load(Ordering::Relaxed));
            }
        }
    }
    LETTING_IN.store(0, Ordering::Release);
}
