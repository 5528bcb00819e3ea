//! Whatever profiles a fleet names, its rules and their tests can be rendered, and each alert that stands is made to fire by
//! something that such a fleet can have.
//!
//! 1. a fleet for each profile alone, and for each pair  2. render it  3. look for each alert's illness in the tests
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use lifeboat_fleet::catalogue::{Alert, AlertTest, Severity};
use lifeboat_fleet::profile::Book;
use lifeboat_fleet::{Fleet, Inventory, Options, render};

/// The profile of the engines, which no fleet has.
const OF_ENGINES: &str = "alert-path";

/// A fleet with these profiles, and with what is off by itself.
fn inventory(profiles: &[&str]) -> Inventory {
    let speech =
        Book::ours().unwrap().speech(&profiles.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let on: Vec<String> = speech.unwrap().endpoints.keys().map(|name| format!("{name} = true")).collect();
    let text = format!(
        "[[fleet]]\nname = \"f.test\"\nversion = \"v1\"\nprofile = {profiles:?}\nendpoints = {{ {} }}\nnodes = {{ one = \"10.0.0.1\" }}\n",
        on.join(", ")
    );
    Inventory::read("fleet.toml", &text).unwrap_or_else(|all| panic!("{profiles:?}: {all}"))
}

fn names() -> Vec<String> {
    let book = Book::ours().unwrap();
    let names = book.profiles().map(|profile| profile.name.clone());
    names.filter(|name| name != OF_ENGINES).collect()
}

/// Whether the fleet's nodes can be so ill.
fn can_befall(test: &AlertTest, fleet: &Fleet) -> bool {
    let is_there = |signal: &String| fleet.speech.signals.contains_key(signal);
    test.sick.keys().any(is_there)
        || !test.absent.is_empty()
        || !test.down.is_empty()
        || !test.relabelled.is_empty()
}

/// What is wrong with an alert that stands for such a fleet.
fn fault(alert: &Alert, fleet: &Fleet) -> Option<&'static str> {
    let illnesses = alert.test.illnesses(|signal| fleet.speech.signals.contains_key(signal));
    match illnesses.as_slice() {
        [] => Some("has no illness that the fleet can have"),
        all if all.iter().any(|(_, test)| !can_befall(test, fleet)) => {
            Some("is tested with signals that are not there")
        }
        _ => None,
    }
}

#[test]
fn every_alert_of_every_profile_and_pair_of_profiles_has_an_illness_that_can_be() {
    let names = names();
    let pairs = names.iter().flat_map(|one| names.iter().map(move |other| [one.as_str(), other.as_str()]));
    for mut profiles in pairs.map(Vec::from) {
        profiles.dedup();
        let profiles = profiles.as_slice();
        let inventory = inventory(profiles);
        let fleet = inventory.fleets.first().unwrap();
        let told = inventory.watched(fleet).filter(|alert| alert.severity != Severity::None);
        let faults: Vec<String> =
            told.filter_map(|alert| Some(format!("{} {}", alert.name, fault(alert, fleet)?))).collect();
        assert!(faults.is_empty(), "{profiles:?}: {faults:#?}");
        // Tests of rules are many and slow to render: of each profile alone.
        let accelerate = if profiles.len() == 1 { 1 } else { 2 };
        let tree = render(&inventory, Options { accelerate })
            .unwrap_or_else(|error| panic!("{profiles:?}: {error}"));
        let tests: String = tree
            .files()
            .filter(|(path, _)| path.starts_with("prometheus/tests"))
            .map(|(_, text)| text)
            .collect();
        for alert in inventory.watched(fleet).filter(|_| accelerate == 1) {
            let says = format!("{}: says what it should", alert.name);
            assert!(tests.contains(&says), "{profiles:?}: {says}");
        }
    }
}

/// What nobody can ask any more alerts nobody: the exporter beside any node, with a monitor or without.
#[test]
fn a_database_exporter_that_is_silent_is_told_wherever_there_is_one() {
    for profiles in [&["postgres"][..], &["libp2p-generic", "postgres"], &["lifeboat", "postgres"]] {
        let tree = render(&inventory(profiles), Options { accelerate: 1 }).unwrap();
        let rules = tree.text("prometheus/rules/f.test.rules.yml").unwrap();
        assert!(rules.contains("\"silent\", \"postgres-exporter\""), "{profiles:?}: {rules}");
        let tests = tree.text("prometheus/tests/f.test.tests.yml").unwrap();
        assert!(tests.contains("the exporter of the database does not answer"), "{profiles:?}");
    }
}

/// A leak is the node's, whoever tells of it.
#[test]
fn leaks_are_watched_without_a_monitor() {
    for profile in ["libp2p-generic", "lifeboat"] {
        let tree = render(&inventory(&[profile]), Options { accelerate: 1 }).unwrap();
        let tests = tree.text("prometheus/tests/f.test.trends.tests.yml").unwrap();
        for alert in ["MemoryLeak", "FdLeak"] {
            assert!(tests.contains(&format!("{alert}: says what it should")), "{profile}: {alert}");
        }
    }
}
