//! What every profile keeps to, so that alerts and panels can be written without looking into it.

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_fleet::profile::{Kind, Profile, Signal, Speech};

use crate::facts;
use crate::pages::book;
use crate::promql::selectors;

/// Units of Grafana's that signals have. See <https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts>.
const UNITS: [&str; 11] = [
    "short",
    "percentunit",
    "bool_yes_no",
    "s",
    "bytes",
    "Bps",
    "cps",
    "mps",
    "reqps",
    "dateTimeFromNow",
    "none",
];

fn each(check: impl Fn(&str, &Profile, &Speech, &str, &Signal)) {
    let book = book();
    for profile in book.profiles() {
        let speech = book.speech(std::slice::from_ref(&profile.name)).unwrap();
        for (name, signal) in &profile.signals {
            check(&format!("{}.{name}", profile.name), profile, &speech, name, signal);
        }
    }
}

#[test]
fn every_signal_says_what_it_is() {
    each(|place, profile, speech, _, signal| {
        assert!(profile.help.ends_with('.'), "{}: a sentence", profile.name);
        assert!(!signal.help.is_empty() && !signal.help.ends_with('.'), "{place}: help without a final dot");
        assert!(UNITS.contains(&signal.unit.as_str()), "{place}: {} is no unit that is used", signal.unit);
        assert!(speech.endpoints.contains_key(&signal.endpoint), "{place}: no endpoint {}", signal.endpoint);
        assert!(signal.healthy.is_finite(), "{place}: healthy");
        let is_moment = signal.unit.starts_with("dateTime");
        assert!(!is_moment || signal.series[0].kind == Kind::Timestamp, "{place}: a moment is a timestamp");
        assert!(!signal.series.is_empty(), "{place}: nothing tells it");
    });
}

#[test]
fn every_query_answers_by_node() {
    each(|place, profile, _, _, signal| {
        // The engines that alerts pass through are told apart by their addresses.
        let is_of_nodes = !profile.is_of_engines;
        let nodes: &[&str] = if is_of_nodes { &["fleet", "dc", "node"] } else { &["instance"] };
        for selector in selectors(signal) {
            let [labels] = selector.aggregations.as_slice() else {
                panic!("{place}: one aggregation around each")
            };
            let mut wanted: Vec<&str> =
                nodes.iter().copied().chain(signal.by.iter().map(String::as_str)).collect();
            wanted.extend(selector.name.ends_with("_bucket").then_some("le"));
            assert_eq!(*labels, wanted, "{place}");
        }
        let is_given = signal.query.matches("by (").count() == signal.query.matches("by (${by}").count();
        assert_eq!(is_given, is_of_nodes, "{place}: by (${{by}})");
    });
}

#[test]
fn every_counter_is_a_rate_over_the_window_that_is_given() {
    let facts = facts::all();
    each(|place, _, _, _, signal| {
        let ranges = signal.query.matches('[').count();
        let given = signal.query.matches("[${range}]").count() + signal.query.matches("[1h]").count();
        assert_eq!(
            ranges, given,
            "{place}: a window is ${{range}}, or the hour for which a certificate is remembered"
        );
        for selector in selectors(signal) {
            let is_counter = facts.get(&selector.name).is_none_or(|fact| fact.kind != "gauge");
            let is_growing =
                selector.function.as_deref().is_some_and(|it| ["rate", "increase"].contains(&it));
            let fact = facts.get(&selector.name);
            let is_oldest = fact.is_some_and(|fact| fact.generation.as_deref() == Some("oldest"));
            assert_eq!(
                is_counter || is_oldest,
                is_growing,
                "{place}: {} in {:?}",
                selector.name,
                selector.function
            );
        }
    });
}

#[test]
fn signals_that_share_a_metric_agree_while_all_are_well() {
    let book = book();
    for profile in book.profiles() {
        let speech = book.speech(std::slice::from_ref(&profile.name)).unwrap();
        let mut told: BTreeMap<_, (f64, Kind, &str)> = BTreeMap::new();
        for (name, signal) in &speech.signals {
            for series in &signal.series {
                let key = (&signal.endpoint, &series.name, &series.labels);
                let number = series.number(signal.healthy);
                let (other, kind, first) = *told.entry(key).or_insert((number, series.kind, name));
                let is_same = (other - number).abs() < 1e-9 * number.abs().max(1.0) && kind == series.kind;
                assert!(
                    is_same,
                    "{}: {first} and {name} differ on {}: {other}, {number}",
                    profile.name, series.name
                );
            }
        }
    }
}

/// The REST interface of logos-delivery says 200 whatever it says of the node: another probe than the general one reads it.
#[test]
fn a_profile_has_its_own_endpoint_in_place_of_an_included_one() {
    let speech = |name: &str| book().speech(&[name.to_owned()]).unwrap();
    let probe = |name| speech(name).endpoints["rest"].probe.clone().unwrap();
    assert_eq!(probe("probes"), "http_2xx");
    assert_eq!(probe("logos-delivery"), "logos_delivery_health");
}

/// A disk that one signal leaves out would be told by another.
#[test]
fn all_signals_of_file_systems_choose_alike() {
    let host = book().profiles().find(|profile| profile.name == "host").unwrap().clone();
    let asked = host.signals.values().flat_map(|signal| signal.query.split("node_filesystem_").skip(1));
    let chosen: BTreeSet<&str> = asked.map(|of| of.split(['{', '}']).nth(3).unwrap()).collect();
    assert_eq!(chosen.len(), 1, "{chosen:#?}");
}
