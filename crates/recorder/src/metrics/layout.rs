//! Where everything lies. The sizes follow from how many series the node asked for; the head names them.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// The first eight bytes.
pub(crate) const MAGIC: [u8; 8] = *b"LIFEMETR";
/// Changes only when an older reader could misread.
pub(crate) const VERSION: u32 = 3;

/// How many rows: more threads than this at a time share the last one, atomically.
pub const ROWS: usize = 256;
/// How many slots there are where nobody asked for another number. A counter or a gauge takes one, a histogram two more
/// than it has bounds.
pub const SERIES_DEFAULT: u32 = 10_000;
/// The most that may be asked for.
pub const SERIES_MAX: u32 = 1 << 20;
/// Most metrics with a name of their own.
pub(crate) const FAMILIES: usize = 1024;
/// Most bounds of a histogram.
pub(crate) const BOUNDS_MAX: usize = 32;
/// Longest name with module, unit and `_total`; longest unit; longest help; longest labels as they are exposed. Bytes.
pub(crate) const NAME_MAX: usize = 200;
pub(crate) const UNIT_MAX: usize = 32;
pub(crate) const HELP_MAX: usize = 400;
pub(crate) const LABELS_MAX: usize = 460;

/// The bounds of a histogram that names none: seconds from 100 µs to 50 s.
pub const DEFAULT_BOUNDS: [f64; 18] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    25.0, 50.0,
];

const PAGE: usize = 4096;
pub(crate) const HEAD_BYTES: usize = PAGE;
/// An owner has a cache line of its own.
pub(crate) const OWNER_BYTES: usize = 64;
pub(crate) const FAMILY_BYTES: usize = 1024;
pub(crate) const INDEX_BYTES: usize = 16;
pub(crate) const SERIES_BYTES: usize = 32;
/// Room for labels, for each series; one with more takes from others. So labels that are longer on average mean fewer series.
const LABELS_BYTES: usize = 128;
/// What stands before a family's fields.
pub(crate) const DESCRIPTOR_HEAD: usize = 16;
const OWNERS_OFFSET: usize = HEAD_BYTES;
const NAMES_OFFSET: usize = OWNERS_OFFSET + ROWS * OWNER_BYTES;
const FAMILIES_OFFSET: usize = NAMES_OFFSET + FAMILIES * 8;
const INDEX_OFFSET: usize = FAMILIES_OFFSET + FAMILIES * FAMILY_BYTES;

/// The largest memory of any plan, bytes.
pub const METRICS_BYTES_MAX: usize = Plan::new(SERIES_MAX).bytes();

/// What a metric is; the numbers are the contract's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows.
    Counter,
    /// Goes up and down: one slot that all threads share.
    Gauge,
    /// Counts observations by size.
    Histogram,
    /// Labels that say what is true of the node: the number 1.0 in a slot that all threads share, 0.0 once others took their place.
    Info,
}

impl Kind {
    pub(crate) const fn of_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Counter),
            2 => Some(Self::Gauge),
            3 => Some(Self::Histogram),
            4 => Some(Self::Info),
            _ => None,
        }
    }

    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Counter => 1,
            Self::Gauge => 2,
            Self::Histogram => 3,
            Self::Info => 4,
        }
    }
}

/// Where everything lies for so many slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Slots in a row, the one that nobody gets included.
    pub(crate) slots: usize,
    /// Places in the index of series: a power of two, at most half of them taken.
    pub(crate) index: usize,
}

impl Plan {
    /// For this many series, within what is possible.
    #[must_use]
    pub const fn new(series_max: u32) -> Self {
        let asked = if series_max == 0 { 1 } else { series_max };
        let slots = if asked > SERIES_MAX { SERIES_MAX } else { asked } as usize;
        // One overflow slot for each family follows those that series take; slot 0 means "none".
        Self { slots: 1 + slots + FAMILIES, index: (2 * slots).next_power_of_two() }
    }

    /// As the head of a memory says; nothing where that is no plan of ours.
    pub(crate) fn of_head(slots: u32) -> Option<Self> {
        let asked = (slots as usize).checked_sub(1 + FAMILIES)?;
        let plan = Self::new(u32::try_from(asked).ok()?);
        (plan.slots == slots as usize).then_some(plan)
    }

    /// How many slots series may take.
    #[must_use]
    pub const fn series_max(&self) -> u32 {
        (self.slots - 1 - FAMILIES) as u32
    }

    /// The size of the whole memory. Pages that nobody touched cost nothing.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.row(ROWS + 1)
    }

    pub(crate) const fn index_len(&self) -> usize {
        self.index
    }

    pub(crate) const fn row_bytes(&self) -> usize {
        (self.slots * 8).div_ceil(PAGE) * PAGE
    }

    /// Where a row starts; row 0 is the one that all threads share.
    pub(crate) const fn row(&self, index: usize) -> usize {
        let end = self.labels() + self.labels_bytes();
        end.div_ceil(PAGE) * PAGE + index * self.row_bytes()
    }

    pub(crate) const fn owner(&self, index: usize) -> usize {
        OWNERS_OFFSET + index * OWNER_BYTES
    }

    /// The hash of a family's name; 0 while free. They lie together: who looks for one reads few pages, and in memory that
    /// a file backs a page that is only read takes room, too.
    pub(crate) const fn name(&self, index: usize) -> usize {
        NAMES_OFFSET + index * 8
    }

    pub(crate) const fn family(&self, index: usize) -> usize {
        FAMILIES_OFFSET + index * FAMILY_BYTES
    }

    pub(crate) const fn index_at(&self, index: usize) -> usize {
        INDEX_OFFSET + index * INDEX_BYTES
    }

    pub(crate) const fn series_at(&self, number: usize) -> usize {
        INDEX_OFFSET + self.index * INDEX_BYTES + number * SERIES_BYTES
    }

    /// Where the labels of all series start.
    pub(crate) const fn labels(&self) -> usize {
        self.series_at(self.series_max() as usize)
    }

    pub(crate) const fn labels_bytes(&self) -> usize {
        self.series_max() as usize * LABELS_BYTES
    }

    /// The slot that takes what a family has no room for.
    pub(crate) const fn overflow_slot(&self, family: usize) -> u32 {
        (1 + self.series_max() as usize + family) as u32
    }
}

/// The first page.
#[repr(C)]
pub(crate) struct Head {
    pub(crate) magic: AtomicU64,
    pub(crate) version: AtomicU32,
    /// Slots in a row.
    pub(crate) slots: AtomicU32,
    /// The next slot; the first is 1.
    pub(crate) slots_next: AtomicU32,
    /// How many series were begun.
    pub(crate) series_next: AtomicU32,
    /// Where the next labels go.
    pub(crate) labels_next: AtomicU32,
    /// Rows that have ever had an owner.
    pub(crate) rows_used: AtomicU32,
    /// Series for which there was no room.
    pub(crate) overflowed: AtomicU64,
    /// Metrics that were refused: no name, or the name of another.
    pub(crate) refused: AtomicU64,
    /// What the hashes of labels begin with; the reader has no use for it.
    pub(crate) seed: AtomicU64,
}

/// How far a family has come.
pub(crate) const WRITING: u32 = 1;
pub(crate) const READY: u32 = 2;

/// What stands before a family's fields.
#[repr(C)]
pub(crate) struct FamilyHead {
    /// The hash of its name, once more.
    pub(crate) hash: AtomicU64,
    /// 0, [`WRITING`] or [`READY`].
    pub(crate) state: AtomicU32,
    /// The newest of its series: its number and 1; 0 where there is none.
    pub(crate) newest: AtomicU32,
}

/// One place of the index.
#[repr(C)]
pub(crate) struct IndexEntry {
    /// The key of family and labels; 0 while free.
    pub(crate) hash: AtomicU64,
    /// The series' number and 1; 0 while it is being written, [`NO_SERIES`] where there was no room.
    pub(crate) number: AtomicU32,
    pub(crate) reserved: AtomicU32,
}

pub(crate) const NO_SERIES: u32 = u32::MAX;
/// The hash of a place that is given up: what lies behind it must still be found.
pub(crate) const GIVEN_UP: u64 = u64::MAX;
/// Labels start at whole words, so that they are read by words.
pub(crate) const LABELS_ALIGN: usize = 8;

/// One series, in the order in which they came.
#[repr(C)]
pub(crate) struct SeriesEntry {
    /// The slot, or a histogram's first; 0 until all is written.
    pub(crate) slot: AtomicU32,
    pub(crate) family: AtomicU32,
    pub(crate) labels_offset: AtomicU32,
    pub(crate) labels_length: AtomicU32,
    /// The next older series of the family: its number and 1; 0 at the end.
    pub(crate) older: AtomicU32,
    pub(crate) reserved: AtomicU32,
    /// What the index calls it; the reader has no use for it.
    pub(crate) key: AtomicU64,
}

const _: () = assert!(size_of::<Head>() <= HEAD_BYTES, "the head fits its page");
const _: () = assert!(size_of::<FamilyHead>() == DESCRIPTOR_HEAD, "fields follow the head");
const _: () = assert!(size_of::<IndexEntry>() == INDEX_BYTES, "an index entry has its size");
const _: () = assert!(size_of::<SeriesEntry>() == SERIES_BYTES, "a series has its size");
const _: () = assert!(
    DESCRIPTOR_HEAD + 8 + 3 * 4 + NAME_MAX + UNIT_MAX + HELP_MAX + 8 * BOUNDS_MAX <= FAMILY_BYTES,
    "a family fits its place"
);
