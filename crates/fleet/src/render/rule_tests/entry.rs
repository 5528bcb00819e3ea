//! One test: what a fleet tells in it, and what its alerts are to be.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::timeline::{self, Teller};
use super::{NODES_TOLD, says};
use crate::budget::{self, Latency};
use crate::catalogue::alert_test::{Phase, Readings, Scenario};
use crate::catalogue::{Alert, NODES_MIN, Scope};
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
        let least = least_nodes(fleet);
        nodes.extend((nodes.len() + 1..=least).map(|number| some_node(fleet, number)));
        // The first that has all endpoints goes first; the sort is stable.
        nodes.sort_by_key(|node| !endpoints.iter().all(|name| node.endpoints.contains_key(*name)));
        Self { inventory, fleet, alert, signals, speech, nodes }
    }

    /// Whether this can happen in the fleet.
    pub(super) fn can(&self, scenario: &Scenario) -> bool {
        // Whom Consul forgot is missed for an hour, unless it is said how many there are.
        let is_missed = self.fleet.consul.is_none() || self.fleet.nodes_min > 0;
        let has =
            |name: &String| self.fleet.speech.signals.contains_key(name) || (name == NODES_MIN && is_missed);
        let is_enough = |(name, least): (&String, &f64)| {
            self.fleet.thresholds.get(name).is_some_and(|threshold| threshold >= least)
        };
        self.nodes.len() >= scenario.nodes
            && scenario.needs.iter().all(has)
            && scenario.least.iter().all(is_enough)
    }

    /// An entry of its own, in which the fleet's nodes act.
    pub(super) fn entry(&self, name: String, scenario: &Scenario, generation: Option<&str>) -> Entry {
        let mut entry = Entry::new(name, self.inventory.intervals.scrape);
        let others: Vec<Phase> = scenario.phases.iter().map(of_others).collect();
        for (number, node) in self.nodes.iter().enumerate() {
            let is_first = number == 0 || scenario.everywhere;
            let phases = if is_first { &scenario.phases } else { &others };
            self.add_node(&mut entry, node, phases, generation, number < NODES_TOLD);
        }
        entry
    }

    /// Adds a node of this name to an entry that courses share, with its part.
    pub(super) fn add_actor(
        &self,
        entry: &mut Entry,
        name: &str,
        scenario: &Scenario,
        generation: Option<&str>,
    ) {
        if let Some(first) = self.nodes.first() {
            let node = Node { name: name.into(), ..first.clone() };
            self.add_node(entry, &node, &scenario.phases, generation, true);
        }
    }

    /// Fires at its latest right moment, not an evaluation before its earliest, and no more when it has cleared.
    pub(super) fn fires_and_clears(
        &self,
        entry: &mut Entry,
        alert: &Alert,
        (scenario, clears): (&Scenario, Duration),
        actor: Option<&str>,
    ) {
        let (ill, well) = turns(scenario);
        let evaluation = self.inventory.intervals.evaluation;
        entry.never(alert, actor, ill.plus(alert.hold).minus(evaluation));
        let samples = self.expected(alert, scenario, actor);
        entry.firing(alert, actor, ill.plus(self.latest(alert)), &samples);
        entry.firing(alert, actor, well.plus(clears), &[]);
    }

    /// Fires at the end.
    pub(super) fn fires(&self, entry: &mut Entry, alert: &Alert, scenario: &Scenario, actor: Option<&str>) {
        let samples = self.expected(alert, scenario, actor);
        entry.firing(alert, actor, self.end(scenario), &samples);
    }

    /// Has not fired at any time.
    pub(super) fn silent(&self, entry: &mut Entry, alert: &Alert, scenario: &Scenario, actor: Option<&str>) {
        entry.never(alert, actor, self.end(scenario));
    }

    /// Does not fire at the end.
    pub(super) fn cleared(&self, entry: &mut Entry, alert: &Alert, scenario: &Scenario, actor: Option<&str>) {
        entry.firing(alert, actor, self.end(scenario), &[]);
    }

    /// No alert has anything to say at any time; none is even pending, if asked.
    pub(super) fn all_silent(&self, scenario: &Scenario, generation: Option<&str>, strictly: bool) -> Entry {
        let mut entry = self.entry(named("no alert", &scenario.name, generation), scenario, generation);
        let state = if strictly { "" } else { ",alertstate=\"firing\"" };
        entry.none(&format!("alertname!=\"Watchdog\"{state}"), self.end(scenario));
        entry
    }

    /// Says what it should when it fires at its latest.
    pub(super) fn says(&self, entry: &mut Entry, alert: &Alert, scenario: &Scenario) -> Result<(), String> {
        let latest = turns(scenario).0.plus(self.latest(alert));
        let expected = self.expected(alert, scenario, None).into_iter().map(|labels| {
            let said = rules::annotations_of(alert, self.inventory).into_iter().map(|(name, text)| {
                let said = says::said(&text, &labels, &alert.test.figure)
                    .map_err(|error| format!("alert {}: {error}", alert.name))?;
                Ok((name, said))
            });
            let exp_annotations = said.collect::<Result<_, String>>()?;
            Ok(Expected { exp_labels: labels, exp_annotations })
        });
        let exp_alerts = expected.collect::<Result<_, String>>()?;
        entry.alert_rule_test.push(Told { eval_time: latest, alertname: alert.name.clone(), exp_alerts });
        Ok(())
    }

    /// How long after the node fell ill the rule fires at the latest, as samples and evaluations are in step here.
    pub(super) fn latest(&self, alert: &Alert) -> Duration {
        let latency = Latency::of(alert, self.fleet, &self.inventory.intervals);
        alert.test.holds_after.plus(latency.window).plus(latency.hold)
    }

    /// How long after the recovery the rule is silent at the latest.
    pub(super) fn clears(&self, alert: &Alert) -> Duration {
        let window = budget::window_of(alert, self.fleet);
        let scrape = self.inventory.intervals.scrape.plus(self.inventory.intervals.evaluation);
        alert.test.clears_within.unwrap_or(window.plus(scrape))
    }

    fn add_node(
        &self,
        entry: &mut Entry,
        node: &Node,
        phases: &[Phase],
        generation: Option<&str>,
        is_told: bool,
    ) {
        let version = node.version.as_ref().or(self.fleet.version.as_ref());
        let mut addresses = node.endpoints.clone();
        if !is_told {
            // One page is enough to live by, and a large fleet's tests stay short. The process' own, where there is one: it is what
            // does not answer when the node hangs.
            let mut lives = expression::endpoints_of_life(self.fleet);
            lives.sort_by_key(|name| *name == expression::MONITOR);
            let one = lives.into_iter().find(|name| addresses.contains_key(*name));
            addresses.retain(|name, _| one.is_none_or(|one| name == one));
        }
        let teller = Teller {
            speech: &self.speech,
            generation,
            healthy: self.alert.map_or(&NOTHING, |alert| &alert.test.healthy),
            target: &target(node, self.fleet),
            addresses: &addresses,
            labels: &version.map(|version| ("version".to_owned(), version.clone())).into_iter().collect(),
            scrape: self.inventory.intervals.scrape,
            window: self.fleet.rate_window,
            is_told,
        };
        let lines = timeline::of(teller, phases).into_iter();
        entry.input_series.extend(lines.map(|(series, values)| Input { series, values }));
    }

    /// The labels of each alert that must fire.
    fn expected(&self, alert: &Alert, scenario: &Scenario, actor: Option<&str>) -> Vec<Labels> {
        let own = if scenario.labels.is_empty() { &alert.test.labels } else { &scenario.labels };
        let mut labels: Labels = own.clone();
        labels.extend(rules::labels_of(alert, self.fleet).map(|(name, value)| (name.to_owned(), value)));
        if alert.scope != Scope::Path {
            labels.insert("fleet".into(), self.fleet.name.clone());
        }
        if alert.scope != Scope::Node {
            return vec![labels];
        }
        let ill = if scenario.everywhere { NODES_TOLD } else { 1 };
        let of_node = |node: &Node| {
            let mut labels = labels.clone();
            labels.insert("dc".into(), node.dc.clone());
            labels.insert("node".into(), actor.unwrap_or(&node.name).to_owned());
            labels
        };
        self.nodes.iter().take(ill).map(of_node).collect()
    }

    /// The last moment of a course.
    fn end(&self, scenario: &Scenario) -> Duration {
        length(scenario).minus(self.inventory.intervals.scrape)
    }
}

type Labels = BTreeMap<String, String>;

impl Entry {
    /// One in which nothing happens yet.
    pub(super) const fn new(name: String, interval: Duration) -> Self {
        Self {
            name,
            interval,
            input_series: Vec::new(),
            promql_expr_test: Vec::new(),
            alert_rule_test: Vec::new(),
        }
    }

    /// The alert has not fired up to this moment, for this node where one is named.
    fn never(&mut self, alert: &Alert, node: Option<&str>, until: Duration) {
        self.none(&matchers(alert, node), until);
    }

    fn none(&mut self, matchers: &str, until: Duration) {
        let expr = format!("count_over_time(ALERTS{{{matchers}}}[1d])");
        self.promql_expr_test.push(Asked { expr, eval_time: until, exp_samples: Vec::new() });
    }

    /// The alert fires with these labels and no others.
    fn firing(&mut self, alert: &Alert, node: Option<&str>, eval_time: Duration, labels: &[Labels]) {
        let expr = format!("ALERTS{{{}}}", matchers(alert, node));
        let exp_samples = labels.iter().map(|labels| sample(alert, labels)).collect();
        self.promql_expr_test.push(Asked { expr, eval_time, exp_samples });
    }
}

fn matchers(alert: &Alert, node: Option<&str>) -> String {
    let node = node.map_or_else(String::new, |node| format!(",node=\"{node}\""));
    format!("alertname=\"{}\",alertstate=\"firing\"{node}", alert.name)
}

/// When the node falls ill, and when it is well again.
fn turns(scenario: &Scenario) -> (Duration, Duration) {
    let mut lengths = scenario.phases.iter().map(|phase| phase.lasts);
    let ill = lengths.next().unwrap_or_default();
    (ill, ill.plus(lengths.next().unwrap_or_default()))
}

/// How long a course is.
pub(super) fn length(scenario: &Scenario) -> Duration {
    scenario.phases.iter().fold(Duration::default(), |sum, phase| sum.plus(phase.lasts))
}

/// What an entry is called.
pub(super) fn named(what: &str, course: &str, generation: Option<&str>) -> String {
    let names = generation.map_or_else(String::new, |generation| format!(" ({generation} names)"));
    format!("{what}: {course}{names}")
}

/// How many nodes play at least: as many as Consul must know, and two, lest an alert that compares them has none to compare. The
/// engines that alerts pass through are one.
fn least_nodes(fleet: &Fleet) -> usize {
    let least = usize::try_from(fleet.nodes_min).unwrap_or(usize::MAX);
    if fleet.consul.is_some() { least.max(2) } else { 1 }
}

/// A node where none is known by name: one that Consul knows, or the engines that alerts pass through.
fn some_node(fleet: &Fleet, number: usize) -> Node {
    let endpoints = fleet.speech.endpoints.iter();
    Node {
        name: format!("node-{number:02}"),
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
    Phase { lasts: phase.lasts, is: phase.others.clone(), ..Phase::default() }
}

fn target(node: &Node, fleet: &Fleet) -> BTreeMap<String, String> {
    if fleet.is_path {
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
    let phases =
        test.quiet.iter().chain(&test.fires).chain(&test.clears).flat_map(|scenario| &scenario.phases);
    let readings = phases.flat_map(|phase| phase.is.keys().chain(phase.others.keys()));
    wanted.extend(readings.chain(test.sick.keys()).chain(test.healthy.keys()).map(String::as_str));
    wanted
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
