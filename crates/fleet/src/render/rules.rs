//! Prometheus' rules: one file for each fleet, with its own thresholds in it as figures, and one for the way that alerts take.

use std::collections::BTreeMap;

use serde::Serialize;

use super::expression::BY;
use super::tree::Tree;
use super::{Options, expression, yaml};
use crate::catalogue::{Alert, Catalogue, EXPECTED_VERSION, NODES_MIN, Record, Scope};
use crate::duration::Duration;
use crate::inventory::{Fleet, Inventory};
use crate::profile::Book;

/// Rules of the way that alerts take.
pub(super) const PATH: &str = "path";

/// What a node loses from its health score where it does not run or does not answer.
const POINTS_OF_DOWN: u32 = 80;

/// What a node loses at most for what is not known of it.
const POINTS_OF_UNKNOWN: u32 = 20;

/// Between two evaluations of a trend: its windows are hours, and reading them is work.
pub(crate) const TREND_INTERVAL: Duration = Duration::from_seconds(60);

#[derive(Serialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    name: String,
    interval: Duration,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Rule {
    Alert {
        alert: String,
        expr: String,
        #[serde(rename = "for")]
        hold: Duration,
        labels: BTreeMap<&'static str, String>,
        annotations: BTreeMap<&'static str, String>,
    },
    Record {
        record: String,
        expr: String,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<&'static str, String>,
    },
}

pub(super) fn render(inventory: &Inventory, options: Options, tree: &mut Tree) -> Result<(), String> {
    let interval = inventory.intervals.evaluation.divided(options.accelerate);
    for fleet in &inventory.fleets {
        let group =
            |what: &str, interval, rules| Group { name: format!("{} {what}", fleet.name), interval, rules };
        let alerts = rules(fleet, inventory, options)?;
        let groups = vec![group("nodes", interval, expected(fleet)), group("alerts", interval, alerts)];
        tree.add(format!("prometheus/rules/{}.rules.yml", fleet.name), yaml::file(&RuleFile { groups })?);
        let trends = trends(fleet, inventory, options)?;
        if !trends.is_empty() {
            let groups = vec![group("trends", TREND_INTERVAL.divided(options.accelerate), trends)];
            tree.add(
                format!("prometheus/rules/{}.trends.rules.yml", fleet.name),
                yaml::file(&RuleFile { groups })?,
            );
        }
    }
    if let Some(path) = path_of(inventory)? {
        let rules = alerts_of(&inventory.catalogue, &path)
            .map(|alert| alert_rule(alert, &path, inventory, options))
            .collect::<Result<_, _>>()?;
        let groups = vec![Group { name: PATH.into(), interval, rules }];
        tree.add("prometheus/rules/path.rules.yml", yaml::file(&RuleFile { groups })?);
    }
    Ok(())
}

/// The engines that alerts pass through, as if they were a fleet: its owner is the first fleet's.
pub(crate) fn path_of(inventory: &Inventory) -> Result<Option<Fleet>, String> {
    let Some(fleet) = inventory.fleets.first() else { return Ok(None) };
    let book = Book::ours().map_err(|problems| problems.to_string())?;
    let speech = book.speech_of_engines()?;
    let (name, nodes) = (PATH.into(), Vec::new());
    Ok(Some(Fleet { name, is_path: true, speech, nodes, consul: None, ..fleet.clone() }))
}

/// The alerts for which a fleet has every signal.
pub(crate) fn alerts_of<'a>(catalogue: &'a Catalogue, fleet: &'a Fleet) -> impl Iterator<Item = &'a Alert> {
    let has = |signal: &String| fleet.speech.signals.contains_key(signal) || is_said(signal, fleet);
    catalogue.alerts.iter().filter(move |alert| {
        (alert.scope == Scope::Path) == fleet.is_path
            && has_nodes_for(alert, fleet)
            && alert.needs.iter().all(has)
            && (alert.any.is_empty() || alert.any.iter().any(has))
    })
}

/// Whether a fleet has as many nodes as an alert compares; nobody knows how many Consul will tell of.
pub(crate) const fn has_nodes_for(alert: &Alert, fleet: &Fleet) -> bool {
    fleet.consul.is_some() || fleet.nodes.len() >= alert.nodes
}

/// Whether the inventory says what an alert needs of it.
fn is_said(name: &str, fleet: &Fleet) -> bool {
    match name {
        EXPECTED_VERSION => fleet.expects_version(),
        NODES_MIN => fleet.consul.is_some() && fleet.nodes_min > 0,
        _ => false,
    }
}

/// What is recorded of a fleet.
pub(crate) fn records_of<'a>(catalogue: &'a Catalogue, fleet: &'a Fleet) -> impl Iterator<Item = &'a Record> {
    let has = |signal: &String| fleet.speech.signals.contains_key(signal);
    catalogue.records.iter().filter(move |record| {
        record.needs.iter().all(has) && (record.any.is_empty() || record.any.iter().any(has))
    })
}

/// In one group, since its rules are evaluated one after the other: what is recorded, alerts, what is computed of those,
/// and alerts on that.
fn rules(fleet: &Fleet, inventory: &Inventory, options: Options) -> Result<Vec<Rule>, String> {
    let catalogue = &inventory.catalogue;
    let mut rules = Vec::new();
    for record in records_of(catalogue, fleet).filter(|record| !record.of_alerts && !record.trend) {
        rules.push(record_rule(record, fleet, options)?);
    }
    let is_late = |alert: &Alert| alert.expr.contains("node:health_");
    for alert in alerts_of(catalogue, fleet).filter(|alert| !is_late(alert) && !alert.trend) {
        rules.push(alert_rule(alert, fleet, inventory, options)?);
    }
    rules.extend(deductions(catalogue, fleet));
    for record in records_of(catalogue, fleet).filter(|record| record.of_alerts) {
        rules.push(record_rule(record, fleet, options)?);
    }
    for alert in alerts_of(catalogue, fleet).filter(|alert| is_late(alert)) {
        rules.push(alert_rule(alert, fleet, inventory, options)?);
    }
    Ok(rules)
}

/// In a group and a file of their own, which asks nothing of the other.
fn trends(fleet: &Fleet, inventory: &Inventory, options: Options) -> Result<Vec<Rule>, String> {
    let alerts: Vec<&Alert> = alerts_of(&inventory.catalogue, fleet).filter(|alert| alert.trend).collect();
    if alerts.is_empty() {
        return Ok(Vec::new());
    }
    let mut rules = Vec::new();
    for record in records_of(&inventory.catalogue, fleet).filter(|record| record.trend) {
        rules.push(record_rule(record, fleet, options)?);
    }
    for alert in alerts {
        rules.push(alert_rule(alert, fleet, inventory, options)?);
    }
    Ok(rules)
}

fn record_rule(record: &Record, fleet: &Fleet, options: Options) -> Result<Rule, String> {
    let expr = expression::of_rule(&record.expr, fleet, options.accelerate)
        .map_err(|error| format!("record {}: {error}", record.name))?;
    Ok(Rule::Record { record: record.name.clone(), expr, labels: BTreeMap::new() })
}

/// What each node's health score loses, by reason: score and alerts cannot say different things.
fn deductions(catalogue: &Catalogue, fleet: &Fleet) -> Vec<Rule> {
    let select = expression::View::of_rules(fleet).select;
    let deduction = |reason: &str, expr: String| Rule::Record {
        record: "node:health_deduction".into(),
        expr,
        labels: BTreeMap::from([("reason", reason.to_owned())]),
    };
    let mut rules = vec![
        deduction("down", format!("{POINTS_OF_DOWN} * (1 - node:alive:bool{{{select}}}) > 0")),
        deduction("unknown", format!("{POINTS_OF_UNKNOWN} * (1 - node:health_coverage{{{select}}}) > 0")),
    ];
    // One rule for all alerts of the same weight: there are few weights and many alerts.
    let mut weights: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for alert in alerts_of(catalogue, fleet).filter(|alert| alert.deducts > 0) {
        weights.entry(alert.deducts).or_default().push(&alert.name);
    }
    let weighed = weights.into_iter().map(|(points, names)| {
        let fires = format!("ALERTS{{{select},alertname=~\"{}\",alertstate=\"firing\"}}", names.join("|"));
        let reasons = format!("label_replace({fires}, \"reason\", \"$1\", \"alertname\", \"(.*)\")");
        format!("{points} * max by ({BY}, reason) ({reasons})")
    });
    // In one rule: of two with the same name and labels promtool says that they may contradict each other.
    let weighed: Vec<String> = weighed.collect();
    if !weighed.is_empty() {
        rules.push(Rule::Record {
            record: "node:health_deduction".into(),
            expr: weighed.join("\nor "),
            labels: BTreeMap::new(),
        });
    }
    rules
}

/// What should be there: a node that discovery no longer knows is missed all the same.
fn expected(fleet: &Fleet) -> Vec<Rule> {
    let nodes = fleet.nodes.iter().map(|node| {
        let version = node.version.as_ref().or(fleet.version.as_ref()).cloned().unwrap_or_default();
        let labels = [
            ("fleet", fleet.name.clone()),
            ("dc", node.dc.clone()),
            ("node", node.name.clone()),
            ("role", node.role.clone()),
            ("version", version),
        ];
        Rule::Record {
            record: "fleet:node_expected:info".into(),
            expr: "vector(1)".into(),
            labels: labels.into(),
        }
    });
    let known = nodes.chain(fleet.consul.as_ref().map(|_| expected_of_consul(fleet)));
    known.chain(is_said(NODES_MIN, fleet).then(|| nodes_min(fleet))).collect()
}

/// How many nodes Consul must know: a series that is there when it knows none, and Prometheus has no target to ask for.
fn nodes_min(fleet: &Fleet) -> Rule {
    Rule::Record {
        record: "fleet:nodes_min:count".into(),
        expr: format!("vector({})", fleet.nodes_min),
        labels: BTreeMap::from([("fleet", fleet.name.clone())]),
    }
}

/// Of the nodes that Consul knows, those that Prometheus has seen within the hour.
fn expected_of_consul(fleet: &Fleet) -> Rule {
    let select = expression::View::of_rules(fleet).select;
    Rule::Record {
        record: "fleet:node_expected:info".into(),
        expr: format!("group by ({BY}, role) (last_over_time(up{{{select}}}[1h]))"),
        labels: BTreeMap::from([("version", fleet.version.clone().unwrap_or_default())]),
    }
}

fn alert_rule(alert: &Alert, fleet: &Fleet, inventory: &Inventory, options: Options) -> Result<Rule, String> {
    let expr = expression::of_rule(&alert.expr, fleet, options.accelerate)
        .map_err(|error| format!("alert {}: {error}", alert.name))?;
    Ok(Rule::Alert {
        alert: alert.name.clone(),
        expr,
        hold: alert.hold.divided(options.accelerate),
        labels: labels_of(alert, fleet).into(),
        annotations: annotations_of(alert, inventory),
    })
}

/// What every alert bears beside the labels of its expression.
pub(super) fn labels_of(alert: &Alert, fleet: &Fleet) -> [(&'static str, String); 2] {
    [("severity", alert.severity.to_string()), ("owner", fleet.owner.clone())]
}

/// What an alert says, in Prometheus' template language.
pub(super) fn annotations_of(alert: &Alert, inventory: &Inventory) -> BTreeMap<&'static str, String> {
    let mut annotations = BTreeMap::from([
        ("summary", alert.summary.trim().to_owned()),
        ("description", alert.description.trim().to_owned()),
    ]);
    let links = &inventory.links;
    let runbooks = links.runbooks.as_deref().unwrap_or("runbooks");
    annotations.insert("runbook_url", format!("{runbooks}/{}.md", alert.name));
    if let Some(grafana) = &links.grafana {
        let dashboard = alert.panel.split('/').next().unwrap_or_default();
        let of = match alert.scope {
            Scope::Node => "?var-fleet={{ $labels.fleet }}&var-node={{ $labels.node }}",
            Scope::Fleet => "?var-fleet={{ $labels.fleet }}",
            Scope::Path => "",
        };
        annotations.insert("dashboard_url", format!("{grafana}/d/lifeboat-{dashboard}{of}"));
    }
    for (name, link) in [("logs_url", &links.logs), ("reports_url", &links.reports)] {
        let Some(link) = link.as_ref().filter(|_| alert.scope == Scope::Node) else { continue };
        let link = link.replace("{fleet}", "{{ $labels.fleet }}").replace("{node}", "{{ $labels.node }}");
        annotations.insert(name, link);
    }
    annotations
}
