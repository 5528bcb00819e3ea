//! Rows: each has one thread that writes it, and keeps its values when that thread is gone.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::layout::{FAMILIES, ROWS};
use super::registry::{Metrics, family_head};

impl Metrics {
    /// The row of this thread: the one it has, or one whose owner has ended, or a fresh one; else nothing, where more
    /// threads live than there are rows. `has_ended` says of a thread whether it is no more.
    ///
    /// Only this thread may write there, by plain stores.
    pub fn row(&self, tid: u32, has_ended: impl Fn(u32) -> bool) -> Option<NonNull<u64>> {
        let used = (self.head().rows_used.load(Ordering::Acquire) as usize).min(ROWS);
        let own = (0..used).find(|row| self.owner(*row).load(Ordering::Relaxed) == tid);
        let row = own.or_else(|| self.adopt(used, tid, has_ended)).or_else(|| self.fresh(tid))?;
        Some(NonNull::from(self.slot(row + 1, 0)).cast())
    }

    /// Whether every row has had an owner: a thread without one can only adopt.
    #[must_use]
    pub fn are_rows_used(&self) -> bool {
        self.head().rows_used.load(Ordering::Relaxed) as usize >= ROWS
    }

    /// The row that all threads share, for gauges. Every write must be atomic.
    #[must_use]
    pub fn shared_row(&self) -> NonNull<u64> {
        NonNull::from(self.slot(0, 0)).cast()
    }

    /// Adds to a slot of the row that all threads share, for who has none.
    pub fn add_shared(&self, slot: u32, value: u64) {
        self.slot(0, slot).fetch_add(value, Ordering::Relaxed);
    }

    /// Sets a gauge, or an info: 1.0 while its labels hold, else 0.0.
    pub fn set(&self, slot: u32, value: f64) {
        self.slot(0, slot).store(value.to_bits(), Ordering::Relaxed);
    }

    /// Adds to a floating-point number that several threads may add to: a gauge, or a histogram's sum.
    pub fn add_float(&self, slot: u32, value: f64) {
        let add = |bits: u64| Some((f64::from_bits(bits) + value).to_bits());
        let _ = self.slot(0, slot).try_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Sets all series of this family but one to 0.0: the sets of labels that an info ever had, which are few.
    pub fn clear_others(&self, family: u32, slot: u32) {
        if family as usize >= FAMILIES {
            return;
        }
        let head = family_head(self.place(self.plan().family(family as usize)));
        let mut next = head.newest.load(Ordering::Acquire);
        for _ in 0..self.plan().series_max() {
            let Some(number) = next.checked_sub(1) else { return };
            let entry = self.entry(number);
            let other = entry.slot.load(Ordering::Relaxed);
            if other != slot && self.slot(0, other).load(Ordering::Relaxed) != 0 {
                self.set(other, 0.0);
            }
            next = entry.older.load(Ordering::Relaxed);
        }
    }

    fn adopt(&self, used: usize, tid: u32, has_ended: impl Fn(u32) -> bool) -> Option<usize> {
        (0..used).find(|row| {
            let owner = self.owner(*row);
            let former = owner.load(Ordering::Acquire);
            (former == 0 || has_ended(former))
                && owner.compare_exchange(former, tid, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }

    fn fresh(&self, tid: u32) -> Option<usize> {
        let next = &self.head().rows_used;
        loop {
            let row = next.try_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                ((used as usize) < ROWS).then_some(used + 1)
            });
            let row = row.ok()? as usize;
            // A thread that looks for a row to adopt may have been quicker.
            if self.owner(row).compare_exchange(0, tid, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return Some(row);
            }
        }
    }

    fn owner(&self, row: usize) -> &'static AtomicU32 {
        let at = self.place(self.plan().owner(row));
        // SAFETY: owners are 64-aligned places within the memory, which lives as long as the process.
        unsafe { at.cast::<AtomicU32>().as_ref() }
    }
}

const _: () = assert!(size_of::<AtomicU64>() == size_of::<u64>(), "a slot is a plain number");
