//! The recorder. It gives each key a handle, once; what a handle costs is [`handle`]'s, which names it gets, `name`'s.

mod handle;
mod keys;
mod name;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use lifeboat_abi::MetricKind;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};

use crate::DEFAULT_BOUNDS;
use handle::Handle;
use keys::Keys;

/// Most names whose help is kept: as many as the reporter knows.
const HELP_MAX: usize = 1024;

/// A recorder for the facade `metrics`: what a node counts by `counter!`, `gauge!` and `histogram!` stands in Lifeboat's
/// pages and reports.
///
/// ```
/// let recorder = lifeboat::metrics_facade::Recorder::new().bounds("message.size.bytes", &[256.0, 1024.0, 4096.0]);
/// metrics::set_global_recorder(recorder).expect("the first recorder");
///
/// metrics::describe_counter!("gossip.messages", "Messages received.");
/// metrics::counter!("gossip.messages", "topic" => "blocks").increment(1);
/// ```
///
/// Where a recorder is there already, `metrics_util::layers::FanoutBuilder` gives both what is counted.
///
/// What a name may not hold becomes `_` (`gossip.messages` is exposed as `gossip_messages_total`); a name that ends with a
/// base unit, such as `_seconds` or `_bytes`, has that unit, whatever it is described with; a counter's `_total` is not
/// doubled. Help is what the name was described with before its first use. Labels are sorted by name.
///
/// Histograms have the bounds of [`DEFAULT_BOUNDS`](crate::DEFAULT_BOUNDS), or those that are given here.
/// `Counter::absolute` counts what lies above the highest value that this process said before.
///
/// A macro's call looks its key up: about what any recorder takes. A handle that is kept costs what Lifeboat's own do,
/// and one call through a pointer. Keys are kept up to 10,000 of each kind: what comes after is looked up in the registry
/// each time, where the node's series are bounded, too, and an `absolute` of it counts nothing.
#[derive(Debug, Default)]
pub struct Recorder {
    counters: Keys,
    gauges: Keys,
    histograms: Keys,
    help: RwLock<HashMap<String, Arc<str>>>,
    bounds: HashMap<String, Arc<[f64]>>,
}

impl Recorder {
    /// Without bounds of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The upper bounds of one histogram, ascending, at most 32. The name is the one that the node uses.
    #[must_use]
    pub fn bounds(mut self, name: &str, bounds: &[f64]) -> Self {
        if !bounds.is_empty() {
            self.bounds.insert(name.to_owned(), bounds.into());
        }
        self
    }

    fn describe(&self, name: &KeyName, help: &str) {
        let mut known = self.help.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < HELP_MAX {
            known.insert(name.as_str().to_owned(), help.into());
        }
    }

    fn make(&self, kind: MetricKind, key: &Key, is_kept: bool) -> Handle {
        let known = self.help.read().unwrap_or_else(PoisonError::into_inner);
        let help = known.get(key.name()).cloned().unwrap_or_default();
        let given = self.bounds.get(key.name()).filter(|_| kind == MetricKind::Histogram);
        let bounds = given.map_or_else(|| DEFAULT_BOUNDS.into(), Arc::clone);
        Handle::new(kind, key, help, bounds, is_kept)
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.describe(&name, &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.counters.get(key, |is_kept| self.make(MetricKind::Counter, key, is_kept)))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.gauges.get(key, |is_kept| self.make(MetricKind::Gauge, key, is_kept)))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(
            self.histograms.get(key, |is_kept| self.make(MetricKind::Histogram, key, is_kept)),
        )
    }
}
