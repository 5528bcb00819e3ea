//! What every alert has, held against the catalogue, the runbooks and what is rendered: a test that it fires, is silent and
//! clears; a runbook, a panel, a severity, an owner, a summary with its node and a figure; a latency within the promise.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use lifeboat_fleet::budget::{self, DEATH_LATENCY_MAX, LATENCY_MAX, Latency};
use lifeboat_fleet::catalogue::{Alert, Scope, Severity};
use lifeboat_fleet::{Inventory, Options, render};

const EVERYTHING: &str = r#"
[[fleet]]
name = "everything.test"
version = "v0.38.0"
profile = ["logos-delivery", "logos-core-modules", "cluster"]
endpoints = { postgres = true, tls = true, rest = true }
nodes = { "delivery-01.do-ams3.logos.test" = "10.1.0.1", "delivery-02.do-ams3.logos.test" = "10.1.0.2" }

[[fleet]]
name = "consul.test"
profile = "lifeboat"
nodes_min = 2
consul = { services = ["node"] }

[[fleet]]
name = "unsaid.test"
profile = "lifeboat"
consul = { services = ["node"] }
"#;

/// One node that has rates.
const SMALL: &str = r#"
[[fleet]]
name = "small.test"
profile = ["libp2p-generic", "host"]
nodes = { one = "10.1.0.1" }
"#;

static INVENTORY: LazyLock<Inventory> =
    LazyLock::new(|| Inventory::read("everything.toml", EVERYTHING).unwrap_or_else(|all| panic!("{all}")));

/// Files of Prometheus by their names.
static FILES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let tree = render(&INVENTORY, Options::default()).unwrap();
    let files = tree.files().map(|(path, text)| (path.display().to_string(), text.to_owned()));
    files.filter(|(path, _)| path.starts_with("prometheus/")).collect()
});

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Everything that is wrong with all alerts, one line each.
fn check(of: impl Fn(&Alert) -> Vec<String>) {
    let faults: Vec<String> = INVENTORY
        .catalogue
        .alerts
        .iter()
        .flat_map(|alert| of(alert).into_iter().map(|fault| format!("{}: {fault}", alert.name)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn faults<const N: usize>(rules: [(bool, &str); N]) -> Vec<String> {
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault.to_owned()).collect()
}

fn rendered(folder: &str) -> String {
    FILES.iter().filter(|(path, _)| path.starts_with(folder)).map(|(_, text)| text.as_str()).collect()
}

#[test]
fn every_alert_stands_for_a_fleet_that_tells_everything() {
    let rules = rendered("prometheus/rules/");
    check(|alert| {
        faults([(rules.contains(&format!("alert: {}\n", alert.name)), "no profile has its signals")])
    });
}

#[test]
fn every_alert_has_a_test_that_it_fires_one_that_it_is_silent_and_one_that_it_clears() {
    // Without YAML's escapes.
    let tests = rendered("prometheus/tests/").replace('\\', "");
    check(|alert| {
        if alert.severity == Severity::None {
            return faults([(
                tests.contains(&format!("{}: says what it should", alert.name)),
                "is not tested",
            )]);
        }
        let test = &alert.test;
        let is_ill = !test.sick.is_empty()
            || !test.absent.is_empty()
            || !test.down.is_empty()
            || !test.relabelled.is_empty();
        let asked = format!("ALERTS{{alertname=\"{}\",alertstate=\"firing\"", alert.name);
        let is_expected = tests.lines().any(|line| line.contains(&asked) && line.contains("owner="));
        faults([
            (is_ill, "its test makes nobody ill"),
            (tests.contains(&format!("count_over_time({asked}")), "nobody asks whether it is silent before"),
            (tests.matches(&asked).count() >= 4, "nobody asks whether it fires and clears"),
            (is_expected, "nobody expects it"),
            (tests.contains(&format!("{}: says what it should", alert.name)), "nobody reads what it says"),
        ])
    });
    for course in
        ["health", "start-up: no sample, then the first", "nodes that are updated", "a scrape that is missed"]
    {
        for generation in ["new", "old"] {
            let name = format!("no alert: {course} ({generation} names)");
            assert!(tests.contains(&name), "{name}");
        }
    }
}

#[test]
fn every_alert_has_a_runbook_a_panel_an_owner_and_a_summary_that_names_its_node_and_a_figure() {
    check(|alert| {
        let runbook = root().join(format!("docs/runbooks/{}.md", alert.name));
        let place = match alert.scope {
            Scope::Node => "$labels.node ",
            Scope::Fleet => "$labels.fleet ",
            Scope::Path => "",
        };
        let is_about = alert.summary.contains(place);
        let has_figure = alert.summary.contains("$value") || alert.summary.contains("$labels.version");
        faults([
            (runbook.is_file(), "no runbook in docs/runbooks"),
            (INVENTORY.catalogue.panel(&alert.panel).is_some(), "no such panel"),
            (is_about, "its summary does not say where"),
            (has_figure, "its summary has no figure"),
            (
                alert.scope != Scope::Node || alert.summary.contains("$labels.fleet "),
                "its summary names no fleet",
            ),
            (alert.description.len() > 60, "its description says nothing"),
            (!alert.description.contains("$value"), "its description has a figure: the summary has it"),
        ])
    });
    let rules = rendered("prometheus/rules/");
    let alerts = rules.matches("- alert: ").count();
    for word in ["      severity: ", "      owner: ", "      runbook_url: ", "      summary: "] {
        assert_eq!(rules.matches(word).count(), alerts, "{word}");
    }
}

#[test]
fn names_are_one_alerts_each() {
    let mut names: Vec<&str> = INVENTORY.catalogue.alerts.iter().map(|alert| alert.name.as_str()).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(all, names.len());
    // Every runbook is of an alert.
    for entry in root().join("docs/runbooks").read_dir().unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().trim_end_matches(".md").to_owned();
        assert!(name == "README" || names.contains(&name.as_str()), "docs/runbooks/{name}.md: no such alert");
    }
}

#[test]
fn every_alert_is_told_within_its_promise() {
    let latencies = budget::latencies(&INVENTORY).unwrap();
    assert_eq!(latencies.len(), INVENTORY.catalogue.alerts.len());
    for (alert, latency) in latencies {
        let most = if alert.name == "NodeDied" { DEATH_LATENCY_MAX } else { LATENCY_MAX };
        assert!(latency.whole() < most, "{}: {} of {most}: {latency:?}", alert.name, latency.whole());
    }
}

#[test]
fn intervals_that_are_longer_break_the_promise() {
    let text = format!("{EVERYTHING}\n[intervals]\nscrape = \"1m\"\ngroup_interval = \"5m\"\n");
    let slow = Inventory::read("slow.toml", &text).unwrap();
    let latencies = budget::latencies(&slow).unwrap();
    assert!(latencies.iter().all(|(_, latency)| latency.whole() > LATENCY_MAX));
}

/// Fewer would be none where one is missed, and the alert would never come.
#[test]
fn rates_hold_four_scrapes_however_long_those_are() {
    for (scrape, window) in [("10s", "2m"), ("30s", "2m"), ("45s", "3m"), ("1m", "4m"), ("2m", "8m")] {
        let text = format!("{SMALL}\n[intervals]\nscrape = \"{scrape}\"\n");
        let inventory = Inventory::read("slow.toml", &text).unwrap();
        let tree = render(&inventory, Options { accelerate: 1 }).unwrap();
        let rules = tree.text("prometheus/rules/small.test.rules.yml").unwrap();
        let rates = rules.split(" rate(").chain(rules.split("(rate(")).skip(1);
        let windows: BTreeSet<&str> =
            rates.filter_map(|rate| rate.split(')').next()?.split_once('[')?.1.split(']').next()).collect();
        assert_eq!(windows, BTreeSet::from([window]), "{scrape}");
        // Of what breaks the promise then somebody is told.
        let is_told = inventory.hints.iter().any(|hint| hint.what.contains("more than five minutes"));
        assert_eq!(is_told, window != "2m" || scrape == "30s", "{scrape}");
    }
}

/// The table of docs/fleet.md.
fn table() -> String {
    let mut text = String::from(
        "| Alert | Severity | Scrape | Window | Evaluation | Holds for | Notification | At most |\n|---|---|---|---|---|---|---|---|\n",
    );
    for (alert, latency) in budget::latencies(&INVENTORY).unwrap() {
        let Latency { scrape, window, evaluation, hold, notification } = latency;
        let window = if alert.trend { "(trend)".to_owned() } else { window.to_string() };
        text.push_str(&format!(
            "| {} | {} | {scrape} | {window} | {evaluation} | {hold} | {notification} | {} |\n",
            alert.name,
            alert.severity,
            latency.whole()
        ));
    }
    text
}

#[test]
fn the_table_of_latencies_is_the_one_that_is_computed() {
    let text = std::fs::read_to_string(root().join("docs/fleet.md")).unwrap();
    assert!(text.contains(&table()), "docs/fleet.md should have this:\n{}", table());
}

#[test]
fn thresholds_are_each_asked_for() {
    let alerts: String = INVENTORY.catalogue.alerts.iter().map(|alert| alert.expr.as_str()).collect();
    for name in INVENTORY.catalogue.thresholds.keys() {
        assert!(alerts.contains(&format!("${{threshold.{name}}}")), "no alert asks for {name}");
    }
}

/// Functions that see a counter begin anew, and comparisons of one with itself that hold where it does.
const OF_COUNTERS: [&str; 4] = ["rate(", "increase(", "changes(", "min_over_time("];

/// Counters whose own number is asked for: what a rate of them would miss stands beside their rules.
const BY_NUMBER: [&str; 4] = [
    "lifeboat_deaths_total{",
    "lifeboat_restarts_total{",
    "logos_module_deaths_total{",
    "lifeboat_check_failures_total{",
];

/// The expressions of all rules, each on one line.
fn expressions() -> Vec<String> {
    let rules = rendered("prometheus/rules/");
    let of_rule = rules.split("    expr: ").skip(1);
    let until = |text: &str| {
        text.split("\n    labels:").next().unwrap().split("\n    for:").next().unwrap().to_owned()
    };
    of_rule.map(|rule| until(rule.split("\n  - ").next().unwrap()).replace('\n', " ")).collect()
}

#[test]
fn a_window_holds_four_scrapes() {
    let least = INVENTORY.intervals.scrape.ms * 4;
    for expr in expressions() {
        for window in expr.split('[').skip(1).map(|rest| rest.split(']').next().unwrap()) {
            let Ok(window) = window.parse::<lifeboat_fleet::Duration>() else { continue };
            assert!(window.ms >= least, "{window} in {expr}");
        }
    }
}

#[test]
fn a_counter_is_asked_for_its_growth() {
    for expr in expressions() {
        let names = expr.match_indices("_total{");
        for (at, _) in names {
            let begin = expr[..at]
                .rfind(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .map_or(0, |at| at + 1);
            let is_grown = OF_COUNTERS.iter().any(|function| expr[..begin].ends_with(function));
            let is_known = BY_NUMBER.iter().any(|name| expr[begin..].starts_with(name));
            assert!(is_grown || is_known, "{} in {expr}", &expr[begin..at]);
        }
        assert!(!expr.contains("absent("), "{expr}");
    }
}

/// Promtool asserts the labels of each alert: what a text asks for must be among those.
#[test]
fn a_text_asks_for_labels_that_its_alert_has() {
    check(|alert| {
        let of_scope: &[&str] = match alert.scope {
            Scope::Node => &["fleet", "dc", "node"],
            Scope::Fleet => &["fleet"],
            Scope::Path => &[],
        };
        let texts = format!("{} {}", alert.summary, alert.description);
        let asked =
            texts.split("$labels.").skip(1).map(|rest| rest.split([' ', '}']).next().unwrap().to_owned());
        let has = |name: &String| of_scope.contains(&name.as_str()) || alert.test.labels.contains_key(name);
        asked.filter(|name| !has(name)).map(|name| format!("has no label {name}")).collect()
    });
}
