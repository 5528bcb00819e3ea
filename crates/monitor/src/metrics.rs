//! The node's metrics as its monitor reads them: the same memory, of which no byte is trusted.

use std::fs::File;
use std::os::unix::fs::FileExt;

use lifeboat_recorder::metrics::{Family, Kind, MetricsSnapshot, Series};
use serde::{Deserialize, Serialize};

/// Most values that go into a report.
const VALUES_MAX: usize = 200;
/// Rows are read in pieces of so many slots.
const SLOTS_AT_A_TIME: usize = 8 * 1024;

/// The last value of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricValue {
    /// As it is exposed: `gossip_messages_total{topic="a"}`.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// The memory that a node counts into.
pub(crate) struct Metrics {
    file: File,
}

impl Metrics {
    /// Of the descriptor that the reporter left.
    pub(crate) const fn new(file: File) -> Self {
        Self { file }
    }

    /// The memory itself.
    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// The values of the first series, as they are now; empty where this is no such memory.
    pub(crate) fn values(&self) -> Vec<MetricValue> {
        self.read().unwrap_or_default()
    }

    fn read(&self) -> Option<Vec<MetricValue>> {
        let snapshot = MetricsSnapshot::read(&self.copy((0, MetricsSnapshot::HEAD_BYTES))?)?;
        if self.file.metadata().ok()?.len() != snapshot.plan().bytes() as u64 || snapshot.series_used == 0 {
            return None;
        }
        let families = self.copy(snapshot.families_range())?;
        let entries = self.copy(snapshot.series_range(0))?;
        let sums = self.sums(&snapshot)?;
        // First: where they are, there are more series than a report holds.
        let mut values = self.overflows(&snapshot, &families)?;
        for index in 0..snapshot.series_used as usize {
            let Some(series) = snapshot.series(&entries, index) else { continue };
            let Some(family) = snapshot.family(&families, series.family) else { continue };
            let labels = self.copy(snapshot.labels_range(&series))?;
            let labels = String::from_utf8_lossy(&labels).into_owned();
            values.extend(exposed(&family, &series, &labels, &sums));
            if values.len() >= VALUES_MAX {
                values.truncate(VALUES_MAX);
                break;
            }
        }
        Some(values)
    }

    /// Each slot over all rows: as a number of counts, and as one with a fraction.
    fn sums(&self, snapshot: &MetricsSnapshot) -> Option<Vec<Sum>> {
        let slots = snapshot.slots_used as usize;
        let mut sums = vec![Sum::default(); slots];
        for row in 0..=snapshot.rows_used as usize {
            let offset = snapshot.row_offset(row);
            for first in (0..slots).step_by(SLOTS_AT_A_TIME) {
                let count = (slots - first).min(SLOTS_AT_A_TIME);
                // Aligned words, which the kernel copies whole.
                let bytes = self.copy((offset + first * 8, count * 8))?;
                let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
                for (sum, word) in sums.iter_mut().skip(first).zip(words) {
                    sum.count = sum.count.wrapping_add(word);
                    sum.float += f64::from_bits(word);
                }
            }
        }
        Some(sums)
    }

    /// What counters had no room for: each family has a slot for it, behind those of all series.
    fn overflows(&self, snapshot: &MetricsSnapshot, families: &[u8]) -> Option<Vec<MetricValue>> {
        if snapshot.overflowed == 0 {
            return Some(Vec::new());
        }
        let slots = snapshot.families_max() as usize;
        let mut sums = vec![0_u64; slots];
        for row in 0..=snapshot.rows_used as usize {
            let first = snapshot.row_offset(row) + 8 * snapshot.overflow_slot(0) as usize;
            let bytes = self.copy((first, 8 * slots))?;
            for (sum, word) in sums.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *sum = sum.wrapping_add(u64::from_le_bytes(*word));
            }
        }
        let counted = sums.iter().zip(0..).filter(|(sum, _)| **sum != 0);
        let value = |(sum, number): (&u64, u32)| {
            let family = snapshot.family(families, number).filter(|family| family.kind == Kind::Counter)?;
            let name = format!("{}_total{{overflow=\"true\"}}", String::from_utf8_lossy(family.name));
            Some(MetricValue { name, value: *sum as f64 })
        };
        Some(counted.filter_map(value).take(VALUES_MAX).collect())
    }

    fn copy(&self, (offset, size): (usize, usize)) -> Option<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, offset as u64).ok()?;
        Some(bytes)
    }
}

#[derive(Clone, Copy, Default)]
struct Sum {
    count: u64,
    float: f64,
}

/// What a series is in a report: a counter and a gauge are one value, a histogram its count and sum.
fn exposed(family: &Family<'_>, series: &Series, labels: &str, sums: &[Sum]) -> Vec<MetricValue> {
    let name = String::from_utf8_lossy(family.name);
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let named = |ending: &str, value: f64| MetricValue { name: format!("{name}{ending}{labels}"), value };
    let slot = series.slot as usize;
    let at = |slot: usize| sums.get(slot).copied().unwrap_or_default();
    match family.kind {
        Kind::Counter => vec![named("_total", at(slot).count as f64)],
        Kind::Gauge => vec![named("", at(slot).float)],
        // Labels that no longer hold have the value 0, and are nobody's.
        Kind::Info if at(slot).float == 0.0 => Vec::new(),
        Kind::Info => vec![named("_info", 1.0)],
        Kind::Histogram => {
            let buckets = family.bounds().len() + 1;
            let count: u64 = (slot..slot + buckets).map(|slot| at(slot).count).fold(0, u64::wrapping_add);
            vec![named("_count", count as f64), named("_sum", at(slot + buckets).float)]
        }
    }
}
