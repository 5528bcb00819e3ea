//! A course of things becomes the series of one node, in promtool's notation.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::catalogue::alert_test::{Phase, Reading, Readings};
use crate::duration::Duration;
use crate::profile::{Pages, Sample, Speech};

/// How long a node has lived before its first sample: no counter begins with 0.
const LIVED_SECONDS: f64 = 1_000.0;

/// The endpoint whose counters go on through restarts.
const KEPT: &str = "lifeboat";

/// Who tells, and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Teller<'a> {
    /// What it can tell.
    pub(super) speech: &'a Speech,
    /// The generation of its names.
    pub(super) generation: Option<&'a str>,
    /// What signals are where no phase says otherwise and that is not what the profile says.
    pub(super) healthy: &'a Readings,
    /// Labels of the target, without its job and address.
    pub(super) target: &'a BTreeMap<String, String>,
    /// Where each of its endpoints answers; it has no others.
    pub(super) addresses: &'a BTreeMap<String, String>,
    /// Labels that its metrics have in place of the profile's.
    pub(super) labels: &'a BTreeMap<String, String>,
    /// Between two scrapes.
    pub(super) scrape: Duration,
    /// How long an event counts.
    pub(super) window: Duration,
    /// Whether it tells more than that it answers.
    pub(super) is_told: bool,
}

/// Series with their values, one for each scrape.
type Lines = BTreeMap<String, Vec<Option<f64>>>;

/// What Prometheus has of a node in this course, as series and values.
pub(super) fn of(teller: Teller<'_>, phases: &[Phase]) -> Vec<(String, String)> {
    let pages = Pages::new(teller.speech, teller.generation, teller.window.seconds(), -LIVED_SECONDS);
    let mut run =
        Run { teller, kept: pages.clone(), pages, lines: Lines::new(), keys: BTreeMap::new(), number: 0 };
    run.set_all(&Readings::default(), -LIVED_SECONDS);
    for phase in phases {
        run.phase(phase);
    }
    run.lines.into_iter().map(|(series, values)| (series, notation(&values))).collect()
}

/// How many samples a phase has.
fn samples_of(phase: &Phase, scrape: Duration) -> usize {
    usize::try_from(phase.lasts.ms.div_ceil(scrape.ms.max(1))).unwrap_or(usize::MAX)
}

struct Run<'a> {
    teller: Teller<'a>,
    /// Of the process that lives.
    pages: Pages,
    /// Of what goes on through restarts.
    kept: Pages,
    lines: Lines,
    /// The series of each endpoint in this phase, in the order of its page: the page's order does not change in one.
    keys: BTreeMap<String, Vec<Option<String>>>,
    /// Of the next sample.
    number: usize,
}

impl Run<'_> {
    fn phase(&mut self, phase: &Phase) {
        let count = samples_of(phase, self.teller.scrape);
        if phase.restarted {
            let (speech, window) = (self.teller.speech, self.teller.window.seconds());
            self.pages = Pages::new(speech, self.teller.generation, window, self.now());
        }
        self.set_all(&phase.is, self.now());
        self.keys.clear();
        for sample in 0..count {
            self.set_ramps(&phase.is, sample, count);
            for endpoint in self.endpoints() {
                self.scrape(&endpoint, phase);
            }
            self.number += 1;
        }
    }

    fn now(&self) -> f64 {
        count_of(self.number) * self.teller.scrape.seconds()
    }

    /// Endpoints that there are: those without a node are the engines' own.
    fn endpoints(&self) -> Vec<String> {
        let all = self.teller.speech.endpoints.keys();
        all.filter(|name| self.teller.addresses.contains_key(*name)).cloned().collect()
    }

    /// Every signal is what this phase says, else as in health.
    fn set_all(&mut self, readings: &Readings, at: f64) {
        let names: Vec<String> = self.teller.speech.signals.keys().cloned().collect();
        for name in names {
            match readings.get(&name).or_else(|| self.teller.healthy.get(&name)) {
                Some(
                    Reading::Steady(value)
                    | Reading::Ramp(crate::catalogue::alert_test::Ramp { from: value, .. }),
                ) => {
                    self.set(&name, *value, at);
                }
                None => {
                    self.pages.unset(&name, at);
                    self.kept.unset(&name, at);
                }
            }
        }
    }

    fn set_ramps(&mut self, readings: &Readings, sample: usize, count: usize) {
        for (name, reading) in readings {
            if let Reading::Ramp(ramp) = reading {
                let share = count_of(sample) / (count_of(count) - 1.0).max(1.0);
                self.set(name, ramp.from + (ramp.to - ramp.from) * share, self.now());
            }
        }
    }

    fn set(&mut self, name: &str, value: f64, at: f64) {
        self.pages.set(name, Some(value), at);
        self.kept.set(name, Some(value), at);
    }

    fn scrape(&mut self, endpoint: &str, phase: &Phase) {
        let names = |list: &[String]| {
            list.iter().any(|name| name == "*" || name.strip_prefix("job:") == Some(endpoint))
        };
        if names(&phase.absent) {
            return;
        }
        let answers = !phase.down.iter().any(|down| down == "*" || down == endpoint);
        let up = self.key("up", &BTreeMap::new(), endpoint, phase);
        put(&mut self.lines, &up, self.number, f64::from(u8::from(answers)));
        if !answers || !self.teller.is_told {
            return;
        }
        let now = self.now();
        let pages = if endpoint == KEPT { &mut self.kept } else { &mut self.pages };
        let samples = pages.samples(endpoint, now);
        if self.keys.get(endpoint).is_none_or(|keys| keys.len() != samples.len()) {
            let gone = gone(self.teller.speech, &phase.absent);
            let key = |sample: &Sample| {
                let is_there = !gone.iter().any(|gone| is_of(&sample.name, gone));
                is_there.then(|| self.key(&sample.name, &sample.labels, endpoint, phase))
            };
            let keys = samples.iter().map(key).collect();
            self.keys.insert(endpoint.to_owned(), keys);
        }
        let number = self.number;
        for (key, sample) in self.keys.get(endpoint).into_iter().flatten().zip(samples) {
            if let Some(key) = key {
                put(&mut self.lines, key, number, sample.value);
            }
        }
    }

    /// A series' name and labels. The target's win over the page's own, as Prometheus does it.
    fn key(&self, name: &str, own: &BTreeMap<String, String>, endpoint: &str, phase: &Phase) -> String {
        let mut labels = self.teller.target.clone();
        labels.insert("job".into(), endpoint.into());
        labels.insert("instance".into(), self.teller.addresses.get(endpoint).cloned().unwrap_or_default());
        for (label, value) in own {
            let other = phase.labels.get(label).or_else(|| self.teller.labels.get(label));
            let label = if labels.contains_key(label) { format!("exported_{label}") } else { label.clone() };
            labels.insert(label, other.unwrap_or(value).clone());
        }
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={}", serde_json::Value::from(value.as_str())))
            .collect();
        format!("{name}{{{}}}", labels.join(","))
    }
}

fn put(lines: &mut Lines, key: &str, number: usize, value: f64) {
    if !lines.contains_key(key) {
        lines.insert(key.to_owned(), Vec::new());
    }
    if let Some(line) = lines.get_mut(key) {
        line.resize(number, None);
        line.push(Some(value));
    }
}

/// Whether a sample is of this metric, or of a histogram of that name.
fn is_of(sample: &str, metric: &str) -> bool {
    let rest = sample.strip_prefix(metric);
    rest.is_some_and(|rest| ["", "_bucket", "_sum", "_count"].contains(&rest))
}

/// The metrics of the signals that there are not.
fn gone<'a>(speech: &'a Speech, absent: &[String]) -> Vec<&'a str> {
    let signals = absent.iter().filter_map(|name| speech.signals.get(name));
    signals.flat_map(|signal| &signal.series).map(|series| series.name.as_str()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "tests have thousands of samples, not more")]
const fn count_of(samples: usize) -> f64 {
    samples as f64
}

/// Values as promtool reads them: `1+0x3` is four times 1, `0+15x2` is 0 15 30, `_x2` is twice nothing, `stale` the end of
/// what was: promtool forgets no series of itself.
fn notation(values: &[Option<f64>]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut rest = values;
    let mut is_there = false;
    // Promtool adds step after step: where that ends a hair above what comes next, a counter would be thought to begin anew.
    let mut reached = f64::NAN;
    while let Some((first, after)) = rest.split_first() {
        let Some(start) = *first else {
            if is_there {
                words.push("stale".into());
                rest = after;
            } else {
                let gap = rest.iter().take_while(|value| value.is_none()).count();
                words.push(format!("_x{gap}"));
                rest = rest.get(gap..).unwrap_or_default();
            }
            is_there = false;
            continue;
        };
        is_there = true;
        let step = after.first().copied().flatten().map_or(0.0, |next| next - start);
        let more = steady(start, step, after);
        // Two samples with a step between them are no run, lest the next run loses its first.
        let more = if more == 1 && step != 0.0 { 0 } else { more };
        let is_same = (start - reached).abs() <= 1e-9 * start.abs().max(1.0);
        reached = if is_same { reached } else { plain(start) };
        let mut word = reached.to_string();
        if more > 0 {
            let step = plain(step);
            let sign = if step < 0.0 { '-' } else { '+' };
            let _ = write!(word, "{sign}{}x{more}", step.abs());
            for _ in 0..more {
                reached += step;
            }
        }
        words.push(word);
        rest = after.get(more..).unwrap_or_default();
    }
    // What ends before the course does is gone from there on.
    words.push("stale".into());
    words.join(" ")
}

/// How many values go on in this step.
fn steady(start: f64, step: f64, values: &[Option<f64>]) -> usize {
    let mut expected = start;
    let goes_on = |value: &f64| {
        expected += step;
        (value - expected).abs() <= 1e-9 * value.abs().max(1.0)
    };
    values.iter().map_while(|value| *value).take_while(goes_on).count()
}

/// With at most nine digits behind the point: sums of fractions look like what was meant.
fn plain(value: f64) -> f64 {
    (value * 1e9).round() / 1e9 + 0.0
}

#[cfg(test)]
mod tests {
    use super::notation;

    #[test]
    fn values_are_told_in_runs() {
        let value = |number: f64| Some(number);
        assert_eq!(notation(&[1.0, 1.0, 1.0].map(value)), "1+0x2 stale");
        assert_eq!(notation(&[0.0, 15.0, 30.0, 30.0].map(value)), "0+15x2 30 stale");
        assert_eq!(notation(&[None, None, Some(4.0), None, None, Some(2.0)]), "_x2 4 stale _x1 2 stale");
    }

    #[test]
    fn a_counter_that_stands_still_does_not_seem_to_begin_anew() {
        let mut values: Vec<Option<f64>> =
            (0..=20).map(|step| Some(10_000.0 + 1.2 * f64::from(step))).collect();
        values.push(Some(10_024.0));
        let reached = (0..20).fold(10_000.0, |sum, _| sum + 1.2);
        assert_eq!(notation(&values), format!("10000+1.2x20 {reached} stale"));
    }
}
