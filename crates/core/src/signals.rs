//! Installing our handlers over the node's, taking them back, giving them up.

use core::ffi::c_void;
use core::sync::atomic::{AtomicU32, Ordering};

use lifeboat_recorder::StopKind;

use crate::action::{Action, BEFORE, FATAL, FIRST, InfoHandler, SA_NODEFER, SA_ONSTACK, STOP, bit};
use crate::handler::on_fatal_signal;
use crate::{state, sys};

/// Installs every handler that is not ours yet; what stood there is kept for chaining.
pub(crate) fn arm(time: Time) {
    let ours = ours();
    for signal in FATAL {
        take(signal, &ours, time);
    }
    for signal in STOP {
        wrap(signal, time);
    }
}

/// Whether the handlers are installed for the first time since start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    First,
    Again,
}

/// The thread that runs a stop signal's handlers, or 0.
static STOPPING: AtomicU32 = AtomicU32::new(0);

/// Installs ours again after a chained handler, whose action is kept already.
pub(crate) fn take_back(signal: u32) {
    ours().install(signal);
}

/// While ours runs nothing else may interrupt it, but for a fault of its own.
fn ours() -> Action {
    Action::ours(on_fatal_signal, SA_ONSTACK | SA_NODEFER, all_but_faults())
}

/// The mask of a handler that nothing but a fault may interrupt.
pub(crate) fn all_but_faults() -> u64 {
    FATAL.iter().fold(u64::MAX, |mask, signal| mask & !bit(*signal))
}

/// Puts back what stood before, where ours still stands.
pub(crate) fn disarm() {
    for (signals, handler) in
        [(&FATAL[..], on_fatal_signal as InfoHandler), (&STOP[..], on_stop_signal as InfoHandler)]
    {
        for signal in signals {
            if stands(*signal, handler) {
                BEFORE.get(*signal).install(*signal);
            }
        }
    }
}

fn take(signal: u32, ours: &Action, time: Time) {
    let Some(current) = Action::current(signal) else { return };
    // While a chained handler is at work the node's own action stands there on purpose.
    if current.handler == ours.handler || current.restorer == sys::chained_restorer() as u64 {
        return;
    }
    keep(signal, &current, time);
    ours.install(signal);
}

/// Puts ourselves before a handler for SIGTERM and its like, to learn that the end was asked for. The default
/// action needs no help: the kernel tells the monitor.
fn wrap(signal: u32, time: Time) {
    let Some(current) = Action::current(signal) else { return };
    if !current.is_function() || current.handler == on_stop_signal as InfoHandler as *const () as u64 {
        return;
    }
    keep(signal, &current, time);
    Action::ours(on_stop_signal, current.flags, current.mask).install(signal);
}

fn keep(signal: u32, current: &Action, time: Time) {
    if time == Time::First {
        FIRST.set(signal, current);
    }
    BEFORE.set(signal, current);
}

fn stands(signal: u32, handler: InfoHandler) -> bool {
    Action::current(signal).is_some_and(|current| current.handler == handler as *const () as u64)
}

/// Notes that a stop was asked for and goes on to the node's own handler, on the same stack with the same mask.
extern "C" fn on_stop_signal(signal: i32, info: *mut c_void, ucontext: *mut c_void) {
    // A vfork's child runs this on its parent's memory: what it is asked is not asked of the node.
    if let Some((page, recorder)) = state::recorder()
        && page.pid.load(Ordering::Relaxed) == sys::getpid()
    {
        let control = recorder.control();
        control.stop_boottime_ns.store(sys::clock_ns(sys::CLOCK_BOOTTIME), Ordering::Relaxed);
        control.stop_signal.store(signal as u32, Ordering::Relaxed);
        let _ = control.stop_kind.compare_exchange(
            StopKind::None as u32,
            StopKind::Requested as u32,
            Ordering::Release,
            Ordering::Relaxed,
        );
    }
    let tid = sys::gettid();
    let outer = STOPPING.swap(tid, Ordering::AcqRel);
    // A later handler that calls the one it found, us, means the one that was there without us.
    let next = if outer == tid { &FIRST } else { &BEFORE };
    next.get(signal as u32).call(signal, info, ucontext);
    STOPPING.store(outer, Ordering::Release);
}
