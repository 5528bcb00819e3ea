//! What happens to a node in a test of rules, as promtool's `input_series`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Speech;
use super::pages::{Pages, braces};
use crate::duration::Duration;

/// Signals and endpoints of one node over time; all that is not named is well.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// By signal: from when on it has which number, or is gone.
    pub numbers: BTreeMap<String, Vec<(Duration, Option<f64>)>>,
    /// By endpoint: from when on it answers, or does not. One that does not has `up` 0 and tells nothing.
    pub answers: BTreeMap<String, Vec<(Duration, bool)>>,
}

/// How long, and how often it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Between two scrapes.
    pub interval: Duration,
    /// The last scrape.
    pub until: Duration,
    /// How long an event counts: the window of the rules that ask.
    pub window: Duration,
}

/// One line of `input_series`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputSeries {
    /// The metric with all of its labels.
    pub series: String,
    /// Its samples from 0 on, one for each scrape.
    pub values: String,
}

/// Every series that Prometheus has of a node to which this happens: those of its pages with the target's labels (`fleet`,
/// `dc`, `node`, `role`) and the endpoint as `job`, and `up` of each endpoint. What goes away is marked stale.
#[must_use]
pub fn input_series(
    speech: &Speech,
    generation: Option<&str>,
    target: &BTreeMap<String, String>,
    scenario: &Scenario,
    clock: Clock,
) -> Vec<InputSeries> {
    let mut pages = Pages::new(speech, generation, clock.window.seconds(), 0.0);
    let mut all: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    let step = clock.interval.ms.max(1);
    for (number, ms) in (0..=clock.until.ms / step).map(|number| (number, number * step)) {
        let at = Duration { ms };
        for (signal, changes) in &scenario.numbers {
            // Changes between two scrapes happen at their own time.
            let since = at.ms.saturating_sub(step);
            let new = |from: &Duration| *from <= at && (from.ms > since || number == 0);
            for (from, value) in changes.iter().filter(|(from, _)| new(from)) {
                pages.set(signal, *value, from.seconds());
            }
        }
        for endpoint in speech.endpoints.keys() {
            let is_up = answers(scenario, endpoint, at);
            let labels = labelled(target, endpoint, &BTreeMap::new());
            put(&mut all, format!("up{}", braces(&labels)), number, f64::from(u8::from(is_up)));
            for sample in pages.samples(endpoint, at.seconds()).into_iter().filter(|_| is_up) {
                let labels = labelled(target, endpoint, &sample.labels);
                put(&mut all, format!("{}{}", sample.name, braces(&labels)), number, sample.value);
            }
        }
    }
    let scrapes = usize::try_from(clock.until.ms / step + 1).unwrap_or(usize::MAX);
    let whole = |(series, mut values): (String, Vec<_>)| {
        if values.len() < scrapes {
            values.push(None);
        }
        InputSeries { series, values: notation(&values) }
    };
    all.into_iter().map(whole).collect()
}

fn answers(scenario: &Scenario, endpoint: &str, at: Duration) -> bool {
    let changes = scenario.answers.get(endpoint).into_iter().flatten();
    let mut of_past = changes.rev().filter(|(from, _)| *from <= at);
    of_past.next().is_none_or(|(_, answers)| *answers)
}

/// The target's labels win over a page's own, which become `exported_…`, as Prometheus does it.
fn labelled(
    target: &BTreeMap<String, String>,
    endpoint: &str,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut labels = target.clone();
    labels.insert("job".into(), endpoint.into());
    for (name, value) in own {
        let is_taken = labels.contains_key(name);
        labels.insert(if is_taken { format!("exported_{name}") } else { name.clone() }, value.clone());
    }
    labels
}

fn put(all: &mut BTreeMap<String, Vec<Option<f64>>>, series: String, number: u64, value: f64) {
    let values = all.entry(series).or_default();
    values.resize(usize::try_from(number).unwrap_or(usize::MAX), None);
    values.push(Some(value));
}

/// Samples as promtool reads them: `1x3` is four times 1, `0+15x2` is 0 15 30, `_` is none, `stale` the end of what was.
fn notation(values: &[Option<f64>]) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut rest = values;
    while let Some((first, after)) = rest.split_first() {
        let Some(start) = *first else {
            words.push(
                if words.last().is_some_and(|word| word != "_" && word != "stale") { "stale" } else { "_" }
                    .into(),
            );
            rest = after;
            continue;
        };
        let step = after.first().copied().flatten().map_or(0.0, |next| next - start);
        let mut more = 0;
        let mut expected = start;
        for value in after.iter().map_while(|value| *value) {
            expected += step;
            if (value - expected).abs() > 1e-9 * value.abs().max(1.0) {
                break;
            }
            more += 1;
        }
        // Two samples with a step between them are no run, lest the next run loses its first.
        let more = if more == 1 && step != 0.0 { 0 } else { more };
        words.push(match (more, step) {
            (0, _) => figure(start),
            (_, 0.0) => format!("{}x{more}", figure(start)),
            _ => format!(
                "{}{}{}x{more}",
                figure(start),
                if step < 0.0 { "-" } else { "+" },
                figure(step.abs())
            ),
        });
        rest = after.get(more..).unwrap_or_default();
    }
    words.join(" ")
}

fn figure(value: f64) -> String {
    let rounded = (value * 1e9).round() / 1e9;
    if rounded == 0.0 { "0".into() } else { rounded.to_string() }
}
