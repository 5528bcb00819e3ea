//! What runs when a fatal signal comes: puts the death on record, lets the monitor capture it, hands on.
//!
//! # Signal safety
//! Runs on the thread's signal stack, if it has one. No lock, no allocation, no libc; every wait has a bound.
//! It needs about 1 KiB of stack, for Rust threads have 8 KiB in all.

use core::ffi::c_void;
use core::sync::atomic::{AtomicU64, Ordering};

use lifeboat_recorder::{Death, DeathStage, MAPS_BYTES, Recorder, STACK_BYTES};

use crate::action::{BEFORE, FIRST};
use crate::bell::{TIMEOUT_MAX_MS, monitor_lives, ring, wait_until, wait_while};
use crate::signal_info::SignalInfo;
use crate::state::{Page, Phase};
use crate::{chain, raw_capture, state, sys};

/// After this many repaired faults the monitor is no longer asked to capture each: a runtime that uses faults
/// (JVM, Go) would be slowed by a millisecond for every one. The death slot is still written.
const RECOVERED_CAPTURES_MAX: u32 = 16;
/// Below the stack pointer lies what a leaf function may use without moving it.
const RED_ZONE_BYTES: u64 = 128;
const PAGE_BYTES: u64 = 4096;
/// How many pages above a stack pointer that points nowhere (overflow) are tried.
const STACK_TRIES: u64 = 16;
/// As PID 1 the whole report is made before the answer: the monitor dies with us.
const FIRST_PROCESS_TIMEOUT_FACTOR: u64 = 5;
/// So often a waiting node looks whether its monitor is still there: one that ends meanwhile wakes nobody.
const MONITOR_LOOK_NS: u64 = 20_000_000;

/// The handler of every fatal signal.
pub(crate) extern "C" fn on_fatal_signal(signal: i32, info: *mut c_void, ucontext: *mut c_void) {
    // SAFETY: the kernel calls us with SA_SIGINFO.
    let read = unsafe { SignalInfo::read(info) };
    if is_no_death(&read) {
        return;
    }
    if let Some((page, recorder)) = state::recorder()
        && page.pid.load(Ordering::Relaxed) == sys::getpid()
    {
        // SAFETY: as above, for the third argument.
        let registers = unsafe { sys::registers_of(ucontext) };
        enter(page, recorder, &read, &registers);
    }
    let first = FIRST.get(read.signal);
    if chain::already_chained(read.signal) && first.is_function() {
        // The former handler, at work now, calls the one that it found: for it that was us, without us this one.
        return first.call(signal, info, ucontext);
    }
    chain::hand_on(&read, info);
}

/// A signal that would have been dropped without us.
fn is_no_death(info: &SignalInfo) -> bool {
    let before = BEFORE.get(info.signal);
    let sent = info.code <= 0;
    // PID 1 is spared the default action of a signal from its own namespace, unless it means itself.
    let spared = before.is_default() && sys::getpid() == 1 && !info.is_own();
    sent && (before.is_ignored() || spared)
}

/// Lets one thread record; another that faults meanwhile waits until the record is done, then hands on as well.
fn enter(page: &Page, recorder: Recorder, info: &SignalInfo, registers: &[u64; 27]) {
    let tid = sys::gettid();
    chain::forget_released(page, recorder);
    match page.entered.compare_exchange(0, tid, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            page.signal.store(info.signal, Ordering::Relaxed);
            page.phase.store(Phase::Recording as u32, Ordering::Release);
            record(page, recorder, info, registers, tid);
            page.phase.store(Phase::Chained as u32, Ordering::Release);
            sys::futex_wake(&page.phase);
        }
        // A fault in our own hands, or in the handler that we chained to: no second record.
        Err(owner) if owner == tid => {}
        Err(_) => {
            let timeout_ns = capture_timeout_ns(recorder);
            wait_while(&page.phase, |phase| phase == Phase::Recording as u32, timeout_ns);
        }
    }
}

fn record(page: &Page, recorder: Recorder, info: &SignalInfo, registers: &[u64; 27], tid: u32) {
    let control = recorder.control();
    let death = recorder.death();
    let generation = death.generation.load(Ordering::Relaxed).wrapping_add(1);
    death.stage.store(DeathStage::Claimed as u32, Ordering::Release);
    death.generation.store(generation, Ordering::Relaxed);
    write_signal(death, info, tid);
    let wanted = page.recovered.load(Ordering::Relaxed) < RECOVERED_CAPTURES_MAX;
    if wanted {
        sys::allow_tracer(control.monitor_pid.load(Ordering::Relaxed));
        // The monitor takes the other threads while this one writes on.
        ring(recorder);
    }
    write_registers(death, registers);
    write_stack(recorder, sys::stack_pointer_of(registers));
    write_maps(recorder);
    death.stage.store(DeathStage::Complete as u32, Ordering::Release);
    sys::futex_wake(&death.stage);
    // A monitor that lives but does not answer holds the same memory: it will find the record.
    if wanted && !captured(recorder, generation) && !monitor_lives(recorder) {
        raw_capture::write(recorder);
    }
    if wanted {
        sys::allow_tracer(0);
    }
}

/// Waits for the monitor's word that the capture is done; false where none came.
fn captured(recorder: Recorder, generation: u32) -> bool {
    let ack = &recorder.control().death_ack;
    let end = sys::clock_ns(sys::CLOCK_MONOTONIC).saturating_add(capture_timeout_ns(recorder));
    while ack.load(Ordering::Acquire) != generation {
        let left_ns = end.saturating_sub(sys::clock_ns(sys::CLOCK_MONOTONIC));
        if left_ns == 0 || !monitor_lives(recorder) {
            return false;
        }
        wait_until(ack, generation, left_ns.min(MONITOR_LOOK_NS));
    }
    true
}

fn capture_timeout_ns(recorder: Recorder) -> u64 {
    // Clamped again: the recorder is memory that the node's own mistakes may have written.
    let timeout_ms =
        u64::from(recorder.control().capture_timeout_ms.load(Ordering::Relaxed).min(TIMEOUT_MAX_MS));
    let factor = if sys::getpid() == 1 { FIRST_PROCESS_TIMEOUT_FACTOR } else { 1 };
    timeout_ms.saturating_mul(factor).saturating_mul(1_000_000)
}

fn write_signal(death: &Death, info: &SignalInfo, tid: u32) {
    death.tid.store(tid, Ordering::Relaxed);
    death.signal.store(info.signal, Ordering::Relaxed);
    death.code.store(info.code as u32, Ordering::Relaxed);
    death.fault_address.store(info.address, Ordering::Relaxed);
    death.sender_pid.store(info.sender_pid, Ordering::Relaxed);
    death.is_chained.store(u32::from(BEFORE.get(info.signal).is_function()), Ordering::Relaxed);
    death.realtime_ns.store(sys::clock_ns(sys::CLOCK_REALTIME), Ordering::Relaxed);
    death.boottime_ns.store(sys::clock_ns(sys::CLOCK_BOOTTIME), Ordering::Relaxed);
    death.stage.store(DeathStage::Signal as u32, Ordering::Release);
}

fn write_registers(death: &Death, registers: &[u64; 27]) {
    for (slot, value) in death.registers.iter().zip(registers) {
        slot.store(*value, Ordering::Relaxed);
    }
    death.registers_count.store(registers.len() as u32, Ordering::Relaxed);
    death.stage.store(DeathStage::Registers as u32, Ordering::Release);
}

/// Copies the top of the stack, from the red zone on. After an overflow the stack pointer stands in the guard
/// page: then from the first page above that can be read.
fn write_stack(recorder: Recorder, stack_pointer: u64) {
    let death = recorder.death();
    let mut start = stack_pointer.saturating_sub(RED_ZONE_BYTES);
    let mut copied = 0;
    for _ in 0..STACK_TRIES {
        // SAFETY: the section holds `STACK_BYTES`, and only the slot's claimant, us, writes it.
        copied = unsafe { sys::copy_from_anywhere(start, recorder.death_stack(), STACK_BYTES) };
        if copied > 0 {
            break;
        }
        start = (start & !(PAGE_BYTES - 1)).saturating_add(PAGE_BYTES);
    }
    death.stack_start.store(start, Ordering::Relaxed);
    death.stack_bytes.store(copied as u64, Ordering::Relaxed);
    death.stage.store(DeathStage::Stack as u32, Ordering::Release);
}

fn write_maps(recorder: Recorder) {
    let death = recorder.death();
    let bytes = read_file(c"/proc/thread-self/maps", &death.maps_bytes, recorder);
    death.maps_truncated.store(u32::from(bytes == MAPS_BYTES), Ordering::Relaxed);
}

fn read_file(path: &core::ffi::CStr, length: &AtomicU64, recorder: Recorder) -> usize {
    let Ok(fd) = sys::open(path, sys::O_RDONLY | sys::O_CLOEXEC, 0) else {
        length.store(0, Ordering::Relaxed);
        return 0;
    };
    let mut bytes = 0;
    while bytes < MAPS_BYTES {
        // SAFETY: `bytes` stays below the section's size.
        let into = unsafe { recorder.death_maps().add(bytes) };
        // SAFETY: the rest of the section is that long, and only the slot's claimant, us, writes it.
        match unsafe { sys::read(fd, into, MAPS_BYTES - bytes) } {
            Ok(0) => break,
            Ok(read) => bytes = bytes.saturating_add(read).min(MAPS_BYTES),
            Err(sys::Errno::INTERRUPTED) => {}
            Err(_) => break,
        }
    }
    sys::close(fd);
    length.store(bytes as u64, Ordering::Relaxed);
    bytes
}
