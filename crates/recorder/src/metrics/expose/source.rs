//! One node's metrics memory, mapped or copied. The node writes meanwhile, and nobody vouches for a byte of it: words are
//! loaded whole, every place is checked.

use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering, fence};

use super::super::layout::{
    DESCRIPTOR_HEAD, FAMILIES, FAMILY_BYTES, HEAD_BYTES, LABELS_ALIGN, LABELS_MAX, NAME_MAX,
};
use super::super::name;
use super::super::reader::{Family, MetricsSnapshot};
use super::super::registry::are_bounds;
use crate::pen::u32_at;

/// How many words the longest labels have.
const LABELS_ROOM: usize = LABELS_MAX.next_multiple_of(LABELS_ALIGN);
/// A family's hash, and after it state and newest series.
const FAMILY_HASH: usize = 0;
const FAMILY_STATE: usize = 8;
const FAMILY_NEWEST: usize = 12;

/// What is exposed: the memory of one node, as its head is now. Made anew for each page.
#[derive(Clone)]
pub struct Source<'a> {
    base: NonNull<AtomicU64>,
    words: usize,
    snapshot: MetricsSnapshot,
    /// How many series may yet be looked at for this page, and how many slots be shown.
    steps_left: Cell<u32>,
    slots_left: Cell<u32>,
    /// Labels that all its series get.
    pub(super) labels: &'a [u8],
    memory: PhantomData<&'a AtomicU64>,
}

/// One series as it was found.
pub(super) struct Found {
    pub(super) slot: u32,
    labels: [u8; LABELS_ROOM],
    labels_length: usize,
}

impl Found {
    pub(super) const fn empty() -> Self {
        Self { slot: 0, labels: [0; LABELS_ROOM], labels_length: 0 }
    }

    pub(super) fn labels(&self) -> &[u8] {
        self.labels.get(..self.labels_length).unwrap_or(&[])
    }
}

impl<'a> Source<'a> {
    /// The metrics at this place; nothing where there are none, or fewer bytes than they need. `labels` are put before the
    /// labels of each series, escaped as they are exposed: `module="chat"`; whose name it has gives way.
    ///
    /// # Safety
    /// `base` must be 8-aligned and valid for reads of `bytes` bytes for `'a`. Others may write there meanwhile, by
    /// whole words; other processes may write anything.
    #[must_use]
    pub unsafe fn new(base: NonNull<u8>, bytes: usize, labels: &'a [u8]) -> Option<Self> {
        let words = bytes / 8;
        let bare = Bare { base: base.cast(), words };
        let mut head = [0; 64];
        const { assert!(HEAD_BYTES >= 64, "the head's fields lie in the first page") };
        bare.copy(0, &mut head);
        let snapshot = MetricsSnapshot::read(&head).filter(|head| head.plan().bytes() <= words * 8)?;
        let (steps_left, slots_left) = (Cell::new(0), Cell::new(0));
        Some(Self { base: bare.base, words, snapshot, steps_left, slots_left, labels, memory: PhantomData })
    }

    /// The head, as it was when this was made.
    #[must_use]
    pub const fn snapshot(&self) -> &MetricsSnapshot {
        &self.snapshot
    }

    const fn bare(&self) -> Bare {
        Bare { base: self.base, words: self.words }
    }

    /// For each page. However its series are linked, by however many families: no more are shown than there are slots.
    pub(super) fn begin_page(&self) {
        self.steps_left.set(self.snapshot.plan().series_max());
        self.slots_left.set(self.snapshot.plan().series_max());
    }

    /// Whether a family's place was ever taken.
    pub(super) fn is_taken(&self, number: u32) -> bool {
        self.word(self.snapshot.plan().name(number as usize) / 8) != 0
    }

    /// Copies a family out; answers the number and 1 of its newest series.
    pub(super) fn copy_family(&self, number: u32, into: &mut [u8; FAMILY_BYTES]) -> u32 {
        let at = self.snapshot.plan().family(number as usize) / 8;
        let state = self.word(at + FAMILY_STATE / 8);
        // What was written before the state is read after it.
        fence(Ordering::Acquire);
        self.bare().copy(at, into);
        if let Some(copied) = into.get_mut(FAMILY_STATE..DESCRIPTOR_HEAD) {
            copied.copy_from_slice(&state.to_le_bytes());
        }
        u32_at(into, FAMILY_NEWEST).unwrap_or(0)
    }

    /// A copied family, if it is one that may be shown.
    pub(super) fn family<'c>(&self, copy: &'c [u8; FAMILY_BYTES]) -> Option<Family<'c>> {
        let family = self.snapshot.family(copy, 0)?;
        let stored = crate::pen::u64_at(copy, FAMILY_HASH)?;
        let is_named = family.name.len() <= NAME_MAX && name::is_name(family.name);
        let is_sound = is_named && stored == name::hash(&[family.name]) && are_bounds(family.bounds());
        is_sound.then_some(family)
    }

    /// Whether this family is the one that is found by its name.
    pub(super) fn is_found(&self, name: &[u8], number: u32) -> bool {
        self.places(name::hash(&[name])).next() == Some(number)
    }

    /// Finds a family by its name, and leaves its copy in `into`.
    pub(super) fn find(&self, name: &[u8], into: &mut [u8; FAMILY_BYTES]) -> Option<u32> {
        let number = self.places(name::hash(&[name])).next()?;
        self.copy_family(number, into);
        self.family(into).filter(|family| family.name == name).map(|_| number)
    }

    /// The places with this hash, as the node looks for them.
    fn places(&self, hash: u64) -> impl Iterator<Item = u32> {
        let start = hash as usize % FAMILIES;
        let stored = move |number: usize| self.bare().word(self.snapshot.plan().name(number) / 8);
        let numbers = (0..FAMILIES).map(move |step| (start + step) % FAMILIES);
        let taken =
            numbers.map(move |number| (number, stored(number))).take_while(|(_, stored)| *stored != 0);
        taken.filter(move |(_, stored)| *stored == hash).map(|(number, _)| number as u32)
    }

    /// The series of a family, from the newest one on.
    pub(super) const fn walk<'f>(&self, number: u32, newest: u32, family: &'f Family<'f>) -> Walk<'_, 'f> {
        Walk { source: self, number, family, next: newest, unreadable: 0 }
    }

    /// Finds the series with this number, where it is one of the family; answers whether it is, and the number and 1 of the
    /// next older one.
    fn series(&self, number: u32, of: u32, family: &Family<'_>, into: &mut Found) -> (bool, u32) {
        let plan = self.snapshot.plan();
        if number >= plan.series_max() {
            return (false, 0);
        }
        let at = plan.series_at(number as usize) / 8;
        let place = self.word(at);
        // What was written before the slot is read after it.
        fence(Ordering::Acquire);
        let (labels, older) = (self.word(at + 1), self.word(at + 2) as u32);
        let (slot, belongs) = (place as u32, (place >> 32) as u32);
        let (offset, length) = (labels as u32 as usize, (labels >> 32) as usize);
        if belongs != of {
            // A series of others: what follows is theirs too.
            return (false, 0);
        }
        let fits = u64::from(slot) + u64::from(family.slots()) <= 1 + u64::from(plan.series_max());
        let are_labels = length <= LABELS_MAX
            && offset.is_multiple_of(LABELS_ALIGN)
            && offset + length <= plan.labels_bytes();
        if slot == 0 || !fits || !are_labels {
            return (false, older);
        }
        (into.slot, into.labels_length) = (slot, length);
        let room = into.labels.get_mut(..length.next_multiple_of(LABELS_ALIGN)).unwrap_or(&mut []);
        self.bare().copy((plan.labels() + offset) / 8, room);
        (true, older)
    }

    /// A slot's counts over all rows.
    pub(super) fn count(&self, slot: u32) -> u64 {
        self.rows(slot).fold(0, u64::wrapping_add)
    }

    /// A slot's numbers with fractions over all rows.
    pub(super) fn float(&self, slot: u32) -> f64 {
        self.rows(slot).map(f64::from_bits).fold(0.0, |sum, value| sum + value)
    }

    /// The one slot of a gauge.
    pub(super) fn shared(&self, slot: u32) -> f64 {
        f64::from_bits(self.word(self.snapshot.plan().row(0) / 8 + slot as usize))
    }

    fn rows(&self, slot: u32) -> impl Iterator<Item = u64> {
        let plan = self.snapshot.plan();
        let (first, step) = (plan.row(0) / 8 + slot as usize, plan.row_bytes() / 8);
        self.bare().words(first, step, 1 + self.snapshot.rows_used as usize)
    }

    fn word(&self, index: usize) -> u64 {
        self.bare().word(index)
    }
}

/// The way along a family's series.
pub(super) struct Walk<'s, 'f> {
    source: &'s Source<'s>,
    number: u32,
    family: &'f Family<'f>,
    next: u32,
    pub(super) unreadable: u64,
}

impl Walk<'_, '_> {
    /// Finds the next; false at the end.
    pub(super) fn step(&mut self, into: &mut Found) -> bool {
        while let Some(left) = self.source.steps_left.get().checked_sub(1).filter(|_| self.next != 0) {
            self.source.steps_left.set(left);
            let (is_one, older) = self.source.series(self.next - 1, self.number, self.family, into);
            self.next = older;
            if !is_one {
                self.unreadable += 1;
                continue;
            }
            let left = self.source.slots_left.get().checked_sub(self.family.slots());
            self.source.slots_left.set(left.unwrap_or(0));
            return left.is_some();
        }
        false
    }
}

/// Place and size alone.
#[derive(Clone, Copy)]
struct Bare {
    base: NonNull<AtomicU64>,
    words: usize,
}

impl Bare {
    fn word(self, index: usize) -> u64 {
        if index >= self.words {
            return 0;
        }
        // SAFETY: the word lies within what `Source::new`'s caller vouched for.
        let word = unsafe { self.base.add(index) };
        // SAFETY: as above; a load needs no right to write, and tears no word that another process writes.
        unsafe { word.as_ref() }.load(Ordering::Relaxed)
    }

    /// The words from `first` on in steps of `step`, so many of them; none where one lies outside.
    fn words(self, first: usize, step: usize, count: usize) -> impl Iterator<Item = u64> {
        let last = first.saturating_add(step.saturating_mul(count.saturating_sub(1)));
        let count = if last < self.words { count } else { 0 };
        (0..count).map(move |index| {
            // SAFETY: the last of them lies within what `Source::new`'s caller vouched for, as just seen.
            let word = unsafe { self.base.add(first + index * step) };
            // SAFETY: as in `word`.
            unsafe { word.as_ref() }.load(Ordering::Relaxed)
        })
    }

    /// Copies whole words, from this one on.
    fn copy(self, first: usize, into: &mut [u8]) {
        let into = into.as_chunks_mut::<8>().0;
        let words = self.words(first, 1, into.len());
        for (bytes, word) in into.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
    }
}

const _: () = assert!(
    DESCRIPTOR_HEAD == FAMILY_NEWEST + 4 && DESCRIPTOR_HEAD == FAMILY_STATE + 8,
    "state and newest series are the last word of a family's head"
);
