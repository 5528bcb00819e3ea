//! The other side: what the monitor reads of the same memory, trusting no byte of it.

use core::mem::offset_of;

use super::layout::{
    BOUNDS_MAX, DESCRIPTOR_HEAD, FAMILIES, FAMILY_BYTES, HEAD_BYTES, Head, Kind, LABELS_MAX, MAGIC, Plan,
    READY, ROWS, SERIES_BYTES, VERSION,
};
use crate::pen::{Fields, u32_at, u64_at};

/// A copy of the first page: where all the rest lies, and how much of it there is.
#[derive(Clone, Copy, Debug)]
pub struct MetricsSnapshot {
    plan: Plan,
    /// Slots that are taken, the first one, which nobody gets, included.
    pub slots_used: u32,
    /// Series that were begun.
    pub series_used: u32,
    /// Rows that have ever had an owner.
    pub rows_used: u32,
    /// Series for which there was no room.
    pub overflowed: u64,
    /// Metrics that were refused.
    pub refused: u64,
}

/// One metric with its name.
#[derive(Clone, Copy, Debug)]
pub struct Family<'a> {
    /// What it is.
    pub kind: Kind,
    /// The name with module and unit, without `_total`.
    pub name: &'a [u8],
    /// The base unit; may be empty.
    pub unit: &'a [u8],
    /// One line of help, escaped.
    pub help: &'a [u8],
    bounds: [f64; BOUNDS_MAX],
    bounds_count: usize,
}

impl Family<'_> {
    /// A histogram's upper bounds.
    #[must_use]
    pub fn bounds(&self) -> &[f64] {
        self.bounds.get(..self.bounds_count).unwrap_or(&[])
    }

    /// How many slots a series takes.
    #[must_use]
    pub const fn slots(&self) -> u32 {
        match self.kind {
            Kind::Histogram => self.bounds_count as u32 + 2,
            Kind::Counter | Kind::Gauge | Kind::Info => 1,
        }
    }
}

/// One series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// The family's number.
    pub family: u32,
    /// The slot, or a histogram's first.
    pub slot: u32,
    labels: (usize, usize),
}

impl MetricsSnapshot {
    /// How much of the start of the memory says where the rest lies, bytes.
    pub const HEAD_BYTES: usize = HEAD_BYTES;

    /// Reads a copy of the first page; nothing where it is none.
    #[must_use]
    pub fn read(head: &[u8]) -> Option<Self> {
        if !head.starts_with(&MAGIC) || u32_at(head, offset_of!(Head, version))? != VERSION {
            return None;
        }
        let plan = Plan::of_head(u32_at(head, offset_of!(Head, slots))?)?;
        let below =
            |offset, end: usize| Some(u32_at(head, offset)?.min(u32::try_from(end).unwrap_or(u32::MAX)));
        Some(Self {
            plan,
            slots_used: below(offset_of!(Head, slots_next), 1 + plan.series_max() as usize)?,
            series_used: below(offset_of!(Head, series_next), plan.series_max() as usize)?,
            rows_used: below(offset_of!(Head, rows_used), ROWS)?,
            overflowed: u64_at(head, offset_of!(Head, overflowed))?,
            refused: u64_at(head, offset_of!(Head, refused))?,
        })
    }

    /// Where everything lies.
    #[must_use]
    pub const fn plan(&self) -> Plan {
        self.plan
    }

    /// Where families lie: offset and size of all of them.
    #[must_use]
    pub const fn families_range(&self) -> (usize, usize) {
        (self.plan.family(0), FAMILIES * FAMILY_BYTES)
    }

    /// A family of a copy of that range; nothing where there is none.
    #[must_use]
    pub fn family<'a>(&self, families: &'a [u8], number: u32) -> Option<Family<'a>> {
        let at = families.get(number as usize * FAMILY_BYTES..)?.get(..FAMILY_BYTES)?;
        if u32_at(at, 8)? != READY {
            return None;
        }
        let mut fields = Fields::new(at.get(DESCRIPTOR_HEAD..)?);
        let kind = Kind::of_number(fields.u32()?)?;
        let count = (fields.u32()? as usize).min(BOUNDS_MAX);
        let _agreed = fields.u64()?;
        let mut bounds = [0.0; BOUNDS_MAX];
        for bound in bounds.iter_mut().take(count) {
            *bound = f64::from_bits(fields.u64()?);
        }
        let (name, unit, help) = (fields.text()?, fields.text()?, fields.text()?);
        Some(Family { kind, name, unit, help, bounds, bounds_count: count })
    }

    /// How many families there may be.
    #[must_use]
    pub const fn families_max(&self) -> u32 {
        FAMILIES as u32
    }

    /// Where the series from this number on lie: offset and size up to the last one.
    #[must_use]
    pub fn series_range(&self, from: u32) -> (usize, usize) {
        let count = self.series_used.saturating_sub(from) as usize;
        (self.plan.series_at(from as usize), count * SERIES_BYTES)
    }

    /// A series of a copy of such a range; nothing where it is not whole yet.
    #[must_use]
    pub fn series(&self, copy: &[u8], index: usize) -> Option<Series> {
        let at = copy.get(index.checked_mul(SERIES_BYTES)?..)?.get(..SERIES_BYTES)?;
        let (slot, family) = (u32_at(at, 0)?, u32_at(at, 4)?);
        let (offset, length) = (u32_at(at, 8)? as usize, u32_at(at, 12)? as usize);
        let fits = length <= LABELS_MAX && offset.checked_add(length)? <= self.plan.labels_bytes();
        let is_whole = slot != 0 && slot < self.slots_used.max(1) && (family as usize) < FAMILIES;
        (fits && is_whole).then_some(Series { family, slot, labels: (self.plan.labels() + offset, length) })
    }

    /// Where a series' labels lie, escaped as they are exposed: offset and size.
    #[must_use]
    pub const fn labels_range(&self, series: &Series) -> (usize, usize) {
        series.labels
    }

    /// Where a row's slots lie; row 0 is the one that all threads share, `rows_used` follow.
    #[must_use]
    pub const fn row_offset(&self, row: usize) -> usize {
        self.plan.row(if row <= ROWS { row } else { 0 })
    }

    /// The slot of what a counter's family had no room for.
    #[must_use]
    pub const fn overflow_slot(&self, family: u32) -> u32 {
        self.plan.overflow_slot(if (family as usize) < FAMILIES { family as usize } else { 0 })
    }
}
