//! A series' slot: given by the reporter at the first use after start, then the same for the life of the process.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::super::reporter;
use super::description::Description;
use super::{Label, row};
use lifeboat_abi::Status;

/// What the reporter made of a metric that it does not take.
const REFUSED: u32 = u32::MAX;

/// One series' slot: 0 until resolved, `u32::MAX` when refused. Several threads may resolve it at once: each gets the
/// same.
#[derive(Debug)]
pub(crate) struct Slot {
    number: AtomicU32,
    /// What the reporter calls the metric's family, so that labels known late cost one look-up; 0 until it is known.
    family: AtomicU32,
}

impl Slot {
    /// Not resolved.
    pub(crate) const fn new() -> Self {
        Self { number: AtomicU32::new(0), family: AtomicU32::new(0) }
    }

    /// The number, if there is one by now.
    #[inline(always)]
    pub(super) fn get(&self) -> u32 {
        self.number.load(Ordering::Relaxed)
    }

    /// Another number from now on: an info's labels changed.
    pub(super) fn keep(&self, slot: u32) {
        self.number.store(slot, Ordering::Relaxed);
    }

    /// Whether the reporter was asked, and answered.
    #[allow(dead_code, reason = "a facade is asked for by a feature")]
    pub(crate) fn is_known(&self) -> bool {
        self.get() != 0
    }

    /// Asks for the number, where it is not known.
    pub(crate) fn resolve(&self, description: &Description<'_>) {
        if self.get() == 0 {
            self.keep(self.resolve_with(description, &[]));
        }
    }

    /// The number of the series with these labels too, found or made; 0 where there is no reporter at work, or it wants to
    /// be asked again.
    pub(super) fn resolve_with(&self, description: &Description<'_>, more: &[Label<'_>]) -> u32 {
        let Some(resolve) = reporter::table().and_then(|table| table.metric_resolve) else { return 0 };
        let family = self.family.load(Ordering::Relaxed);
        description.lowered(0, family, more, |metric| {
            // SAFETY: the handle and all that it points to live until the call returns, and the reporter copies the texts.
            let status = unsafe { resolve(metric) };
            if metric.reserved != family {
                self.family.store(metric.reserved, Ordering::Relaxed);
            }
            if status == Status::Ok as i32 || metric.slot == REFUSED { metric.slot } else { 0 }
        })
    }

    /// Counts, where this thread has a row and the series a slot. False where slot or row are to be found first.
    #[inline(always)]
    pub(crate) fn count(&self, value: u64) -> bool {
        count(self.get(), value)
    }

    /// Finds slot and row, then counts.
    #[cold]
    #[inline(never)]
    pub(super) fn count_first(&self, value: u64, description: &Description<'_>) {
        self.resolve(description);
        self.count_resolved(value);
    }

    /// Finds the row, then counts.
    pub(crate) fn count_resolved(&self, value: u64) {
        count_first(self.get(), value);
    }

    /// Changes a gauge. False where slot or row are to be found first.
    #[inline(always)]
    pub(crate) fn change(&self, change: Change) -> bool {
        change_in(self.get(), change)
    }

    /// Finds slot and row, then changes.
    #[cold]
    #[inline(never)]
    pub(super) fn change_first(&self, change: Change, description: &Description<'_>) {
        self.resolve(description);
        self.change_resolved(change);
    }

    /// Finds the row, then changes.
    pub(crate) fn change_resolved(&self, change: Change) {
        change_first(self.get(), change);
    }

    /// Observes. False where slot or row are to be found first.
    #[inline(always)]
    pub(crate) fn observe(&self, value: f64, bounds: &[f64]) -> bool {
        observe(self.get(), value, bounds)
    }

    /// Finds slot and row, then observes.
    #[cold]
    #[inline(never)]
    pub(super) fn observe_first(&self, value: f64, description: &Description<'_>) {
        self.resolve(description);
        self.observe_resolved(value, description.bounds);
    }

    /// Finds the row, then observes.
    pub(crate) fn observe_resolved(&self, value: f64, bounds: &[f64]) {
        observe_first(self.get(), value, bounds);
    }
}

/// How a gauge changes.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    Set(f64),
    Add(f64),
}

#[inline(always)]
pub(super) fn count(slot: u32, value: u64) -> bool {
    match own_place(slot) {
        Some(place) => increase(place, value),
        // Nobody counts: the caller is done, too.
        None => return reporter::table().is_none(),
    }
    true
}

#[cold]
#[inline(never)]
pub(super) fn count_first(slot: u32, value: u64) {
    if !is_slot(slot) {
        return;
    }
    row::own_or_new();
    if let Some(place) = own_place(slot) {
        increase(place, value);
    } else if let Some(row) = row::shared_or_new() {
        // More threads than rows.
        // SAFETY: the reporter gave row and slot.
        unsafe { row::place(row, slot) }.fetch_add(value, Ordering::Relaxed);
    }
}

/// Only this thread writes here; a reader loads the number whole.
#[inline(always)]
fn increase(place: &AtomicU64, value: u64) {
    place.store(place.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
}

#[inline(always)]
pub(super) fn change_in(slot: u32, change: Change) -> bool {
    match row::shared().filter(|_| is_slot(slot)) {
        // SAFETY: the reporter gave row and slot.
        Some(row) => apply(unsafe { row::place(row, slot) }, change),
        // Nobody counts: the caller is done, too.
        None => return reporter::table().is_none(),
    }
    true
}

#[cold]
#[inline(never)]
pub(super) fn change_first(slot: u32, change: Change) {
    if let Some(row) = row::shared_or_new().filter(|_| is_slot(slot)) {
        // SAFETY: the reporter gave row and slot.
        apply(unsafe { row::place(row, slot) }, change);
    }
}

/// Any thread may write here.
#[inline(always)]
fn apply(place: &AtomicU64, change: Change) {
    match change {
        Change::Set(value) => place.store(value.to_bits(), Ordering::Relaxed),
        Change::Add(value) => {
            let sum = |bits: u64| (f64::from_bits(bits) + value).to_bits();
            place.update(Ordering::Relaxed, Ordering::Relaxed, sum);
        }
    }
}

#[inline(always)]
pub(super) fn observe(slot: u32, value: f64, bounds: &[f64]) -> bool {
    match row::own().filter(|_| is_slot(slot)) {
        Some(row) => fill_bucket(row, slot, value, bounds),
        // Nobody counts: the caller is done, too.
        None => return reporter::table().is_none(),
    }
    true
}

#[cold]
#[inline(never)]
pub(super) fn observe_first(slot: u32, value: f64, bounds: &[f64]) {
    if !is_slot(slot) {
        return;
    }
    if let Some(row) = row::own_or_new() {
        fill_bucket(row, slot, value, bounds);
    } else if let Some(row) = row::shared_or_new().filter(|_| !value.is_nan()) {
        // More threads than rows.
        let bucket = bounds.iter().take_while(|bound| value > **bound).count() as u32;
        // SAFETY: the reporter gave the row, and as many slots as there are bounds, and two.
        unsafe { row::place(row, slot + bucket) }.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        apply(unsafe { row::place(row, slot + bounds.len() as u32 + 1) }, Change::Add(value));
    }
}

/// A bucket for each bound, one for what lies above, then the sum. Not a number belongs to no bucket and would spoil the
/// sum: it is left out.
#[inline]
fn fill_bucket(row: std::ptr::NonNull<u64>, slot: u32, value: f64, bounds: &[f64]) {
    if value.is_nan() {
        return;
    }
    // Ascending. All are looked at: a loop that ends early is a branch that nobody foresees.
    let bucket = bounds.iter().fold(0_u32, |below, bound| below.wrapping_add(u32::from(value > *bound)));
    // SAFETY: the reporter gave the row, and as many slots as there are bounds, and two.
    increase(unsafe { row::place(row, slot + bucket) }, 1);
    // SAFETY: as above.
    let sum = unsafe { row::place(row, slot + bounds.len() as u32 + 1) };
    let now = f64::from_bits(sum.load(Ordering::Relaxed));
    sum.store((now + value).to_bits(), Ordering::Relaxed);
}

/// The place of a slot in this thread's row, where both are known.
#[inline(always)]
fn own_place(slot: u32) -> Option<&'static AtomicU64> {
    // Branches: of a filter the compiler makes a conditional move, which the address then waits for.
    let row = row::own()?;
    if !is_slot(slot) {
        return None;
    }
    // SAFETY: the reporter gave row and slot.
    Some(unsafe { row::place(row, slot) })
}

/// Neither unresolved nor refused.
#[inline(always)]
fn is_slot(slot: u32) -> bool {
    slot.wrapping_sub(1) < REFUSED - 1
}
