//! Every metric and label in a profile is one that a real program exports, and what real nodes export of the rows that have to
//! be watched is used, or left out for a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use lifeboat_fleet::profile::{Kind, Series};

use crate::facts::{self, Fact};
use crate::pages::book;
use crate::promql::selectors;

/// The fact of a metric, whose name in a query may have a histogram's ending.
fn fact_of<'a>(facts: &'a BTreeMap<String, Fact>, name: &str) -> &'a Fact {
    let endings = ["_bucket", "_sum", "_count"];
    let histogram = endings.into_iter().find_map(|ending| facts.get(name.strip_suffix(ending)?));
    let found = facts.get(name).or_else(|| histogram.filter(|fact| fact.kind == "histogram"));
    found.unwrap_or_else(|| panic!("no program exports {name}"))
}

/// The word of facts for what a series is.
fn agrees(series: &Series, fact: &Fact) -> bool {
    match series.kind {
        Kind::Gauge | Kind::Timestamp => fact.kind == "gauge",
        Kind::Event => fact.kind == "counter",
        Kind::Counter => ["counter", "untyped"].contains(&fact.kind.as_str()),
        Kind::Histogram => fact.kind == "histogram",
    }
}

#[test]
fn every_name_is_real() {
    let (book, facts) = (book(), facts::all());
    for profile in book.profiles() {
        for (name, signal) in &profile.signals {
            let place = format!("{}.{name}", profile.name);
            let mut asked = BTreeSet::new();
            for selector in selectors(signal) {
                let fact = fact_of(&facts, &selector.name);
                let unknown = selector.matched.iter().find(|label| !fact.labels.contains(label));
                assert!(unknown.is_none(), "{place}: {} has no label {unknown:?}", selector.name);
                // Errors that the oldest nodes count in gauges: no simulated node is that old, and `signals` tests them apart.
                if fact.generation.as_deref() != Some("oldest") {
                    asked.insert(fact.name.clone());
                }
            }
            let told: BTreeSet<String> = signal.series.iter().map(|series| series.name.clone()).collect();
            assert_eq!(asked, told, "{place}: what the query asks for, and what its series tell");
            for series in &signal.series {
                let fact =
                    facts.get(&series.name).unwrap_or_else(|| panic!("no program exports {}", series.name));
                assert_eq!(series.generation, fact.generation, "{place}: {}", series.name);
                assert!(agrees(series, fact), "{place}: {} is a {}", series.name, fact.kind);
                let unknown = series.labels.keys().find(|label| !fact.labels.contains(label));
                assert!(unknown.is_none(), "{place}: {} has no label {unknown:?}", series.name);
            }
        }
    }
}

#[test]
fn what_has_to_be_watched_is_used_or_left_out_for_a_reason() {
    let (book, facts) = (book(), facts::all());
    let signals = book.profiles().flat_map(|profile| profile.signals.values());
    let asked: BTreeSet<String> =
        signals.flat_map(selectors).map(|selector| fact_of(&facts, &selector.name).name.clone()).collect();
    for fact in facts::of_file("nodes.txt") {
        let is_used = asked.contains(&fact.name);
        assert_ne!(is_used, fact.left_out.is_some(), "{}: used {is_used}, {:?}", fact.name, fact.left_out);
    }
}

#[test]
fn the_monitors_names_stand_in_its_source() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(crates.join("monitor/src/serve/pages.rs")).unwrap();
    let checks = fs::read_to_string(crates.join("core/src/metrics.rs")).unwrap();
    for Fact { name, kind, .. } in facts::of_file("lifeboat.txt") {
        let base = if kind == "counter" { name.strip_suffix("_total").unwrap() } else { &name };
        let base = base.strip_suffix("_info").unwrap_or(base);
        let is_ours = page.contains(&format!("\"{base}\""))
            || checks.contains(&format!("b\"{}\"", base.trim_start_matches("lifeboat_")));
        assert!(is_ours, "the monitor has no {name}");
    }
}
