//! Metrics in this process's own memory, and what a reader finds in a copy.

use std::alloc::{Layout, alloc_zeroed};
use std::ptr::NonNull;

use lifeboat_recorder::metrics::{
    Format, Kind, Label, Metrics, MetricsSnapshot, Plan, Refusal, Registered, Source, Wanted, expose,
};

/// Shared by a test's threads, as the mapped memory is by a node's.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) metrics: Metrics,
    base: NonNull<u8>,
}

// SAFETY: the memory is reached through atomics, but for rows, which have one writer each.
unsafe impl Send for Scene {}
// SAFETY: as above.
unsafe impl Sync for Scene {}

impl Scene {
    /// Empty metrics for so many series. The memory is never given back.
    pub(crate) fn new(series_max: u32) -> Self {
        let plan = Plan::new(series_max);
        let layout = Layout::from_size_align(plan.bytes(), 4096).unwrap();
        // SAFETY: the layout is not empty.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
        // SAFETY: zeroed, aligned to a page, large enough, and nobody else's.
        Self { metrics: unsafe { Metrics::format(base, plan) }, base }
    }

    pub(crate) fn add_half(&self, gauge: u32) {
        self.metrics.add_float(gauge, 0.5);
    }

    /// A copy of a part of the memory.
    pub(crate) fn copy(&self, (offset, size): (usize, usize)) -> Vec<u8> {
        assert!(offset + size <= self.metrics.plan().bytes());
        // SAFETY: the range lies within the memory.
        let start = unsafe { self.base.as_ptr().add(offset) };
        let word = |at: usize| {
            let byte = start.wrapping_add(at);
            // SAFETY: as above; what other threads write meanwhile is read as they leave it.
            unsafe { byte.read_volatile() }
        };
        (0..size).map(word).collect()
    }

    /// As the monitor maps it, with labels for all of it.
    pub(crate) fn source(&self, labels: &'static str) -> Source<'static> {
        // SAFETY: the memory is never given back, and is written by whole words.
        unsafe { Source::new(self.base, self.metrics.plan().bytes(), labels.as_bytes()) }.unwrap()
    }

    /// How many series its page has, without the rest of those that had no room.
    pub(crate) fn shown(&self) -> u64 {
        expose(&[self.source("")], Format::Text, &mut |_| true).series
    }

    /// Writes over bytes of the memory, as a node gone wild does.
    pub(crate) fn spoil(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.metrics.plan().bytes());
        for (index, byte) in bytes.iter().enumerate() {
            let place = self.base.as_ptr().wrapping_add(offset + index);
            // SAFETY: the place lies within the memory; nobody else is at work in these tests.
            unsafe { place.write_volatile(*byte) };
        }
    }

    pub(crate) fn snapshot(&self) -> MetricsSnapshot {
        MetricsSnapshot::read(&self.copy((0, MetricsSnapshot::HEAD_BYTES))).unwrap()
    }

    /// A slot's sum over all rows.
    pub(crate) fn sum(&self, slot: u32) -> u64 {
        let snapshot = self.snapshot();
        let rows = 0..=snapshot.rows_used as usize;
        let word = |row| self.copy((snapshot.row_offset(row) + 8 * slot as usize, 8));
        rows.map(|row| u64::from_le_bytes(word(row).try_into().unwrap())).sum()
    }

    /// Name and labels of every series, with its slot.
    pub(crate) fn series(&self) -> Vec<(String, u32)> {
        let snapshot = self.snapshot();
        let families = self.copy(snapshot.families_range());
        let entries = self.copy(snapshot.series_range(0));
        let named = (0..snapshot.series_used as usize).filter_map(|index| {
            let series = snapshot.series(&entries, index)?;
            let family = snapshot.family(&families, series.family)?;
            let labels = String::from_utf8(self.copy(snapshot.labels_range(&series))).unwrap();
            Some((format!("{}{{{labels}}}", str::from_utf8(family.name).unwrap()), series.slot))
        });
        named.collect()
    }
}

pub(crate) const fn wanted<'a>(kind: Kind, name: &'a str, labels: &'a [Label<'a>]) -> Wanted<'a> {
    Wanted { kind, module: b"gossip", name: name.as_bytes(), unit: b"", help: b"Help.", bounds: &[], labels }
}

pub(crate) const fn label<'a>(name: &'a str, value: &'a str) -> Label<'a> {
    Label { name: name.as_bytes(), value: value.as_bytes() }
}

pub(crate) fn counter(scene: &Scene, name: &str, labels: &[Label<'_>]) -> Result<Registered, Refusal> {
    scene.metrics.register(&wanted(Kind::Counter, name, labels))
}
