//! Every signal's query gives the number back that its series were made from, under either generation of Prometheus and for
//! every generation of the nodes' names. 1. a node's pages with all signals healthy, then with one at another number
//! 2. promtool evaluates the query before and after

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use lifeboat_fleet::profile::{Book, Kind, Pages, Profile, Signal, Speech};
use serde_json::{Value, json};

use crate::pages::book;

const STEP: f64 = 15.0;
const WINDOW: f64 = 120.0;
/// All signals are healthy here.
const HEALTHY: f64 = 585.0;
/// The signal under test has its other number from here on.
const OTHER: f64 = 600.0;
/// A window later: rates have only the other number in them.
const LOOK: f64 = 735.0;

/// Of both generations; `scripts/test` installs them.
pub(crate) fn promtools() -> [PathBuf; 2] {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    [2, 3].map(|generation: u32| {
        let folder = std::env::var_os(format!("LIFEBOAT_TEST_PROMETHEUS{generation}")).map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| repository.join(format!("target/prometheus/{generation}")));
        let promtool = folder.join("promtool");
        assert!(promtool.exists(), "no {}: see LIFEBOAT_TEST_PROMETHEUS{generation}", promtool.display());
        promtool
    })
}

/// The labels that Prometheus gives to what an endpoint tells.
fn target(job: &str) -> BTreeMap<String, String> {
    let instance = "10.1.0.1:80";
    let labels = [
        ("fleet", "logos.test"),
        ("dc", "do-ams3"),
        ("node", "delivery-01"),
        ("job", job),
        ("instance", instance),
    ];
    labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn braces(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(","))
}

/// promtool's series of an endpoint's page, scraped from 0 to the look.
fn input(speech: &Speech, generation: Option<&str>, name: &str, signal: &Signal, number: f64) -> Vec<Value> {
    let mut pages = Pages::new(speech, generation, WINDOW, 0.0);
    let mut series: BTreeMap<String, String> = BTreeMap::new();
    let mut at = 0.0;
    while at <= LOOK {
        if (OTHER..OTHER + STEP).contains(&at) {
            pages.set(name, Some(number), at);
        }
        for sample in pages.samples(&signal.endpoint, at) {
            let labels = target(&signal.endpoint).into_iter().chain(sample.labels).collect();
            let values = series.entry(sample.name + &braces(&labels)).or_default();
            *values += &format!("{:.9} ", sample.value);
        }
        at += STEP;
    }
    series.iter().map(|(series, values)| json!({ "series": series, "values": values.trim() })).collect()
}

/// A number that is not the healthy one.
fn other(signal: &Signal) -> f64 {
    match signal.healthy {
        0.0 if signal.unit == "percentunit" => 0.25,
        0.0 => 3.0,
        healthy => healthy / 2.0,
    }
}

/// What the query should answer `age` seconds after the number was taken: the expression, the least and the greatest.
fn bounds(signal: &Signal, query: &str, number: f64, age: f64) -> (String, f64, f64) {
    let first = &signal.series[0];
    let is_moment = signal.unit.starts_with("dateTime");
    let (query, exact) = match first.kind {
        Kind::Timestamp if is_moment => (format!("time() - ({query})"), number + age),
        Kind::Timestamp => (query.to_owned(), number - age),
        _ => (query.to_owned(), number),
    };
    let slack = 1e-6 * exact.abs().max(1e-3);
    match first.kind {
        // Prometheus 3 sees the jump within 105 of the window's 120 seconds and scales it up.
        Kind::Event => (query, exact - slack, exact * 1.15 + slack),
        Kind::Histogram if query.contains("histogram_quantile") => {
            let found = first.buckets.iter().position(|bound| first.number(number) <= *bound).unwrap();
            let below = if found == 0 { 0.0 } else { first.buckets[found - 1] };
            (query, below, first.buckets[found] + slack)
        }
        _ => (query, exact - slack, exact + slack),
    }
}

/// The results that a signal has, and whether each tells its number; those that do not are at 0 or near it.
fn results(signal: &Signal, generation: Option<&str>) -> BTreeMap<String, bool> {
    let mut all: BTreeMap<String, bool> = BTreeMap::new();
    for series in signal.series.iter().filter(|series| series.is_of(generation)) {
        let mut labels = target("");
        let is_of_nodes = signal.query.contains("${by}");
        labels.retain(|label, _| label != "job" && (label == "instance") != is_of_nodes);
        for by in &signal.by {
            // What no metric has as a label stands in the metric's name.
            let in_name = ["successful", "failed"].into_iter().find(|word| series.name.contains(word));
            let value = series.labels.get(by).map(String::as_str).or(in_name).unwrap();
            labels.insert(by.clone(), value.to_owned());
        }
        *all.entry(braces(&labels)).or_default() |= series.factor != 0.0;
    }
    all
}

/// promtool's test of one signal: healthy, then at another number.
fn test_of(name: &str, signal: &Signal, speech: &Speech, generation: Option<&str>) -> Value {
    let number = other(signal);
    let query = signal.promql("fleet=\"logos.test\"", "2m", "fleet, dc, node").unwrap();
    let looks = [(HEALTHY, signal.healthy, HEALTHY), (LOOK, number, LOOK - OTHER)];
    let tests = looks.map(|(at, number, age)| {
        let (expr, least, greatest) = bounds(signal, &query, number, age);
        let samples: Vec<Value> = results(signal, generation)
            .into_iter()
            .filter(|(_, is_told)| *is_told || (least..=greatest).contains(&0.0))
            .map(|(labels, _)| json!({ "labels": labels, "value": 1 }))
            .collect();
        let expr = format!("(({expr}) >= {least} <= {greatest}) * 0 + 1");
        json!({ "expr": expr, "eval_time": format!("{at}s"), "exp_samples": samples })
    });
    let input = input(speech, generation, name, signal, number);
    json!({ "interval": "15s", "name": name, "input_series": input, "promql_expr_test": tests })
}

/// The tests of a profile's own signals for one generation.
fn tests_of(profile: &Profile, speech: &Speech, generation: Option<&str>) -> Vec<Value> {
    profile.signals.iter().map(|(name, signal)| test_of(name, signal, speech, generation)).collect()
}

fn generations(profile: &Profile) -> BTreeSet<Option<String>> {
    let series = profile.signals.values().flat_map(|signal| &signal.series);
    let named: BTreeSet<_> = series.filter_map(|series| series.generation.clone()).map(Some).collect();
    if named.is_empty() { BTreeSet::from([None]) } else { named }
}

/// Errors that nodes counted in gauges, before those were counters.
const OLDEST: [&str; 2] = ["waku_archive_errors", "waku_discv5_errors"];

/// The profile of logos-delivery as its oldest nodes speak it, with the signals alone that they tell otherwise.
fn oldest(book: &Book) -> Profile {
    let mut profile = book.profiles().find(|profile| profile.name == "logos-delivery").unwrap().clone();
    for series in profile.signals.values_mut().flat_map(|signal| &mut signal.series) {
        let counter = series.name.strip_suffix("_total").unwrap_or_default();
        if OLDEST.contains(&counter) {
            series.name = counter.to_owned();
        }
    }
    let is_told = |signal: &Signal| signal.series.iter().any(|series| OLDEST.contains(&series.name.as_str()));
    profile.signals.retain(|_, signal| is_told(signal));
    assert_eq!(profile.signals.len(), OLDEST.len());
    profile
}

#[test]
fn every_query_gives_the_number_back() {
    let (book, promtools) = (book(), promtools());
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let profiles: Vec<Profile> = book.profiles().cloned().chain([oldest(&book)]).collect();
    for (number, profile) in profiles.iter().enumerate() {
        let mut speech = book.speech(std::slice::from_ref(&profile.name)).unwrap();
        speech.signals = profile.signals.clone();
        for generation in generations(profile) {
            let tests = tests_of(profile, &speech, generation.as_deref());
            assert!(!tests.is_empty(), "{}: {generation:?}", profile.name);
            let whole = json!({ "evaluation_interval": "15s", "tests": tests });
            let file = folder.path().join(format!("{number}-{}-{generation:?}.json", profile.name));
            std::fs::write(&file, whole.to_string()).unwrap();
            files.push(file);
        }
    }
    thread::scope(|scope| {
        for promtool in &promtools {
            let files = &files;
            scope.spawn(move || {
                let output = Command::new(promtool).args(["test", "rules"]).args(files).output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{}:\n{said}", promtool.display());
            });
        }
    });
}
