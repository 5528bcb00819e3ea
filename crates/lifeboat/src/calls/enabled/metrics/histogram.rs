//! Histograms.

use std::time::Instant;

use lifeboat_abi::MetricKind;

use super::super::reporter;
use super::Label;
use super::description::Description;
use super::slot::{Slot, observe, observe_first};

/// The bounds of a histogram that names none: seconds from 100 µs to 50 s. The reporter has the same.
pub const DEFAULT_BOUNDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    25.0, 50.0,
];

/// A histogram: counts observations by size.
///
/// ```
/// static DELAY: lifeboat::Histogram = lifeboat::Histogram::new("gossip", "delay", "Of a message.").unit("seconds");
/// static SIZE: lifeboat::Histogram =
///     lifeboat::Histogram::new("gossip", "size", "Of a message.").unit("bytes").bounds(&[256.0, 1024.0, 4096.0]);
///
/// DELAY.observe(0.25);
/// SIZE.observe(512.0);
/// ```
///
/// It is exposed as `gossip_delay_seconds_bucket`, `_sum` and `_count`. Not a number is left out.
#[derive(Debug)]
pub struct Histogram {
    slot: Slot,
    description: Description<'static>,
}

impl Histogram {
    /// Exposed as `<module>_<name>`, with [`DEFAULT_BOUNDS`]; see [`Counter::new`](crate::Counter::new).
    #[must_use]
    pub const fn new(module: &'static str, name: &'static str, help: &'static str) -> Self {
        let mut description = Description::new(MetricKind::Histogram, module, name, help);
        description.bounds = DEFAULT_BOUNDS;
        Self { slot: Slot::new(), description }
    }

    /// The base unit, such as `seconds` or `bytes`: `<module>_<name>_<unit>`.
    #[must_use]
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.description.unit = unit;
        self
    }

    /// Upper bounds, ascending, at most 32; none are the default. All that share the name must have the same.
    #[must_use]
    pub const fn bounds(mut self, bounds: &'static [f64]) -> Self {
        self.description.bounds = if bounds.is_empty() { DEFAULT_BOUNDS } else { bounds };
        self
    }

    /// Labels that are known now: a series of its own.
    #[must_use]
    pub const fn labels(mut self, labels: &'static [Label<'static>]) -> Self {
        self.description.labels = labels;
        self
    }

    /// Observes one value.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn observe(&self, value: f64) {
        if !self.slot.observe(value, self.description.bounds) {
            self.slot.observe_first(value, &self.description);
        }
    }

    /// Observes how long it takes until the answer is dropped, in seconds. No clock is read where nobody counts.
    ///
    /// ```
    /// static DELAY: lifeboat::Histogram = lifeboat::Histogram::new("gossip", "delay", "Of a message.").unit("seconds");
    /// let _timer = DELAY.start_timer();
    /// ```
    #[inline]
    #[must_use = "it observes when it is dropped"]
    pub fn start_timer(&self) -> Timer<'_> {
        Timer { histogram: self, begin: reporter::table().map(|_| Instant::now()) }
    }

    /// The series with these labels too; see [`Counter::with`](crate::Counter::with).
    #[must_use]
    pub fn with(&self, labels: &[Label<'_>]) -> BoundHistogram {
        BoundHistogram {
            slot: self.slot.resolve_with(&self.description, labels),
            bounds: self.description.bounds,
        }
    }
}

/// Observes when it is dropped; see [`Histogram::start_timer`].
#[derive(Debug)]
pub struct Timer<'a> {
    histogram: &'a Histogram,
    begin: Option<Instant>,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        if let Some(begin) = self.begin {
            self.histogram.observe(begin.elapsed().as_secs_f64());
        }
    }
}

/// One series of a [`Histogram`], which [`Histogram::with`] found.
#[derive(Clone, Copy, Debug)]
pub struct BoundHistogram {
    slot: u32,
    bounds: &'static [f64],
}

impl BoundHistogram {
    /// Observes one value.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn observe(&self, value: f64) {
        if !observe(self.slot, value, self.bounds) {
            observe_first(self.slot, value, self.bounds);
        }
    }
}
