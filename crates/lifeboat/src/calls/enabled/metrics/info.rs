//! Infos.

use lifeboat_abi::{MetricKind, Status};

use super::super::reporter;
use super::Label;
use super::description::Description;
use super::slot::Slot;

/// An info: labels that say what is true of the node, such as a build's commit.
///
/// ```
/// static NETWORK: lifeboat::Info = lifeboat::Info::new("gossip", "network", "What this node gossips in.");
/// let cluster = 1.to_string();
/// NETWORK.set(&[("cluster", &cluster), ("preset", "logos.dev")]);
/// ```
///
/// It is exposed as `gossip_network_info`, whose value is 1.
#[derive(Debug)]
pub struct Info {
    slot: Slot,
    description: Description<'static>,
}

impl Info {
    /// Exposed as `<module>_<name>_info`; see [`Counter::new`](crate::Counter::new).
    #[must_use]
    pub const fn new(module: &'static str, name: &'static str, help: &'static str) -> Self {
        Self { slot: Slot::new(), description: Description::new(MetricKind::Info, module, name, help) }
    }

    /// Sets the labels, in the place of those that it had; after `start` alone. Each set of labels that there ever was
    /// takes one of the node's series: for what seldom changes.
    pub fn set(&self, labels: &[Label<'_>]) {
        let Some(set) = reporter::table().and_then(|table| table.info_set) else { return };
        self.description.lowered(self.slot.get(), 0, labels, |metric| {
            let (labels, count) = (metric.labels, u64::from(metric.labels_count));
            // SAFETY: the handle and its labels live until the call returns, and the reporter copies the texts.
            if unsafe { set(metric, labels, count) } == Status::Ok as i32 {
                self.slot.keep(metric.slot);
            }
        });
    }
}
