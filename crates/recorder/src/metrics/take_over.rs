//! New memory for metrics that exist already: handles that were resolved keep their slots.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use super::layout::{FAMILIES, GIVEN_UP, IndexEntry, NO_SERIES, READY};
use super::registry::{Metrics, family_head};

impl Metrics {
    /// Takes everything that was registered there, and with `values` what was counted. Both must be laid out by the same
    /// plan. What another thread is registering at this moment is left out, and is registered again at its next use.
    pub fn take_over(&self, former: Self, values: bool) {
        let plan = self.plan();
        let words = plan.row(0) / 8;
        // The head comes last: until then nothing here is known.
        let (mine, theirs) = (self.head(), former.head());
        let (names, families) = (plan.name(0) / 8, plan.family(0) / 8);
        self.copy_words(former, super::layout::HEAD_BYTES / 8, names);
        self.copy_words(former, families, words);
        // After the families: what has a name here was begun, at least.
        self.copy_words(former, names, families);
        if values {
            let rows = theirs.rows_used.load(Ordering::Acquire);
            self.copy_words(former, words, plan.row(rows as usize + 1) / 8);
            mine.rows_used.store(rows, Ordering::Relaxed);
        } else {
            self.forget_owners();
        }
        self.forget_unfinished();
        mine.seed.store(theirs.seed.load(Ordering::Relaxed), Ordering::Relaxed);
        for (to, from) in [
            (&mine.slots_next, &theirs.slots_next),
            (&mine.series_next, &theirs.series_next),
            (&mine.labels_next, &theirs.labels_next),
        ] {
            to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.link_again(mine.series_next.load(Ordering::Relaxed));
    }

    /// A family may have been copied before its newest series was.
    fn link_again(&self, series: u32) {
        for family in 0..FAMILIES {
            if self.family_name(family).load(Ordering::Relaxed) != 0 {
                family_head(self.place(self.plan().family(family))).newest.store(0, Ordering::Relaxed);
            }
        }
        for number in 0..series {
            let entry = self.entry(number);
            let family = entry.family.load(Ordering::Relaxed) as usize;
            if entry.slot.load(Ordering::Relaxed) != 0 && family < FAMILIES {
                self.link(family, number);
            }
        }
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

    fn forget_owners(&self) {
        for row in 0..super::layout::ROWS {
            let at = self.place(self.plan().owner(row)).cast::<core::sync::atomic::AtomicU32>();
            // SAFETY: owners are 64-aligned places within the memory, which lives as long as the process.
            unsafe { at.as_ref() }.store(0, Ordering::Relaxed);
        }
    }

    fn forget_unfinished(&self) {
        for family in 0..FAMILIES {
            let name = self.family_name(family);
            let known = name.load(Ordering::Relaxed);
            if known == 0 || known == GIVEN_UP {
                continue;
            }
            let head = family_head(self.place(self.plan().family(family)));
            if head.state.load(Ordering::Relaxed) != READY {
                name.store(GIVEN_UP, Ordering::Relaxed);
            }
        }
        for index in 0..self.plan().index_len() {
            let at: NonNull<IndexEntry> = self.place(self.plan().index_at(index)).cast();
            // SAFETY: index entries are 16-aligned places within the memory, which lives as long as the process.
            let entry = unsafe { at.as_ref() };
            if entry.hash.load(Ordering::Relaxed) != 0 && entry.number.load(Ordering::Relaxed) == 0 {
                entry.hash.store(GIVEN_UP, Ordering::Relaxed);
                entry.number.store(NO_SERIES, Ordering::Relaxed);
            }
        }
    }
}
