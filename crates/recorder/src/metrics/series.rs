//! Series: a metric with its labels, found by their hash at every use of labels that are known late, or made.

use core::sync::atomic::{AtomicU32, Ordering};

use super::layout::{IndexEntry, Kind, LABELS_ALIGN, LABELS_MAX, NO_SERIES, SeriesEntry};
use super::name::{self, Text};
use super::registry::{Metrics, Refusal, Registered, Wanted, family_head, slots_of, wait_for};

/// How many places are looked at for one series; half of them are free at least, so few are needed.
const PROBES_MAX: usize = 64;

impl Metrics {
    pub(super) fn series_of(&self, family: u32, wanted: &Wanted<'_>) -> Result<Registered, Refusal> {
        if wanted.kind == Kind::Counter && name::is_overflow(wanted.labels) {
            // Shown once: what is counted by these labels and what has no room are one.
            let slot = self.plan().overflow_slot(family as usize);
            return Ok(Registered { slot, family, is_overflow: false });
        }
        let seed = self.head().seed.load(Ordering::Relaxed);
        let Some(key) = name::key(seed ^ u64::from(family), wanted.labels) else {
            return self.unknown(family, wanted);
        };
        for step in 0..PROBES_MAX {
            let entry = self.index((key as usize).wrapping_add(step));
            let mut taken = entry.hash.load(Ordering::Acquire);
            if taken == 0 {
                let mut labels = Text::<LABELS_MAX>::new();
                if !name::write_labels(wanted.labels, &mut labels) {
                    return Err(Refusal::Invalid);
                }
                let Some(labels) = labels.whole() else { return self.overflow(family, wanted) };
                match entry.hash.compare_exchange(0, key, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => {
                        let made = self.make_series(family, key, labels, wanted);
                        let number = made.map_or(NO_SERIES, |(number, _)| number + 1);
                        entry.number.store(number, Ordering::Release);
                        return self.or_overflow(made.map(|(_, slot)| slot), family, wanted);
                    }
                    Err(meanwhile) => taken = meanwhile,
                }
            }
            if taken == key {
                let number = wait_for(&entry.number, |number| number != 0)?;
                let series = Some(number).filter(|number| *number != NO_SERIES);
                let slot = series.map(|number| self.entry(number - 1).slot.load(Ordering::Acquire));
                return self.or_overflow(slot, family, wanted);
            }
        }
        self.unknown(family, wanted)
    }

    /// For labels that have no place in the index.
    fn unknown(&self, family: u32, wanted: &Wanted<'_>) -> Result<Registered, Refusal> {
        if name::are_labels(wanted.labels) { self.overflow(family, wanted) } else { Err(Refusal::Invalid) }
    }

    /// Its number and slot; nothing where there is no room for slots or labels.
    fn make_series(&self, family: u32, key: u64, labels: &[u8], wanted: &Wanted<'_>) -> Option<(u32, u32)> {
        let head = self.head();
        let room = labels.len().next_multiple_of(LABELS_ALIGN) as u32;
        let labels_end = self.plan().labels_bytes() as u32;
        // What gets no room takes none from others.
        if room > labels_end.saturating_sub(head.labels_next.load(Ordering::Relaxed)) {
            return None;
        }
        let slot = take(&head.slots_next, slots_of(wanted), 1 + self.plan().series_max())?;
        let offset = take(&head.labels_next, room, labels_end)?;
        // The last: a series with a number below the cursor has slots and labels below theirs.
        let number = take(&head.series_next, 1, self.plan().series_max())?;
        let place = self.place(self.plan().labels() + offset as usize);
        // SAFETY: these bytes lie within the labels, were taken by this thread alone, and do not overlap the caller's.
        unsafe { core::ptr::copy_nonoverlapping(labels.as_ptr(), place.as_ptr(), labels.len()) };
        let entry = self.entry(number);
        entry.family.store(family, Ordering::Relaxed);
        entry.labels_offset.store(offset, Ordering::Relaxed);
        entry.labels_length.store(labels.len() as u32, Ordering::Relaxed);
        entry.key.store(key, Ordering::Relaxed);
        entry.slot.store(slot, Ordering::Release);
        self.link(family as usize, number);
        Some((number, slot))
    }

    /// Puts a series at the head of its family's.
    pub(super) fn link(&self, family: usize, number: u32) {
        let at = self.place(self.plan().family(family));
        let entry = self.entry(number);
        let _ = family_head(at).newest.try_update(Ordering::Release, Ordering::Relaxed, |newest| {
            entry.older.store(newest, Ordering::Relaxed);
            Some(number + 1)
        });
    }

    /// The place of the index at which this key stands: how far from where it belongs.
    pub(super) fn steps_to(&self, key: u64) -> Option<usize> {
        let place = |step| self.index((key as usize).wrapping_add(step)).hash.load(Ordering::Relaxed);
        (0..PROBES_MAX).find(|step| place(*step) == key)
    }

    pub(super) fn index(&self, number: usize) -> &'static IndexEntry {
        let at = self.place(self.plan().index_at(number & (self.plan().index_len() - 1)));
        // SAFETY: index entries are 16-aligned places within the memory, which lives as long as the process.
        unsafe { at.cast::<IndexEntry>().as_ref() }
    }

    pub(super) fn entry(&self, number: u32) -> &'static SeriesEntry {
        let number = if number < self.plan().series_max() { number as usize } else { 0 };
        let at = self.place(self.plan().series_at(number));
        // SAFETY: series are 16-aligned places within the memory, which lives as long as the process.
        unsafe { at.cast::<SeriesEntry>().as_ref() }
    }

    fn or_overflow(
        &self,
        slot: Option<u32>,
        family: u32,
        wanted: &Wanted<'_>,
    ) -> Result<Registered, Refusal> {
        match slot {
            Some(slot) => Ok(Registered { slot, family, is_overflow: false }),
            None => self.overflow(family, wanted),
        }
    }

    /// Counters have a slot that takes the rest; the rest of other kinds would mean nothing.
    fn overflow(&self, family: u32, wanted: &Wanted<'_>) -> Result<Registered, Refusal> {
        match wanted.kind {
            Kind::Counter => {
                let slot = self.plan().overflow_slot(family as usize);
                Ok(Registered { slot, family, is_overflow: true })
            }
            Kind::Gauge | Kind::Histogram | Kind::Info => Err(Refusal::NoRoom),
        }
    }
}

/// Takes `count` of what is left below `end`; answers where they start.
fn take(next: &AtomicU32, count: u32, end: u32) -> Option<u32> {
    // Who reads a cursor reads those that were moved before it, too.
    let taken = next.try_update(Ordering::AcqRel, Ordering::Relaxed, |next| {
        next.checked_add(count).filter(|after| *after <= end)
    });
    taken.ok()
}
