//! Gauges.

use lifeboat_abi::MetricKind;

use super::Label;
use super::description::Description;
use super::slot::{Change, Slot, change_first, change_in};

/// A gauge: what goes up and down. One number that all threads share.
///
/// ```
/// static PEERS: lifeboat::Gauge = lifeboat::Gauge::new("gossip", "peers", "Connected peers.");
///
/// PEERS.set(48.0);
/// PEERS.add(-1.0);
/// ```
///
/// It is exposed as `gossip_peers`. A value that is set before `start` is nobody's.
#[derive(Debug)]
pub struct Gauge {
    slot: Slot,
    description: Description<'static>,
}

impl Gauge {
    /// Exposed as `<module>_<name>`; see [`Counter::new`](crate::Counter::new).
    #[must_use]
    pub const fn new(module: &'static str, name: &'static str, help: &'static str) -> Self {
        Self { slot: Slot::new(), description: Description::new(MetricKind::Gauge, module, name, help) }
    }

    /// The base unit, such as `bytes` or `ratio`: `<module>_<name>_<unit>`.
    #[must_use]
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.description.unit = unit;
        self
    }

    /// Labels that are known now: a series of its own.
    #[must_use]
    pub const fn labels(mut self, labels: &'static [Label<'static>]) -> Self {
        self.description.labels = labels;
        self
    }

    /// Sets it.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn set(&self, value: f64) {
        self.change(Change::Set(value));
    }

    /// Adds; what is negative takes away.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn add(&self, value: f64) {
        self.change(Change::Add(value));
    }

    #[inline(always)]
    fn change(&self, change: Change) {
        if !self.slot.change(change) {
            self.slot.change_first(change, &self.description);
        }
    }

    /// The series with these labels too; see [`Counter::with`](crate::Counter::with).
    #[must_use]
    pub fn with(&self, labels: &[Label<'_>]) -> BoundGauge {
        BoundGauge { slot: self.slot.resolve_with(&self.description, labels) }
    }
}

/// One series of a [`Gauge`], which [`Gauge::with`] found.
#[derive(Clone, Copy, Debug)]
pub struct BoundGauge {
    slot: u32,
}

impl BoundGauge {
    /// Sets it.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn set(&self, value: f64) {
        self.change(Change::Set(value));
    }

    /// Adds; what is negative takes away.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn add(&self, value: f64) {
        self.change(Change::Add(value));
    }

    #[inline(always)]
    fn change(&self, change: Change) {
        if !change_in(self.slot, change) {
            change_first(self.slot, change);
        }
    }
}
