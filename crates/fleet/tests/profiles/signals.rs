//! Every signal's query gives the number back that its series were made from, under either generation of Prometheus and for
//! either generation of the nodes' names. 1. a node's pages with all signals healthy, then with one at another number
//! 2. promtool evaluates each query. Where the two promtools are comes by LIFEBOAT_TEST_PROMETHEUS2 and 3.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use lifeboat_fleet::Duration;
use lifeboat_fleet::profile::{Book, Clock, Kind, Scenario, Signal, Speech, input_series};
use serde_json::{Value, json};

const WINDOW: Duration = Duration::from_seconds(120);
const BY: &str = "fleet, dc, node";
/// All signals are healthy here.
const HEALTHY: Duration = Duration::from_seconds(585);
/// The signal under test has its other number from here on.
const OTHER: Duration = Duration::from_seconds(600);
/// A window later: rates have only the other number in them.
const LOOK: Duration = Duration::from_seconds(735);

/// Of both generations; `scripts/test` installs them.
fn promtools() -> Vec<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let installed = |generation: u32| {
        let folder = std::env::var_os(format!("LIFEBOAT_TEST_PROMETHEUS{generation}")).map(PathBuf::from);
        let folder = folder.unwrap_or_else(|| repository.join(format!("target/prometheus/{generation}")));
        let promtool = folder.join("promtool");
        assert!(promtool.exists(), "no {}: see LIFEBOAT_TEST_PROMETHEUS{generation}", promtool.display());
        promtool
    };
    [2, 3].map(installed).into()
}

fn target() -> BTreeMap<String, String> {
    let labels = [("fleet", "logos.test"), ("dc", "do-ams3"), ("node", "delivery-01"), ("role", "store")];
    labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Our profiles, each with the generations that their series name, or with none.
fn speeches() -> Vec<(String, Option<String>, Speech)> {
    let book = Book::ours().unwrap();
    let mut all = Vec::new();
    for profile in book.profiles() {
        let mut speech = book.speech(std::slice::from_ref(&profile.name)).unwrap();
        speech.signals.retain(|name, _| profile.signals.contains_key(name));
        let series = profile.signals.values().flat_map(|signal| &signal.series);
        let mut generations: BTreeSet<_> =
            series.filter_map(|series| series.generation.clone()).map(Some).collect();
        if generations.is_empty() {
            generations.insert(None);
        }
        all.extend(generations.into_iter().map(|of| (profile.name.clone(), of, speech.clone())));
    }
    all
}

/// A number that is not the healthy one.
fn other(signal: &Signal) -> f64 {
    let is_ratio = signal.unit == "percentunit";
    match signal.healthy {
        0.0 if is_ratio => 0.25,
        0.0 => 3.0,
        healthy => healthy / 2.0,
    }
}

/// What the query should answer at a moment: the expression, the least and the greatest.
fn bounds(signal: &Signal, query: &str, number: f64, age: f64) -> (String, f64, f64) {
    let kind = signal.series[0].kind;
    let (query, exact) = match kind {
        Kind::Timestamp if signal.unit.starts_with("dateTime") => {
            (format!("time() - ({query})"), number + age)
        }
        Kind::Timestamp => (query.to_owned(), number - age),
        _ => (query.to_owned(), number),
    };
    let slack = 1e-6 * exact.abs().max(1e-3);
    match kind {
        // Prometheus 3 sees the jump within 105 of the window's 120 seconds and scales it up.
        Kind::Event => (query, exact - slack, exact * 1.15 + slack),
        Kind::Histogram if query.contains("histogram_quantile") => {
            let series = &signal.series[0];
            let found = series.buckets.iter().position(|bound| series.number(number) <= *bound).unwrap();
            let below = if found == 0 { 0.0 } else { series.buckets[found - 1] };
            (query, below, series.buckets[found] + slack)
        }
        _ => (query, exact - slack, exact + slack),
    }
}

/// promtool's test of one signal: healthy, then at another number.
fn test_of(name: &str, signal: &Signal, speech: &Speech, generation: Option<&str>) -> Value {
    let number = other(signal);
    let scenario = Scenario {
        numbers: BTreeMap::from([(name.to_owned(), vec![(OTHER, Some(number))])]),
        ..Scenario::default()
    };
    let clock = Clock { interval: Duration::from_seconds(15), until: LOOK, window: WINDOW };
    let input = input_series(speech, generation, &target(), &scenario, clock);
    let query = signal.promql("fleet=\"logos.test\"", "2m", BY).unwrap();
    let mut tests = Vec::new();
    for (at, number, age) in [(HEALTHY, signal.healthy, HEALTHY.seconds()), (LOOK, number, 135.0)] {
        let (expr, least, greatest) = bounds(signal, &query, number, age);
        let samples: Vec<Value> = results(signal, generation)
            .into_iter()
            .filter(|(_, is_told)| *is_told || (least..=greatest).contains(&0.0))
            .map(|(labels, _)| json!({ "labels": labels, "value": 1 }))
            .collect();
        let expr = format!("(({expr}) >= {least} <= {greatest}) * 0 + 1");
        tests.push(json!({ "expr": expr, "eval_time": at, "exp_samples": samples }));
    }
    json!({ "interval": "15s", "name": name, "input_series": input, "promql_expr_test": tests })
}

fn tells(signal: &Signal, generation: Option<&str>) -> bool {
    signal.series.iter().any(|series| series.generation.as_deref() == generation)
        || signal.series.iter().all(|series| series.generation.is_none())
}

/// The results that a signal has, and whether each tells its number; those that do not are at 0 or near it.
fn results(signal: &Signal, generation: Option<&str>) -> Vec<(String, bool)> {
    let mut all: BTreeMap<String, bool> = BTreeMap::new();
    for series in signal.series.iter().filter(|series| series.is_of(generation)) {
        let mut labels = target();
        labels.remove("role");
        for by in &signal.by {
            // What no metric has as a label stands in the metric's name.
            let in_name = ["successful", "failed"].into_iter().find(|word| series.name.contains(word));
            let value = series.labels.get(by).map(String::as_str).or(in_name).unwrap();
            labels.insert(by.clone(), value.to_owned());
        }
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        *all.entry(format!("{{{}}}", pairs.join(","))).or_default() |= series.factor != 0.0;
    }
    all.into_iter().collect()
}

#[test]
fn every_query_gives_the_number_back() {
    let promtools = promtools();
    let folder = tempfile::tempdir().unwrap();
    let mut failures = String::new();
    for (profile, generation, speech) in speeches() {
        let book = Book::ours().unwrap();
        let own = book.profiles().find(|found| found.name == profile).unwrap();
        let generation = generation.as_deref();
        // The oldest nodes have few names of their own: signals that they do not tell are not asked.
        let own = own.signals.iter().filter(|(_, signal)| tells(signal, generation));
        let tests: Vec<Value> =
            own.map(|(name, signal)| test_of(name, signal, &speech, generation)).collect();
        let file = folder.path().join(format!("{profile}-{}.json", generation.unwrap_or("any")));
        let whole = json!({ "evaluation_interval": "15s", "tests": tests });
        std::fs::write(&file, serde_json::to_string_pretty(&whole).unwrap()).unwrap();
        for promtool in &promtools {
            let output = Command::new(promtool).args(["test", "rules"]).arg(&file).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            if !output.status.success() {
                failures += &format!("{profile} {generation:?} {}:\n{said}\n", promtool.display());
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
