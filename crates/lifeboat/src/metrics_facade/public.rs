//! The recorder of the public build: it hands out metrics that count nothing.

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};

/// Counts nothing in this build.
#[derive(Debug, Default)]
pub struct Recorder(());

#[expect(missing_docs, reason = "the build that has them documents them")]
impl Recorder {
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }

    #[must_use]
    pub fn bounds(self, _: &str, _: &[f64]) -> Self {
        self
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
