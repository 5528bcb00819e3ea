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
    DEFAULT_BOUNDS, Kind, Label, Metrics, Plan, Refusal, Registered, SERIES_DEFAULT, Source, Wanted,
};

use crate::settings::Settings;
use crate::{calls, shared, state, sys};

pub(crate) const LABELS_MAX: usize = 32;
/// Room that is quick to make, where there are no more.
const LABELS_FEW: usize = 4;
const BOUNDS_MAX: u32 = 64;
const TEXT_MAX: usize = 4096;
/// What a handle's slot says: not yet, or never.
pub(crate) const UNRESOLVED: u32 = 0;
pub(crate) const REFUSED: u32 = u32::MAX;

/// How often a thread without a row counts in that of all before it looks for one whose owner has ended.
const COUNTS_A_LOOK: u32 = 64;
/// How often the thread that registers the same metric is let have the processor. It is waited for once in its life.
const YIELDS_MAX: u32 = 1000;

static LOOKS: AtomicU32 = AtomicU32::new(0);
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

/// The metrics as they are read.
pub(crate) fn source() -> Option<Source<'static>> {
    let metrics = metrics()?;
    // SAFETY: the memory is never unmapped, is as large as its plan says, and its writers write whole words.
    unsafe { Source::new(NonNull::new(BASE.load(Ordering::Acquire))?, metrics.plan().bytes(), b"") }
}

/// Counts a check, in a row that all threads share: checks are rare, and come from any thread.
pub(crate) fn count_check(name: &[u8], passed: bool, severity: u32) -> Status {
    const SEVERITIES: [&[u8]; 5] = [b"debug", b"info", b"warning", b"error", b"fatal"];
    let result: &[u8] = if passed { b"passed" } else { b"failed" };
    let counted =
        count_one(b"checks", b"Checks of invariants.", name, Label { name: b"result", value: result });
    if passed {
        return counted;
    }
    let value = SEVERITIES.get(severity as usize).copied().unwrap_or_default();
    count_one(b"check_failures", b"Checks that failed.", name, Label { name: b"severity", value })
}

fn count_one(name: &[u8], help: &[u8], check: &[u8], label: Label<'_>) -> Status {
    let Some(metrics) = metrics() else { return Status::NotStarted };
    let labels = [Label { name: b"check", value: check }, label];
    let wanted = Wanted {
        kind: Kind::Counter,
        module: b"lifeboat",
        name,
        unit: b"",
        help,
        bounds: &[],
        labels: &labels,
    };
    match patiently(|| metrics.register(&wanted)) {
        Ok(registered) => metrics.add_shared(registered.slot, 1),
        Err(Refusal::Invalid) => return Status::InvalidArgument,
        Err(Refusal::NoRoom) => return Status::NoRoom,
        Err(Refusal::Busy) => return Status::Busy,
    }
    Status::Ok
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
    // A child of vfork shares this memory but not the process: from there every owner looks as if it had ended.
    let (page, _) = state::recorder()?;
    if page.pid.load(Ordering::Relaxed) != pid {
        return None;
    }
    // With all rows taken a look at each owner is 256 system calls: too dear for every count of a thread that has none.
    let looks =
        !metrics.are_rows_used() || LOOKS.fetch_add(1, Ordering::Relaxed).is_multiple_of(COUNTS_A_LOOK);
    metrics.row(sys::gettid(), |tid| looks && !sys::thread_lives(pid, tid))
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
    let register = || {
        // SAFETY: handed on from the caller.
        unsafe { register(metrics, metric) }
    };
    match patiently(register) {
        Ok(found) => {
            slot.store(found.slot, Ordering::Release);
            Ok(found.slot)
        }
        // That thread was stopped, or is below this one, which is a signal's handler. Asked for again at the next use.
        Err(Refusal::Busy) => Err(Status::Busy),
        Err(refusal) => {
            slot.store(REFUSED, Ordering::Release);
            Err(if refusal == Refusal::NoRoom { Status::NoRoom } else { Status::InvalidArgument })
        }
    }
}

/// Another thread may have been stopped by the scheduler while it registers the same.
fn patiently(mut register: impl FnMut() -> Result<Registered, Refusal>) -> Result<Registered, Refusal> {
    for _ in 0..YIELDS_MAX {
        let outcome = register();
        if outcome != Err(Refusal::Busy) {
            return outcome;
        }
        sys::yield_now();
    }
    Err(Refusal::Busy)
}

/// # Safety
/// As [`resolve`], and not null.
unsafe fn register(metrics: Metrics, metric: *mut Metric) -> Result<Registered, Refusal> {
    // SAFETY: handed on from the caller; the copy's pointers stay the caller's.
    let handle = unsafe { copy_of(metric) };
    let kind = match handle.kind {
        kind if kind == MetricKind::Counter as u32 => Kind::Counter,
        kind if kind == MetricKind::Gauge as u32 => Kind::Gauge,
        kind if kind == MetricKind::Histogram as u32 => Kind::Histogram,
        kind if kind == MetricKind::Info as u32 => Kind::Info,
        _ => return Err(Refusal::Invalid),
    };
    // The caller would fill as many buckets as the handle says.
    if handle.bounds_count > BOUNDS_MAX {
        return Err(Refusal::Invalid);
    }
    if kind == Kind::Histogram && (handle.bounds.is_null() || handle.bounds_count == 0) {
        // SAFETY: the handle is there, as seen.
        unsafe { give_default_bounds(metric) };
    }
    // SAFETY: the handle is there, as seen.
    let bounds = unsafe { bounds(metric) };
    let none = Label { name: &[], value: &[] };
    // Most have few labels, and those that are known late are read at every use.
    if handle.labels_count as usize <= LABELS_FEW {
        // SAFETY: handed on from the caller.
        unsafe { register_with(metrics, metric, &handle, kind, bounds, &mut [none; LABELS_FEW]) }
    } else {
        // SAFETY: handed on from the caller.
        unsafe { register_with(metrics, metric, &handle, kind, bounds, &mut [none; LABELS_MAX]) }
    }
}

/// # Safety
/// As [`resolve`], and not null; `handle` must be its copy.
unsafe fn register_with<'a>(
    metrics: Metrics,
    metric: *mut Metric,
    handle: &Metric,
    kind: Kind,
    bounds: &'a [f64],
    labels: &'a mut [Label<'a>],
) -> Result<Registered, Refusal> {
    let count = if handle.labels.is_null() { 0 } else { handle.labels_count as usize };
    let labels = labels.get_mut(..count).ok_or(Refusal::Invalid)?;
    for (index, label) in labels.iter_mut().enumerate() {
        // SAFETY: the handle's labels are as many as it says.
        let given: *const MetricLabel = unsafe { handle.labels.add(index) };
        // SAFETY: as above.
        let given = unsafe { given.read() };
        // SAFETY: a label's texts are valid for their length.
        label.name = unsafe { calls::bytes(given.name) };
        // SAFETY: as above.
        label.value = unsafe { calls::bytes(given.value) };
    }
    let unnamed = Wanted { kind, module: &[], name: &[], unit: &[], help: &[], bounds, labels };
    // SAFETY: the handle is as long as this struct; several threads may resolve it at once.
    let family = unsafe { &raw mut (*metric).reserved };
    // SAFETY: as above.
    let family = unsafe { AtomicU32::from_ptr(family) };
    if let Some(family) = family.load(Ordering::Relaxed).checked_sub(1) {
        return metrics.register_in(family, &unnamed);
    }
    let texts = [handle.module, handle.name, handle.unit, handle.help].map(|text| {
        // SAFETY: a handle's texts are null or NUL-terminated.
        unsafe { text_of(text) }
    });
    let [module, name, unit, help] = texts;
    let registered = metrics.register(&Wanted { module, name, unit, help, ..unnamed })?;
    family.store(registered.family + 1, Ordering::Relaxed);
    Ok(registered)
}

/// A copy of a handle whose slot, family and default bounds other threads may be writing. Slot and family are left out.
///
/// # Safety
/// `metric` must be a handle.
pub(crate) unsafe fn copy_of(metric: *mut Metric) -> Metric {
    macro_rules! field {
        ($name:ident) => {
            // SAFETY: the caller's promise; nobody writes this field.
            unsafe { (&raw const (*metric).$name).read() }
        };
    }
    // SAFETY: the caller's promise.
    let (bounds, count) = unsafe { bounds_places(metric) };
    Metric {
        struct_size: field!(struct_size),
        slot: UNRESOLVED,
        kind: field!(kind),
        labels_count: field!(labels_count),
        module: field!(module),
        name: field!(name),
        help: field!(help),
        unit: field!(unit),
        labels: field!(labels),
        bounds_count: count.load(Ordering::Acquire),
        bounds: bounds.load(Ordering::Acquire),
        reserved: 0,
    }
}

/// # Safety
/// `metric` must be a handle.
unsafe fn bounds_places<'a>(metric: *mut Metric) -> (&'a AtomicPtr<f64>, &'a AtomicU32) {
    // SAFETY: the caller's promise.
    let bounds = unsafe { &raw mut (*metric).bounds };
    // SAFETY: as above; it is a pointer, and is written by this reporter alone.
    let bounds = unsafe { AtomicPtr::from_ptr(bounds.cast::<*mut f64>()) };
    // SAFETY: the caller's promise.
    let count = unsafe { &raw mut (*metric).bounds_count };
    // SAFETY: as above.
    (bounds, unsafe { AtomicU32::from_ptr(count) })
}

/// Before the slot is known: whoever sees the slot sees these.
///
/// # Safety
/// `metric` must be a handle.
unsafe fn give_default_bounds(metric: *mut Metric) {
    // SAFETY: the caller's promise; every thread writes the same.
    let (bounds, count) = unsafe { bounds_places(metric) };
    // Who sees the count sees the bounds.
    bounds.store(DEFAULT_BOUNDS.as_ptr().cast_mut(), Ordering::Release);
    count.store(DEFAULT_BOUNDS.len() as u32, Ordering::Release);
}

/// # Safety
/// `metric` must be a handle; its bounds must be null or as many as it says.
unsafe fn bounds<'a>(metric: *mut Metric) -> &'a [f64] {
    // SAFETY: the caller's promise.
    let (bounds, count) = unsafe { bounds_places(metric) };
    let (count, bounds) = (count.load(Ordering::Acquire), bounds.load(Ordering::Acquire));
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
