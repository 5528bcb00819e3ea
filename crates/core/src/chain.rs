//! Handing a signal on to whoever was there before, so that the process ends, or goes on, as without us.
//!
//! The former handler is not called from ours: its action is put back, with a return path of ours, and the
//! signal comes again. The kernel then calls it on the stack, with the mask and the flags that it asked for.

use core::ffi::c_void;
use core::sync::atomic::Ordering;

use lifeboat_recorder::DeathStage;

use crate::action::{Action, BEFORE, SA_RESETHAND, SA_RESTORER, SA_SIGINFO, bit};
use crate::bell::ring;
use crate::signal_info::SignalInfo;
use crate::state::Phase;
use crate::{state, sys};

/// What a shell shows for a process that this signal ended.
const SIGNAL_EXIT_BASE: i32 = 128;

/// Makes sure that the signal comes again after our handler returns, and finds the action that stood before.
pub(crate) fn hand_on(info: &SignalInfo, raw_info: *const c_void) {
    let before = BEFORE.get(info.signal);
    let calls_us = already_chained(info.signal);
    if before.is_function() && !calls_us {
        let restorer = sys::chained_restorer() as u64;
        // Without SA_SIGINFO the kernel leaves the frame's siginfo unwritten, by which `after_chained` knows the signal.
        let flags = before.flags | SA_RESTORER | SA_SIGINFO;
        Action { restorer, flags, ..before }.install(info.signal);
    } else {
        Action::DEFAULT.install(info.signal);
    }
    if info.repeats() {
        return;
    }
    let ends_here = !before.is_function() || calls_us;
    if ends_here && sys::getpid() == 1 {
        // As PID 1 of a namespace the kernel drops the signal we would send, and abort() would spin.
        sys::exit_group(SIGNAL_EXIT_BASE + info.signal as i32);
    }
    // Blocked here, it is delivered when our return restores the thread's own mask: in the thread's own frame.
    sys::signal_mask(sys::SIG_BLOCK, bit(info.signal));
    let arguments =
        [sys::getpid() as usize, sys::gettid() as usize, info.signal as usize, raw_info as usize, 0, 0];
    // SAFETY: the siginfo is the kernel's own, on our frame.
    if unsafe { sys::call(sys::number::RT_TGSIGQUEUEINFO, arguments) }.is_err() {
        sys::send_to_self(info.signal);
    }
}

/// Whether this very signal is being handled by this thread's former handler, which has now called ours: the
/// loop ends with the default action, as a fault in a handler does.
pub(crate) fn already_chained(signal: u32) -> bool {
    let Some((page, _)) = state::recorder() else { return false };
    let own = page.entered.load(Ordering::Acquire) == sys::gettid();
    let current = Action::current(signal);
    let is_theirs = current.is_some_and(|it| it.restorer == sys::chained_restorer() as u64);
    own && is_theirs
}

/// Runs when a chained handler has returned, on the thread's own stack, before the thread goes on.
pub(crate) extern "C" fn after_chained(raw_info: *const c_void) {
    // SAFETY: the restorer hands over the signal frame's siginfo.
    let info = unsafe { SignalInfo::read(raw_info) };
    let Some(current) = Action::current(info.signal) else { return };
    let Some((page, recorder)) = state::recorder() else { return };
    // Another thread's fault may be on record: its fate is not this thread's to tell.
    if page.entered.load(Ordering::Acquire) != sys::gettid() {
        return;
    }
    let stands = current.restorer == sys::chained_restorer() as u64;
    let was_once = current.is_default() && BEFORE.get(info.signal).flags & SA_RESETHAND != 0;
    if current.is_default() && !was_once && info.repeats() {
        // The handler chose the default action, as Rust's own does: the fault comes again and ends the process.
        return;
    }
    if was_once {
        BEFORE.set(info.signal, &Action::DEFAULT);
    }
    if stands || was_once {
        crate::signals::take_back(info.signal);
    }
    page.recovered.fetch_add(1, Ordering::Relaxed);
    recorder.death().stage.store(DeathStage::Recovered as u32, Ordering::Release);
    release(page);
    ring(recorder);
}

/// Makes room for the next fault where the monitor has given the last one up: the process lives on.
pub(crate) fn forget_released(page: &state::Page, recorder: lifeboat_recorder::Recorder) {
    let released = recorder.control().death_released.load(Ordering::Acquire);
    let is_chained = page.phase.load(Ordering::Acquire) == Phase::Chained as u32;
    if is_chained && released != 0 && released == recorder.death().generation.load(Ordering::Relaxed) {
        crate::signals::take_back(page.signal.load(Ordering::Relaxed));
        release(page);
    }
}

/// Gives up on a former handler that left by a jump instead of returning.
pub(crate) fn forget_jump(page: &state::Page, recorder: lifeboat_recorder::Recorder) {
    let entered = page.entered.load(Ordering::Acquire);
    let chained = page.phase.load(Ordering::Acquire) == Phase::Chained as u32;
    if entered == 0 || !chained {
        return;
    }
    let jumped = entered == sys::gettid() || !sys::thread_lives(sys::getpid(), entered);
    if jumped {
        crate::signals::take_back(page.signal.load(Ordering::Relaxed));
        recorder.death().stage.store(DeathStage::Recovered as u32, Ordering::Release);
        release(page);
        ring(recorder);
    }
}

fn release(page: &state::Page) {
    page.phase.store(Phase::Idle as u32, Ordering::Release);
    page.entered.store(0, Ordering::Release);
}
