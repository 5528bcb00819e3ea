//! The calls that a node makes in life: a copy into the recorder each, nothing more.

use core::sync::atomic::{AtomicU64, Ordering};

use lifeboat_abi::{Frame, Level, REPORT_IF_CAUGHT, Status, Str};
use lifeboat_recorder::{FrameText, Outcome, Record, RecordKind, Recorder, component_state};

use crate::{altstack, bell, chain, hang, signals, state, sys, systemd};

/// Longest text looked at; longer ones are cut by the recorder anyway.
const TEXT_MAX: u64 = 1 << 20;
const PR_SET_NAME: usize = 15;
const THREAD_NAME_BYTES: usize = 15;
/// Heartbeats take the handlers back no more often than this: it takes a system call for each signal.
const REARM_EVERY_NS: u64 = 1_000_000_000;

/// When one did so last, nanoseconds since boot.
static REARMED_NS: AtomicU64 = AtomicU64::new(0);

/// The bytes of a borrowed text.
///
/// # Safety
/// A `data` that is not null must be valid for reads of `length` bytes while the answer is used.
pub(crate) unsafe fn bytes<'a>(text: Str) -> &'a [u8] {
    if text.data.is_null() {
        return &[];
    }
    let length = text.length.min(TEXT_MAX) as usize;
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(text.data.cast(), length) }
}

pub(crate) fn answer(outcome: Outcome) -> Status {
    match outcome {
        Outcome::Written => Status::Ok,
        Outcome::NoRoom => Status::NoRoom,
        Outcome::Busy => Status::Busy,
        Outcome::Invalid => Status::InvalidArgument,
    }
}

pub(crate) fn tag_in(recorder: Recorder, key: &[u8], value: &[u8]) -> Status {
    if key.is_empty() {
        return Status::InvalidArgument;
    }
    answer(recorder.tag(state::stamp(), key, value))
}

/// # Safety
/// As [`bytes`] for both texts.
pub(crate) unsafe fn tag(key: Str, value: Str) -> Status {
    let Some((_, recorder)) = state::recorder() else { return Status::NotStarted };
    // SAFETY: handed on from the caller.
    let key = unsafe { bytes(key) };
    // SAFETY: handed on from the caller.
    let value = unsafe { bytes(value) };
    tag_in(recorder, key, value)
}

/// # Safety
/// As [`bytes`] for all texts.
pub(crate) unsafe fn context(section: Str, key: Str, value: Str) -> Status {
    let Some((_, recorder)) = state::recorder() else { return Status::NotStarted };
    // SAFETY: handed on from the caller.
    let section = unsafe { bytes(section) };
    // SAFETY: handed on from the caller.
    let key = unsafe { bytes(key) };
    // SAFETY: handed on from the caller.
    let value = unsafe { bytes(value) };
    if section.is_empty() || key.is_empty() {
        return Status::InvalidArgument;
    }
    answer(recorder.context(state::stamp(), section, key, value))
}

/// # Safety
/// As [`bytes`] for both texts.
pub(crate) unsafe fn breadcrumb(level: u32, category: Str, message: Str) -> Status {
    let Some((_, recorder)) = state::recorder() else { return Status::NotStarted };
    // SAFETY: handed on from the caller.
    let category = unsafe { bytes(category) };
    // SAFETY: handed on from the caller.
    let message = unsafe { bytes(message) };
    answer(recorder.breadcrumb(state::stamp(), level.min(Level::Fatal as u32), category, message))
}

/// Writes an error, last words or a panic; rings for what is reported by itself.
///
/// # Safety
/// As [`bytes`] for all texts, those in the frames too; `frames` must be null or `count` long.
pub(crate) unsafe fn record(
    to: RecordKind,
    [level, origin]: [u32; 2],
    texts: [Str; 2],
    frames: *const Frame,
    count: u64,
) -> Status {
    let Some((_, recorder)) = state::recorder() else { return Status::NotStarted };
    let [kind, message] = texts;
    // SAFETY: handed on from the caller.
    let kind = unsafe { bytes(kind) };
    // SAFETY: handed on from the caller.
    let message = unsafe { bytes(message) };
    let frames = if frames.is_null() || count > TEXT_MAX {
        &[]
    } else {
        // SAFETY: handed on from the caller.
        unsafe { core::slice::from_raw_parts(frames, count as usize) }
    };
    let frames = frames.iter().map(|frame| FrameText {
        // SAFETY: handed on from the caller.
        function: unsafe { bytes(frame.function) },
        // SAFETY: handed on from the caller.
        file: unsafe { bytes(frame.file) },
        line: frame.line,
        column: frame.column,
        address: frame.address,
    });
    let record = Record { level: level.min(Level::Fatal as u32), origin, kind, message };
    let outcome = recorder.record(to, state::stamp(), record, frames);
    let is_reported = to == RecordKind::Error || origin & REPORT_IF_CAUGHT != 0;
    if is_reported && outcome == Outcome::Written {
        bell::ring(recorder);
    }
    answer(outcome)
}

/// # Safety
/// As [`bytes`] for the name.
pub(crate) unsafe fn thread_attach(name: Str) -> Status {
    if state::recorder().is_none() {
        return Status::NotStarted;
    }
    // SAFETY: handed on from the caller.
    let name = unsafe { bytes(name) };
    if !name.is_empty() {
        let mut terminated = [0_u8; THREAD_NAME_BYTES + 1];
        for (to, from) in terminated.iter_mut().take(THREAD_NAME_BYTES).zip(name) {
            *to = *from;
        }
        let arguments = [PR_SET_NAME, terminated.as_ptr() as usize, 0, 0, 0, 0];
        // SAFETY: the kernel reads a NUL-terminated name of at most 16 bytes.
        let _ = unsafe { sys::call(sys::number::PRCTL, arguments) };
    }
    altstack::attach()
}

pub(crate) fn rearm() -> Status {
    let Some((page, recorder)) = state::recorder() else { return Status::NotStarted };
    chain::forget_jump(page, recorder);
    signals::arm(signals::Time::Again);
    hang::look_again(recorder);
    Status::Ok
}

/// # Safety
/// As [`bytes`] for both texts.
pub(crate) unsafe fn health(component: Str, state_now: i32, detail: Str) -> Status {
    let Some((_, recorder)) = state::recorder() else { return Status::NotStarted };
    // SAFETY: handed on from the caller.
    let component = unsafe { bytes(component) };
    // SAFETY: handed on from the caller.
    let detail = unsafe { bytes(detail) };
    if !(component_state::UNKNOWN..=component_state::FAILING).contains(&state_now) {
        return Status::InvalidArgument;
    }
    let now_ns = sys::clock_ns(sys::CLOCK_BOOTTIME);
    let outcome = recorder.health(state::stamp(), now_ns, component, state_now, detail);
    systemd::news(recorder, now_ns);
    answer(outcome)
}

/// # Safety
/// As [`bytes`] for the name.
pub(crate) unsafe fn heartbeat(name: Str, deadline_ms: u32) -> Status {
    let Some((page, recorder)) = state::recorder() else { return Status::NotStarted };
    // SAFETY: handed on from the caller.
    let name = unsafe { bytes(name) };
    let now_ns = sys::clock_ns(sys::CLOCK_BOOTTIME);
    let outcome = recorder.heartbeat(now_ns, sys::gettid(), name, deadline_ms);
    let is_new = &recorder.control().heartbeats_new;
    if is_new.load(Ordering::Acquire) != 0 && is_new.swap(0, Ordering::AcqRel) != 0 {
        bell::ring(recorder);
    }
    if outcome == Outcome::Written && deadline_ms != 0 {
        systemd::beat(recorder, now_ns);
    }
    let last_ns = REARMED_NS.load(Ordering::Relaxed);
    if now_ns.wrapping_sub(last_ns) >= REARM_EVERY_NS
        && REARMED_NS.compare_exchange(last_ns, now_ns, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    {
        chain::forget_jump(page, recorder);
        signals::arm(signals::Time::Again);
        hang::look_again(recorder);
    }
    answer(outcome)
}
