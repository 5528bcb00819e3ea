//! Counters.

use lifeboat_abi::MetricKind;

use super::Label;
use super::description::Description;
use super::slot::{Slot, count, count_first};

/// A counter: what only ever grows. Declared static, used at any time, from any thread.
///
/// ```
/// static MESSAGES: lifeboat::Counter = lifeboat::Counter::new("gossip", "messages", "Messages received.");
/// static BYTES: lifeboat::Counter = lifeboat::Counter::new("gossip", "received", "Read from peers.").unit("bytes");
///
/// MESSAGES.increment();
/// BYTES.add(512);
/// ```
///
/// It is exposed as `gossip_messages_total`. Counts before `start` are nobody's. What a call costs is one store into a
/// row that only this thread writes; while no reporter is at work, one predictable branch. Not for signal handlers: one
/// that counts in the middle of a count loses one of them.
#[derive(Debug)]
pub struct Counter {
    slot: Slot,
    description: Description<'static>,
}

impl Counter {
    /// Exposed as `<module>_<name>_total`. A name is letters, digits and underscores; one that is none, or that means
    /// something else already, counts nothing and is counted as refused.
    #[must_use]
    pub const fn new(module: &'static str, name: &'static str, help: &'static str) -> Self {
        Self { slot: Slot::new(), description: Description::new(MetricKind::Counter, module, name, help) }
    }

    /// The base unit, such as `bytes` or `seconds`: `<module>_<name>_<unit>_total`.
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

    /// Adds.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn add(&self, value: u64) {
        if !self.slot.count(value) {
            self.slot.count_first(value, &self.description);
        }
    }

    /// Adds one.
    #[inline(always)]
    pub fn increment(&self) {
        self.add(1);
    }

    /// The series with these labels too, found or made: a look into the registry, without an allocation. Keep the answer
    /// where it is used often. Asked for before `start` it counts nothing.
    ///
    /// ```
    /// static PEERS: lifeboat::Counter = lifeboat::Counter::new("gossip", "dials", "Peers dialled.");
    /// let kind = String::from("relay");
    /// PEERS.with(&[("peer_kind", &kind)]).increment();
    /// ```
    #[must_use]
    pub fn with(&self, labels: &[Label<'_>]) -> BoundCounter {
        BoundCounter { slot: self.slot.resolve_with(&self.description, labels) }
    }
}

/// One series of a [`Counter`], which [`Counter::with`] found.
#[derive(Clone, Copy, Debug)]
pub struct BoundCounter {
    slot: u32,
}

impl BoundCounter {
    /// Adds.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn add(&self, value: u64) {
        if !count(self.slot, value) {
            count_first(self.slot, value);
        }
    }

    /// Adds one.
    #[inline(always)]
    pub fn increment(&self) {
        self.add(1);
    }
}
