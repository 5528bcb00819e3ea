//! Metrics: handles that a node declares static, and what a call of them inlines in its caller: one plain store into a
//! row that only the calling thread writes. What the numbers become, the monitor's side knows.

mod counter;
mod description;
mod gauge;
mod histogram;
mod row;
mod slot;

pub use counter::{BoundCounter, Counter};
pub use gauge::{BoundGauge, Gauge};
pub use histogram::{BoundHistogram, DEFAULT_BOUNDS, Histogram, Timer};

pub(crate) use description::Description;
pub(super) use row::in_child;
pub(crate) use slot::Slot;

/// A label's name and its value.
pub type Label<'a> = (&'a str, &'a str);
