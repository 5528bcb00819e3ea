//! One metric of a node that does not exist: it counts as the node's would.

use super::{Kind, Series};

/// Observations of a histogram in a second.
const OBSERVATIONS: f64 = 10.0;

/// The state of one metric between two looks at it.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    kind: Kind,
    bounds: Vec<f64>,
    /// What a gauge shows, a counter grows by, a histogram observes; none while the metric is gone.
    number: Option<f64>,
    /// The moment up to which all is counted, in seconds.
    at: f64,
    /// What a counter stands at, a histogram's sum, the moment that a timestamp shows.
    total: f64,
    /// When an event comes again.
    next_event: f64,
    /// Of a histogram: the observations up to each bound, and all of them.
    counts: Vec<f64>,
}

/// One sample: the end of its name, its bound where it has one, and its value.
pub(super) type Sample = (&'static str, Option<f64>, f64);

impl Meter {
    pub(super) fn new(series: &Series, at: f64) -> Self {
        let counts = vec![0.0; series.buckets.len() + 1];
        let bounds = series.buckets.clone();
        Self { kind: series.kind, bounds, number: None, at, total: 0.0, next_event: f64::INFINITY, counts }
    }

    /// From this moment on the metric's number is this, or it is gone.
    pub(super) fn set(&mut self, number: Option<f64>, at: f64, window: f64) {
        if self.number == number {
            return;
        }
        self.advance(at, window);
        self.number = number;
        match (self.kind, number) {
            (Kind::Timestamp, Some(number)) => self.total = at - number,
            (Kind::Event, Some(_)) => {
                self.next_event = at;
                self.advance(at, window);
            }
            (Kind::Event, None) => self.next_event = f64::INFINITY,
            _ => {}
        }
    }

    /// Counts up to this moment.
    pub(super) fn advance(&mut self, at: f64, window: f64) {
        let seconds = (at - self.at).max(0.0);
        self.at = self.at.max(at);
        let Some(number) = self.number else { return };
        match self.kind {
            Kind::Gauge | Kind::Timestamp => {}
            Kind::Counter => self.total += number.max(0.0) * seconds,
            Kind::Event => {
                while self.next_event <= at && window > 0.0 {
                    self.total += number.max(0.0);
                    self.next_event += window;
                }
            }
            Kind::Histogram => {
                let more = OBSERVATIONS * seconds;
                self.total += number * more;
                let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
                for (count, bound) in self.counts.iter_mut().zip(bounds) {
                    *count += if number <= bound { more } else { 0.0 };
                }
            }
        }
    }

    /// What stands on the page.
    pub(super) fn samples(&self) -> Vec<Sample> {
        let Some(number) = self.number else { return Vec::new() };
        match self.kind {
            Kind::Gauge => vec![("", None, number)],
            Kind::Counter | Kind::Event | Kind::Timestamp => vec![("", None, self.total)],
            Kind::Histogram => {
                let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
                let buckets = bounds.zip(&self.counts).map(|(bound, count)| ("_bucket", Some(bound), *count));
                let all = self.counts.last().copied().unwrap_or_default();
                buckets.chain([("_sum", None, self.total), ("_count", None, all)]).collect()
            }
        }
    }
}
