//! New memory for metrics that exist already: handles that were resolved keep their slots.

use core::sync::atomic::Ordering;

use super::layout::{FAMILIES, FAMILY_BYTES, GIVEN_UP, NO_SERIES, OWNER_BYTES, READY, ROWS};
use super::registry::{Metrics, family_head};

/// How far the memory was taken when its taking over began. What is registered meanwhile lies beyond.
#[derive(Clone, Copy)]
struct Cursors {
    series: u32,
    labels: u32,
    slots: u32,
}

impl Metrics {
    /// Takes everything that was registered there, and with `values` what was counted. Both must be laid out by the same
    /// plan. What another thread, or a fork's parent, registers meanwhile is left out, and is registered again at its next
    /// use.
    ///
    /// Only what was ever used is read: a page of such memory that is read takes room, too.
    pub fn take_over(&self, former: Self, values: bool) {
        let (mine, theirs) = (self.head(), former.head());
        let cursors = former.cursors();
        mine.seed.store(theirs.seed.load(Ordering::Relaxed), Ordering::Relaxed);
        let names = self.plan().name(0) / 8;
        // A family is begun with its name: what comes meanwhile has one, too, or is not looked at.
        for family in 0..FAMILIES {
            self.copy_words(former, names + family, names + family + 1);
            self.take_family(former, family);
        }
        for number in 0..cursors.series.min(self.plan().series_max()) {
            self.take_series(former, number, cursors, values);
        }
        let mut end = cursors;
        if values {
            self.take_values(former, cursors);
            // What a thread of this process took meanwhile it may still write to: nobody else gets it.
            end = former.cursors();
        }
        mine.slots_next.store(end.slots, Ordering::Relaxed);
        mine.series_next.store(end.series, Ordering::Relaxed);
        mine.labels_next.store(end.labels, Ordering::Relaxed);
    }

    /// In the order opposite to that in which they are moved.
    fn cursors(&self) -> Cursors {
        let head = self.head();
        let series = head.series_next.load(Ordering::Acquire);
        let labels = head.labels_next.load(Ordering::Acquire);
        Cursors { series, labels, slots: head.slots_next.load(Ordering::Acquire) }
    }

    /// One that is being written is given up.
    fn take_family(&self, former: Self, family: usize) {
        let name = self.family_name(family);
        let known = name.load(Ordering::Relaxed);
        if known == 0 || known == GIVEN_UP {
            return;
        }
        let at = self.plan().family(family);
        if family_head(former.place(at)).state.load(Ordering::Acquire) != READY {
            return name.store(GIVEN_UP, Ordering::Relaxed);
        }
        self.copy_words(former, at / 8, (at + FAMILY_BYTES) / 8);
        // Its series are linked one by one.
        family_head(self.place(at)).newest.store(0, Ordering::Relaxed);
    }

    fn take_series(&self, former: Self, number: u32, cursors: Cursors, values: bool) {
        let theirs = former.entry(number);
        let slot = theirs.slot.load(Ordering::Acquire);
        let family = theirs.family.load(Ordering::Relaxed);
        let offset = theirs.labels_offset.load(Ordering::Relaxed);
        let length = theirs.labels_length.load(Ordering::Relaxed);
        let key = theirs.key.load(Ordering::Relaxed);
        let is_whole = slot != 0
            && slot < cursors.slots
            && offset.saturating_add(length) <= cursors.labels
            && (family as usize) < FAMILIES
            && family_head(self.place(self.plan().family(family as usize))).state.load(Ordering::Relaxed)
                == READY;
        let Some(steps) = former.steps_to(key).filter(|_| is_whole) else { return };
        let labels = self.plan().labels() + offset as usize;
        self.copy_words(former, labels / 8, (labels + length as usize).div_ceil(8));
        let mine = self.entry(number);
        mine.family.store(family, Ordering::Relaxed);
        mine.labels_offset.store(offset, Ordering::Relaxed);
        mine.labels_length.store(length, Ordering::Relaxed);
        mine.key.store(key, Ordering::Relaxed);
        mine.slot.store(slot, Ordering::Relaxed);
        // In this process the thread that makes it does the rest; in a fork's child there is no such thread.
        let found = former.index((key as usize).wrapping_add(steps)).number.load(Ordering::Acquire);
        let is_done = found == number + 1 || !values;
        self.take_place(key, steps, if is_done { number + 1 } else { 0 });
        if is_done {
            self.link(family as usize, number);
        }
    }

    /// The series gets the place of the index that it had: a thread may be about to write there. What lies before it and
    /// was not taken over is given up, so that it is found; its turn may yet come.
    fn take_place(&self, key: u64, steps: usize, found: u32) {
        for step in 0..steps {
            let before = self.index((key as usize).wrapping_add(step));
            if before.hash.load(Ordering::Relaxed) == 0 {
                before.hash.store(GIVEN_UP, Ordering::Relaxed);
                before.number.store(NO_SERIES, Ordering::Relaxed);
            }
        }
        let place = self.index((key as usize).wrapping_add(steps));
        place.hash.store(key, Ordering::Relaxed);
        place.number.store(found, Ordering::Relaxed);
    }

    /// Rows with their owners, who live on.
    fn take_values(&self, former: Self, cursors: Cursors) {
        let plan = self.plan();
        let rows = former.head().rows_used.load(Ordering::Acquire).min(ROWS as u32);
        let owners = plan.owner(0) / 8;
        self.copy_words(former, owners, owners + rows as usize * OWNER_BYTES / 8);
        for row in 0..=rows as usize {
            let first = plan.row(row) / 8;
            self.copy_words(former, first, first + cursors.slots as usize);
            for family in
                (0..FAMILIES).filter(|family| self.family_name(*family).load(Ordering::Relaxed) != 0)
            {
                let rest = first + plan.overflow_slot(family) as usize;
                self.copy_words(former, rest, rest + 1);
            }
        }
        self.head().rows_used.store(rows, Ordering::Relaxed);
    }

    /// Words that are 0 already are not written: a page that nobody touched shall cost nothing.
    fn copy_words(&self, former: Self, from: usize, to: usize) {
        for word in from..to {
            let value = former.word_at(word).load(Ordering::Relaxed);
            if value != 0 {
                self.word_at(word).store(value, Ordering::Relaxed);
            }
        }
    }
}
