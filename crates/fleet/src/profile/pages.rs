//! The pages of a node that does not exist, whose signals have the numbers that somebody wants: for simulated nodes, and for
//! what rules are tested with.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::meter::Meter;
use super::{Kind, Series, Speech};

/// What a metric is called: its name and labels.
type Key = (String, BTreeMap<String, String>);

/// One sample of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric's name, with `_bucket` and the like.
    pub name: String,
    /// Labels that the node itself gives.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All pages of one node. Each signal has its healthy number until it is set.
///
/// Several signals may be told by one metric: the failures of dials, and their ratio. Its number then follows the signal that
/// is set; of several that are set, and of several that are not, the first by name.
#[derive(Clone, Debug)]
pub struct Pages {
    speech: Speech,
    /// How long an event counts, in seconds.
    window: f64,
    endpoints: BTreeMap<String, BTreeMap<Key, Metric>>,
    set: BTreeMap<String, Option<f64>>,
    /// Labels whose values are others than the profile says.
    relabelled: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
struct Metric {
    meter: Meter,
    kind: Kind,
    /// The signals that it tells, by name.
    tells: Vec<(String, Series)>,
}

impl Pages {
    /// A node of one generation, or one that speaks as all of them do. `at` is its beginning in seconds, and `window` the
    /// seconds for which an event counts: the window of the rules that ask.
    #[must_use]
    pub fn new(speech: &Speech, generation: Option<&str>, window: f64, at: f64) -> Self {
        let mut endpoints: BTreeMap<String, BTreeMap<Key, Metric>> = BTreeMap::new();
        for (name, signal) in &speech.signals {
            let page = endpoints.entry(signal.endpoint.clone()).or_default();
            for series in signal.series.iter().filter(|series| series.is_of(generation)) {
                let metric = page.entry((series.name.clone(), series.labels.clone()));
                let new = || Metric { meter: Meter::new(series, at), kind: series.kind, tells: Vec::new() };
                metric.or_insert_with(new).tells.push((name.clone(), series.clone()));
            }
        }
        let mut pages = Self {
            speech: speech.clone(),
            window,
            endpoints,
            set: BTreeMap::new(),
            relabelled: BTreeMap::new(),
        };
        pages.follow(None, at);
        pages
    }

    /// From this moment on the signal has this number, or is gone. False where there is no such signal.
    pub fn set(&mut self, signal: &str, number: Option<f64>, at: f64) -> bool {
        if !self.speech.signals.contains_key(signal) {
            return false;
        }
        self.set.insert(signal.to_owned(), number);
        self.follow(Some(signal), at);
        true
    }

    /// From this moment on the signal is well again.
    pub fn unset(&mut self, signal: &str, at: f64) {
        self.set.remove(signal);
        self.follow(Some(signal), at);
    }

    /// From this moment on the signal has this number in health.
    pub fn set_healthy(&mut self, signal: &str, number: f64, at: f64) {
        if let Some(signal) = self.speech.signals.get_mut(signal) {
            signal.healthy = number;
        }
        self.follow(Some(signal), at);
    }

    /// Labels that have these values instead of the profile's, on each metric that has them.
    pub fn relabel(&mut self, labels: BTreeMap<String, String>) {
        self.relabelled = labels;
    }

    /// What an endpoint shows at this moment.
    pub fn samples(&mut self, endpoint: &str, at: f64) -> Vec<Sample> {
        let Self { window, endpoints, relabelled, .. } = self;
        let page = endpoints.get_mut(endpoint).into_iter().flatten();
        page.flat_map(|(key, metric)| metric.samples(key, relabelled, at, *window)).collect()
    }

    /// What an endpoint shows at this moment, as Prometheus reads it.
    pub fn text(&mut self, endpoint: &str, at: f64) -> String {
        let mut text = String::new();
        let mut last = "";
        let Self { window, endpoints, relabelled, speech, .. } = self;
        for (key, metric) in endpoints.get_mut(endpoint).into_iter().flatten() {
            let samples = metric.samples(key, relabelled, at, *window);
            if last != key.0 && !samples.is_empty() {
                let help = metric.tells.first().and_then(|(signal, _)| speech.signals.get(signal));
                let help =
                    help.map_or("", |signal| signal.help.as_str()).replace('\\', "\\\\").replace('\n', " ");
                let _ = writeln!(text, "# HELP {} {help}", key.0);
                let _ = writeln!(text, "# TYPE {} {}", key.0, word(&key.0, metric.kind));
                last = &key.0;
            }
            for sample in samples {
                let _ = writeln!(text, "{}{} {}", sample.name, braces(&sample.labels), sample.value);
            }
        }
        text
    }

    /// Gives the metrics of a signal, or all, the numbers that they should have.
    fn follow(&mut self, signal: Option<&str>, at: f64) {
        let Self { speech, window, endpoints, set, .. } = self;
        for metric in endpoints.values_mut().flat_map(BTreeMap::values_mut) {
            if signal.is_some_and(|signal| metric.tells.iter().all(|(name, _)| name != signal)) {
                continue;
            }
            let of_set =
                metric.tells.iter().find_map(|(name, series)| Some((set.get(name).copied()?, series)));
            let of_health = || {
                let (name, series) = metric.tells.first()?;
                Some((speech.signals.get(name).map(|signal| signal.healthy), series))
            };
            if let Some((number, series)) = of_set.or_else(of_health) {
                metric.meter.set(number.map(|number| series.number(number)), at, *window);
            }
        }
    }
}

impl Metric {
    fn samples(
        &mut self,
        (name, labels): &Key,
        relabelled: &BTreeMap<String, String>,
        at: f64,
        window: f64,
    ) -> Vec<Sample> {
        self.meter.advance(at, window);
        let each = self.meter.samples().into_iter().map(|(ending, bound, value)| {
            let mut labels = labels.clone();
            for (label, value) in &mut labels {
                if let Some(other) = relabelled.get(label) {
                    value.clone_from(other);
                }
            }
            if let Some(bound) = bound {
                let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".into() };
                labels.insert("le".into(), bound);
            }
            Sample { name: format!("{name}{ending}"), labels, value }
        });
        each.collect()
    }
}

fn word(name: &str, kind: Kind) -> &'static str {
    match kind {
        Kind::Gauge | Kind::Timestamp => "gauge",
        // Exporters that copy a counter of the kernel's or of a database by its own name do not say what it is.
        Kind::Counter | Kind::Event if !name.ends_with("_total") => "untyped",
        Kind::Counter | Kind::Event => "counter",
        Kind::Histogram => "histogram",
    }
}

/// Labels as PromQL and pages write them; nothing where there are none.
fn braces(labels: &BTreeMap<String, String>) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let in_quotes = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let each: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", in_quotes(value))).collect();
    format!("{{{}}}", each.join(","))
}
