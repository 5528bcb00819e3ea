//! One key's handle. It knows its texts, since it may be made before start: a node's statics are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lifeboat_abi::MetricKind;
use metrics::{CounterFn, GaugeFn, HistogramFn, Key};

use super::name::{allowed, name_and_unit};
use crate::Label;
use crate::calls::parts::{Change, Description, Slot};

/// One series.
#[derive(Debug)]
pub(super) struct Handle {
    slot: Slot,
    kind: MetricKind,
    name: String,
    unit: &'static str,
    help: Arc<str>,
    labels: Vec<(String, String)>,
    bounds: Arc<[f64]>,
    /// The highest value that `absolute` was told.
    absolute: AtomicU64,
    /// Whether it is the key's only handle.
    is_kept: bool,
}

impl Handle {
    pub(super) fn new(
        kind: MetricKind,
        key: &Key,
        help: Arc<str>,
        bounds: Arc<[f64]>,
        is_kept: bool,
    ) -> Self {
        let (name, unit) = name_and_unit(kind, key.name());
        let mut labels: Vec<_> =
            key.labels().map(|label| (allowed(label.key()), label.value().to_owned())).collect();
        labels.sort_unstable();
        Self {
            slot: Slot::new(),
            kind,
            name,
            unit,
            help,
            labels,
            bounds,
            absolute: AtomicU64::new(0),
            is_kept,
        }
    }

    /// Asks for the slot, where it is not known. Only here anything is allocated.
    #[cold]
    fn resolve(&self) {
        if self.slot.is_known() {
            return;
        }
        let labels: Vec<Label<'_>> =
            self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.slot.resolve(&Description {
            kind: self.kind,
            module: "",
            name: &self.name,
            unit: self.unit,
            help: &self.help,
            labels: &labels,
            bounds: &self.bounds,
        });
    }

    fn change(&self, change: Change) {
        if !self.slot.change(change) {
            self.resolve();
            self.slot.change_resolved(change);
        }
    }
}

impl CounterFn for Handle {
    fn increment(&self, value: u64) {
        if !self.slot.count(value) {
            self.resolve();
            self.slot.count_resolved(value);
        }
    }

    fn absolute(&self, value: u64) {
        // What nobody counts is not said yet; and of many handles of one series each would count it all.
        if !self.is_kept || !crate::is_on() {
            return;
        }
        let before = self.absolute.fetch_max(value, Ordering::Relaxed);
        if value > before {
            CounterFn::increment(self, value - before);
        }
    }
}

impl GaugeFn for Handle {
    fn increment(&self, value: f64) {
        self.change(Change::Add(value));
    }

    fn decrement(&self, value: f64) {
        self.change(Change::Add(-value));
    }

    fn set(&self, value: f64) {
        self.change(Change::Set(value));
    }
}

impl HistogramFn for Handle {
    fn record(&self, value: f64) {
        if !self.slot.observe(value, &self.bounds) {
            self.resolve();
            self.slot.observe_resolved(value, &self.bounds);
        }
    }
}
