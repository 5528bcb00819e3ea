//! How node and monitor call each other: a bell to ring, words to wait for, never without a bound.

use core::sync::atomic::{AtomicU32, Ordering};

use lifeboat_recorder::{MonitorState, Recorder};

use crate::sys;

/// The longest that a dying node ever waits.
pub(crate) const TIMEOUT_MAX_MS: u32 = 60_000;

/// Rings the monitor.
pub(crate) fn ring(recorder: Recorder) {
    let doorbell = &recorder.control().doorbell;
    doorbell.fetch_add(1, Ordering::Release);
    sys::futex_wake(doorbell);
}

/// Whether somebody is there, or on the way, to hear the doorbell.
pub(crate) fn monitor_lives(recorder: Recorder) -> bool {
    let control = recorder.control();
    let state = control.monitor_state.load(Ordering::Acquire);
    let pid = control.monitor_pid.load(Ordering::Acquire);
    let is_starting = state == MonitorState::Starting as u32;
    if is_starting && pid == 0 {
        return true;
    }
    (is_starting || state == MonitorState::Running as u32) && sys::process_lives(pid)
}

/// Waits until a word has this value, or the time is over.
#[inline(never)]
pub(crate) fn wait_until(word: &AtomicU32, wanted: u32, timeout_ns: u64) {
    wait_while(word, |value| value != wanted, timeout_ns);
}

/// Waits on a word until it is no longer so, or the time is over.
pub(crate) fn wait_while(word: &AtomicU32, still: impl Fn(u32) -> bool, timeout_ns: u64) {
    let end = sys::clock_ns(sys::CLOCK_MONOTONIC).saturating_add(timeout_ns);
    loop {
        let value = word.load(Ordering::Acquire);
        let now = sys::clock_ns(sys::CLOCK_MONOTONIC);
        if !still(value) || now >= end {
            return;
        }
        sys::futex_wait(word, value, end - now);
    }
}
