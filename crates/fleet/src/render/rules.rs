//! Prometheus' rules: one file for each fleet, with its own thresholds in it as figures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::tree::Tree;
use super::{Options, expression, yaml};
use crate::catalogue::{Alert, Catalogue};
use crate::duration::Duration;
use crate::inventory::{Fleet, Inventory};

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
        labels: BTreeMap<&'static str, String>,
    },
}

pub(super) fn render(inventory: &Inventory, options: Options, tree: &mut Tree) -> Result<(), String> {
    for fleet in &inventory.fleets {
        let interval = inventory.intervals.evaluation.divided(options.accelerate);
        let group = |what: &str, rules| Group { name: format!("{} {what}", fleet.name), interval, rules };
        let alerts = alerts_of(&inventory.catalogue, fleet)
            .map(|alert| alert_rule(alert, fleet, inventory, options))
            .collect::<Result<_, _>>()?;
        let file = RuleFile { groups: vec![group("nodes", expected(fleet)), group("alerts", alerts)] };
        tree.add(format!("prometheus/rules/{}.rules.yml", fleet.name), yaml::file(&file)?);
    }
    Ok(())
}

/// The alerts for which a fleet has every signal.
pub(crate) fn alerts_of<'a>(catalogue: &'a Catalogue, fleet: &'a Fleet) -> impl Iterator<Item = &'a Alert> {
    let has = |signal: &String| fleet.speech.signals.contains_key(signal);
    catalogue.alerts.iter().filter(move |alert| alert.needs.iter().all(has))
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
    nodes.collect()
}

fn alert_rule(alert: &Alert, fleet: &Fleet, inventory: &Inventory, options: Options) -> Result<Rule, String> {
    let expr = expression::of_alert(alert, fleet)?;
    let labels = [("severity", format!("{:?}", alert.severity)), ("owner", fleet.owner.clone())];
    let mut annotations = BTreeMap::from([
        ("summary", alert.summary.trim().to_owned()),
        ("description", alert.description.trim().to_owned()),
    ]);
    let links = &inventory.links;
    let runbooks = links.runbooks.as_deref().unwrap_or("runbooks");
    annotations.insert("runbook_url", format!("{runbooks}/{}.md", alert.name));
    if let Some(grafana) = &links.grafana {
        let dashboard = alert.panel.split('/').next().unwrap_or_default();
        let of_node = "var-fleet={{ $labels.fleet }}&var-node={{ $labels.node }}";
        annotations.insert("dashboard_url", format!("{grafana}/d/lifeboat-{dashboard}?{of_node}"));
    }
    if let Some(logs) = &links.logs {
        let link = logs.replace("{fleet}", "{{ $labels.fleet }}").replace("{node}", "{{ $labels.node }}");
        annotations.insert("logs_url", link);
    }
    Ok(Rule::Alert {
        alert: alert.name.clone(),
        expr: expression::accelerated(&expr, options.accelerate),
        hold: alert.hold.divided(options.accelerate),
        labels: labels.into(),
        annotations,
    })
}
