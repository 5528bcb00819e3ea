//! Installing our handlers over the node's, taking them back, giving them up.

use core::ffi::c_void;
use core::sync::atomic::Ordering;

use lifeboat_recorder::StopKind;

use crate::action::{Action, BEFORE, FATAL, InfoHandler, SA_NODEFER, SA_ONSTACK, SA_SIGINFO, STOP, bit};
use crate::handler::on_fatal_signal;
use crate::{state, sys};

/// Installs every handler that is not ours yet; what stood there is kept for chaining.
pub(crate) fn arm() {
    let ours = ours();
    for signal in FATAL {
        take(signal, &ours);
    }
    for signal in STOP {
        wrap(signal);
    }
}

/// Installs ours again after a chained handler, whose action is kept already.
pub(crate) fn take_back(signal: u32) {
    ours().install(signal);
}

/// While ours runs nothing else may interrupt it, but for a fault of its own.
fn ours() -> Action {
    let mask = FATAL.iter().fold(u64::MAX, |mask, signal| mask & !bit(*signal));
    Action::ours(on_fatal_signal, SA_ONSTACK | SA_NODEFER, mask)
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

fn take(signal: u32, ours: &Action) {
    let Some(current) = Action::current(signal) else { return };
    // While a chained handler is at work the node's own action stands there on purpose.
    if current.handler == ours.handler || current.restorer == sys::chained_restorer() as u64 {
        return;
    }
    BEFORE.set(signal, &current);
    ours.install(signal);
}

/// Puts ourselves before a handler for SIGTERM and its like, to learn that the end was asked for. The default
/// action needs no help: the kernel tells the monitor.
fn wrap(signal: u32) {
    let Some(current) = Action::current(signal) else { return };
    if !current.is_function() || current.handler == on_stop_signal as InfoHandler as *const () as u64 {
        return;
    }
    BEFORE.set(signal, &current);
    Action::ours(on_stop_signal, current.flags, current.mask).install(signal);
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
    let before = BEFORE.get(signal as u32);
    if !before.is_function() {
        return;
    }
    let handler = before.handler as *const ();
    if before.flags & SA_SIGINFO != 0 {
        // SAFETY: the node installed this address as a handler with SA_SIGINFO.
        let handler = unsafe { core::mem::transmute::<*const (), InfoHandler>(handler) };
        handler(signal, info, ucontext);
    } else {
        // SAFETY: the node installed this address as a handler without SA_SIGINFO.
        let handler = unsafe { core::mem::transmute::<*const (), extern "C" fn(i32)>(handler) };
        handler(signal);
    }
}
