//! One test: what a fleet tells in it, and what its alerts are to be.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::timeline::{self, Teller};
use super::{NODES_TOLD, says};
use crate::budget::{self, Latency};
use crate::catalogue::alert_test::{Phase, Readings, Scenario};
use crate::catalogue::{Alert, Scope};
use crate::duration::Duration;
use crate::inventory::{Fleet, Inventory, Node};
use crate::profile::Speech;
use crate::render::{expression, rules};

#[derive(Serialize)]
pub(super) struct File {
    pub(super) rule_files: Vec<String>,
    pub(super) evaluation_interval: Duration,
    pub(super) tests: Vec<Entry>,
}

#[derive(Serialize)]
pub(super) struct Entry {
    name: String,
    interval: Duration,
    input_series: Vec<Input>,
    promql_expr_test: Vec<Asked>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alert_rule_test: Vec<Told>,
}

#[derive(Serialize)]
struct Input {
    series: String,
    values: String,
}

#[derive(Serialize)]
struct Asked {
    expr: String,
    eval_time: Duration,
    exp_samples: Vec<Sample>,
}

#[derive(Serialize)]
struct Sample {
    labels: String,
    value: f64,
}

#[derive(Serialize)]
struct Told {
    eval_time: Duration,
    alertname: String,
    exp_alerts: Vec<Expected>,
}

#[derive(Serialize)]
struct Expected {
    exp_labels: BTreeMap<String, String>,
    exp_annotations: BTreeMap<&'static str, String>,
}

/// What tests of one alert, or of all, play with.
pub(super) struct Plot<'a> {
    inventory: &'a Inventory,
    fleet: &'a Fleet,
    alert: Option<&'a Alert>,
    /// Signals that are told.
    pub(super) signals: BTreeSet<&'a str>,
    /// The part of the fleet's speech that is told.
    speech: Speech,
    /// The node that falls ill, then others.
    nodes: Vec<Node>,
}

impl<'a> Plot<'a> {
    /// For one alert, or for all.
    pub(super) fn of(inventory: &'a Inventory, fleet: &'a Fleet, alert: Option<&'a Alert>) -> Self {
        let known = fleet.speech.signals.keys().map(String::as_str);
        let signals: BTreeSet<&str> = match alert {
            None => known.collect(),
            Some(alert) => {
                let wanted = wanted(alert);
                // What is computed of every node that lives.
                known.filter(|name| wanted.contains(name) || *name == "node_up").collect()
            }
        };
        let endpoints: BTreeSet<&str> = signals
            .iter()
            .filter_map(|name| Some(fleet.speech.signals.get(*name)?.endpoint.as_str()))
            .collect();
        let mut speech = fleet.speech.clone();
        speech.signals.retain(|name, _| signals.contains(name.as_str()));
        let mut nodes: Vec<Node> = fleet.nodes.clone();
        if nodes.is_empty() {
            nodes.push(some_node(fleet));
        }
        // The first that has all endpoints goes first; the sort is stable.
        nodes.sort_by_key(|node| !endpoints.iter().all(|name| node.endpoints.contains_key(*name)));
        Self { inventory, fleet, alert, signals, speech, nodes }
    }

    /// Fires at its latest right moment, not an evaluation before its earliest, and no more when it has cleared.
    pub(super) fn fires_and_clears(
        &self,
        alert: &Alert,
        scenario: &Scenario,
        clears: Duration,
        generation: Option<&str>,
    ) -> Result<Entry, String> {
        let mut ends = scenario.phases.iter().scan(Duration::default(), |end, phase| {
            *end = end.plus(phase.lasts);
            Some(*end)
        });
        let (ill, well) = (ends.next().unwrap_or_default(), ends.next().unwrap_or_default());
        let evaluation = self.inventory.intervals.evaluation;
        let earliest = ill.plus(alert.hold);
        let latest = ill.plus(self.latest(alert));
        let expected = self.expected(alert);
        let samples: Vec<Sample> = expected.iter().map(|labels| sample(alert, labels)).collect();
        let mut entry = self.entry(alert_name(alert, scenario, generation), scenario, generation);
        entry.promql_expr_test.push(never(&alert.name, earliest.minus(evaluation)));
        entry.promql_expr_test.push(Asked {
            expr: firing(&alert.name),
            eval_time: latest,
            exp_samples: samples,
        });
        entry.promql_expr_test.push(Asked {
            expr: firing(&alert.name),
            eval_time: well.plus(clears),
            exp_samples: Vec::new(),
        });
        let says = expected.into_iter().map(|labels| self.says(alert, labels)).collect::<Result<_, _>>()?;
        entry.alert_rule_test.push(Told {
            eval_time: latest,
            alertname: alert.name.clone(),
            exp_alerts: says,
        });
        Ok(entry)
    }

    /// Fires at the end.
    pub(super) fn fires(&self, alert: &Alert, scenario: &Scenario, generation: Option<&str>) -> Entry {
        let mut entry = self.entry(alert_name(alert, scenario, generation), scenario, generation);
        let exp_samples = self.expected(alert).iter().map(|labels| sample(alert, labels)).collect();
        entry.promql_expr_test.push(Asked {
            expr: firing(&alert.name),
            eval_time: end(scenario),
            exp_samples,
        });
        entry
    }

    /// Fires at any time.
    pub(super) fn always(&self, alert: &Alert) -> Result<Entry, String> {
        let mut entry = self.entry(format!("{}: fires at any time", alert.name), &Scenario::default(), None);
        let says = self.expected(alert).into_iter().map(|labels| self.says(alert, labels));
        let exp_alerts = says.collect::<Result<_, _>>()?;
        let eval_time = Duration::default();
        entry.alert_rule_test.push(Told { eval_time, alertname: alert.name.clone(), exp_alerts });
        Ok(entry)
    }

    /// Does not fire at any time; is not even pending, if asked.
    pub(super) fn silent(&self, scenario: &Scenario, generation: Option<&str>, strictly: bool) -> Entry {
        let name = match self.alert {
            Some(alert) => alert_name(alert, scenario, generation),
            None => named("no alert", scenario, generation),
        };
        let mut entry = self.entry(name, scenario, generation);
        entry.promql_expr_test.push(match self.alert {
            Some(alert) => never(&alert.name, end(scenario)),
            None if strictly => none("alertname!=\"Watchdog\"", end(scenario)),
            None => none("alertname!=\"Watchdog\",alertstate=\"firing\"", end(scenario)),
        });
        entry
    }

    /// How long after the node fell ill the rule fires at the latest, as samples and evaluations are in step here.
    pub(super) fn latest(&self, alert: &Alert) -> Duration {
        let latency = Latency::of(alert, self.fleet, &self.inventory.intervals);
        alert.test.holds_after.plus(latency.window).plus(latency.hold)
    }

    /// How long after the recovery the rule is silent at the latest.
    pub(super) fn clears(&self, alert: &Alert) -> Duration {
        let window = budget::window_of(alert, self.fleet);
        window.plus(self.inventory.intervals.scrape).plus(self.inventory.intervals.evaluation)
    }

    fn entry(&self, name: String, scenario: &Scenario, generation: Option<&str>) -> Entry {
        let interval = self.inventory.intervals.scrape;
        let mut input_series = Vec::new();
        let first: Vec<Phase> = scenario.phases.clone();
        let others: Vec<Phase> = scenario.phases.iter().map(of_others).collect();
        for (number, node) in self.nodes.iter().enumerate() {
            let phases = if number == 0 || self.is_everywhere() { &first } else { &others };
            let version = node.version.as_ref().or(self.fleet.version.as_ref());
            let teller = Teller {
                speech: &self.speech,
                generation,
                healthy: self.alert.map_or(&NOTHING, |alert| &alert.test.healthy),
                target: &target(node, self.fleet),
                addresses: &node.endpoints,
                labels: &version.map(|version| ("version".to_owned(), version.clone())).into_iter().collect(),
                scrape: interval,
                window: expression::RULE_RANGE,
                is_told: number < NODES_TOLD,
            };
            let lines = timeline::of(teller, phases).into_iter();
            input_series.extend(lines.map(|(series, values)| Input { series, values }));
        }
        Entry { name, interval, input_series, promql_expr_test: Vec::new(), alert_rule_test: Vec::new() }
    }

    /// Whether what happens to the first node happens to all.
    fn is_everywhere(&self) -> bool {
        self.alert.is_none_or(|alert| alert.test.everywhere)
    }

    /// The labels of each alert that must fire.
    fn expected(&self, alert: &Alert) -> Vec<BTreeMap<String, String>> {
        let mut labels: BTreeMap<String, String> = alert.test.labels.clone();
        labels.extend(rules::labels_of(alert, self.fleet).map(|(name, value)| (name.to_owned(), value)));
        if alert.scope != Scope::Path {
            labels.insert("fleet".into(), self.fleet.name.clone());
        }
        if alert.scope != Scope::Node {
            return vec![labels];
        }
        let ill = if alert.test.everywhere { NODES_TOLD } else { 1 };
        let of_node = |node: &Node| {
            let mut labels = labels.clone();
            labels.insert("dc".into(), node.dc.clone());
            labels.insert("node".into(), node.name.clone());
            labels
        };
        self.nodes.iter().take(ill).map(of_node).collect()
    }

    fn says(&self, alert: &Alert, labels: BTreeMap<String, String>) -> Result<Expected, String> {
        let said = rules::annotations_of(alert, self.inventory).into_iter().map(|(name, text)| {
            let said = says::said(&text, &labels, &alert.test.figure)
                .map_err(|error| format!("alert {}: {error}", alert.name))?;
            Ok((name, said))
        });
        let exp_annotations = said.collect::<Result<_, String>>()?;
        Ok(Expected { exp_labels: labels, exp_annotations })
    }
}

/// A node where none is known by name: one that Consul knows, or the engines that alerts pass through.
fn some_node(fleet: &Fleet) -> Node {
    let endpoints = fleet.speech.endpoints.iter();
    Node {
        name: "node-01".into(),
        role: "node".into(),
        dc: "dc-01".into(),
        endpoints: endpoints
            .map(|(name, endpoint)| (name.clone(), format!("localhost:{}", endpoint.port)))
            .collect(),
        ..Node::default()
    }
}

static NOTHING: Readings = Readings::new();

/// The part of other nodes in what happens to the first.
fn of_others(phase: &Phase) -> Phase {
    let is_unknown = phase.absent.iter().any(|name| name == "*") && phase.others.is_empty();
    Phase {
        lasts: phase.lasts,
        is: phase.others.clone(),
        absent: if is_unknown { phase.absent.clone() } else { Vec::new() },
        ..Phase::default()
    }
}

fn target(node: &Node, fleet: &Fleet) -> BTreeMap<String, String> {
    if rules::is_path(fleet) {
        return BTreeMap::new();
    }
    let labels = [("fleet", &fleet.name), ("dc", &node.dc), ("node", &node.name), ("role", &node.role)];
    let given = labels.into_iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// The signals that an alert's rule or its tests name.
fn wanted(alert: &Alert) -> BTreeSet<&str> {
    let mut wanted: BTreeSet<&str> = alert.needs.iter().chain(&alert.any).map(String::as_str).collect();
    let test = &alert.test;
    let phases = test.quiet.iter().chain(&test.fires).flat_map(|scenario| &scenario.phases);
    let readings = phases.flat_map(|phase| phase.is.keys().chain(phase.others.keys()));
    wanted.extend(readings.chain(test.sick.keys()).chain(test.healthy.keys()).map(String::as_str));
    wanted
}

fn alert_name(alert: &Alert, scenario: &Scenario, generation: Option<&str>) -> String {
    named(&alert.name, scenario, generation)
}

fn named(what: &str, scenario: &Scenario, generation: Option<&str>) -> String {
    let names = generation.map_or_else(String::new, |generation| format!(" ({generation} names)"));
    format!("{what}: {}{names}", scenario.name)
}

/// The last moment of a course.
fn end(scenario: &Scenario) -> Duration {
    let whole = scenario.phases.iter().fold(Duration::default(), |sum, phase| sum.plus(phase.lasts));
    whole.minus(Duration::from_seconds(15))
}

fn firing(alert: &str) -> String {
    format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}")
}

/// That it has not fired up to this moment.
fn never(alert: &str, until: Duration) -> Asked {
    none(&format!("alertname=\"{alert}\",alertstate=\"firing\""), until)
}

fn none(matchers: &str, until: Duration) -> Asked {
    let expr = format!("count_over_time(ALERTS{{{matchers}}}[2d])");
    Asked { expr, eval_time: until, exp_samples: Vec::new() }
}

/// The series that Prometheus writes while an alert fires.
fn sample(alert: &Alert, labels: &BTreeMap<String, String>) -> Sample {
    let mut labels = labels.clone();
    labels.insert("alertname".into(), alert.name.clone());
    labels.insert("alertstate".into(), "firing".into());
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}={}", serde_json::Value::from(value.as_str())))
        .collect();
    Sample { labels: format!("ALERTS{{{}}}", labels.join(",")), value: 1.0 }
}
