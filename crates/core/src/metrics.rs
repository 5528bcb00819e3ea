//! The node's metrics: their memory, and the calls of the table. What a caller inlines goes past this file.
//!
//! The memory stays where it is for the life of the process, and slots keep their meaning: a node that stops and starts
//! again, or a fork's child that starts for itself, gets new memory under the same addresses.

use core::ffi::{CStr, c_char};
use core::mem::offset_of;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use lifeboat_abi::{Metric, MetricKind, MetricLabel, Options, Status};
use lifeboat_recorder::metrics::{
    DEFAULT_BOUNDS, Kind, Label, Metrics, Plan, Refusal, SERIES_DEFAULT, Wanted,
};

use crate::settings::Settings;
use crate::{calls, shared, state, sys};

pub(crate) const LABELS_MAX: usize = 32;
const BOUNDS_MAX: u32 = 64;
const TEXT_MAX: usize = 4096;
/// What a handle's slot says: not yet, or never.
pub(crate) const UNRESOLVED: u32 = 0;
pub(crate) const REFUSED: u32 = u32::MAX;

static BASE: AtomicPtr<u8> = AtomicPtr::new(null_mut());
/// For how many series the memory at `BASE` is laid out, and by which process.
static SERIES: AtomicU32 = AtomicU32::new(0);
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Makes the memory of a start, and answers its descriptor.
pub(crate) fn begin(settings: &Settings) -> Result<i32, Status> {
    let former = NonNull::new(BASE.load(Ordering::Acquire));
    let series_max = match former {
        Some(_) => SERIES.load(Ordering::Relaxed),
        None => {
            settings.number("LIFEBOAT_SERIES_MAX", offset_of!(Options, series_max)).unwrap_or(SERIES_DEFAULT)
        }
    };
    let plan = Plan::new(series_max);
    let (base, fd) = shared::memory(plan.bytes())?;
    // SAFETY: the mapping is zeroed, as large as the plan says, and nobody else's.
    let metrics = unsafe { Metrics::format(base, plan) };
    let pid = sys::getpid();
    match former {
        None => BASE.store(base.as_ptr(), Ordering::Release),
        Some(former) => {
            // SAFETY: it was laid out by the same plan, and is never unmapped.
            let known = unsafe { Metrics::at(former, plan) };
            metrics.take_over(known, OWNER.load(Ordering::Relaxed) == pid);
            if sys::move_over(base, plan.bytes(), former).is_err() {
                sys::close(fd);
                return Err(Status::NoMemory);
            }
        }
    }
    SERIES.store(plan.series_max(), Ordering::Relaxed);
    OWNER.store(pid, Ordering::Relaxed);
    Ok(fd)
}

/// The metrics, while Lifeboat is on in this very process.
pub(crate) fn metrics() -> Option<Metrics> {
    state::recorder()?;
    let base = NonNull::new(BASE.load(Ordering::Acquire))?;
    // SAFETY: `begin` stores only memory that was laid out by this plan and is never unmapped.
    Some(unsafe { Metrics::at(base, Plan::new(SERIES.load(Ordering::Relaxed))) })
}

/// The calling thread's row, for an increment that the caller inlines.
pub(crate) fn row() -> *mut u64 {
    metrics().and_then(own_row).map_or(null_mut(), NonNull::as_ptr)
}

/// The row of all threads.
pub(crate) fn shared() -> *mut u64 {
    metrics().map_or(null_mut(), |metrics| metrics.shared_row().as_ptr())
}

fn own_row(metrics: Metrics) -> Option<NonNull<u64>> {
    let pid = sys::getpid();
    metrics.row(sys::gettid(), |tid| !sys::thread_lives(pid, tid))
}

/// Gives a handle its slot.
///
/// # Safety
/// `metric` must be null or a handle as `lifeboat.h` makes it, whose texts, labels and bounds live as long as it.
pub(crate) unsafe fn resolve(metric: *mut Metric) -> Status {
    let Some(metrics) = metrics() else { return Status::NotStarted };
    // SAFETY: handed on from the caller.
    match unsafe { slot_of(metrics, metric) } {
        Ok(_) => Status::Ok,
        Err(status) => status,
    }
}

/// # Safety
/// As [`resolve`].
pub(crate) unsafe fn counter_add(metric: *mut Metric, value: u64) -> Status {
    let Some(metrics) = metrics() else { return Status::NotStarted };
    // SAFETY: handed on from the caller.
    match unsafe { slot_of(metrics, metric) } {
        Ok(slot) => add(metrics, slot, value),
        Err(status) => return status,
    }
    Status::Ok
}

/// # Safety
/// As [`resolve`].
pub(crate) unsafe fn gauge(metric: *mut Metric, value: f64, change: impl Fn(Metrics, u32, f64)) -> Status {
    let Some(metrics) = metrics() else { return Status::NotStarted };
    // SAFETY: handed on from the caller.
    match unsafe { slot_of(metrics, metric) } {
        Ok(slot) => change(metrics, slot, value),
        Err(status) => return status,
    }
    Status::Ok
}

/// # Safety
/// As [`resolve`].
pub(crate) unsafe fn histogram_observe(metric: *mut Metric, value: f64) -> Status {
    let Some(metrics) = metrics() else { return Status::NotStarted };
    // SAFETY: handed on from the caller.
    let slot = match unsafe { slot_of(metrics, metric) } {
        Ok(slot) => slot,
        Err(status) => return status,
    };
    // SAFETY: `slot_of` answers a slot only for a handle that is there.
    let bounds = unsafe { bounds(metric) };
    if value.is_nan() {
        return Status::InvalidArgument;
    }
    // Bounds that were refused at registration have no slot: these are ascending.
    let bucket = bounds.iter().take_while(|bound| value > **bound).count() as u32;
    add(metrics, slot + bucket, 1);
    let sum = slot + bounds.len() as u32 + 1;
    match own_row(metrics) {
        Some(row) => {
            // SAFETY: the slot lies within the row.
            let place = unsafe { row.add(sum as usize) };
            // SAFETY: this thread alone writes its row.
            let now = f64::from_bits(unsafe { place.read_volatile() });
            // SAFETY: as above.
            unsafe { place.write_volatile((now + value).to_bits()) };
        }
        None => metrics.add_float(sum, value),
    }
    Status::Ok
}

fn add(metrics: Metrics, slot: u32, value: u64) {
    let Some(row) = own_row(metrics) else { return metrics.add_shared(slot, value) };
    // SAFETY: slots that were given out lie within the row.
    let place = unsafe { row.add(slot as usize) };
    // SAFETY: this thread alone writes its row; a reader loads the word whole.
    let now = unsafe { place.read_volatile() };
    // SAFETY: as above.
    unsafe { place.write_volatile(now.wrapping_add(value)) };
}

/// The handle's slot, found or made.
///
/// # Safety
/// As [`resolve`].
pub(crate) unsafe fn slot_of(metrics: Metrics, metric: *mut Metric) -> Result<u32, Status> {
    // SAFETY: the caller's promise; `struct_size` comes first in every version.
    let size = unsafe { metric.cast::<u32>().as_ref() };
    if size.is_none_or(|size| (*size as usize) < size_of::<Metric>()) {
        return Err(Status::InvalidArgument);
    }
    // SAFETY: the handle is as long as this struct; several threads may resolve it at once.
    let slot = unsafe { &raw mut (*metric).slot };
    // SAFETY: as above.
    let slot = unsafe { AtomicU32::from_ptr(slot) };
    match slot.load(Ordering::Acquire) {
        UNRESOLVED => {}
        REFUSED => return Err(Status::InvalidArgument),
        known => return Ok(known),
    }
    // SAFETY: handed on from the caller.
    match unsafe { register(metrics, metric) } {
        Ok(found) => {
            slot.store(found, Ordering::Release);
            Ok(found)
        }
        // Asked for again at the next use.
        Err(Refusal::Busy) => Err(Status::Busy),
        Err(refusal) => {
            slot.store(REFUSED, Ordering::Release);
            Err(if refusal == Refusal::NoRoom { Status::NoRoom } else { Status::InvalidArgument })
        }
    }
}

/// # Safety
/// As [`resolve`], and not null.
unsafe fn register(metrics: Metrics, metric: *mut Metric) -> Result<u32, Refusal> {
    // SAFETY: handed on from the caller; the copy's pointers stay the caller's.
    let handle = unsafe { metric.read() };
    let kind = match handle.kind {
        kind if kind == MetricKind::Counter as u32 => Kind::Counter,
        kind if kind == MetricKind::Gauge as u32 => Kind::Gauge,
        kind if kind == MetricKind::Histogram as u32 => Kind::Histogram,
        kind if kind == MetricKind::Info as u32 => Kind::Info,
        _ => return Err(Refusal::Invalid),
    };
    let mut labels = [Label { name: &[], value: &[] }; LABELS_MAX];
    let count = if handle.labels.is_null() { 0 } else { handle.labels_count as usize };
    let used = labels.get_mut(..count).ok_or(Refusal::Invalid)?;
    for (index, label) in used.iter_mut().enumerate() {
        // SAFETY: the handle's labels are as many as it says.
        let given: *const MetricLabel = unsafe { handle.labels.add(index) };
        // SAFETY: as above.
        let given = unsafe { given.read() };
        // SAFETY: a label's texts are valid for their length.
        label.name = unsafe { calls::bytes(given.name) };
        // SAFETY: as above.
        label.value = unsafe { calls::bytes(given.value) };
    }
    if kind == Kind::Histogram && handle.bounds.is_null() {
        // Before the slot is known: whoever sees the slot sees these.
        // SAFETY: the handle is there, as seen.
        let count = unsafe { &raw mut (*metric).bounds_count };
        // SAFETY: the handle is the caller's, and every thread writes the same.
        unsafe { count.write(DEFAULT_BOUNDS.len() as u32) };
        // SAFETY: the handle is there, as seen.
        let bounds = unsafe { &raw mut (*metric).bounds };
        // SAFETY: as for the count.
        unsafe { bounds.write(DEFAULT_BOUNDS.as_ptr()) };
    }
    let texts = [handle.module, handle.name, handle.unit, handle.help].map(|text| {
        // SAFETY: a handle's texts are null or NUL-terminated.
        unsafe { text_of(text) }
    });
    let [module, name, unit, help] = texts;
    // SAFETY: the handle is there, as seen.
    let bounds = unsafe { bounds(metric) };
    let wanted = Wanted { kind, module, name, unit, help, bounds, labels: used };
    metrics.register(&wanted).map(|registered| registered.slot)
}

/// # Safety
/// `metric` must be a handle; its bounds must be null or as many as it says.
unsafe fn bounds<'a>(metric: *mut Metric) -> &'a [f64] {
    // SAFETY: the caller's promise.
    let handle = unsafe { metric.read() };
    let (bounds, count) = (handle.bounds, handle.bounds_count);
    if bounds.is_null() || count > BOUNDS_MAX {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(bounds, count as usize) }
}

/// # Safety
/// `text` must be null or NUL-terminated, and live as long as the answer.
unsafe fn text_of<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    bytes.get(..TEXT_MAX).unwrap_or(bytes)
}
