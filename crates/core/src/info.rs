//! Infos: the one kind of metric whose labels change. What held before is 0 from then on, and is not exposed.

use core::sync::atomic::{AtomicU32, Ordering};

use lifeboat_abi::{Metric, MetricKind, MetricLabel, Status};
use lifeboat_recorder::metrics::Metrics;

use crate::metrics::{LABELS_MAX, copy_of, metrics, slot_of};
use crate::sys;

/// Who sets an info at this moment: one thread at a time, else two sets of labels could hold, or none.
static SETTER: AtomicU32 = AtomicU32::new(0);
/// How often another setter is let have the processor: it needs well under a microsecond.
const TRIES: u32 = 1000;

/// Puts these labels in the place of those that the handle had.
///
/// # Safety
/// `metric` must be null or a handle as `lifeboat.h` makes it; `labels` null or as many as `labels_count` says.
pub(crate) unsafe fn set(metric: *mut Metric, labels: *const MetricLabel, labels_count: u64) -> Status {
    let Some(metrics) = metrics() else { return Status::NotStarted };
    // SAFETY: the caller's promise; `struct_size` comes first in every version.
    let size = unsafe { metric.cast::<u32>().as_ref() };
    if size.is_none_or(|size| (*size as usize) < size_of::<Metric>()) || labels_count > LABELS_MAX as u64 {
        return Status::InvalidArgument;
    }
    // The texts stay with the caller, so the handle itself never gets them.
    // SAFETY: the handle is as long as this struct.
    let handle = unsafe { copy_of(metric) };
    if handle.kind != MetricKind::Info as u32 {
        return Status::InvalidArgument;
    }
    let mut wanted = Metric { labels, labels_count: labels_count as u32, ..handle };
    if labels.is_null() {
        wanted.labels_count = 0;
    }
    // SAFETY: the copy is a handle, and its labels are the caller's for the time of the call.
    let slot = match unsafe { slot_of(metrics, &raw mut wanted) } {
        Ok(slot) => slot,
        Err(status) => return status,
    };
    if !enter() {
        return Status::Busy;
    }
    // SAFETY: the handle is there, and slots are written as atomics alone.
    unsafe { exchange(metrics, metric, wanted.reserved, slot) };
    SETTER.store(0, Ordering::Release);
    Status::Ok
}

/// Whichever handle set what held before: the name has one set of labels. `family` is its number and 1.
///
/// # Safety
/// `metric` must be a handle.
unsafe fn exchange(metrics: Metrics, metric: *mut Metric, family: u32, slot: u32) {
    // SAFETY: handed on from the caller.
    let known = unsafe { &raw mut (*metric).slot };
    // SAFETY: as above.
    let known = unsafe { AtomicU32::from_ptr(known) };
    // In this order there is never a moment at which nothing holds.
    metrics.set(slot, 1.0);
    known.store(slot, Ordering::Release);
    if let Some(family) = family.checked_sub(1) {
        metrics.clear_others(family, slot);
    }
}

/// A fork's child, and a signal handler above a setter, find the setter that never leaves: the child's id differs.
fn enter() -> bool {
    let own = sys::getpid();
    for _ in 0..TRIES {
        let other = SETTER.load(Ordering::Relaxed);
        if other != own && SETTER.compare_exchange(other, own, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return true;
        }
        sys::yield_now();
    }
    false
}
